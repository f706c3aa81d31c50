// Coverage: which bytes of a source were already counted. Pure.
//
// A high-water mark and the gaps below it. [origin, high_water) minus gaps is
// counted. Ranges are half-open, in bytes of the uncompressed content.
#pragma once

#include <cstdint>
#include <vector>

namespace weir {

struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
  [[nodiscard]] std::uint64_t size() const { return end - begin; }
  [[nodiscard]] bool empty() const { return begin >= end; }
};

class Coverage {
 public:
  Coverage() = default;
  // `gaps` must be sorted, disjoint, non-empty and below high_water (checked by valid()); two
  // that touch become one.
  Coverage(std::uint64_t origin, std::uint64_t high_water, const std::vector<ByteRange>& gaps);

  // The parts of `range` that are not counted yet, ascending. A range below
  // the origin is not counted and not a gap: it is returned as uncovered, too.
  [[nodiscard]] std::vector<ByteRange> uncovered(ByteRange range) const;

  // Counts `range`; leaves a gap when it begins past the high-water mark;
  // closes (parts of) gaps that it covers. `origin` matters for the first
  // range of a source only: what lies below it was never meant to be read.
  void add(ByteRange range, std::uint64_t origin);

  [[nodiscard]] std::uint64_t origin() const { return origin_; }
  [[nodiscard]] std::uint64_t high_water() const { return high_water_; }
  [[nodiscard]] const std::vector<ByteRange>& gaps() const { return gaps_; }
  [[nodiscard]] std::uint64_t gap_bytes() const;
  [[nodiscard]] bool valid() const;
  friend bool operator==(const Coverage&, const Coverage&) = default;

 private:
  std::uint64_t origin_ = 0;
  std::uint64_t high_water_ = 0;
  bool started_ = false;  // false: nothing was counted yet
  std::vector<ByteRange> gaps_;
};

}  // namespace weir
