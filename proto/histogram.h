// A mergeable latency histogram with bounded relative error.
//
// Its buckets are log-linear in milliseconds, as in HdrHistogram (G. Tene, hdrhistogram.org). Each value
// below 32 has its own bucket; each octave above is divided into 32 buckets. So a bucket is at most 1/32 of
// its lower bound wide, and a quantile, reported as the middle of its bucket, is off by at most 1/64. Merging
// is addition: fold(A and B) == merge(fold(A), fold(B)), exactly.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/result.h"

namespace weir {

class Histogram {
 public:
  // Buckets are sorted by index; counts are never zero.
  using Bucket = std::pair<std::uint16_t, std::uint64_t>;
  static constexpr unsigned kSubBits = 5;  // 32 buckets per octave
  static constexpr std::uint16_t kBuckets = (64 - kSubBits + 1) * (1U << kSubBits);

  void add(std::uint64_t value_ms, std::uint64_t count = 1);
  // Appends a bucket after all existing ones. `bucket` must be below kBuckets, `count` not zero.
  void reserve(std::size_t buckets) { buckets_.reserve(buckets); }
  void append(std::uint16_t bucket, std::uint64_t count) { buckets_.emplace_back(bucket, count); }
  void merge(const Histogram& other);

  [[nodiscard]] std::uint64_t count() const;
  // q in [0, 1], nearest rank. 0 when the histogram is empty.
  [[nodiscard]] double quantile_ms(double q) const;
  [[nodiscard]] const std::vector<Bucket>& buckets() const { return buckets_; }
  [[nodiscard]] bool empty() const { return buckets_.empty(); }

  // Varints: the version (1), then (index delta, count) pairs. Decoding accepts untrusted bytes.
  [[nodiscard]] std::string encode() const;
  [[nodiscard]] static Result<Histogram> decode(std::string_view bytes);

  [[nodiscard]] static std::uint16_t bucket_of(std::uint64_t value_ms);
  // Inclusive lower bound of a bucket: bucket_of(lower_bound(i)) == i.
  [[nodiscard]] static std::uint64_t lower_bound_ms(std::uint16_t bucket);

  friend bool operator==(const Histogram&, const Histogram&) = default;

 private:
  void add_to(std::uint16_t bucket, std::uint64_t count);

  std::vector<Bucket> buckets_;
};

}  // namespace weir
