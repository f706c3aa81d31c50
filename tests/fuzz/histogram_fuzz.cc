// Arbitrary bytes as a histogram: refused, or usable and encoded to the same value; and merging adds.
#include <cmath>

#include "proto/histogram.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/require.h"

using weir::Histogram;
using weir::testing::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = Histogram::decode({reinterpret_cast<const char*>(data), size});
  if (read) {
    require(Histogram::decode(read->encode()) == *read, "encoded and decoded is the same");
    double last = 0;
    for (const double q : {0.0, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto value = read->quantile_ms(q);
      require(std::isfinite(value) && value >= last, "quantiles ascend");
      last = value;
    }
    auto twice = *read;
    twice.merge(*read);
    require(twice.buckets().size() == read->buckets().size(), "merging with itself adds no buckets");
  } else {
    require(!read.error().what.empty(), "an error says what is wrong");
  }
  weir::testing::Choices choose(data, size);
  Histogram whole;
  Histogram parts[2];
  while (!choose.empty()) {
    const auto value = choose(2) == 0 ? choose(70'000) : ~choose(1ULL << 63);
    const auto count = choose(1000);
    whole.add(value, count);
    parts[choose(2)].add(value, count);
    const auto bucket = Histogram::bucket_of(value);
    require(Histogram::lower_bound_ms(bucket) <= value, "a value is not below its bucket");
    require(Histogram::bucket_of(Histogram::lower_bound_ms(bucket)) == bucket, "a bound is in its bucket");
  }
  parts[0].merge(parts[1]);
  require(parts[0] == whole, "the merge of two is the one of both");
  require(Histogram::decode(whole.encode()) == whole, "encoded and decoded is the same");
  return 0;
}
