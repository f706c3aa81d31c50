// A field map: what the keys of JSON lines mean, where their names do not say it. Pure.
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
  // Errors: kInvalid, a name that weir has no column for (and one that is like it), a key too long.
  [[nodiscard]] static Result<FieldMap> compile(const std::map<std::string, std::string>& names,
                                                RecordBuilder& builder);

  [[nodiscard]] bool empty() const { return fields_.empty(); }
  // `key` as normal_name() makes it. nullptr: the map does not name it.
  [[nodiscard]] const RecordBuilder::Field* find(std::string_view key) const {
    const auto at = fields_.find(key);
    return at == fields_.end() ? nullptr : &at->second;
  }
  // Whether a key of the map fills what `variable` fills. What such a key does not give is absent, rather
  // than taken from a key whose name happens to be known.
  [[nodiscard]] bool fills(const std::optional<Variable>& variable) const;

 private:
  void add(const Variable& variable);

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>{}(key); }
  };
  std::unordered_map<std::string, RecordBuilder::Field, Hash, std::equal_to<>> fields_;
  std::uint32_t texts_ = 0, numbers_ = 0, meanings_ = 0;  // bits of what the keys fill
  bool time_ = false;
};

}  // namespace weir
