// Writers that follow rotation schemes, and what they have written: the truth.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/clock.h"
#include "tests/sim/files.h"
#include "tests/sim/random.h"

namespace weir::sim {

enum class Scheme {
  kRename,
  kRenameLate,
  kCopyTruncate,
  kCopyTruncateHole,
  kRenameGzip,
  kRewrite,
  kArchive,  // as kRename, into another folder
  kCount
};

struct LogFile {
  std::string path;
  Scheme scheme = Scheme::kRename;
  std::shared_ptr<Inode> open;       // what the writer writes to
  std::uint64_t offset = 0;          // of a writer without O_APPEND
  std::string rest;                  // of a line that is half written
  std::vector<std::string> rotated;  // the newest first
  std::string rotated_path;          // what rotated names begin with
  bool copied = false;               // copytruncate is between its two steps
};

struct Line {
  std::uint64_t bytes_sent = 0, line_bytes = 0;
  std::uint64_t written = 0;  // how often: look-alikes are written again
};

// Its site, bytes and all are the same in each file that begins with it.
inline constexpr const char* kAlikeSite = "alike.example";

class Writers {
 public:
  // All outlive it. `look_alikes`: files begin with the same line.
  Writers(SimFiles& files, const SimClock& clock, Random& random, bool look_alikes)
      : files_(files), clock_(clock), random_(random), look_alikes_(look_alikes) {}

  void begin_file(LogFile& file);
  void write(LogFile& file, std::uint64_t lines);
  // One step of the file's scheme.
  void rotate(LogFile& file);
  // The half line, if there is one.
  void finish_line(LogFile& file);
  // Of a site of its own, so that each can be looked up.
  std::string new_line();
  [[nodiscard]] const std::map<std::string, Line>& lines() const { return lines_; }  // by site

 private:
  void put(LogFile& file, const std::string& bytes);

  SimFiles& files_;
  const SimClock& clock_;
  Random& random_;
  bool look_alikes_;
  std::map<std::string, Line> lines_;
  std::uint64_t next_line_ = 0;
};

}  // namespace weir::sim
