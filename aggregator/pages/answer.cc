#include "aggregator/pages/answer.h"

#include <nlohmann/json.hpp>

namespace weir {

using nlohmann::json;

Answer json_answer(const json& body) {
  return {200, "application/json", body.dump(-1, ' ', false, json::error_handler_t::replace)};
}

Answer error_answer(int status, std::string_view what, std::string_view hint) {
  Answer answer = json_answer({{"error", {{"what", what}, {"hint", hint}}}});
  answer.status = status;
  return answer;
}

Answer error_answer(const Error& error) {
  const bool mine = error.code == Code::kInvalid || error.code == Code::kFull;
  return error_answer(mine ? 400 : error.code == Code::kNotFound ? 404 : 503, error.what, error.hint);
}

}  // namespace weir
