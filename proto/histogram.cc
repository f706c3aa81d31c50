#include "proto/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "proto/varint.h"

namespace weir {
namespace {

constexpr unsigned kSubBits = Histogram::kSubBits;
constexpr std::uint64_t kSub = 1ULL << kSubBits;
constexpr std::uint64_t kEncodingVersion = 1;
// Below this ratio each bucket is looked up on its own, such as when a few requests are added to those of a
// day.
constexpr std::size_t kFewBuckets = 16;

std::uint64_t width_of(std::uint16_t bucket) { return bucket < kSub ? 1 : 1ULL << (bucket / kSub - 1); }

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? ~0ULL : sum;
}

}  // namespace

std::uint16_t Histogram::bucket_of(std::uint64_t value_ms) {
  if (value_ms < kSub) return static_cast<std::uint16_t>(value_ms);
  const auto shift = static_cast<unsigned>(std::bit_width(value_ms)) - 1 - kSubBits;
  return static_cast<std::uint16_t>(kSub * (shift + 1) + ((value_ms >> shift) - kSub));
}

std::uint64_t Histogram::lower_bound_ms(std::uint16_t bucket) {
  if (bucket < kSub) return bucket;
  return (kSub + bucket % kSub) << (bucket / kSub - 1);
}

void Histogram::add(std::uint64_t value_ms, std::uint64_t count) {
  if (count > 0) add_to(bucket_of(value_ms), count);
}

void Histogram::add_to(std::uint16_t bucket, std::uint64_t count) {
  const auto at = std::lower_bound(buckets_.begin(), buckets_.end(), bucket,
                                   [](const Bucket& b, std::uint16_t index) { return b.first < index; });
  if (at != buckets_.end() && at->first == bucket) {
    at->second = saturating_add(at->second, count);
  } else {
    buckets_.insert(at, {bucket, count});
  }
}

void Histogram::merge(const Histogram& other) {
  if (other.buckets_.empty()) return;
  if (buckets_.empty()) {
    buckets_ = other.buckets_;
    return;
  }
  if (other.buckets_.size() * kFewBuckets < buckets_.size()) {
    for (const auto& [bucket, count] : other.buckets_) add_to(bucket, count);
    return;
  }
  // Merges in place, from the back, without a branch that depends on the buckets: which of the two has a
  // given bucket cannot be predicted.
  const auto mask = [](bool all) { return std::uint64_t{0} - std::uint64_t{all}; };
  auto from = buckets_.size();
  auto left = other.buckets_.size();
  buckets_.resize(from + left);
  auto to = buckets_.size();
  auto* const ours = buckets_.data();
  while (from > 0 && left > 0) {
    const auto& mine = ours[from - 1];
    const auto& theirs = other.buckets_[left - 1];
    const bool has_mine = mine.first >= theirs.first;
    const bool has_theirs = theirs.first >= mine.first;
    const auto count = saturating_add(mine.second & mask(has_mine), theirs.second & mask(has_theirs));
    ours[--to] = {std::max(mine.first, theirs.first), count};
    from -= std::size_t{has_mine};
    left -= std::size_t{has_theirs};
  }
  for (; left > 0; --left) ours[--to] = other.buckets_[left - 1];
  // Removes the space left over, one entry for each bucket that both had.
  buckets_.erase(buckets_.begin() + static_cast<std::ptrdiff_t>(from),
                 buckets_.begin() + static_cast<std::ptrdiff_t>(to));
}

std::uint64_t Histogram::count() const {
  std::uint64_t total = 0;
  for (const auto& [bucket, count] : buckets_) total = saturating_add(total, count);
  return total;
}

double Histogram::quantile_ms(double q) const {
  const auto total = count();
  if (total == 0) return 0;
  const auto rank = std::max(1.0, std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(total)));
  double seen = 0;
  std::uint16_t found = buckets_.back().first;  // rounding may leave `seen` below the last rank
  for (const auto& [bucket, count] : buckets_) {
    seen += static_cast<double>(count);
    if (seen >= rank) {
      found = bucket;
      break;
    }
  }
  return static_cast<double>(lower_bound_ms(found)) + static_cast<double>(width_of(found) - 1) / 2;
}

std::string Histogram::encode() const {
  std::string out;
  out.resize_and_overwrite((1 + buckets_.size() * 2) * kMaxVarintBytes, [&](char* bytes, std::size_t) {
    auto* to = write_varint(bytes, kEncodingVersion);
    std::uint64_t last = 0;
    for (const auto& [bucket, count] : buckets_) {
      to = write_varint(to, bucket - last);
      to = write_varint(to, count);
      last = bucket;
    }
    return static_cast<std::size_t>(to - bytes);
  });
  return out;
}

Result<Histogram> Histogram::decode(std::string_view bytes) {
  Histogram out;
  if (bytes.empty()) return out;
  std::uint64_t version = 0;
  if (!take_varint(bytes, version)) return fail(Code::kCorrupt, "histogram: its version is cut off");
  if (version != kEncodingVersion) {
    return fail(Code::kInvalid, "histogram: version " + std::to_string(version) + " is not known",
                "update weir: a newer one wrote it");
  }
  std::uint64_t bucket = 0;
  bool first = true;
  while (!bytes.empty()) {
    std::uint64_t delta = 0;
    std::uint64_t count = 0;
    if (!take_varint(bytes, delta) || !take_varint(bytes, count)) {
      return fail(Code::kCorrupt, "histogram: a bucket is cut off");
    }
    if ((!first && delta == 0) || delta >= kBuckets || bucket + delta >= kBuckets || count == 0) {
      return fail(Code::kCorrupt, "histogram: buckets out of order or out of range");
    }
    bucket += delta;
    first = false;
    out.buckets_.emplace_back(static_cast<std::uint16_t>(bucket), count);
  }
  return out;
}

}  // namespace weir
