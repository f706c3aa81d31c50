// Writers that follow rotation schemes, and the truth: what they have written.
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
  kArchive,  // as kRename, but into another folder
  kCount
};

struct LogFile {
  std::string path;
  Scheme scheme = Scheme::kRename;
  std::shared_ptr<Inode> open;       // the file being written
  std::uint64_t offset = 0;          // for a writer without O_APPEND
  std::string rest;                  // of a half-written line
  std::vector<std::string> rotated;  // newest first
  std::string rotated_path;          // prefix of rotated names
  bool copied = false;               // copytruncate is between its two steps
};

struct Line {
  std::uint64_t bytes_sent = 0, line_bytes = 0;
  std::uint64_t written = 0;  // how often; look-alike lines are written repeatedly
};

// Its site, its bytes and everything else are the same in each file that begins with it.
inline constexpr const char* kAlikeSite = "alike.example";

class Writers {
 public:
  // All arguments must outlive it. `look_alikes`: files begin with the same line.
  Writers(SimFiles& files, const SimClock& clock, Random& random, bool look_alikes)
      : files_(files), clock_(clock), random_(random), look_alikes_(look_alikes) {}

  void begin_file(LogFile& file);
  void write(LogFile& file, std::uint64_t lines);
  // One step of the file's rotation scheme.
  void rotate(LogFile& file);
  // Completes the half-written line, if there is one.
  void finish_line(LogFile& file);
  // Each line has a site of its own, so that it can be looked up.
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
