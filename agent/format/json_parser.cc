// Parses JSON lines: one object per line, nested or flat. Keys are matched by name, in any order, with or
// without a field map.
#include <fmt/compile.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <cstring>

#include "agent/format/compile.h"
#include "agent/format/field_map.h"
#include "agent/format/values.h"
#include "common/text.h"

namespace weir {
namespace {

namespace dom = simdjson::dom;
constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxKeyBytes = 128;

class JsonParser final : public RecordParser {
 public:
  JsonParser(RecordBuilder builder, FieldMap map) : RecordParser(std::move(builder)), map_(std::move(map)) {}

  [[nodiscard]] Outcome parse(std::string_view line, Record& out, Unparsed& reason) override {
    const LineCheck check = check_line(line, reason);
    if (check.outcome != Outcome::kRecord) return check.outcome;
    reason = Unparsed::kNoMatch;
    fill(check.line);
    simdjson::error_code error = read(out);
    if (error == simdjson::UTF8_ERROR) {
      // nginx writes bytes above 0x7F unchanged, even with escape=json.
      clean_.clear();
      append_valid_utf8(clean_, check.line);
      fill(clean_);
      error = read(out);
    }
    if (error != simdjson::SUCCESS) return Outcome::kUnparsed;
    return finish(reason);
  }

 private:
  void fill(std::string_view line) {
    if (padded_.size() < line.size() + simdjson::SIMDJSON_PADDING) {
      padded_.resize(line.size() + line.size() / 2 + simdjson::SIMDJSON_PADDING);
    }
    std::memcpy(padded_.data(), line.data(), line.size());
    std::memset(padded_.data() + line.size(), ' ', simdjson::SIMDJSON_PADDING);
    used_ = line.size();
  }

  simdjson::error_code read(Record& out) {
    builder_.begin(out);
    // Numbers are converted back to text. The shortest member, `"":1,`, has five bytes; a number's text has
    // at most 24.
    scratch_.begin(8 * used_);
    dom::element document;
    // DOM rather than On-Demand, because DOM picks the fastest code for the processor at run time.
    if (auto error = parser_.parse(padded_.data(), used_, false).get(document)) return error;
    dom::object object;
    if (auto error = document.get_object().get(object)) return error;
    key_.clear();
    return read_object(object, 0) ? simdjson::SUCCESS : simdjson::INCORRECT_TYPE;
  }

  bool read_object(dom::object object, int depth) {
    if (depth > kMaxDepth) return false;
    const std::size_t parent = key_.size();
    for (const dom::key_value_pair member : object) {
      key_.resize(parent);
      // A key that is too long names no column and must not enlarge the buffer.
      key_.append(member.key.substr(0, kMaxKeyBytes));
      if (member.key.size() > kMaxKeyBytes) key_.push_back('\n');
      if (!read_value(member.value, depth)) return false;
    }
    key_.resize(parent);
    return true;
  }

  // Reads the value of key_. False: the line does not fit.
  bool read_value(dom::element value, int depth) {
    std::string_view text;
    switch (value.type()) {
      case dom::element_type::OBJECT:
        key_.push_back('.');
        return read_object(dom::object(value), depth + 1);
      case dom::element_type::ARRAY: {
        const RecordBuilder::Field field = field_of_key();
        return builder_.put(field, text_of_array(dom::array(value), field.client_slot >= 0));
      }
      default:
        return !text_of(value, text) || builder_.put(field_of_key(), text);
    }
  }

  // False for true, false, null, an object or an array: no column takes these.
  bool text_of(dom::element value, std::string_view& text) {
    switch (value.type()) {
      case dom::element_type::STRING:
        text = std::string_view(value);
        return true;
      case dom::element_type::INT64:
        text = scratch_.take(fmt::format_to(scratch_.end(), FMT_COMPILE("{}"), std::int64_t(value)));
        return true;
      case dom::element_type::UINT64:
        text = scratch_.take(fmt::format_to(scratch_.end(), FMT_COMPILE("{}"), std::uint64_t(value)));
        return true;
      case dom::element_type::DOUBLE:
        text = scratch_.take(fmt::format_to(scratch_.end(), FMT_COMPILE("{}"), double(value)));
        return true;
      default:
        return false;
    }
  }

  // The first text, or "" if there is none. For a header that carries the client's address, all texts are
  // joined: a load balancer may have added its value after one that the client forged, and the header is
  // read from the right.
  std::string_view text_of_array(dom::array values, bool all) {
    std::string_view first;
    std::string_view text;
    char* joined = nullptr;  // the end of the joined text
    for (const dom::element value : values) {
      if (value.type() != dom::element_type::STRING) continue;
      text = std::string_view(value);
      if (!all) return text;
      if (first.data() == nullptr) {
        first = text;
        continue;
      }
      const auto append = [&joined](std::string_view part) {
        joined = std::copy(part.begin(), part.end(), joined);
      };
      if (joined == nullptr) {
        joined = scratch_.end();
        append(first);
      }
      append(", ");
      append(text);
    }
    return joined == nullptr ? first : scratch_.take(joined);
  }

  RecordBuilder::Field field_of_key() {
    std::array<char, 128> buffer{};
    const std::string_view name = normal_name(key_, buffer);
    const auto variable = any_variable(name);
    if (map_.empty()) return builder_.field(name, variable, false);
    if (const RecordBuilder::Field* mapped = map_.find(name)) return *mapped;
    return builder_.field(name, map_.fills(variable) ? std::nullopt : variable, false);
  }

  FieldMap map_;
  dom::parser parser_;
  Scratch scratch_;
  std::string padded_, clean_, key_;
  std::size_t used_ = 0;
};

}  // namespace

Result<std::unique_ptr<LineParser>> compile_json(const FormatSpec& spec, RecordBuilder builder) {
  auto map = FieldMap::compile(spec.fields, builder);
  if (!map) return std::unexpected(map.error());
  return std::make_unique<JsonParser>(std::move(builder), std::move(*map));
}

}  // namespace weir
