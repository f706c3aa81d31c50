#include "agent/format/record_builder.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "agent/format/values.h"
#include "proto/must.h"

namespace weir {
namespace {

// Whether the list names several upstreams. A list of one adds nothing to its number.
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
      return fail(Code::kInvalid, "client_from: \"" + name + "\" is not a variable",
                  "name headers as nginx does: \"http_x_forwarded_for\", \"http_x_real_ip\"");
    }
    // X-Forwarded-For and x_forwarded_for name the header's variable.
    out.client_from_.emplace_back(normal.starts_with("x_") ? "http_" + std::string(normal)
                                                           : std::string(normal));
  }
  out.client_values_.resize(out.client_from_.size());
  return out;
}

int RecordBuilder::client_slot_of(std::string_view name) const {
  std::array<char, 128> buffer{};
  const std::string_view normal = normal_name(name, buffer);
  for (std::size_t i = 0; i < client_from_.size(); ++i) {
    const std::string_view wanted = client_from_[i];
    if (normal == wanted || (wanted.starts_with("http_") && normal == wanted.substr(5)))
      return static_cast<int>(i);
  }
  return -1;
}

RecordBuilder::Field RecordBuilder::field(std::string_view name, const std::optional<Variable>& variable,
                                          bool keep_extra) {
  MUST(extras_.size() == extra_names_.size(), "each extra has a name and a place for its value");
  MUST(client_values_.size() == client_from_.size(), "each header of client_from has a place for its value");
  Field out;
  if (!client_from_.empty()) out.client_slot = client_slot_of(name);
  if (out.client_slot >= 0) client_seen_ = true;
  if (variable) {
    out.variable = *variable;
    if (variable->meaning == Meaning::kTimeAny && notation_) out.variable.meaning = Meaning::kTimeNotation;
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
  MUST(out.extra < static_cast<int>(extra_names_.size()), "a field's extra is one of extra_names()");
  MUST(out.client_slot < static_cast<int>(client_from_.size()), "a field's header is one of client_from");
  MUST(out.extra < 0 || !variable, "an extra is a value that weir has no column for");
  return out;
}

int RecordBuilder::rank_of(Meaning meaning) {
  if (meaning == Meaning::kTimeMsec || meaning == Meaning::kTimeEpochMs) return kPreciseRank;
  return meaning == Meaning::kTimeShipped ? kShippedRank : kTextRank;
}

std::optional<std::int64_t> RecordBuilder::time_of(Meaning meaning, std::string_view value) {
  if (cached_.is(value)) return cached_.ms;
  std::optional<std::int64_t> ms;
  switch (meaning) {
    case Meaning::kTimeLocal:
      ms = parse_time_local(value);
      break;
    case Meaning::kTimeIso8601:
      ms = parse_time_iso8601(value);
      break;
    case Meaning::kTimeMsec:
      return parse_time_msec(value);  // rarely repeats, so not cached
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

void RecordBuilder::put_request(std::string_view value) {
  RequestLine line;
  if (!split_request(value, line)) {
    put_text(Text::kRequest, value);
    return;
  }
  const auto put_part = [this](Text column, std::string_view part) {
    if (!part.empty()) put_text(column, part);
  };
  put_part(Text::kMethod, line.method);
  put_part(Text::kPath, line.path);
  put_part(Text::kQuery, line.query);
  put_part(Text::kProtocol, line.protocol);
}

bool RecordBuilder::put_other(const Variable& variable, std::string_view value) {
  switch (variable.meaning) {
    case Meaning::kIgnore:
      return true;
    case Meaning::kTextFallback: {
      const auto column = static_cast<std::size_t>(variable.text);
      if ((fallbacks_set_ >> column & 1U) == 0) fallbacks_[column] = value;
      fallbacks_set_ |= 1U << column;
      return true;
    }
    case Meaning::kTimeLocal:
    case Meaning::kTimeIso8601:
    case Meaning::kTimeMsec:
    case Meaning::kTimeAny:
    case Meaning::kTimeShipped:
    case Meaning::kTimeEpochMs:
      put_time(rank_of(variable.meaning), time_of(variable.meaning, value));
      return true;
    case Meaning::kTimeNotation:
      put_time(kPreciseRank, notation_->read(value));
      return true;
    case Meaning::kDate:
      see(kDate, date_, value);
      return true;
    case Meaning::kTimeOfDay:
      see(kTimeOfDay, time_of_day_, value);
      return true;
    case Meaning::kRequestUri:
      see(kRequestUri, request_uri_, value);
      return true;
    case Meaning::kRealipRemoteAddress:
      see(kRealipRemote, realip_remote_, value);
      return true;
    case Meaning::kSecondsList:
    case Meaning::kUpstreamTimes:
    case Meaning::kUpstreamStatuses:
      return put_list(variable, value);
    case Meaning::kText:
    case Meaning::kRequest:
    case Meaning::kRemoteAddress:
      return true;  // handled by put()
    default:
      return put_unusual_number(variable, value);
  }
}

// Numbers that put() does not handle: those in another unit, or longer than usual.
bool RecordBuilder::put_unusual_number(const Variable& variable, std::string_view value) {
  const char* const end = value.data() + value.size();
  switch (variable.meaning) {
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
      const auto [stopped, error] = std::from_chars(value.data(), end, ms);
      if (error != std::errc{} || stopped != end) return false;
      if (!(ms >= 0 && ms <= static_cast<double>(kMaxLogNumber))) return false;
      return put_number(variable.number, static_cast<std::uint64_t>(ms + 0.5));
    }
    case Meaning::kNanoseconds: {
      std::uint64_t ns = 0;
      const auto [stopped, error] = std::from_chars(value.data(), end, ns);
      if (error != std::errc{} || stopped != end) return false;
      return put_number(variable.number, ns / 1'000'000);
    }
    case Meaning::kPipe:
      if (value != "p" && value != ".") return false;
      out_->set(Number::kPipe, value == "p" ? 1 : 0);
      return true;
    default:
      MUST(variable.meaning == Meaning::kNumber, "every meaning has a reader");
      return put_number(variable.number, parse_log_number(value));
  }
}

// "a, b : c": one value for each upstream that was tried.
bool RecordBuilder::put_list(const Variable& variable, std::string_view value) {
  std::uint64_t number = 0;
  const bool statuses = variable.meaning == Meaning::kUpstreamStatuses;
  const ListOutcome outcome = statuses ? last_status(value, number) : sum_seconds_list(value, number);
  if (outcome == ListOutcome::kInvalid) return false;
  if (statuses) {
    if (outcome == ListOutcome::kValue) out_->set(Number::kUpstreamStatus, number);
    if (names_several(value)) put_text(Text::kUpstreamStatuses, value);
    return true;
  }
  if (outcome == ListOutcome::kValue && !put_number(variable.number, number)) return false;
  if (variable.meaning == Meaning::kUpstreamTimes && names_several(value))
    put_text(Text::kUpstreamTimes, value);
  return true;
}

bool RecordBuilder::finish() {
  MUST(out_ != nullptr, "begin() comes before finish()");
  MUST((fallbacks_set_ >> kTextCount) == 0, "fallbacks are columns of text");
  Record& out = *out_;
  if (seen(kRequestUri) && !out.has(Text::kPath)) {
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

  if (seen(kRemote) || seen(kRealipRemote)) {
    const std::string_view peer = seen(kRealipRemote) ? realip_remote_ : remote_;
    // nginx's realip may already have found the client, but the address may also be one more trusted hop.
    std::string_view client = seen(kRemote) ? remote_ : peer;
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

  if (time_rank_ == 0 && seen(kDate) && date_.size() == 10) {
    std::array<char, 32> joined{};
    if (seen(kTimeOfDay) && time_of_day_.size() >= 8 && time_of_day_.size() <= 16) {
      std::memcpy(joined.data(), date_.data(), 10);
      joined[10] = 'T';
      std::memcpy(joined.data() + 11, time_of_day_.data(), time_of_day_.size());
      put_time(kTextRank, time_of(Meaning::kTimeIso8601, {joined.data(), 11 + time_of_day_.size()}));
    }
  }
  MUST((time_rank_ > 0) == (out.time_ms != kNoTime), "a record has a time when one could be read");
  MUST(out.extra.size() == extra_names_.size(), "a record has a value for each extra name");
  return time_rank_ > 0;
}

}  // namespace weir
