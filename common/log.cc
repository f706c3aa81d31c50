#include "common/log.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "common/json_text.h"
#include "common/moment.h"
#include "common/text.h"

namespace weir {
namespace {

constexpr LogLevel kLevels[] = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError};

// syslog(3): LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR.
int priority_of(LogLevel level) {
  constexpr std::array kPriorities = {7, 6, 4, 3};
  return kPriorities.at(static_cast<std::size_t>(level));
}

std::string json_line(std::string_view program, LogLevel level, std::string_view text, std::int64_t now_ms) {
  std::string out =
      fmt::format("{{\"time\":\"{}\",\"level\":\"{}\",\"program\":", iso_text_ms(now_ms), to_string(level));
  append_json_string(out, program);
  out += ",\"message\":";
  append_json_string(out, text);
  return out + "}\n";
}

void write_all(std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written <= 0) return;  // a failed write cannot be reported anywhere
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::string_view to_string(LogLevel level) {
  constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warning", "error"};
  return kNames.at(static_cast<std::size_t>(level));
}

std::string log_lines(std::string_view program, LogLevel level, std::string_view text, std::int64_t now_ms,
                      LogFormat format, bool journal) {
  const std::string prefix = journal ? fmt::format("<{}>", priority_of(level)) : std::string();
  if (format == LogFormat::kJson) return prefix + json_line(program, level, text, now_ms);
  std::string out =
      journal ? prefix : fmt::format("{} {} {}: ", iso_text_ms(now_ms), to_string(level), program);
  for (const char c : visible(text, true)) {
    out += c;
    if (c == '\n') out += prefix + "  ";
  }
  return out + '\n';
}

bool stderr_is_journal() {
  // systemd.exec(5): JOURNAL_STREAM has the device and inode of the stream; a redirected stderr does not
  // match.
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat facts{};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &facts) != 0) return false;
  return stream == fmt::format("{}:{}", facts.st_dev, facts.st_ino);
}

Log::Log(std::string program, LogOptions options, Parts parts)
    : program_(std::move(program)), options_(options), parts_(std::move(parts)) {}

void Log::put(LogLevel level, std::string_view text, std::int64_t now_ms) {
  const auto lines = log_lines(program_, level, text, now_ms, options_.format, parts_.journal);
  parts_.sink ? parts_.sink(lines) : write_all(lines);
}

void Log::write(LogLevel level, std::string_view text) {
  if (level < options_.level) return;
  const std::lock_guard lock(mutex_);
  put(level, text, parts_.clock.wall_ms());
}

void Log::say(LogLevel level, std::string_view text) {
  if (level < options_.level) return;
  const std::lock_guard lock(mutex_);
  const auto steady_ms = parts_.clock.steady_ms();
  const auto now_ms = parts_.clock.wall_ms();
  for (const LogLevel of : kLevels) {
    for (const auto& held : limiters_.at(static_cast<std::size_t>(of)).take_held_back(steady_ms)) {
      put(of,
          held.key.empty() ? fmt::format("{} more messages were held back: too many at once", held.count)
                           : fmt::format("{} (said {} more times)", held.key, held.count),
          now_ms);
    }
  }
  if (limiters_.at(static_cast<std::size_t>(level)).pass(text, steady_ms)) put(level, text, now_ms);
}

Say Log::speaker() {
  return [this](LogLevel level, std::string_view text) { say(level, text); };
}

}  // namespace weir
