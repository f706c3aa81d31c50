// A field map gives the meaning of JSON keys whose names do not show it. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/format/record_builder.h"

namespace weir {

class FieldMap {
 public:
  FieldMap() = default;
  // `names` as in FormatSpec::fields: {"request.uri", "request_uri"}.
  // Errors: kInvalid, for a name without a column (with the closest known name) and for a key that is too
  // long.
  [[nodiscard]] static Result<FieldMap> compile(const std::map<std::string, std::string>& names,
                                                RecordBuilder& builder);

  [[nodiscard]] bool empty() const { return fields_.empty(); }
  // `key` is a result of normal_name(). nullptr: the key is not in the map.
  [[nodiscard]] const RecordBuilder::Field* find(std::string_view key) const {
    const auto at = fields_.find(key);
    return at == fields_.end() ? nullptr : &at->second;
  }
  // Whether some key of the map fills the same column as `variable`. If that key gives no value, the column
  // stays absent. It is not filled from a key whose name happens to be known.
  [[nodiscard]] bool fills(const std::optional<Variable>& variable) const;

 private:
  void add(const Variable& variable);

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
  };
  std::unordered_map<std::string, RecordBuilder::Field, Hash, std::equal_to<>> fields_;
  std::uint32_t texts_ = 0, numbers_ = 0, meanings_ = 0;  // the bits that the keys fill
  bool time_ = false;
};

}  // namespace weir
