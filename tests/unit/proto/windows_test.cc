// Batches of windows: the agent folds as the aggregator does, and the folded values are decoded unchanged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <cstdlib>
#include <iostream>
#include <protozero/pbf_writer.hpp>
#include <random>

#include "proto/wire.h"
#include "tests/unit/random_batch.h"

namespace weir {
namespace {

using testing::BatchMaker;
using testing::fold_lines;
using ::testing::HasSubstr;

WindowDelta delta_of(const FoldedLines& folded, const std::string& host) {
  WindowDelta delta;
  merge_into(delta, folded, host);
  return delta;
}

// Similar sites, close times, and requests that reach back over several windows.
void make_likely(testing::MadeBatch& made, std::mt19937_64& random) {
  static const std::vector<std::string> kHosts = {
      "a.example", "A.example:443", "b.example.", "[::1]:80", "bad host", "a..", ""};
  for (auto& line : made.lines) {
    if (random() % 4 != 0)
      line.text[static_cast<std::size_t>(Text::kHost)] = kHosts[random() % kHosts.size()];
    if (random() % 3 != 0) line.number[static_cast<std::size_t>(Number::kRequestTimeMs)] = random() % 200'000;
    if (random() % 3 != 0) line.number[static_cast<std::size_t>(Number::kBytesSent)] = random() % 100'000;
    if (random() % 3 != 0) line.number[static_cast<std::size_t>(Number::kStatus)] = 200 + random() % 3;
  }
  if (random() % 10 == 0) made.header.fields.emplace_back("site", "Shop.example");
}

void fold_alike(std::uint64_t seed, int batches, std::size_t max_lines) {
  SCOPED_TRACE(::testing::Message() << "again with WEIR_TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  BatchMaker maker([&](std::uint64_t below) { return random() % below; });
  BatchBuilder builder;
  LineFolder folder;  // one for all: no batch may leave anything for the next
  for (int i = 0; i < batches; ++i) {
    auto made = maker.batch(max_lines);
    if (made.lines.empty()) continue;
    make_likely(made, random);
    const FoldConfig config{.window_s = random() % 2 == 0 ? 60 : 10, .max_spread_s = 600};
    const auto records = decode_batch(testing::encode(made, builder).value()).value();
    const auto lines = made.lines.size();
    WindowDelta want;
    fold(records, 0, static_cast<std::uint32_t>(lines), config, want);
    const auto folded = fold_lines(made, 0, lines, config, folder);
    ASSERT_EQ(delta_of(folded, made.header.host), want) << "batch " << i << ": folded where it was parsed";

    made.header.kind = BatchKind::kWindows;
    const auto message = encode_windows(made.header, folded, 1);
    ASSERT_TRUE(message.has_value());
    const auto back = decode_batch(*message);
    ASSERT_TRUE(back.has_value()) << "batch " << i << ": " << back.error().what;
    ASSERT_EQ(back->header, made.header) << "batch " << i;
    ASSERT_EQ(back->folded, folded) << "batch " << i;

    const auto middle = random() % (lines + 1);
    auto parts = delta_of(fold_lines(made, 0, middle, config, folder), made.header.host);
    merge_into(parts, delta_of(fold_lines(made, middle, lines, config, folder), made.header.host));
    ASSERT_EQ(parts, want) << "batch " << i << ": in two parts";
  }
}

TEST(Windows, TheFoldOfLinesIsTheFoldOfTheirBatchAndComesBack) { fold_alike(20261125, 3000, 30); }

TEST(Windows, LargeBatchesComeBack) { fold_alike(20261126, 8, 10'000); }

TEST(Windows, BatchesOfAFreshSeedComeBack) {
  const char* given = std::getenv("WEIR_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "WEIR_TEST_SEED=" << seed << "\n";
  fold_alike(seed, 500, 60);
}

Record request(std::string_view host, std::int64_t time_ms) {
  Record record;
  record.time_ms = time_ms;
  record.set(Text::kHost, host);
  record.set(Number::kBytesSent, 10);
  return record;
}

// Batches of several hosts, alternately as records and as windows: the table is the sum of the single
// batches.
TEST(Windows, ATableIsTheSumOfItsBatches) {
  std::mt19937_64 random(20261127);
  BatchMaker maker([&](std::uint64_t below) { return random() % below; });
  BatchBuilder builder;
  LineFolder folder;
  const FoldConfig config{.window_s = 10, .max_spread_s = 600};
  WindowTable table(config);
  for (int round = 0; round < 30; ++round) {
    WindowDelta want;
    for (int i = 0; i < 20; ++i) {
      auto made = maker.batch(60);
      make_likely(made, random);
      made.header.host = "web" + std::to_string(random() % 3);
      const auto lines = made.lines.size();
      const auto folded = fold_lines(made, 0, lines, config, folder);
      merge_into(want, folded, made.header.host);
      const auto all = [](const std::string&) { return true; };
      if (i % 2 == 0) {
        table.add(folded, made.header.host, all);
      } else {
        const auto records = decode_batch(testing::encode(made, builder).value()).value();
        table.add(records, 0, static_cast<std::uint32_t>(lines), all);
      }
    }
    EXPECT_GT(table.bytes(), want.size() * sizeof(WindowSum));
    ASSERT_EQ(table.take(), want) << "round " << round;  // nothing left from the previous one
    EXPECT_TRUE(table.take().empty());
    EXPECT_EQ(table.bytes(), 0U);
  }
}

TEST(Windows, ARowOfManyRequestsHasAllTheirLatencies) {
  FoldConfig config;
  LineFolder folder;
  Histogram want;
  folder.begin(config, "");
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    auto line = request("a.example", 1'790'000'000'000);
    line.set(Number::kRequestTimeMs, i % 7001);
    want.add(i % 7001);
    folder.add(line);
  }
  std::uint64_t requests = 0;
  Histogram got;
  for (const auto& row : folder.finish().rows) {
    requests += row.sum.requests;
    got.merge(row.sum.latency);
  }
  EXPECT_EQ(requests, 20'000U);
  EXPECT_EQ(got, want);
}

TEST(Windows, FewBucketsAreMergedIntoManyAsManyIntoFew) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200; ++i) {
    Histogram many, few;
    for (int n = 0; n < 400; ++n) many.add(random() % 100'000);
    for (std::uint64_t n = random() % 5; n > 0; --n) few.add(random() % 200'000);
    auto one = many;
    one.merge(few);
    auto other = few;
    other.merge(many);
    EXPECT_EQ(one, other);
  }
}

TEST(Windows, SitesThatAreNotAdmittedAreOther) {
  LineFolder folder;
  folder.begin({}, "");
  for (const char* host : {"a.example", "b.example", "c.example", "b.example"})
    folder.add(request(host, 1'790'000'000'000));
  const auto folded = folder.finish();
  WindowTable table({});
  int asked = 0;
  for (int i = 0; i < 2; ++i) {
    table.add(folded, "web1", [&](const std::string& site) {
      ++asked;
      return site == "a.example";
    });
  }
  std::map<std::string, std::uint64_t> requests;
  for (const auto& [key, sum] : table.take()) requests[key.site] += sum.requests;
  EXPECT_EQ(requests, (std::map<std::string, std::uint64_t>{{"a.example", 2}, {std::string(kOtherSite), 6}}));
  EXPECT_EQ(asked, 5);  // asks only once about each site
}

TEST(Windows, AFolderIsFullBeforeReadersRefuseWhatItFolded) {
  LineFolder folder;
  BatchHeader header;
  header.kind = BatchKind::kWindows;
  header.source.low = 1;
  const auto comes_back = [&](const char* what) {
    EXPECT_TRUE(folder.crowded()) << what;
    const auto& folded = folder.finish();
    header.range = {0, folded.lines};
    const auto message = encode_windows(header, folded, 1).value();
    const auto back = decode_batch(message);
    ASSERT_TRUE(back.has_value()) << what << ": " << back.error().what;
    EXPECT_EQ(back->folded, folded) << what;
    EXPECT_LT(message.size(), 1'000'000U) << what;
  };
  folder.begin({}, "");
  for (int i = 0; !folder.full(); ++i)
    folder.add(request("s" + std::to_string(i) + ".example", 1'790'000'000'000));
  comes_back("made-up hosts");
  folder.begin({}, "");
  for (int i = 0; !folder.full(); ++i) folder.add(request("a.example", 1'790'000'000'000 + i * 3'600'000LL));
  comes_back("made-up times");
  folder.begin({.window_s = 1}, "");
  for (int i = 0; !folder.full(); ++i) {
    auto record = request("a.example", 1'790'000'000'000 + i * 86'400'000LL);
    record.set(Number::kRequestTimeMs, 1ULL << 52);
    record.set(Number::kBytesSent, 1ULL << 52);
    folder.add(record);
  }
  comes_back("made-up request times");
}

TEST(Windows, ABatchIsClosedWhenItHasAsManyLinesAsReadersTake) {
  LineFolder folder;
  folder.begin({}, "");
  for (std::uint32_t i = 0; i + 1 < DecodeLimits{}.max_lines; ++i) folder.add_filtered();
  EXPECT_FALSE(folder.full());
  folder.add_filtered();
  EXPECT_TRUE(folder.full());
  EXPECT_FALSE(folder.crowded());
}

// What an attacker could write.
struct Rows {
  std::uint32_t window_s = 60, lines = 3, unparsed = 0, filtered = 0;
  std::string site = "a.example";
  std::vector<std::uint32_t> site_bytes = {9};
  std::vector<std::int64_t> start_delta = {29'000'000, 1};
  std::vector<std::uint64_t> site_of = {0, 0}, status = {200, 200}, requests = {1, 2}, buckets = {1, 1};
  std::vector<std::uint32_t> bucket_delta = {5, 6};
  std::vector<std::uint64_t> bucket_count = {1, 2};
  std::string bytes_sent;  // as encoded on the wire

  [[nodiscard]] std::string message() const {
    std::string plain;
    protozero::pbf_writer in(plain);
    in.add_uint32(wire::kWindowLengthField, window_s);
    in.add_uint32(wire::kWindowsUnparsedField, unparsed);
    in.add_uint32(wire::kWindowsFilteredField, filtered);
    in.add_packed_uint32(wire::kSiteBytesField, site_bytes.begin(), site_bytes.end());
    in.add_bytes(wire::kSitesField, site);
    in.add_packed_sint64(wire::kStartDeltaField, start_delta.begin(), start_delta.end());
    in.add_packed_uint64(wire::kSiteField, site_of.begin(), site_of.end());
    in.add_packed_uint64(wire::kStatusField, status.begin(), status.end());
    in.add_packed_uint64(wire::kRequestsField, requests.begin(), requests.end());
    in.add_packed_uint64(wire::kBucketsField, buckets.begin(), buckets.end());
    in.add_packed_uint32(wire::kBucketDeltaField, bucket_delta.begin(), bucket_delta.end());
    in.add_packed_uint64(wire::kBucketCountField, bucket_count.begin(), bucket_count.end());
    in.add_bytes(wire::kBytesSentField, bytes_sent);
    in.add_uint64(99, 7);  // from a newer writer
    std::string packed(ZSTD_compressBound(plain.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1));
    BatchHeader header;
    header.kind = BatchKind::kWindows;
    header.source.low = 1;
    header.range = {0, 1000};
    auto out = encode_windows(header, {.window_s = 60, .samples = {}, .sites = {}, .rows = {}}, 1).value();
    protozero::pbf_writer to(out);
    to.add_uint32(wire::kLinesField, lines);
    to.add_uint64(wire::kWindowsBytesField, plain.size());
    to.add_bytes(wire::kWindowsField, packed);
    return out;
  }
};

TEST(Windows, HostileRowsAreRefusedForWhatIsWrong) {
  const auto good = decode_batch(Rows{}.message());
  ASSERT_TRUE(good.has_value()) << good.error().what;
  ASSERT_EQ(good->folded.rows.size(), 2U);
  EXPECT_EQ(good->folded.rows[1].start_s, 29'000'001LL * 60);
  EXPECT_EQ(good->folded.rows[1].sum.latency.count(), 2U);
  const std::vector<std::pair<const char*, std::function<void(Rows&)>>> kCases = {
      {"windows of no length", [](Rows& r) { r.window_s = 0; }},
      {"more than a day", [](Rows& r) { r.window_s = 86401; }},
      {"do not fit its range", [](Rows& r) { r.lines = 1001; }},
      {"do not fit its range", [](Rows& r) { r.lines = 0; }},
      {"more unparsed and filtered", [](Rows& r) { r.unparsed = 4; }},
      {"more requests than lines", [](Rows& r) { r.filtered = 1; }},
      {"do not add up", [](Rows& r) { r.lines = 4; }},
      {"do not add up", [](Rows& r) { r.requests.clear(); }},
      {"more requests than lines", [](Rows& r) { r.requests = {~0ULL, 4}; }},
      {"a site is cut off", [](Rows& r) { r.site_bytes = {10}; }},
      {"behind its last site", [](Rows& r) { r.site_bytes = {8}; }},
      {"no host is called", [](Rows& r) { r.site = "A.example"; }},
      {"no host is called", [](Rows& r) { r.site = "(other).."; }},
      {"beyond its table", [](Rows& r) { r.site_of = {0, 1}; }},
      {"beyond its table",
       [](Rows& r) {
         r.site_bytes.clear();
         r.site.clear();
         r.site_of.clear();
       }},
      {"a status out of range", [](Rows& r) { r.status = {200, 65536}; }},
      {"one entry per row", [](Rows& r) { r.status = {200}; }},
      {"one entry per row", [](Rows& r) { r.status = {200, 200, 200}; }},
      {"rows out of order", [](Rows& r) { r.start_delta = {29'000'000, 0}; }},
      {"rows out of order", [](Rows& r) { r.start_delta = {29'000'000, -1}; }},
      {"a window out of range",
       [](Rows& r) { r.start_delta = {std::numeric_limits<std::int64_t>::max(), 1}; }},
      {"a window out of range", [](Rows& r) { r.start_delta = {1LL << 50, 1}; }},
      {"too many rows", [](Rows& r) { r.start_delta.assign(70'000, 1); }},
      {"too many sites",
       [](Rows& r) {
         r.site.assign(70'000, 'a');
         r.site_bytes.assign(70'000, 1);
       }},
      {"a latency is cut off", [](Rows& r) { r.buckets = {1, 2}; }},
      {"latencies of no row", [](Rows& r) { r.buckets = {1, 0}; }},
      {"latencies out of order",
       [](Rows& r) {
         r.buckets = {0, 2};
         r.bucket_delta = {5, 0};
         r.bucket_count = {1, 1};
       }},
      {"a latency out of range", [](Rows& r) { r.bucket_delta = {5, 1920}; }},
      {"more latencies than requests", [](Rows& r) { r.bucket_count = {1, 3}; }},
      {"more latencies than requests", [](Rows& r) { r.bucket_count = {1, 0}; }},
      {"one entry per row", [](Rows& r) { r.bytes_sent = "\x07"; }},
      {"a number that is cut off", [](Rows& r) { r.bytes_sent = "\x07\x80"; }},
      {"of more than 64 bits", [](Rows& r) { r.bytes_sent = std::string(10, '\xff') + "\x01"; }},
      {"larger than the limit", [](Rows& r) { r.site.assign(33ULL << 20, 'a'); }},
  };
  for (const auto& [what, change] : kCases) {
    Rows rows;
    change(rows);
    const auto batch = decode_batch(rows.message());
    ASSERT_FALSE(batch.has_value()) << what;
    EXPECT_EQ(batch.error().code, Code::kCorrupt);
    EXPECT_THAT(batch.error().what, HasSubstr(what));
  }
}

}  // namespace
}  // namespace weir
