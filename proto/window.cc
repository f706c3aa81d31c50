#include "proto/window.h"

#include <algorithm>
#include <array>
#include <vector>

namespace weir {
namespace {

// Bytes times milliseconds do not fit 64 bits.
__extension__ using Wide = unsigned __int128;

std::int64_t floor_to(std::int64_t value, std::int64_t step) {
  auto quotient = value / step;
  if (value % step < 0) --quotient;
  return quotient * step;
}

bool host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

// One (window, site, status) of the batch. Latencies are sorted once at the end:
// cheaper than an ordered insert per record.
struct Accumulator {
  WindowSum sum;
  std::vector<std::uint16_t> latency_buckets;
};

struct AccumulatorKey {
  std::int64_t start_s;
  std::uint32_t site;
  std::uint16_t status;
  friend bool operator==(const AccumulatorKey&, const AccumulatorKey&) = default;
};

struct AccumulatorKeyHash {
  std::size_t operator()(const AccumulatorKey& key) const {
    auto hash = static_cast<std::uint64_t>(key.start_s) * 0x9E3779B97F4A7C15ULL;
    hash ^= (static_cast<std::uint64_t>(key.site) << 16 | key.status) * 0xC2B2AE3D27D4EB4FULL;
    return hash ^ hash >> 29;
  }
};

class Folder {
 public:
  Folder(const DecodedBatch& batch, const FoldConfig& config)
      : batch_(batch), columns_(batch.columns), config_(config), site_of_host_(batch.columns.strings.size()) {
    for (const auto& [name, value] : batch.header.fields) {
      if (name == "site") site_field_ = value;
    }
  }

  void add(std::size_t record) {
    const auto time_ms = columns_.time_ms[record];
    const AccumulatorKey key{
        window_start_s(time_ms), site(record),
        static_cast<std::uint16_t>(std::min<std::uint64_t>(number(record, Number::kStatus), 65535))};
    auto& into = at(key);
    ++into.sum.requests;
    const auto bytes = has(record, Number::kBytesSent) ? number(record, Number::kBytesSent)
                                                       : number(record, Number::kBodyBytesSent);
    into.sum.bytes_sent += bytes;
    into.sum.request_bytes += number(record, Number::kRequestBytes);
    into.sum.upstream_time_ms += number(record, Number::kUpstreamTimeMs);
    std::uint64_t request_time_ms = 0;
    if (has(record, Number::kRequestTimeMs)) {
      request_time_ms = number(record, Number::kRequestTimeMs);
      into.sum.request_time_ms += request_time_ms;
      into.latency_buckets.push_back(Histogram::bucket_of(request_time_ms));
    }
    if (bytes > 0) spread(key, time_ms, request_time_ms, bytes);
  }

  void merge(WindowDelta& into) {
    for (auto& [key, accumulator] : accumulators_) {
      auto& buckets = accumulator.latency_buckets;
      std::sort(buckets.begin(), buckets.end());
      for (std::size_t i = 0; i < buckets.size();) {
        const auto end = static_cast<std::size_t>(
            std::upper_bound(buckets.begin() + static_cast<std::ptrdiff_t>(i), buckets.end(), buckets[i]) -
            buckets.begin());
        accumulator.sum.latency.add(Histogram::lower_bound_ms(buckets[i]), end - i);
        i = end;
      }
      into[WindowKey{key.start_s, sites_[key.site], batch_.header.host, key.status}].merge(accumulator.sum);
    }
  }

 private:
  [[nodiscard]] bool has(std::size_t record, Number field) const {
    const auto& column = columns_.number[static_cast<std::size_t>(field)];
    return !column.empty() && column[record] > 0;
  }
  [[nodiscard]] std::uint64_t number(std::size_t record, Number field) const {
    return has(record, field) ? columns_.number[static_cast<std::size_t>(field)][record] - 1 : 0;
  }
  [[nodiscard]] std::uint32_t index(std::size_t record, Text field) const {
    const auto& column = columns_.text[static_cast<std::size_t>(field)];
    return column.empty() ? 0 : column[record];
  }

  // Records come nearly in the order of their times: most are in the window of the one before.
  std::int64_t window_start_s(std::int64_t time_ms) {
    if (time_ms < window_begin_ms_ || time_ms >= window_begin_ms_ + config_.window_s * 1000)
      window_begin_ms_ = floor_to(floor_to(time_ms, 1000) / 1000, config_.window_s) * 1000;
    return window_begin_ms_ / 1000;
  }

  Accumulator& at(const AccumulatorKey& key) {
    auto& recent = recent_[(key.site * 31 + key.status) % recent_.size()];
    if (recent.second == nullptr || recent.first != key) recent = {key, &accumulators_[key]};
    return *recent.second;
  }

  // Touches the text once per distinct (host, server name).
  std::uint32_t site(std::size_t record) {
    const auto host = index(record, Text::kHost);
    const auto server = index(record, Text::kServerName);
    if (server != 0) return site_of_pair(host, server);
    auto& known = site_of_host_[host];
    if (known == 0) known = site_of_pair(host, server) + 1;
    return known - 1;
  }

  std::uint32_t site_of_pair(std::uint32_t host, std::uint32_t server) {
    const auto [found, is_new] =
        site_of_pair_.try_emplace(static_cast<std::uint64_t>(host) << 32 | server, 0U);
    if (is_new) {
      auto name = site_of(columns_.strings[host], columns_.strings[server], site_field_);
      const auto [known, first] =
          site_index_.try_emplace(std::move(name), static_cast<std::uint32_t>(sites_.size()));
      if (first) sites_.push_back(known->first);
      found->second = known->second;
    }
    return found->second;
  }

  // Divides `bytes` over the windows that [end - request_time, end] touches. The share up to
  // a moment is rounded down and shares are differences, so that they add up to `bytes`.
  void spread(const AccumulatorKey& key, std::int64_t end_ms, std::uint64_t request_time_ms,
              std::uint64_t bytes) {
    const auto span = static_cast<std::int64_t>(
        std::min<std::uint64_t>(request_time_ms, static_cast<std::uint64_t>(config_.max_spread_s) * 1000));
    const auto begin_ms = end_ms - span;
    if (span == 0 || begin_ms >= key.start_s * 1000) {
      at(key).sum.flow_bytes += bytes;
      return;
    }
    const auto window_ms = config_.window_s * 1000;
    auto window = floor_to(begin_ms, window_ms);
    std::uint64_t given = 0;
    for (; window <= end_ms; window += window_ms) {
      const auto until = std::min(window + window_ms, end_ms);
      const auto share =
          static_cast<std::uint64_t>(static_cast<Wide>(bytes) * static_cast<std::uint64_t>(until - begin_ms) /
                                     static_cast<std::uint64_t>(span));
      if (share > given) at({window / 1000, key.site, key.status}).sum.flow_bytes += share - given;
      given = share;
      if (until == end_ms) break;
    }
  }

  const DecodedBatch& batch_;
  const Columns& columns_;
  const FoldConfig& config_;
  std::string site_field_;
  std::unordered_map<AccumulatorKey, Accumulator, AccumulatorKeyHash> accumulators_;
  // Of the last windows, by site and status; references into an unordered_map are stable.
  std::array<std::pair<AccumulatorKey, Accumulator*>, 64> recent_{};
  std::int64_t window_begin_ms_ = 0;
  std::vector<std::uint32_t> site_of_host_;  // + 1; 0: not looked up yet
  std::unordered_map<std::uint64_t, std::uint32_t> site_of_pair_;
  std::unordered_map<std::string, std::uint32_t> site_index_;
  std::vector<std::string> sites_;
};

}  // namespace

void WindowSum::merge(const WindowSum& other) {
  requests += other.requests;
  bytes_sent += other.bytes_sent;
  flow_bytes += other.flow_bytes;
  request_bytes += other.request_bytes;
  request_time_ms += other.request_time_ms;
  upstream_time_ms += other.upstream_time_ms;
  latency.merge(other.latency);
}

void merge_into(WindowDelta& into, const WindowDelta& delta) {
  for (const auto& [key, sum] : delta) into[key].merge(sum);
}

std::string site_of(std::string_view host, std::string_view server_name, std::string_view site_field) {
  const auto given = !site_field.empty() ? site_field : !host.empty() ? host : server_name;
  if (given.empty() || given == "-") return std::string(kNoSite);
  std::string site(given.substr(0, kMaxSiteBytes + 8));
  for (auto& c : site) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (site.front() == '[') {  // [2001:db8::1]:443
    const auto end = site.find(']');
    if (end == std::string::npos || end < 3) return std::string(kInvalidSite);
    const auto port = std::string_view(site).substr(end + 1);
    if (!port.empty() &&
        (port.front() != ':' || port.find_first_not_of("0123456789", 1) != std::string_view::npos))
      return std::string(kInvalidSite);
    site.resize(end + 1);
    return site.find_first_not_of("0123456789abcdef:.", 1) == end ? site : std::string(kInvalidSite);
  }
  if (const auto colon = site.find(':'); colon != std::string::npos) {
    if (site.find_first_not_of("0123456789", colon + 1) != std::string::npos)
      return std::string(kInvalidSite);
    site.resize(colon);
  }
  if (!site.empty() && site.back() == '.') site.pop_back();
  if (site.empty() || site.size() > kMaxSiteBytes || !std::all_of(site.begin(), site.end(), host_character))
    return std::string(kInvalidSite);
  return site;
}

void fold(const DecodedBatch& batch, std::uint32_t first_line, std::uint32_t end_line,
          const FoldConfig& config, WindowDelta& into) {
  const auto& lines = batch.columns.record_line;
  const auto first = std::lower_bound(lines.begin(), lines.end(), first_line);
  const auto last = std::lower_bound(first, lines.end(), end_line);
  Folder folder(batch, config);
  for (auto at = first; at != last; ++at) folder.add(static_cast<std::size_t>(at - lines.begin()));
  folder.merge(into);
}

}  // namespace weir
