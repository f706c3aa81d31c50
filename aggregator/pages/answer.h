// An answer of the API: a status, a type and a body.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "proto/result.h"

namespace weir {

struct Answer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

// Names and paths in `body` come from logs. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] Answer json_answer(const nlohmann::json& body);
// {"error":{"what":...,"hint":...}}
[[nodiscard]] Answer error_answer(int status, std::string_view what, std::string_view hint);
[[nodiscard]] Answer error_answer(const Error& error);

}  // namespace weir
