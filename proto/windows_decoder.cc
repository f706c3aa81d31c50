// Decodes the content of a batch of windows.
#include <algorithm>
#include <array>
#include <limits>
#include <tuple>
#include <utility>

#include "proto/hostile.h"
#include "proto/varint.h"
#include "proto/window.h"
#include "proto/wire.h"

namespace weir::wire {
namespace {

// A request may end just above the smallest time and so begin below it.
constexpr std::int64_t kMaxStartS = kMaxTimeMs / 1000 * 2;
constexpr std::uint32_t kMaxWindowS = 86400;

// Reads a packed field value by value. Most values are one byte long, and protozero's iterators pass over
// each value twice.
class Varints {
 public:
  Varints() = default;
  explicit Varints(std::string_view bytes) : left_(bytes) {}

  [[nodiscard]] bool empty() const { return left_.empty(); }
  // Number of values, assuming that the last one is complete.
  [[nodiscard]] std::size_t count() const {
    return static_cast<std::size_t>(std::count_if(
        left_.begin(), left_.end(), [](char byte) { return static_cast<unsigned char>(byte) < 0x80; }));
  }
  [[nodiscard]] std::uint64_t next() {
    check(!left_.empty(), "a column is cut off");
    std::uint64_t value = static_cast<unsigned char>(left_.front());
    if (value < 0x80) {
      left_.remove_prefix(1);
    } else {
      check(take_varint(left_, value), "a number that is cut off, or of more than 64 bits");
    }
    return value;
  }
  [[nodiscard]] std::int64_t next_signed() { return protozero::decode_zigzag64(next()); }

 private:
  std::string_view left_;
};

class WindowsReader {
 public:
  WindowsReader(FoldedLines& out, std::string_view plain, const DecodeLimits& limits)
      : out_(out), plain_(plain), limits_(limits), budget_(limits.max_uncompressed_bytes * 4) {}

  void read() {
    find_sections();
    check(out_.unparsed <= out_.lines && out_.filtered <= out_.lines - out_.unparsed,
          "more unparsed and filtered lines than lines");
    check(out_.too_long <= out_.unparsed, "more lines that are too long than unparsed lines");
    read_samples();
    read_sites();
    read_rows();
    read_latencies();
  }

 private:
  static Varints packed(protozero::pbf_reader& in) { return Varints(view(bytes_of(in))); }

  void find_sections() {
    std::uint32_t window_s = 0;
    std::uint32_t seen = 0;
    protozero::pbf_reader in(plain_.data(), plain_.size());
    while (in.next()) {
      if (in.tag() <= kWindowsTooLongField && in.tag() != kWindowsSampleField) once(seen, in.tag());
      switch (in.tag()) {
        case kWindowLengthField:
          window_s = u32(in);
          break;
        case kWindowsUnparsedField:
          out_.unparsed = u32(in);
          break;
        case kWindowsFilteredField:
          out_.filtered = u32(in);
          break;
        case kWindowsTooLongField:
          out_.too_long = u32(in);
          break;
        case kWindowsSampleField:
          check(samples_.size() < kUnparsedSamples, "too many unparsed samples");
          samples_.push_back(bytes_of(in));
          break;
        case kSiteBytesField:
          site_bytes_ = packed(in);
          break;
        case kSitesField:
          sites_ = view(bytes_of(in));
          break;
        case kStartDeltaField:
          start_delta_ = packed(in);
          break;
        case kSiteField:
        case kStatusField:
        case kRequestsField:
        case kBytesSentField:
        case kRequestBytesField:
        case kRequestTimeField:
        case kUpstreamTimeField:
        case kBucketsField: {
          const auto field = in.tag();  // read first: packed() advances `in`
          columns_[field] = packed(in);
          break;
        }
        case kFlowDifferenceField:
          flow_difference_ = packed(in);
          break;
        case kBucketDeltaField:
          bucket_delta_ = packed(in);
          break;
        case kBucketCountField:
          bucket_count_ = packed(in);
          break;
        default:
          in.skip();
      }
    }
    check(window_s > 0 && window_s <= kMaxWindowS, "windows of no length, or of more than a day");
    out_.window_s = window_s;
  }

  void read_samples() {
    check(samples_.size() <= out_.unparsed, "more unparsed samples than unparsed lines");
    for (const auto& part : samples_) {
      auto bad = read_unparsed_line(protozero::pbf_reader(part));
      check(bad.line < out_.lines && (out_.samples.empty() || out_.samples.back().line < bad.line),
            "unparsed samples out of order");
      out_.samples.push_back(std::move(bad));
    }
  }

  void read_sites() {
    auto rest = sites_;
    while (!site_bytes_.empty()) {
      const auto size = site_bytes_.next();
      check(size <= rest.size(), "a site is cut off");
      check(out_.sites.size() < limits_.max_rows, "too many sites");
      check(is_site(rest.substr(0, size)), "a site that no host is called");
      budget_.take(sizeof(std::string) + size);
      out_.sites.emplace_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    check(rest.empty(), "bytes behind its last site");
  }

  // A missing column has only zeros.
  template <class Set>
  void read_column(std::uint32_t field, Set set) {
    auto column = columns_[field];
    if (column.empty()) return;
    for (auto& row : out_.rows) {
      check(!column.empty(), "a column does not have one entry per row");
      set(row, column.next());
    }
    check(column.empty(), "a column does not have one entry per row");
  }

  void read_starts() {
    std::int64_t window = 0;
    const auto furthest = kMaxStartS / out_.window_s;
    const auto rows = start_delta_.count();
    check(rows <= limits_.max_rows, "too many rows");
    budget_.take(rows * sizeof(FoldedRow));
    out_.rows.reserve(rows);
    while (!start_delta_.empty()) {
      check(!__builtin_add_overflow(window, start_delta_.next_signed(), &window) && window >= -furthest &&
                window <= furthest,
            "a window out of range");
      out_.rows.emplace_back().start_s = window * out_.window_s;
    }
  }

  void read_rows() {
    read_starts();
    read_column(kSiteField, [&](FoldedRow& row, std::uint64_t value) {
      check(value < out_.sites.size(), "a row's site is beyond its table");
      row.site = static_cast<std::uint32_t>(value);
    });
    check(out_.rows.empty() || !out_.sites.empty(), "a row's site is beyond its table");
    read_column(kStatusField, [](FoldedRow& row, std::uint64_t value) {
      check(value <= std::numeric_limits<std::uint16_t>::max(), "a status out of range");
      row.status = static_cast<std::uint16_t>(value);
    });
    const auto key = [](const FoldedRow& row) { return std::tuple(row.start_s, row.site, row.status); };
    for (std::size_t i = 1; i < out_.rows.size(); ++i)
      check(key(out_.rows[i - 1]) < key(out_.rows[i]), "rows out of order");
    std::uint64_t requests = 0;
    const std::uint64_t parsed = out_.lines - out_.unparsed - out_.filtered;
    read_column(kRequestsField, [&](FoldedRow& row, std::uint64_t value) {
      check(value <= parsed - requests, "more requests than lines");
      requests += value;
      row.sum.requests = value;
    });
    check(requests == parsed, "requests, unparsed and filtered lines do not add up");
    const auto sum = [&](std::uint32_t field, std::uint64_t WindowSum::* into) {
      read_column(field, [&](FoldedRow& row, std::uint64_t value) { row.sum.*into = value; });
    };
    sum(kBytesSentField, &WindowSum::bytes_sent);
    sum(kRequestBytesField, &WindowSum::request_bytes);
    sum(kRequestTimeField, &WindowSum::request_time_ms);
    sum(kUpstreamTimeField, &WindowSum::upstream_time_ms);
    for (auto& row : out_.rows) row.sum.flow_bytes = row.sum.bytes_sent;
    if (flow_difference_.empty()) return;
    for (auto& row : out_.rows) {
      check(!flow_difference_.empty(), "a column does not have one entry per row");
      row.sum.flow_bytes += static_cast<std::uint64_t>(flow_difference_.next_signed());
    }
    check(flow_difference_.empty(), "a column does not have one entry per row");
  }

  // The buckets of all rows are stored one after the other.
  void read_latencies() {
    // Local copies, so that their ends stay in registers.
    auto deltas = bucket_delta_;
    auto counts = bucket_count_;
    read_column(kBucketsField, [&](FoldedRow& row, std::uint64_t buckets) {
      std::uint64_t bucket = 0;
      auto left = row.sum.requests;
      check(buckets <= left, "more latencies than requests");
      budget_.take(buckets * sizeof(Histogram::Bucket));
      row.sum.latency.reserve(buckets);
      for (std::uint64_t i = 0; i < buckets; ++i) {
        check(!deltas.empty() && !counts.empty(), "a latency is cut off");
        const auto delta = deltas.next();
        const auto count = counts.next();
        check(i == 0 || delta > 0, "latencies out of order");
        check(delta < Histogram::kBuckets && bucket + delta < Histogram::kBuckets, "a latency out of range");
        check(count > 0 && count <= left, "more latencies than requests");
        bucket += delta;
        left -= count;
        row.sum.latency.append(static_cast<std::uint16_t>(bucket), count);
      }
    });
    check(deltas.empty() && counts.empty(), "latencies of no row");
  }

  FoldedLines& out_;
  std::string_view plain_;
  const DecodeLimits& limits_;
  Budget budget_;
  std::vector<protozero::data_view> samples_;
  std::string_view sites_;
  Varints site_bytes_, start_delta_, flow_difference_, bucket_delta_, bucket_count_;
  std::array<Varints, kBucketCountField + 1> columns_;  // by field
};

}  // namespace

void read_windows(DecodedBatch& batch, std::uint32_t lines, std::string_view plain,
                  const DecodeLimits& limits) {
  const auto& range = batch.header.range;
  check(!range.empty() && lines > 0 && lines <= range.size(), "its lines do not fit its range");
  batch.folded.lines = lines;
  WindowsReader(batch.folded, plain, limits).read();
}

}  // namespace weir::wire
