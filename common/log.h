// Writes what the programs say to stderr: with level and time, as text or JSON; with systemd's priority
// prefix when stderr is the journal. docs/reference/logging.md shows the lines.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/log_level.h"
#include "common/rate_limiter.h"
#include "proto/result.h"

namespace weir {

enum class LogFormat { kText, kJson };

struct LogOptions {
  LogFormat format = LogFormat::kText;
  LogLevel level = LogLevel::kInfo;  // what is below it is not written
};

[[nodiscard]] std::string_view to_string(LogLevel level);

// One line, or several of a text that has several, each with its newline. `journal`: each begins with
// "<N>", and text has no time and no program, which the journal knows. Control characters are visible.
[[nodiscard]] std::string log_lines(std::string_view program, LogLevel level, std::string_view text,
                                    std::int64_t now_ms, LogFormat format, bool journal);

// Whether systemd connected stderr to its journal.
[[nodiscard]] bool stderr_is_journal();

class Log {
 public:
  using Sink = std::function<void(std::string_view lines)>;
  struct Parts {
    bool journal = stderr_is_journal();
    Sink sink;  // empty: stderr
    const Clock& clock = system_clock();
  };

  explicit Log(std::string program, LogOptions options = {}) : Log(std::move(program), options, Parts{}) {}
  Log(std::string program, LogOptions options, Parts parts);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Thread: any, for each of these. Never held back: the answer to what an operator did.
  void write(LogLevel level, std::string_view text);
  void write_error(const Error& error) { write(LogLevel::kError, error.sentence()); }
  // Held back when the same text was said less than a minute ago, or when a level says very much at
  // once; a later line says how often.
  void say(LogLevel level, std::string_view text);
  // say() of this log, which must outlive it.
  [[nodiscard]] Say speaker();

 private:
  void put(LogLevel level, std::string_view text, std::int64_t now_ms);

  const std::string program_;
  const LogOptions options_;
  const Parts parts_;
  std::mutex mutex_;
  std::array<RateLimiter, 4> limiters_;  // per level, so that no level drowns another; GUARDED_BY(mutex_)
};

}  // namespace weir
