#include "tests/sim/writers.h"

#include <fmt/format.h>

#include <utility>

#include "tests/unit/gzip.h"

namespace weir::sim {
namespace {

constexpr const char* kLookAlike = "alike.example 1795600000.000 200 1\n";

}  // namespace

std::string Writers::new_line() {
  const auto site = fmt::format("u{}.example", next_line_++);
  const auto bytes = 1 + random_.below(100'000);
  auto line =
      fmt::format("{} {}.{:03} 200 {}\n", site, clock_.wall_ms() / 1000, clock_.wall_ms() % 1000, bytes);
  lines_[site] = {bytes, line.size(), 1};
  return line;
}

void Writers::put(LogFile& file, const std::string& bytes) {
  if (file.scheme == Scheme::kCopyTruncateHole) {
    files_.write_at(file.open, file.offset, bytes);
    file.offset += bytes.size();
  } else {
    files_.append(file.open, bytes);
  }
}

void Writers::finish_line(LogFile& file) {
  if (!file.rest.empty()) put(file, std::exchange(file.rest, {}));
}

void Writers::begin_file(LogFile& file) {
  file.open = files_.create(file.path);
  file.offset = 0;
  file.rest.clear();
  if (!look_alikes_) return;
  auto& line = lines_[kAlikeSite];
  line.bytes_sent = 1;
  ++line.written;
  // Both lines at once: a file of which only the first line was sent cannot be told from others that begin
  // with it.
  put(file, kLookAlike + new_line());
}

void Writers::write(LogFile& file, std::uint64_t lines) {
  if (file.copied) return;  // copytruncate itself loses what is written between copy and truncation
  finish_line(file);
  std::string bytes;
  for (; lines > 0; --lines) bytes += new_line();
  if (random_.chance(15)) {
    const auto cut = 1 + random_.below(20);
    file.rest = bytes.substr(bytes.size() - cut);
    bytes.resize(bytes.size() - cut);
  }
  put(file, bytes);
}

void Writers::rotate(LogFile& file) {
  finish_line(file);
  if (file.scheme != Scheme::kRewrite && !file.copied) {
    // Older generations move up; the oldest is deleted.
    if (file.rotated.size() >= 6) {
      files_.unlink(file.rotated.back());
      file.rotated.pop_back();
    }
    for (std::size_t i = file.rotated.size(); i > 0; --i) {
      const bool gz = file.rotated[i - 1].ends_with(".gz");
      const auto to = fmt::format("{}.{}{}", file.rotated_path, i + 1, gz ? ".gz" : "");
      files_.rename(file.rotated[i - 1], to);
      file.rotated[i - 1] = to;
    }
  }
  const auto first = file.rotated_path + ".1";
  switch (file.scheme) {
    case Scheme::kRename:
    case Scheme::kRenameLate:
    case Scheme::kRenameGzip:
    case Scheme::kArchive: {
      files_.rename(file.path, first);
      file.rotated.insert(file.rotated.begin(), first);
      const auto old = file.open;
      if (file.scheme == Scheme::kRenameLate) {
        // As nginx does until it receives USR1.
        for (auto late = random_.below(3); late > 0; --late) files_.append(old, new_line());
      }
      begin_file(file);
      if (file.scheme == Scheme::kRenameGzip && file.rotated.size() > 1 &&
          !file.rotated[1].ends_with(".gz")) {
        const auto plain = file.rotated[1];
        const auto whole = files_.find(plain);
        const auto packed = files_.create(plain + ".gz");
        files_.append(packed, testing::gzip(whole->bytes));
        files_.unlink(plain);
        file.rotated[1] = plain + ".gz";
      }
      break;
    }
    case Scheme::kCopyTruncate:
    case Scheme::kCopyTruncateHole:
      if (!file.copied) {
        const auto copy = files_.create(first);
        files_.append(copy, file.open->bytes);
        file.rotated.insert(file.rotated.begin(), first);
        file.copied = true;
      } else {
        files_.truncate(file.open);
        file.copied = false;
        if (random_.chance(50)) write(file, 1 + random_.below(6));
      }
      break;
    case Scheme::kRewrite: {
      // As an editor does: the same bytes and more, in a new file or in place.
      const auto bytes = file.open->bytes;
      if (random_.chance(50)) {
        files_.truncate(file.open);
        files_.append(file.open, bytes);
      } else {
        file.open = files_.create(file.path);
        files_.append(file.open, bytes);
      }
      break;
    }
    case Scheme::kCount:
      break;
  }
}

}  // namespace weir::sim
