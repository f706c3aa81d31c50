// Current problems, as sentences for the operator. They are kept for the status and logged: at once when new,
// then once a minute while they last, so an overnight broker outage does not fill the journal.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/log_level.h"

namespace weir {

class Troubles {
 public:
  static constexpr std::size_t kMost = 100;  // the most that are kept

  // A scan of the files begins. It finds their problems afresh.
  void begin_look() { files_.clear(); }
  // `about`: a path or a pattern.
  void add(const std::string& about, std::string sentence);
  // "": the registry can be written. Returns true if the state has changed.
  bool set_registry(std::string sentence);
  [[nodiscard]] const std::string& registry() const { return registry_; }
  [[nodiscard]] const std::map<std::string, std::string>& of_files() const { return files_; }
  [[nodiscard]] bool none() const { return registry_.empty() && files_.empty(); }
  [[nodiscard]] std::vector<std::string> sentences() const;

  // Logs new and lasting problems. `more`: other current problems, by what they are about.
  void say(std::map<std::string, std::string> more, std::int64_t now_ms, const Say& say);

  // Checks the invariant that the number kept is bounded.
  void check() const;

 private:
  std::map<std::string, std::string> files_;  // from the last scan
  std::string registry_;
  std::map<std::string, std::int64_t> last_said_ms_;
};

}  // namespace weir
