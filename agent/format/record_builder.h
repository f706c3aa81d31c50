// Values by name become a Record: what all formats share. Holds the state of one line.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "agent/format/parser.h"
#include "agent/format/realip.h"
#include "agent/format/variable.h"

namespace weir {

class RecordBuilder {
 public:
  // A place of the format that a value comes from.
  struct Field {
    Variable variable;
    int extra = -1;        // index in extra_names, or -1
    int client_slot = -1;  // index in client_from, or -1
  };

  [[nodiscard]] static Result<RecordBuilder> make(const ClientConfig& client);

  // `variable` empty: weir has no column; it becomes an extra when `keep_extra`.
  [[nodiscard]] Field field(std::string_view name, const std::optional<Variable>& variable, bool keep_extra);
  // Trusted proxies without any of the headers of client_from: the format's mistake.
  [[nodiscard]] bool client_headers_missing() const { return !trusted_.empty() && !client_seen_; }
  [[nodiscard]] const std::vector<std::string>& extra_names() const { return extra_names_; }

  void begin(Record& out);
  // "-" and "" are absent. False: a value that its meaning forbids; the line does not fit.
  [[nodiscard]] bool put(const Field& field, std::string_view value) {
    if (value.empty() || (value.size() == 1 && value[0] == '-')) return true;
    // Most fields are texts as they stand.
    if (field.variable.meaning == Meaning::kText && field.client_slot < 0 && field.extra < 0) {
      if (!out_->has(field.variable.text)) out_->set(field.variable.text, value);
      return true;
    }
    return put_meaning(field, value);
  }
  // Applies what depends on several values. False: no time.
  [[nodiscard]] bool finish();

  static constexpr std::size_t kMaxExtras = 256;

 private:
  [[nodiscard]] bool put_meaning(const Field& field, std::string_view value);
  void put_time(int rank, std::optional<std::int64_t> ms);
  [[nodiscard]] std::optional<std::int64_t> time_of(Meaning meaning, std::string_view value);
  [[nodiscard]] bool put_number(Number column, std::optional<std::uint64_t> value);

  // Requests of one second share their time's text: it is read once.
  struct CachedTime {
    std::array<char, 32> text{};
    std::size_t size = 0;
    std::int64_t ms = 0;
  };

  TrustedProxies trusted_;
  std::vector<std::string> client_from_;
  std::vector<std::string_view> client_values_;
  bool client_seen_ = false;
  std::vector<std::string> extra_names_;
  std::vector<std::string_view> extras_;
  CachedTime cached_;

  Record* out_ = nullptr;
  int time_rank_ = 0;
  std::string_view remote_, realip_remote_, request_uri_, date_, time_of_day_;
  std::array<std::string_view, kTextCount> fallbacks_{};
  std::uint32_t fallbacks_set_ = 0;
};

// Lower case, '-' as '_': how names of JSON keys and groups are compared. Views `buffer`.
[[nodiscard]] std::string_view normal_name(std::string_view name, std::array<char, 128>& buffer);

}  // namespace weir
