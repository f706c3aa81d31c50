// The meaning of names in a log: nginx variables, ECS names and common aliases.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/record.h"

namespace weir {

enum class Meaning : std::uint8_t {
  kIgnore,         // known but not stored
  kText,           // `text`
  kTextFallback,   // `text`, unless another variable of the line sets it ($uri, $http_host)
  kNumber,         // `number`
  kStatus,         // `number`, three digits
  kSeconds,        // `number`, given in seconds
  kMilliseconds,   // `number`, given in milliseconds
  kNanoseconds,    // `number`, given in nanoseconds (event.duration)
  kSecondsList,    // `number` is the sum of "0.1, 0.2 : 0.3"
  kUpstreamTimes,  // as kSecondsList, and the list itself
  kUpstreamStatuses,
  kPipe,
  kTimeLocal,
  kTimeIso8601,
  kTimeMsec,
  kTimeAny,       // a time in any notation that parse_time_any() knows
  kTimeNotation,  // a time in the notation that the format names
  kTimeShipped,   // @timestamp: the time of the event or, from some shippers, of reading it
  kTimeEpochMs,
  kDate,  // W3C: with kTimeOfDay, in UTC
  kTimeOfDay,
  kRequest,     // "GET /x?y HTTP/1.1"
  kRequestUri,  // "/x?y"
  kRemoteAddress,
  kRealipRemoteAddress,
  kSecondsOrMilliseconds,  // W3C time-taken: seconds with a point, else milliseconds
};

struct Variable {
  Meaning meaning = Meaning::kIgnore;
  Text text = Text::kCount;
  Number number = Number::kCount;
};

[[nodiscard]] bool is_time(Meaning meaning);
// Whether nginx writes the value as a list with spaces: "a, b : c".
[[nodiscard]] bool is_list(std::string_view nginx_name);

// `name` is without '$'. nullopt: weir has no column for it.
[[nodiscard]] std::optional<Variable> nginx_variable(std::string_view name);
// As above, and also ECS names and aliases. The name is a result of normal_name(): lower case, '_' for '-'.
[[nodiscard]] std::optional<Variable> any_variable(std::string_view normal_name);
[[nodiscard]] std::vector<std::string> variable_names();  // all names that any_variable() knows
[[nodiscard]] std::optional<Variable> w3c_variable(std::string_view name);  // "cs(User-Agent)", lower case

}  // namespace weir
