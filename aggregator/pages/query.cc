#include "aggregator/pages/query.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

#include "common/moment.h"
#include "common/text.h"

namespace weir {
namespace {

// "90s", "15m", "1h30m", or a number of seconds.
std::optional<std::int64_t> duration_s(std::string_view text) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) return seconds;
  const auto duration = parse_duration(text);
  if (!duration || duration->count() % 1000 != 0) return std::nullopt;
  return duration->count() / 1000;
}

// A parameter in the form that errors show: it comes from outside.
std::string shown(std::string_view text) { return visible(clean_text(text, 80)); }

// In a URL "+" means a space, which is easily forgotten: "2026-11-23T10:00:00+02:00" typed by hand arrives as
// "2026-11-23T10:00:00 02:00".
std::string with_plus(std::string time) {
  const auto space = time.rfind(' ');
  if (space != std::string::npos && time.find('T') < space) time[space] = '+';
  return time;
}

// "from, to, site" lists "to".
bool is_listed(std::string_view name, std::string_view list) {
  while (!list.empty()) {
    const auto comma = list.find(", ");
    if (list.substr(0, comma) == name) return true;
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 2);
  }
  return false;
}

std::unexpected<Error> in_parameter(std::string_view name, const Error& error) {
  return fail(error.code, fmt::format("parameter {}: {}", name, error.what), error.hint);
}

constexpr const char* kApiStepHint = "write for example 1m, 5m, 1h, 1d, auto or all";

Result<void> parse_by(std::string_view text, TrafficRequest& out) {
  while (!text.empty()) {
    const auto comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    if (name == "site") {
      out.query.by_site = true;
    } else if (name == "host") {
      out.query.by_host = true;
    } else if (name == "status") {
      out.query.by_status = true;
    } else if (name == "class") {
      out.by_class = true;
    } else {
      return fail(Code::kInvalid, fmt::format("parameter by: \"{}\" is not a dimension", shown(name)),
                  "write a comma-separated list of site, host, status, class");
    }
  }
  if (out.by_class && out.query.by_status) {
    return fail(Code::kInvalid, "parameter by: class and status exclude each other", "write one of them");
  }
  if (out.by_class) out.query.by_status = true;
  return {};
}

}  // namespace

Result<void> check_params(const Params& params, std::string_view known) {
  const std::string* before = nullptr;
  for (const auto& [name, value] : params) {
    if (!is_listed(name, known)) {
      return fail(Code::kInvalid, fmt::format("parameter \"{}\" is not known here", shown(name)),
                  known.empty() ? "leave it out" : fmt::format("known are {}", known));
    }
    if (before != nullptr && *before == name)
      return fail(Code::kInvalid, fmt::format("parameter {} is given twice", shown(name)), "give it once");
    before = &name;
  }
  return {};
}

Result<std::int64_t> parse_step(std::string_view text, std::int64_t window_s) {
  if (text == "all") return 0;
  const auto step_s = duration_s(text);
  if (step_s && *step_s > 0 && *step_s % window_s == 0) return *step_s;
  return fail(Code::kInvalid,
              fmt::format("\"{}\" is not a multiple of the window of {} s", shown(text), window_s),
              "write for example 1m, 5m, 1h, 1d, or all");
}

Result<TrafficRequest> parse_traffic(const Params& params, std::int64_t now_s, std::int64_t window_s,
                                     bool with_step) {
  if (const auto known =
          check_params(params, with_step ? "from, to, step, by, site, host" : "from, to, site, host");
      !known)
    return std::unexpected(known.error());
  TrafficRequest out;
  for (const auto& [name, value] : params) {
    if (value.empty()) continue;
    if (name == "from" || name == "to") {
      const auto time = parse_moment_s(with_plus(value), now_s);
      if (!time) return in_parameter(name, time.error());
      (name == "from" ? out.query.from_s : out.query.to_s) = *time;
    } else if (name == "site") {
      out.query.site = value;
    } else if (name == "host") {
      out.query.host = value;
    } else if (name == "step" && value == "auto") {
      out.auto_step = true;
    } else if (name == "step") {
      const auto step_s = parse_step(value, window_s);
      if (!step_s) return in_parameter(name, {step_s.error().code, step_s.error().what, kApiStepHint});
      out.query.step_s = *step_s;
    } else if (const auto by = parse_by(value, out); !by) {
      return std::unexpected(by.error());
    }
  }
  if (out.query.from_s && out.query.to_s && *out.query.from_s > *out.query.to_s) {
    return fail(Code::kInvalid, "parameter from is later than to", "swap them");
  }
  return out;
}

std::int64_t choose_step(std::int64_t from_s, std::int64_t to_s, std::int64_t window_s) {
  constexpr std::int64_t kWantedPoints = 300;
  constexpr std::array<std::int64_t, 13> kNice = {1,    10,    60,    300,   900,   1800,  3600,
                                                  7200, 10800, 21600, 43200, 86400, 604800};
  const std::int64_t wanted_s =
      std::max<std::int64_t>(1, (to_s - from_s + kWantedPoints - 1) / kWantedPoints);
  for (const std::int64_t step : kNice) {
    if (step >= wanted_s && step % window_s == 0) return step;
  }
  const std::int64_t unit = kNice.back() % window_s == 0 ? kNice.back() : window_s;
  return std::max(window_s, (wanted_s + unit - 1) / unit * unit);
}

Result<void> check_points(std::int64_t from_s, std::int64_t to_s, std::int64_t step_s) {
  if (step_s <= 0 || (to_s - from_s) / step_s <= kMaxPoints) return {};
  return fail(Code::kInvalid,
              fmt::format("{} steps of {} s are more than the {} that one answer may have",
                          (to_s - from_s) / step_s, step_s, kMaxPoints),
              "ask for a longer step, step=auto, or a shorter range");
}

}  // namespace weir
