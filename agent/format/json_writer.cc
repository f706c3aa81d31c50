// The JSON objects that append_json() and append_json_unparsed() write (see parser.h).
#include <fmt/compile.h>
#include <fmt/format.h>

#include <chrono>
#include <iterator>

#include "agent/format/parser.h"
#include "common/json_text.h"

namespace weir {
namespace {

void append_time(std::string& out, std::int64_t time_ms) {
  using std::chrono::milliseconds;
  const std::chrono::sys_time<milliseconds> time{milliseconds{time_ms}};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  fmt::format_to(std::back_inserter(out), FMT_COMPILE("\"{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z\""),
                 static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                 clock.seconds().count(), clock.subseconds().count());
}

void append_key(std::string& out, std::string_view name) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += name;
  out += "\":";
}

}  // namespace

void append_json(std::string& out, const Record& record, const std::vector<std::string>& extra_names) {
  out.push_back('{');
  // Four-digit ISO 8601 years end with 9999.
  constexpr std::int64_t kYear9999Ms = 253402300799999;
  if (record.time_ms != kNoTime && record.time_ms >= -62135596800000 && record.time_ms <= kYear9999Ms) {
    append_key(out, "@timestamp");
    append_time(out, record.time_ms);
  } else if (record.time_ms != kNoTime) {
    append_key(out, "weir.time_ms");
    fmt::format_to(std::back_inserter(out), FMT_COMPILE("{}"), record.time_ms);
  }
  for (std::size_t i = 0; i < kTextCount; ++i) {
    const auto field = static_cast<Text>(i);
    if (record.get(field).data() == nullptr) continue;
    append_key(out, ecs_name(field));
    append_json_string(out, record.get(field));
  }
  for (std::size_t i = 0; i < kNumberCount; ++i) {
    const auto field = static_cast<Number>(i);
    if (!record.has(field)) continue;
    append_key(out, ecs_name(field));
    const std::uint64_t value = record.get(field);
    if (is_milliseconds(field)) {
      fmt::format_to(std::back_inserter(out), FMT_COMPILE("{}.{:03}"), value / 1000, value % 1000);
    } else {
      fmt::format_to(std::back_inserter(out), FMT_COMPILE("{}"), value);
    }
  }
  for (std::size_t i = 0; i < record.extra.size() && i < extra_names.size(); ++i) {
    if (record.extra[i].data() == nullptr) continue;
    // Not append_key(): a decoded batch may contain arbitrary bytes as a name.
    out += out.back() == '{' ? "\"nginx.variable." : ",\"nginx.variable.";
    append_json_text(out, extra_names[i]);
    out += "\":";
    append_json_string(out, record.extra[i]);
  }
  out.push_back('}');
}

void append_json_unparsed(std::string& out, std::string_view line, std::string_view why) {
  out += "{\"message\":";
  append_json_string(out, line);
  out += ",\"error.message\":";
  append_json_string(out, why);
  out += "}";
}

}  // namespace weir
