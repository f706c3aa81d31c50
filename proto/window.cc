#include "proto/window.h"

#include <xxhash.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proto/floor_to.h"
#include "proto/wire.h"

namespace weir {
namespace {

// Bytes times milliseconds exceed 64 bits.
__extension__ using Wide = unsigned __int128;

bool host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

struct Key {
  std::int64_t start_s;
  std::uint32_t site;
  std::uint32_t host;  // 0 when all lines have the same host
  std::uint16_t status;
  friend auto operator<=>(const Key&, const Key&) = default;
};

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }
};

// Assigns numbers to names.
class Names {
 public:
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const {
    const auto found = numbers_.find(name);
    return found == numbers_.end() ? std::nullopt : std::optional(found->second);
  }
  std::uint32_t add(std::string name) {
    bytes_ += name.size() + 128;
    const auto number = static_cast<std::uint32_t>(names_.size());
    names_.push_back(&numbers_.emplace(std::move(name), number).first->first);  // keys do not move
    return number;
  }
  std::uint32_t find_or_add(std::string_view name) {
    const auto known = find(name);
    return known ? *known : add(std::string(name));
  }
  [[nodiscard]] const std::string& operator[](std::uint32_t number) const { return *names_[number]; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }  // approximate
  // For each number, its position in the sorted order of names.
  [[nodiscard]] std::vector<std::uint32_t> ranks() const {
    std::vector<std::uint32_t> order(names_.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return *names_[a] < *names_[b]; });
    std::vector<std::uint32_t> ranks(names_.size());
    for (std::uint32_t rank = 0; rank < order.size(); ++rank) ranks[order[rank]] = rank;
    return ranks;
  }

 private:
  std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> numbers_;
  std::vector<const std::string*> names_;
  std::uint64_t bytes_ = 0;
};

// One row. Latencies are collected and counted in bulk, which is cheaper than an ordered insert per record.
struct Accumulator {
  Key key;
  WindowSum sum;  // its `latency` does not include latency_buckets yet
  std::vector<std::uint16_t> latency_buckets;
};

// The values of a request that the sums need.
struct Request {
  std::int64_t time_ms = 0;
  std::uint64_t status = 0, bytes = 0, request_bytes = 0, upstream_time_ms = 0;
  std::optional<std::uint64_t> request_time_ms;
};

// Computes the sums, for both programs.
class Folder {
 public:
  void begin(const FoldConfig& config) {
    config_ = config;
    used_ = 0;
    latency_bytes_ = 0;
    if (accumulators_.size() > kKeepRows) {
      accumulators_.resize(kKeepRows);
      accumulators_.shrink_to_fit();
    }
    std::fill(slots_.begin(), slots_.end(), 0);
    last_ = kNone;
    window_end_ms_ = window_begin_ms_ = 0;
    site_index_.clear();
    sites_.clear();
    given_.clear();
    last_given_.reset();
  }

  // Evaluates each distinct text once. `given`: field "site" when set, else $host, else $server_name.
  std::uint32_t site(std::string_view given) {
    if (last_given_ && *last_given_ == given) return last_site_;
    auto found = given_.find(given);
    if (found == given_.end()) {
      auto name = site_of(given, {}, {});
      const auto [known, first] =
          site_index_.try_emplace(std::move(name), static_cast<std::uint32_t>(sites_.size()));
      if (first) sites_.push_back(known->first);
      found = given_.emplace(std::string(given), known->second).first;
    }
    last_given_ = found->first;  // an unordered_map does not move its keys
    last_site_ = found->second;
    return last_site_;
  }

  void add(const Request& request, std::uint32_t site, std::uint32_t host = 0) {
    if (request.time_ms < window_begin_ms_ || request.time_ms >= window_end_ms_) {
      const auto window_ms = config_.window_s * 1000;
      window_begin_ms_ = floor_to(request.time_ms, window_ms);
      window_end_ms_ = window_begin_ms_ + window_ms;
    }
    const Key key{window_begin_ms_ / 1000, site, host,
                  static_cast<std::uint16_t>(std::min<std::uint64_t>(request.status, 65535))};
    auto& into = at(key);
    ++into.sum.requests;
    into.sum.bytes_sent += request.bytes;
    into.sum.request_bytes += request.request_bytes;
    into.sum.upstream_time_ms += request.upstream_time_ms;
    if (request.request_time_ms) {
      into.sum.request_time_ms += *request.request_time_ms;
      if (into.latency_buckets.size() >= kMaxUncounted) count_latencies(into);
      if (into.latency_buckets.capacity() == 0) into.latency_buckets.reserve(kFirstUncounted);
      into.latency_buckets.push_back(Histogram::bucket_of(*request.request_time_ms));
      latency_bytes_ += sizeof(std::uint16_t);
    }
    if (request.bytes > 0) spread(into, request);
  }

  void add(FoldedRow row, std::uint32_t site, std::uint32_t host) {
    auto& sum = at({row.start_s, site, host, row.status}).sum;
    const auto before = sum.latency.buckets().size();
    if (before == 0) sum.latency = std::exchange(row.sum.latency, {});
    sum.merge(row.sum);
    latency_bytes_ += (sum.latency.buckets().size() - before) * sizeof(Histogram::Bucket);
  }

  [[nodiscard]] std::size_t rows() const { return used_; }
  [[nodiscard]] std::uint64_t latency_bytes() const { return latency_bytes_; }  // approximate
  [[nodiscard]] std::size_t texts() const { return given_.size(); }
  [[nodiscard]] const std::vector<std::string>& sites() const { return sites_; }

  // Visits each row once, ascending by key.
  template <class Take>
  void take_rows(Take take) {
    take_rows([](const Key& key) { return key; }, take);
  }
  // Ascending by what `order_of` returns for the key.
  template <class OrderOf, class Take>
  void take_rows(OrderOf order_of, Take take) {
    std::vector<std::pair<Key, std::uint32_t>> order(used_);
    for (std::uint32_t i = 0; i < used_; ++i) order[i] = {order_of(accumulators_[i].key), i};
    std::sort(order.begin(), order.end());
    for (const auto& [key, i] : order) {
      auto& from = accumulators_[i];
      count_latencies(from);
      take(from.key, std::move(from.sum));
    }
  }

 private:
  static constexpr std::uint32_t kNone = ~0U;
  // What is kept for the next batch: at most 8 MB.
  static constexpr std::size_t kKeepRows = 1024;
  static constexpr std::size_t kKeepBuckets = 4096;
  // Latencies per row: the first allocation, and how many may wait to be counted.
  static constexpr std::size_t kFirstUncounted = 12;
  static constexpr std::size_t kMaxUncounted = 4096;

  static std::uint64_t hash_of(const Key& key) {
    auto hash = static_cast<std::uint64_t>(key.start_s) * 0x9E3779B97F4A7C15ULL;
    hash ^= (static_cast<std::uint64_t>(key.site) << 16 | key.status) * 0xC2B2AE3D27D4EB4FULL;
    hash ^= key.host * 0x165667B19E3779F9ULL;
    return hash ^ hash >> 29;
  }

  // Open addressing. The next batch reuses the accumulators and their buffers.
  Accumulator& at(const Key& key) {
    if (last_ != kNone && accumulators_[last_].key == key) return accumulators_[last_];
    if ((used_ + 1) * 2 > slots_.size()) grow();
    auto slot = hash_of(key) & (slots_.size() - 1);
    for (; slots_[slot] != 0; slot = (slot + 1) & (slots_.size() - 1)) {
      if (accumulators_[slots_[slot] - 1].key == key) {
        last_ = slots_[slot] - 1;
        return accumulators_[last_];
      }
    }
    last_ = static_cast<std::uint32_t>(used_++);
    slots_[slot] = last_ + 1;
    if (last_ == accumulators_.size()) accumulators_.emplace_back();
    auto& fresh = accumulators_[last_];
    fresh.key = key;
    fresh.sum = {};
    if (fresh.latency_buckets.capacity() > kKeepBuckets) fresh.latency_buckets = {};
    fresh.latency_buckets.clear();
    return fresh;
  }

  void grow() {
    slots_.assign(std::max<std::size_t>(256, slots_.size() * 2), 0);
    for (std::uint32_t i = 0; i < used_; ++i) {
      auto slot = hash_of(accumulators_[i].key) & (slots_.size() - 1);
      while (slots_[slot] != 0) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = i + 1;
    }
  }

  void count_latencies(Accumulator& of) {
    auto& buckets = of.latency_buckets;
    if (buckets.empty()) return;
    Histogram fresh;
    auto& latency = of.sum.latency;
    auto& into = latency.empty() ? latency : fresh;
    latency_bytes_ -=
        buckets.size() * sizeof(std::uint16_t) + latency.buckets().size() * sizeof(Histogram::Bucket);
    count(buckets, into);
    buckets.clear();
    if (&into == &fresh) latency.merge(fresh);
    latency_bytes_ += latency.buckets().size() * sizeof(Histogram::Bucket);
  }

  void count(std::vector<std::uint16_t>& buckets, Histogram& into) {
    if (buckets.size() < 256) {
      std::sort(buckets.begin(), buckets.end());
      for (std::size_t i = 0; i < buckets.size();) {
        const auto first = i;
        while (i < buckets.size() && buckets[i] == buckets[first]) ++i;
        into.append(buckets[first], i - first);
      }
      return;
    }
    counts_.assign(Histogram::kBuckets, 0);
    for (const auto bucket : buckets) ++counts_[bucket];
    for (std::uint16_t bucket = 0; bucket < Histogram::kBuckets; ++bucket) {
      if (counts_[bucket] > 0) into.append(bucket, counts_[bucket]);
    }
  }

  // Divides the bytes over the windows that [end - request_time, end] touches. The share up to a moment is
  // rounded down, and a window's share is the difference of two of these, so the shares add up to `bytes`.
  void spread(Accumulator& at_end, const Request& request) {
    const auto end_ms = request.time_ms;
    const auto span = static_cast<std::int64_t>(std::min<std::uint64_t>(
        request.request_time_ms.value_or(0), static_cast<std::uint64_t>(config_.max_spread_s) * 1000));
    const auto begin_ms = end_ms - span;
    if (begin_ms >= window_begin_ms_) {
      at_end.sum.flow_bytes += request.bytes;
      return;
    }
    const auto key = at_end.key;  // copied: at() may move the accumulators
    const auto window_ms = config_.window_s * 1000;
    std::uint64_t given = 0;
    for (auto window = floor_to(begin_ms, window_ms); window <= end_ms; window += window_ms) {
      const auto until = std::min(window + window_ms, end_ms);
      const auto share = static_cast<std::uint64_t>(static_cast<Wide>(request.bytes) *
                                                    static_cast<std::uint64_t>(until - begin_ms) /
                                                    static_cast<std::uint64_t>(span));
      if (share > given) at({window / 1000, key.site, key.host, key.status}).sum.flow_bytes += share - given;
      given = share;
      if (until == end_ms) break;
    }
  }

  FoldConfig config_;
  std::vector<Accumulator> accumulators_;  // those from used_ on are left from earlier batches
  std::size_t used_ = 0;
  std::vector<std::uint32_t> slots_;  // index + 1
  std::uint32_t last_ = kNone;
  std::int64_t window_begin_ms_ = 0, window_end_ms_ = 0;  // the window of the last request
  std::unordered_map<std::string, std::uint32_t> site_index_;
  std::vector<std::string> sites_;
  std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> given_;
  std::optional<std::string_view> last_given_;
  std::uint32_t last_site_ = 0;
  std::uint64_t latency_bytes_ = 0;
  std::vector<std::uint32_t> counts_;
};

std::string_view given_of(std::string_view host, std::string_view server_name, std::string_view site_field) {
  return !site_field.empty() ? site_field : !host.empty() ? host : server_name;
}

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

void merge_into(WindowDelta& into, const FoldedLines& folded, const std::string& host) {
  for (const auto& row : folded.rows)
    into[WindowKey{row.start_s, folded.sites[row.site], host, row.status}].merge(row.sum);
}

bool is_site(std::string_view site) {
  if (site == kNoSite || site == kInvalidSite) return true;
  if (site.empty() || site.size() > kMaxSiteBytes + 8) return false;
  if (site.front() == '[') {
    return site.size() > 3 && site.back() == ']' &&
           site.find_first_not_of("0123456789abcdef:.", 1) == site.size() - 1;
  }
  return site.size() <= kMaxSiteBytes && std::all_of(site.begin(), site.end(), host_character);
}

std::string site_of(std::string_view host, std::string_view server_name, std::string_view site_field) {
  const auto given = given_of(host, server_name, site_field);
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

namespace {

// Reads the records of a decoded batch as requests.
class Requests {
 public:
  explicit Requests(const Columns& columns)
      : time_ms_(columns.time_ms),
        status_(cells(columns, Number::kStatus)),
        bytes_sent_(cells(columns, Number::kBytesSent)),
        body_bytes_sent_(cells(columns, Number::kBodyBytesSent)),
        request_bytes_(cells(columns, Number::kRequestBytes)),
        request_time_ms_(cells(columns, Number::kRequestTimeMs)),
        upstream_time_ms_(cells(columns, Number::kUpstreamTimeMs)) {}
  [[nodiscard]] Request at(std::size_t record) const {
    Request request;
    request.time_ms = time_ms_[record];
    request.status = number(status_, record);
    request.bytes = has(bytes_sent_, record) ? number(bytes_sent_, record) : number(body_bytes_sent_, record);
    request.request_bytes = number(request_bytes_, record);
    request.upstream_time_ms = number(upstream_time_ms_, record);
    if (has(request_time_ms_, record)) request.request_time_ms = number(request_time_ms_, record);
    return request;
  }

 private:
  using Cells = const std::uint64_t*;  // value + 1, 0 absent; nullptr: the column is absent
  static Cells cells(const Columns& columns, Number field) {
    const auto& column = columns.number[static_cast<std::size_t>(field)];
    return column.empty() ? nullptr : column.data();
  }
  static bool has(Cells cells, std::size_t record) { return cells != nullptr && cells[record] > 0; }
  static std::uint64_t number(Cells cells, std::size_t record) {
    return has(cells, record) ? cells[record] - 1 : 0;
  }
  const std::vector<std::int64_t>& time_ms_;
  Cells status_, bytes_sent_, body_bytes_sent_, request_bytes_, request_time_ms_, upstream_time_ms_;
};

// The value as the wire carries it, below 2^64 - 1; 0 when absent.
std::uint64_t number_of(const Record& record, Number field) {
  return record.has(field) ? std::min<std::uint64_t>(record.get(field), ~0ULL - 1) : 0;
}

}  // namespace

struct WindowTable::Impl {
  static constexpr std::uint32_t kUnknown = ~0U;
  // The texts seen are cached; clients that invent names must not fill the memory with them.
  static constexpr std::size_t kMaxKnownTexts = 65536;
  // Memory of a row, here and as a node of a WindowDelta.
  static constexpr std::uint64_t kRowBytes =
      sizeof(Accumulator) + 32 + sizeof(WindowKey) + sizeof(WindowSum) + 64;

  FoldConfig config;
  Folder folder;
  Names sites, hosts;
  std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> site_of_text;
  std::vector<std::uint32_t> site_of_string;  // for the current batch

  std::uint32_t site(std::string name, const Admits& admits) {
    if (const auto known = sites.find(name)) return *known;
    // If not admitted, only the cache knows it.
    return admits(name) ? sites.add(std::move(name)) : other();
  }
  std::uint32_t other() { return sites.find_or_add(kOtherSite); }

  std::uint32_t site_of_given(std::string_view given, const Admits& admits) {
    const auto found = site_of_text.find(given);
    if (found != site_of_text.end()) return found->second;
    if (site_of_text.size() >= kMaxKnownTexts) site_of_text.clear();
    const auto at = site(site_of(given, {}, {}), admits);
    site_of_text.emplace(std::string(given), at);
    return at;
  }
};

WindowTable::WindowTable(const FoldConfig& config) : impl_(std::make_unique<Impl>()) {
  impl_->config = config;
  impl_->folder.begin(config);
}
WindowTable::~WindowTable() = default;
WindowTable::WindowTable(WindowTable&&) noexcept = default;
WindowTable& WindowTable::operator=(WindowTable&&) noexcept = default;

void WindowTable::add(const DecodedBatch& batch, std::uint32_t first_line, std::uint32_t end_line,
                      const Admits& admits) {
  auto& impl = *impl_;
  const auto& columns = batch.columns;
  const auto& lines = columns.record_line;
  const auto first = std::lower_bound(lines.begin(), lines.end(), first_line);
  const auto last = std::lower_bound(first, lines.end(), end_line);
  std::string_view site_field;
  for (const auto& [name, value] : batch.header.fields) {
    if (name == "site") site_field = value;
  }
  const auto& hosts = columns.text[static_cast<std::size_t>(Text::kHost)];
  const auto& servers = columns.text[static_cast<std::size_t>(Text::kServerName)];
  const Requests requests(columns);
  const auto at_host = impl.hosts.find_or_add(batch.header.host);
  // Evaluates each distinct host once, or server name where the host is not logged.
  const auto host_texts = std::max<std::size_t>(1, hosts.strings.size());
  impl.site_of_string.assign(host_texts + servers.strings.size(), Impl::kUnknown);
  for (auto at = first; at != last; ++at) {
    const auto i = static_cast<std::size_t>(at - lines.begin());
    const auto host = hosts.at(i);
    const auto text = host.empty() && !servers.index.empty() ? host_texts + servers.index[i]
                      : hosts.index.empty()                  ? 0
                                                             : hosts.index[i];
    auto& site = impl.site_of_string[text];
    if (site == Impl::kUnknown) site = impl.site_of_given(given_of(host, servers.at(i), site_field), admits);
    impl.folder.add(requests.at(i), site, at_host);
  }
}

void WindowTable::add(FoldedLines folded, const std::string& host, const Admits& admits) {
  auto& impl = *impl_;
  const auto at_host = impl.hosts.find_or_add(host);
  impl.site_of_string.assign(folded.sites.size(), Impl::kUnknown);
  for (auto& row : folded.rows) {
    auto& site = impl.site_of_string[row.site];
    if (site == Impl::kUnknown) site = impl.site(folded.sites[row.site], admits);
    impl.folder.add(std::move(row), site, at_host);
  }
}

std::uint64_t WindowTable::bytes() const {
  const auto& impl = *impl_;
  return impl.folder.rows() * Impl::kRowBytes + impl.folder.latency_bytes() + impl.sites.bytes() +
         impl.hosts.bytes();
}

WindowDelta WindowTable::take() {
  auto& impl = *impl_;
  const auto site_ranks = impl.sites.ranks();
  const auto host_ranks = impl.hosts.ranks();
  WindowDelta delta;
  impl.folder.take_rows(
      [&](const Key& key) {
        return Key{key.start_s, site_ranks[key.site], host_ranks[key.host], key.status};
      },
      [&](const Key& key, WindowSum&& sum) {
        delta.emplace_hint(delta.end(),
                           WindowKey{key.start_s, impl.sites[key.site], impl.hosts[key.host], key.status},
                           std::move(sum));
      });
  *this = WindowTable(impl.config);
  return delta;
}

void fold(const DecodedBatch& batch, std::uint32_t first_line, std::uint32_t end_line,
          const FoldConfig& config, WindowDelta& into) {
  WindowTable table(config);
  table.add(batch, first_line, end_line, [](const std::string&) { return true; });
  merge_into(into, table.take());
}

struct LineFolder::Impl {
  // A line may touch max_spread_s / window_s windows. Even so, kMaxRows and the limits below stay within what
  // readers accept.
  static constexpr std::size_t kMaxRows = 16384;
  static constexpr std::size_t kMaxTexts = 16384;
  static constexpr std::uint64_t kMaxTextBytes = 4 << 20;

  Folder folder;
  std::string site_field;
  std::uint64_t text_bytes = 0;
  FoldedLines folded;
};

LineFolder::LineFolder() : impl_(std::make_unique<Impl>()) {}
LineFolder::~LineFolder() = default;
LineFolder::LineFolder(LineFolder&&) noexcept = default;
LineFolder& LineFolder::operator=(LineFolder&&) noexcept = default;

void LineFolder::begin(const FoldConfig& config, std::string_view site_field) {
  auto& impl = *impl_;
  impl.folder.begin(config);
  impl.site_field = site_field;
  impl.text_bytes = 0;
  impl.folded = {};
  impl.folded.window_s = config.window_s;
}

void LineFolder::add(const Record& record) {
  auto& impl = *impl_;
  ++impl.folded.lines;
  const auto given = given_of(record.get(Text::kHost), record.get(Text::kServerName), impl.site_field);
  const auto texts = impl.folder.texts();
  const auto site = impl.folder.site(given);
  if (impl.folder.texts() != texts) impl.text_bytes += given.size();
  Request request;
  request.time_ms = std::clamp(record.time_ms, -wire::kMaxTimeMs, wire::kMaxTimeMs);
  request.status = number_of(record, Number::kStatus);
  request.bytes =
      number_of(record, record.has(Number::kBytesSent) ? Number::kBytesSent : Number::kBodyBytesSent);
  request.request_bytes = number_of(record, Number::kRequestBytes);
  request.upstream_time_ms = number_of(record, Number::kUpstreamTimeMs);
  if (record.has(Number::kRequestTimeMs)) request.request_time_ms = number_of(record, Number::kRequestTimeMs);
  impl.folder.add(request, site);
}

void LineFolder::add_unparsed(std::string_view line, Unparsed reason) {
  auto& folded = impl_->folded;
  if (folded.samples.size() < kUnparsedSamples)
    folded.samples.push_back({folded.lines, reason, std::string(line.substr(0, kUnparsedSampleBytes))});
  if (reason == Unparsed::kTooLong) ++folded.too_long;
  ++folded.unparsed;
  ++folded.lines;
}

void LineFolder::add_filtered() {
  ++impl_->folded.filtered;
  ++impl_->folded.lines;
}

bool LineFolder::crowded() const {
  const auto& impl = *impl_;
  return impl.folder.rows() >= Impl::kMaxRows || impl.folder.texts() >= Impl::kMaxTexts ||
         impl.text_bytes >= Impl::kMaxTextBytes;
}

bool LineFolder::full() const { return impl_->folded.lines >= DecodeLimits{}.max_lines || crowded(); }

const FoldedLines& LineFolder::finish() {
  auto& impl = *impl_;
  impl.folded.sites = impl.folder.sites();
  impl.folded.rows.clear();
  impl.folded.rows.reserve(impl.folder.rows());
  impl.folder.take_rows([&](const Key& key, WindowSum&& sum) {
    impl.folded.rows.push_back({key.start_s, key.site, key.status, std::move(sum)});
  });
  return impl.folded;
}

}  // namespace weir
