#include "agent/format/field_map.h"

#include <fmt/format.h>

#include <array>

#include "common/nearest.h"

namespace weir {
namespace {

constexpr std::size_t kMaxKeys = 1024;

static_assert(kTextCount <= 32 && kNumberCount <= 32, "a bit for each column");
static_assert(static_cast<unsigned>(Meaning::kSecondsOrMilliseconds) < 32, "a bit for each meaning");

// Variables without a column of their own are distinguished by their meaning.
std::uint32_t bit(Meaning meaning) { return std::uint32_t{1} << static_cast<unsigned>(meaning); }
std::uint32_t bit(Text column) { return std::uint32_t{1} << static_cast<unsigned>(column); }
std::uint32_t bit(Number column) { return std::uint32_t{1} << static_cast<unsigned>(column); }

}  // namespace

Result<FieldMap> FieldMap::compile(const std::map<std::string, std::string>& names, RecordBuilder& builder) {
  if (names.size() > kMaxKeys)
    return fail(Code::kInvalid, fmt::format("fields: {} keys", names.size()),
                fmt::format("at most {} are allowed", kMaxKeys));
  FieldMap out;
  for (const auto& [key, name] : names) {
    std::array<char, 128> key_buffer{};
    std::array<char, 128> name_buffer{};
    const std::string_view normal_key = normal_name(key, key_buffer);
    const std::string_view normal = normal_name(name, name_buffer);
    if (normal_key.empty())
      return fail(Code::kInvalid, fmt::format("fields: \"{:.40}\" is not a key", key),
                  fmt::format("keys have 1 to {} bytes", key_buffer.size()));
    std::optional<Variable> variable = Variable{};  // kIgnore
    if (!name.empty()) variable = any_variable(normal);
    if (!variable) {
      const std::string near = nearest(name, variable_names());
      return fail(Code::kInvalid,
                  fmt::format("fields: \"{}\" = \"{:.40}\": there is no column of that name{}", key, name,
                              near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)),
                  "use nginx's names of variables, or \"\" to leave the key out");
    }
    out.add(*variable);
    // The name, not the key, decides whether this is one of the client_from headers.
    const auto field = builder.field(normal, variable, false);
    if (!out.fields_.emplace(normal_key, field).second)
      return fail(Code::kInvalid, fmt::format("fields: \"{}\" stands twice", key),
                  "upper and lower case, '-' and '_' are the same");
  }
  return out;
}

void FieldMap::add(const Variable& variable) {
  if (variable.meaning == Meaning::kIgnore) return;
  if (is_time(variable.meaning)) {
    time_ = true;
  } else if (variable.text != Text::kCount) {
    texts_ |= bit(variable.text);
  } else if (variable.number != Number::kCount) {
    numbers_ |= bit(variable.number);
  } else {
    meanings_ |= bit(variable.meaning);
  }
  // A request also fills the columns of its parts.
  if (variable.meaning == Meaning::kRequest || variable.meaning == Meaning::kRequestUri)
    texts_ |= bit(Text::kPath) | bit(Text::kQuery);
  if (variable.meaning == Meaning::kRequest) texts_ |= bit(Text::kMethod) | bit(Text::kProtocol);
}

bool FieldMap::fills(const std::optional<Variable>& variable) const {
  if (!variable) return false;
  if (is_time(variable->meaning)) return time_;
  if (variable->text != Text::kCount) return (texts_ & bit(variable->text)) != 0;
  if (variable->number != Number::kCount) return (numbers_ & bit(variable->number)) != 0;
  return (meanings_ & bit(variable->meaning)) != 0;
}

}  // namespace weir
