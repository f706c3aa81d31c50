// What is wrong now, in sentences for the operator: kept for the status, said at once when it is new and
// once a minute while it lasts, so that a broker that is away for a night does not fill the journal.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/log_level.h"

namespace weir {

class Troubles {
 public:
  static constexpr std::size_t kMost = 100;  // more are not kept

  // A look at the files begins: it finds anew what is wrong with them.
  void begin_look() { files_.clear(); }
  // `about`: a path or a pattern.
  void add(const std::string& about, std::string sentence);
  // "": it can be written. True: that is news.
  bool set_registry(std::string sentence);
  [[nodiscard]] const std::string& registry() const { return registry_; }
  [[nodiscard]] const std::map<std::string, std::string>& of_files() const { return files_; }
  [[nodiscard]] bool none() const { return registry_.empty() && files_.empty(); }
  [[nodiscard]] std::vector<std::string> sentences() const;

  // Says what is new or lasts; `more`: other troubles of this moment, by what they are about.
  void say(std::map<std::string, std::string> more, std::int64_t now_ms, const Say& say);

  // Invariant: what is kept is bounded.
  void check() const;

 private:
  std::map<std::string, std::string> files_;  // of the last look
  std::string registry_;
  std::map<std::string, std::int64_t> last_said_ms_;
};

}  // namespace weir
