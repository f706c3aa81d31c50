// Compares Coverage with the simplest possible model, a flag per byte, for ranges in any order, overlapping,
// repeated and below the origin.
#include <bitset>

#include "proto/coverage.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/require.h"

namespace {

using weir::ByteRange;
using weir::testing::require;

constexpr std::uint64_t kBytes = 256;

template <class Range>
std::bitset<kBytes> bits_of(const std::vector<Range>& ranges, bool may_touch = false) {
  std::bitset<kBytes> out;
  std::uint64_t after = 0;
  bool first = true;
  for (const auto& range : ranges) {
    require(!range.empty() && range.end <= kBytes, "a range is not empty and not beyond its question");
    require(first || range.begin > after || (may_touch && range.begin == after),
            "ranges ascend and do not touch");
    for (auto at = range.begin; at < range.end; ++at) out.set(at);
    after = range.end;
    first = false;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weir::testing::Choices choose(data, size);
  weir::Coverage coverage;
  std::bitset<kBytes> counted;
  while (!choose.empty()) {
    const auto begin = choose(kBytes);
    const ByteRange range{begin, begin + choose(kBytes - begin + 1)};
    const auto origin = choose(kBytes);
    const auto left = coverage.uncovered(range);
    std::bitset<kBytes> asked;
    for (auto at = range.begin; at < range.end; ++at) asked.set(at);
    require(bits_of(left) == (asked & ~counted), "uncovered() is what was not counted");
    const auto what = choose(4);
    if (what == 0) continue;
    if (what == 1) {
      coverage.lose(range, origin, weir::loss_cause_of(choose(6)), static_cast<std::int64_t>(choose(3)));
      require(bits_of(coverage.uncovered(range)) == (asked & ~counted), "what is lost is not counted");
    } else {
      coverage.add(range, origin, weir::LossCause::kNotReceived, static_cast<std::int64_t>(choose(3)));
      counted |= asked;
      require(coverage.uncovered(range).empty(), "what was added is covered");
    }
    require(coverage.valid(), "a coverage stays valid");
    const auto gaps = bits_of(coverage.gaps(), true);
    for (std::uint64_t at = 0; at < kBytes; ++at) {
      const bool gap = gaps.test(at);
      const bool inside = at >= coverage.origin() && at < coverage.high_water();
      require(counted.test(at) == (inside && !gap), "[origin, high water) without the gaps is counted");
    }
    // In the store's form: origin, high-water mark and gaps.
    const weir::Coverage again(coverage.origin(), coverage.high_water(), coverage.gaps());
    require(again.valid() && again.gap_bytes() == coverage.gap_bytes(), "it comes back from the store");
    require(coverage.high_water() == coverage.origin() || again == coverage,
            "it comes back from the store as it was");
  }
  return 0;
}
