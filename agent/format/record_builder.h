// Turns named values into a Record, for every format. Holds the state of one line.
#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/format/parser.h"
#include "agent/format/realip.h"
#include "agent/format/time_notation.h"
#include "agent/format/values.h"
#include "agent/format/variable.h"

namespace weir {

class RecordBuilder {
 public:
  // A position in the format that holds a value.
  struct Field {
    Variable variable;
    int extra = -1;        // index in extra_names, or -1
    int client_slot = -1;  // index in client_from, or -1
    [[nodiscard]] bool only_variable() const { return (extra & client_slot) < 0; }  // both are -1
  };

  [[nodiscard]] static Result<RecordBuilder> make(const ClientConfig& client);

  // Sets the notation for fields made from now on whose names do not imply one.
  void read_times_as(TimeNotation notation) { notation_ = std::move(notation); }
  // An empty `variable` means that weir has no column for the value; it becomes an extra if `keep_extra` is
  // set.
  [[nodiscard]] Field field(std::string_view name, const std::optional<Variable>& variable, bool keep_extra);
  // True if there are trusted proxies but the format has none of the client_from headers.
  [[nodiscard]] bool client_headers_missing() const { return !trusted_.empty() && !client_seen_; }
  [[nodiscard]] const std::vector<std::string>& extra_names() const { return extra_names_; }

  void begin(Record& out) {
    out_ = &out;
    out.clear();
    time_rank_ = 0;
    seen_ = fallbacks_set_ = 0;
    for (std::string_view& value : client_values_) value = {};
    for (std::string_view& value : extras_) value = {};
  }
  // "-" and "" count as absent. False: the value does not have the form that its meaning requires, so the
  // line does not fit. Inlined into the loop over a line's values, because a call would cost as much as
  // handling most values.
  [[nodiscard, gnu::always_inline]] bool put(const Field& field, std::string_view value) {
    if (value.empty() || (value.size() == 1 && value[0] == '-')) return true;
    if (!field.only_variable()) {
      if (field.client_slot >= 0) client_values_[static_cast<std::size_t>(field.client_slot)] = value;
      if (field.extra >= 0) {
        extras_[static_cast<std::size_t>(field.extra)] = value;
        return true;
      }
    }
    const Variable& variable = field.variable;
    switch (variable.meaning) {  // common values in their usual form
      case Meaning::kText:
        put_text(variable.text, value);
        return true;
      case Meaning::kNumber:
        if (std::uint64_t number = 0; short_number(value, number)) {
          put_first(variable.number, number);
          return true;
        }
        break;
      case Meaning::kStatus:
        if (std::uint64_t status = 0; short_number(value, status) && status <= 999) {
          put_first(variable.number, status);
          return true;
        }
        break;
      case Meaning::kSeconds:
      case Meaning::kSecondsList:  // nearly always one upstream
      case Meaning::kUpstreamTimes:
        if (std::uint64_t ms = 0; short_seconds(value, ms)) {
          put_first(variable.number, ms);
          return true;
        }
        break;
      case Meaning::kRemoteAddress:
        if (!seen(kRemote)) see(kRemote, remote_, value);
        return true;
      case Meaning::kTimeLocal:
      case Meaning::kTimeIso8601:
        if (cached_.is(value)) {
          put_time(kTextRank, cached_.ms);
          return true;
        }
        break;
      case Meaning::kRequest:
        put_request(value);
        return true;
      default:
        break;
    }
    return put_other(variable, value);
  }
  // Applies the rules that depend on several values. False: the line has no time.
  [[nodiscard]] bool finish();

  static constexpr std::size_t kMaxExtras = 256;

 private:
  // Bits of seen_, for finish().
  enum Seen : unsigned { kRemote = 1, kRealipRemote = 2, kRequestUri = 4, kDate = 8, kTimeOfDay = 16 };
  [[nodiscard]] bool seen(Seen which) const { return (seen_ & which) != 0; }
  void see(Seen which, std::string_view& place, std::string_view value) {
    seen_ |= which;
    place = value;
  }

  // Requests of the same second share one time text, which is parsed once.
  struct CachedTime {
    std::array<char, 32> text{};
    std::size_t size = 0;
    std::int64_t ms = 0;
    // Avoids a function call per line: cached times have at least 19 bytes, so four words cover them.
    [[nodiscard]] bool is(std::string_view value) const {
      if (value.size() != size || size < 16) return false;
      const auto differ = [&](std::size_t at) {
        std::uint64_t a = 0;
        std::uint64_t b = 0;
        std::memcpy(&a, text.data() + at, sizeof a);
        std::memcpy(&b, value.data() + at, sizeof b);
        return a ^ b;
      };
      return (differ(0) | differ(8) | differ(size - 16) | differ(size - 8)) == 0;
    }
  };

  [[nodiscard]] int client_slot_of(std::string_view name) const;
  // Handles every meaning that put() does not always handle itself.
  [[nodiscard]] bool put_other(const Variable& variable, std::string_view value);
  [[nodiscard]] bool put_unusual_number(const Variable& variable, std::string_view value);
  [[nodiscard]] bool put_list(const Variable& variable, std::string_view value);
  void put_request(std::string_view value);
  // A column keeps its first value. `value` is not empty.
  void put_text(Text column, std::string_view value) {
    const auto bit = 1U << static_cast<unsigned>(column);
    if ((out_->text_present & bit) != 0) return;
    out_->text[static_cast<std::size_t>(column)] = value;
    out_->text_present |= bit;
  }
  void put_first(Number column, std::uint64_t value) {
    if (!out_->has(column)) out_->set(column, value);
  }
  // If a line has several times, the most precise one counts. A shipper's time has the lowest rank.
  static constexpr int kShippedRank = 2, kTextRank = 3, kPreciseRank = 4;
  [[nodiscard]] static int rank_of(Meaning meaning);
  void put_time(int rank, std::optional<std::int64_t> ms) {
    constexpr auto kMax = static_cast<std::int64_t>(kMaxLogNumber);
    if (!ms || rank <= time_rank_ || *ms > kMax || *ms < -kMax) return;
    time_rank_ = rank;
    out_->time_ms = *ms;
  }
  [[nodiscard]] bool put_number(Number column, std::optional<std::uint64_t> value) {
    if (!value || *value > kMaxLogNumber) return false;
    put_first(column, *value);
    return true;
  }
  [[nodiscard]] std::optional<std::int64_t> time_of(Meaning meaning, std::string_view value);

  TrustedProxies trusted_;
  std::vector<std::string> client_from_;
  std::vector<std::string_view> client_values_;
  bool client_seen_ = false;
  std::vector<std::string> extra_names_;
  std::vector<std::string_view> extras_;
  CachedTime cached_;
  std::optional<TimeNotation> notation_;

  Record* out_ = nullptr;
  int time_rank_ = 0;
  unsigned seen_ = 0;
  std::string_view remote_, realip_remote_, request_uri_, date_, time_of_day_;  // valid if set in seen_
  std::array<std::string_view, kTextCount> fallbacks_{};  // valid if set in fallbacks_set_
  std::uint32_t fallbacks_set_ = 0;
};

// Lower case, with '-' replaced by '_', for comparing names of JSON keys and groups. The result is a view of
// `buffer`.
[[nodiscard]] std::string_view normal_name(std::string_view name, std::array<char, 128>& buffer);

}  // namespace weir
