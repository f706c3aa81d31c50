// Writes log lines to stderr with level and time, as text or JSON. Adds systemd's priority prefix when stderr
// is the journal. docs/reference/logging.md shows the lines.
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
  LogLevel level = LogLevel::kInfo;  // lower levels are not written
};

[[nodiscard]] std::string_view to_string(LogLevel level);

// Formats one line, or one line per line of the text, each ending in a newline. With `journal`, each begins
// with "<N>", and text omits time and program, because the journal records both. Control characters are made
// visible.
[[nodiscard]] std::string log_lines(std::string_view program, LogLevel level, std::string_view text,
                                    std::int64_t now_ms, LogFormat format, bool journal);

// Whether stderr is connected to systemd's journal.
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

  // Thread: any, for these functions. Never rate-limited: for replies to an operator's action.
  void write(LogLevel level, std::string_view text);
  void write_error(const Error& error) { write(LogLevel::kError, error.sentence()); }
  // Rate-limited: held back when the same text was logged less than a minute ago, or when a level logs too
  // much at once. A later line gives the count.
  void say(LogLevel level, std::string_view text);
  // A Say that calls say() of this log, which must outlive it.
  [[nodiscard]] Say speaker();

 private:
  void put(LogLevel level, std::string_view text, std::int64_t now_ms);

  const std::string program_;
  const LogOptions options_;
  const Parts parts_;
  std::mutex mutex_;
  // One per level, so that no level uses up another's quota.
  std::array<RateLimiter, 4> limiters_;  // GUARDED_BY(mutex_)
};

}  // namespace weir
