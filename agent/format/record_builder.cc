#include "agent/format/record_builder.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "agent/format/values.h"

namespace weir {
namespace {

// Which of several times of one line counts: the most precise one; that of a shipper last.
int rank_of(Meaning meaning) {
  if (meaning == Meaning::kTimeMsec || meaning == Meaning::kTimeEpochMs) return 4;
  return meaning == Meaning::kTimeShipped ? 2 : 3;
}

// Of several upstreams. What is logged of one alone says no more than its number.
bool names_several(std::string_view upstreams) {
  return upstreams.find_first_of(",:") != std::string_view::npos;
}

}  // namespace

std::string_view normal_name(std::string_view name, std::array<char, 128>& buffer) {
  if (name.size() > buffer.size()) return {};
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    buffer[i] = c == '-' ? '_' : (c >= 'A' && c <= 'Z') ? static_cast<char>(c + 32) : c;
  }
  return {buffer.data(), name.size()};
}

Result<RecordBuilder> RecordBuilder::make(const ClientConfig& client) {
  RecordBuilder out;
  auto trusted = TrustedProxies::parse(client.trusted_proxies);
  if (!trusted) return std::unexpected(trusted.error());
  out.trusted_ = std::move(*trusted);
  for (const std::string& name : client.client_from) {
    std::array<char, 128> buffer{};
    std::string_view normal = normal_name(name, buffer);
    if (normal.starts_with('$')) normal.remove_prefix(1);
    if (normal.empty()) {
      return fail(Code::kInvalid, "client_from: \"" + name + "\" is no variable",
                  "name headers as nginx does: \"http_x_forwarded_for\", \"http_x_real_ip\"");
    }
    // X-Forwarded-For and x_forwarded_for mean the header's variable.
    out.client_from_.emplace_back(normal.starts_with("x_") ? "http_" + std::string(normal)
                                                           : std::string(normal));
  }
  out.client_values_.resize(out.client_from_.size());
  return out;
}

RecordBuilder::Field RecordBuilder::field(std::string_view name, const std::optional<Variable>& variable,
                                          bool keep_extra) {
  Field out;
  std::array<char, 128> buffer{};
  const std::string_view normal = normal_name(name, buffer);
  for (std::size_t i = 0; i < client_from_.size(); ++i) {
    const std::string_view wanted = client_from_[i];
    if (normal == wanted || (wanted.starts_with("http_") && normal == wanted.substr(5))) {
      out.client_slot = static_cast<int>(i);
      client_seen_ = true;
      break;
    }
  }
  if (variable) {
    out.variable = *variable;
  } else if (keep_extra) {
    const auto at = std::find(extra_names_.begin(), extra_names_.end(), name);
    if (at != extra_names_.end()) {
      out.extra = static_cast<int>(at - extra_names_.begin());
    } else if (extra_names_.size() < kMaxExtras) {
      out.extra = static_cast<int>(extra_names_.size());
      extra_names_.emplace_back(name);
      extras_.emplace_back();
    }
  }
  return out;
}

void RecordBuilder::begin(Record& out) {
  out_ = &out;
  out.clear();
  time_rank_ = 0;
  remote_ = realip_remote_ = request_uri_ = date_ = time_of_day_ = {};
  fallbacks_set_ = 0;
  std::fill(client_values_.begin(), client_values_.end(), std::string_view{});
  std::fill(extras_.begin(), extras_.end(), std::string_view{});
}

std::optional<std::int64_t> RecordBuilder::time_of(Meaning meaning, std::string_view value) {
  if (value == std::string_view(cached_.text.data(), cached_.size)) return cached_.ms;
  std::optional<std::int64_t> ms;
  switch (meaning) {
    case Meaning::kTimeLocal:
      ms = parse_time_local(value);
      break;
    case Meaning::kTimeIso8601:
      ms = parse_time_iso8601(value);
      break;
    case Meaning::kTimeMsec:
      return parse_time_msec(value);  // seldom the same twice
    case Meaning::kTimeEpochMs: {
      const auto number = parse_log_number(value);
      if (!number) return std::nullopt;
      return static_cast<std::int64_t>(*number);
    }
    default:
      return parse_time_any(value);
  }
  if (ms && value.size() <= cached_.text.size()) {
    std::memcpy(cached_.text.data(), value.data(), value.size());
    cached_.size = value.size();
    cached_.ms = *ms;
  }
  return ms;
}

void RecordBuilder::put_time(int rank, std::optional<std::int64_t> ms) {
  constexpr auto kMax = static_cast<std::int64_t>(kMaxLogNumber);
  if (!ms || rank <= time_rank_ || *ms > kMax || *ms < -kMax) return;
  time_rank_ = rank;
  out_->time_ms = *ms;
}

bool RecordBuilder::put_number(Number column, std::optional<std::uint64_t> value) {
  if (!value || *value > kMaxLogNumber) return false;
  if (!out_->has(column)) out_->set(column, *value);
  return true;
}

bool RecordBuilder::put_meaning(const Field& field, std::string_view value) {
  if (field.client_slot >= 0) client_values_[static_cast<std::size_t>(field.client_slot)] = value;
  if (field.extra >= 0) {
    extras_[static_cast<std::size_t>(field.extra)] = value;
    return true;
  }
  const Variable& variable = field.variable;
  const auto set_text = [this](Text column, std::string_view text) {
    if (!text.empty() && !out_->has(column)) out_->set(column, text);
  };
  switch (variable.meaning) {
    case Meaning::kIgnore:
      return true;
    case Meaning::kText:
      set_text(variable.text, value);
      return true;
    case Meaning::kTextFallback: {
      const auto column = static_cast<std::size_t>(variable.text);
      if ((fallbacks_set_ >> column & 1U) == 0) fallbacks_[column] = value;
      fallbacks_set_ |= 1U << column;
      return true;
    }
    case Meaning::kNumber:
      return put_number(variable.number, parse_log_number(value));
    case Meaning::kStatus: {
      const auto status = parse_log_number(value);
      return status && *status <= 999 && put_number(variable.number, status);
    }
    case Meaning::kSeconds:
      return put_number(variable.number, parse_seconds_as_ms(value));
    case Meaning::kSecondsOrMilliseconds:
      return put_number(variable.number, value.find('.') == std::string_view::npos
                                             ? parse_log_number(value)
                                             : parse_seconds_as_ms(value));
    case Meaning::kMilliseconds: {
      double ms = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), ms);
      if (error != std::errc{} || end != value.data() + value.size()) return false;
      if (!(ms >= 0 && ms <= static_cast<double>(kMaxLogNumber))) return false;
      return put_number(variable.number, static_cast<std::uint64_t>(ms + 0.5));
    }
    case Meaning::kNanoseconds: {
      std::uint64_t ns = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), ns);
      if (error != std::errc{} || end != value.data() + value.size()) return false;
      return put_number(variable.number, ns / 1'000'000);
    }
    case Meaning::kSecondsList:
    case Meaning::kUpstreamTimes: {
      std::uint64_t sum = 0;
      const ListOutcome outcome = sum_seconds_list(value, sum);
      if (outcome == ListOutcome::kInvalid) return false;
      if (outcome == ListOutcome::kValue && !put_number(variable.number, sum)) return false;
      if (variable.meaning == Meaning::kUpstreamTimes && names_several(value))
        set_text(Text::kUpstreamTimes, value);
      return true;
    }
    case Meaning::kUpstreamStatuses: {
      std::uint64_t status = 0;
      const ListOutcome outcome = last_status(value, status);
      if (outcome == ListOutcome::kInvalid) return false;
      if (outcome == ListOutcome::kValue) out_->set(Number::kUpstreamStatus, status);
      if (names_several(value)) set_text(Text::kUpstreamStatuses, value);
      return true;
    }
    case Meaning::kPipe:
      if (value != "p" && value != ".") return false;
      out_->set(Number::kPipe, value == "p" ? 1 : 0);
      return true;
    case Meaning::kTimeLocal:
    case Meaning::kTimeIso8601:
    case Meaning::kTimeMsec:
    case Meaning::kTimeAny:
    case Meaning::kTimeShipped:
    case Meaning::kTimeEpochMs:
      put_time(rank_of(variable.meaning), time_of(variable.meaning, value));
      return true;
    case Meaning::kDate:
      date_ = value;
      return true;
    case Meaning::kTimeOfDay:
      time_of_day_ = value;
      return true;
    case Meaning::kRequest: {
      RequestLine line;
      if (!split_request(value, line)) {
        set_text(Text::kRequest, value);
        return true;
      }
      set_text(Text::kMethod, line.method);
      set_text(Text::kPath, line.path);
      set_text(Text::kQuery, line.query);
      set_text(Text::kProtocol, line.protocol);
      return true;
    }
    case Meaning::kRequestUri:
      request_uri_ = value;
      return true;
    case Meaning::kRemoteAddress:
      if (remote_.empty()) remote_ = value;
      return true;
    case Meaning::kRealipRemoteAddress:
      realip_remote_ = value;
      return true;
  }
  return true;
}

bool RecordBuilder::finish() {
  Record& out = *out_;
  if (!request_uri_.empty() && !out.has(Text::kPath)) {
    std::string_view path;
    std::string_view query;
    split_uri(request_uri_, path, query);
    if (!path.empty()) out.set(Text::kPath, path);
    if (!query.empty() && !out.has(Text::kQuery)) out.set(Text::kQuery, query);
  }
  if (fallbacks_set_ != 0) {
    for (std::size_t i = 0; i < kTextCount; ++i) {
      const auto column = static_cast<Text>(i);
      if ((fallbacks_set_ >> i & 1U) != 0 && !out.has(column)) out.set(column, fallbacks_[i]);
    }
  }

  const std::string_view peer = realip_remote_.empty() ? remote_ : realip_remote_;
  if (!peer.empty()) {
    // nginx may have found the client already; what it found may be one more trusted hop.
    std::string_view client = remote_.empty() ? peer : remote_;
    if (!trusted_.empty() && trusted_.trusts(client)) {
      for (const std::string_view header : client_values_) {
        if (header.empty()) continue;
        client = trusted_.client_of(client, header);
        break;
      }
    }
    out.set(Text::kPeerAddress, peer);
    out.set(Text::kClientAddress, client);
  }
  out.extra = extras_;

  if (!date_.empty() && time_rank_ == 0 && date_.size() == 10) {
    std::array<char, 32> joined{};
    if (time_of_day_.size() >= 8 && time_of_day_.size() <= 16) {
      std::memcpy(joined.data(), date_.data(), 10);
      joined[10] = 'T';
      std::memcpy(joined.data() + 11, time_of_day_.data(), time_of_day_.size());
      put_time(3, time_of(Meaning::kTimeIso8601, {joined.data(), 11 + time_of_day_.size()}));
    }
  }
  return time_rank_ > 0;
}

}  // namespace weir
