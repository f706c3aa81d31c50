#include "proto/batch.h"

#include <gtest/gtest.h>

#include <random>

#include "proto/window.h"

namespace weir {
namespace {

BatchHeader header_for(std::uint64_t begin, std::uint64_t end) {
  BatchHeader header;
  header.source = make_source_id("agent", "/l/access.log", "first");
  header.range = {begin, end};
  header.agent_id = "agent";
  header.instance = 7;
  header.host = "web1";
  header.path = "/l/access.log";
  header.fields = {{"dc", "x"}};
  return header;
}

Record request(std::int64_t time_ms, std::string_view client, std::string_view host, std::uint64_t status,
               std::uint64_t bytes, std::uint64_t ms) {
  Record record;
  record.time_ms = time_ms;
  record.set(Text::kClientAddress, client);
  record.set(Text::kHost, host);
  record.set(Number::kStatus, status);
  record.set(Number::kBytesSent, bytes);
  record.set(Number::kRequestTimeMs, ms);
  return record;
}

TEST(Batch, comes_back_as_it_was_written) {
  BatchBuilder builder;
  builder.begin({"geo"});
  auto first = request(1000, "10.0.0.1", "a.example", 200, 5, 1);
  const std::string_view geo = "NL";
  first.extra = std::span(&geo, 1);
  builder.add(first, 10);
  builder.add_unparsed("rubbish\x01", Unparsed::kNoMatch, 9);
  builder.add_filtered(1);
  builder.add(request(900, "2001:db8::1", "", 404, ~0ULL, 0), 20);
  builder.add(request(901, "010.0.0.1", "b", 404, 0, 0), 3);
  const auto message = builder.finish(header_for(100, 143));
  ASSERT_TRUE(message.has_value()) << message.error().what;
  EXPECT_TRUE(looks_like_batch(*message));
  const auto batch = decode_batch(*message);
  ASSERT_TRUE(batch.has_value()) << batch.error().what;
  EXPECT_EQ(batch->header, header_for(100, 143));
  EXPECT_EQ(batch->columns.line_bytes, (std::vector<std::uint32_t>{10, 9, 1, 20, 3}));
  EXPECT_EQ(batch->columns.record_line, (std::vector<std::uint32_t>{0, 3, 4}));
  EXPECT_EQ(batch->columns.filtered, 1U);
  ASSERT_EQ(batch->columns.unparsed.size(), 1U);
  EXPECT_EQ(batch->columns.unparsed[0], (UnparsedLine{1, Unparsed::kNoMatch, "rubbish\x01"}));
  Record out;
  std::vector<std::string_view> scratch;
  batch->record(0, out, scratch);
  EXPECT_EQ(out.time_ms, 1000);
  EXPECT_EQ(out.get(Text::kClientAddress), "10.0.0.1");
  EXPECT_EQ(out.extra[0], "NL");
  batch->record(1, out, scratch);
  EXPECT_EQ(out.time_ms, 900);
  EXPECT_EQ(out.get(Text::kClientAddress), "2001:db8::1");
  EXPECT_NE(out.get(Text::kHost).data(), nullptr) << "an empty value is not an absent one";
  EXPECT_EQ(out.get(Number::kBytesSent), ~0ULL - 1) << "the largest value is clamped, never absent";
  EXPECT_EQ(out.extra[0].data(), nullptr);
  batch->record(2, out, scratch);
  EXPECT_EQ(out.get(Text::kClientAddress), "010.0.0.1") << "an address that does not print back stays text";
}

TEST(Batch, a_client_that_is_the_peer_or_a_header_is_not_sent_twice) {
  constexpr std::uint32_t kLines = 2000;
  const auto batch_of = [](std::string_view client, Text other, std::string_view value,
                           bool differs_at_last) {
    BatchBuilder builder;
    builder.begin({});
    std::uint64_t bytes = 0;
    for (std::uint32_t i = 0; i < kLines; ++i) {
      const auto own = std::string(client) + std::to_string(i % 251);
      auto record = request(i, own, "h", 200, 1, 1);
      const auto same = std::string(value) + std::to_string(i % 251);
      record.set(other, same);
      if (differs_at_last && i == kLines - 1) record.set(Text::kClientAddress, "::1");
      builder.add(record, 10);
      bytes += 10;
    }
    return builder.finish(header_for(0, bytes)).value();
  };
  const auto twice = batch_of("10.0.1.", Text::kPeerAddress, "10.0.0.", false);
  for (const auto other : {Text::kPeerAddress, Text::kForwardedFor, Text::kRealIpHeader}) {
    const auto once = batch_of("10.0.0.", other, "10.0.0.", false);
    EXPECT_LT(once.size() + 250, twice.size()) << ecs_name(other);
    for (const auto& message : {once, batch_of("10.0.0.", other, "10.0.0.", true)}) {
      const auto batch = decode_batch(message).value();
      Record out;
      std::vector<std::string_view> scratch;
      for (std::uint32_t i = 0; i < kLines; ++i) {
        batch.record(i, out, scratch);
        EXPECT_EQ(out.get(other), "10.0.0." + std::to_string(i % 251));
        if (i + 1 < kLines || message == once)
          EXPECT_EQ(out.get(Text::kClientAddress), out.get(other)) << i;
        else
          EXPECT_EQ(out.get(Text::kClientAddress), "::1");
      }
      // A reader that wants only the client gets it, too.
      DecodeLimits limits;
      limits.text_columns = 1U << static_cast<unsigned>(Text::kClientAddress);
      const auto client = decode_batch(message, limits).value();
      client.record(7, out, scratch);
      EXPECT_EQ(out.get(Text::kClientAddress), "10.0.0.7");
      EXPECT_FALSE(out.has(other));
    }
  }
}

TEST(Batch, a_reader_has_the_columns_that_it_wants) {
  BatchBuilder builder;
  builder.begin({"geo"});
  auto record = request(1000, "10.0.0.1", "a.example", 200, 5, 1);
  const std::string_view geo = "NL";
  record.extra = std::span(&geo, 1);
  builder.add(record, 10);
  DecodeLimits limits;
  limits.text_columns = 1U << static_cast<unsigned>(Text::kHost);
  limits.extra_columns = false;
  const auto batch = decode_batch(builder.finish(header_for(0, 10)).value(), limits).value();
  Record out;
  std::vector<std::string_view> scratch;
  batch.record(0, out, scratch);
  EXPECT_EQ(out.get(Text::kHost), "a.example");
  EXPECT_FALSE(out.has(Text::kClientAddress));
  EXPECT_TRUE(out.extra.empty());
  EXPECT_EQ(out.get(Number::kBytesSent), 5U);
}

TEST(Batch, a_range_that_is_not_its_lines_is_refused) {
  BatchBuilder builder;
  builder.begin({});
  builder.add_filtered(5);
  EXPECT_EQ(builder.finish(header_for(0, 6)).error().code, Code::kInvalid);
}

TEST(Batch, heartbeat_comes_back) {
  auto header = header_for(0, 0);
  header.kind = BatchKind::kHeartbeat;
  header.watermark_ms = -5;
  header.lag_bytes = 12;
  const auto batch = decode_batch(encode_heartbeat(header).value());
  ASSERT_TRUE(batch.has_value()) << batch.error().what;
  EXPECT_EQ(batch->header, header);
}

TEST(Batch, a_loss_comes_back_with_its_cause) {
  for (const auto cause : {LossCause::kReleased, LossCause::kTruncatedUnread, LossCause::kDeletedUnread,
                           LossCause::kUnreadable, LossCause::kSkippedByOperator}) {
    auto header = header_for(100, 300);
    header.kind = BatchKind::kLoss;
    header.loss_cause = cause;
    const auto batch = decode_batch(encode_loss(header).value());
    ASSERT_TRUE(batch.has_value()) << batch.error().what;
    EXPECT_EQ(batch->header, header) << to_string(cause);
  }
  EXPECT_FALSE(encode_loss(header_for(0, 1)).has_value()) << "records are no loss";
}

TEST(Batch, a_claim_is_a_loss_without_a_cause_on_the_wire) {
  auto claim = header_for(100, 300);
  claim.kind = BatchKind::kClaim;
  const auto bytes = encode_claim(claim).value();
  const auto batch = decode_batch(bytes);
  ASSERT_TRUE(batch.has_value()) << batch.error().what;
  EXPECT_EQ(batch->header, claim);
  auto loss = claim;
  loss.kind = BatchKind::kLoss;
  loss.loss_cause = LossCause::kNotReceived;
  EXPECT_EQ(encode_loss(loss).value(), bytes) << "what version 2 of the wire has always had";
  claim.loss_cause = LossCause::kReleased;
  EXPECT_FALSE(encode_claim(claim).has_value());
  EXPECT_FALSE(encode_claim(loss).has_value());
}

TEST(Batch, every_truncation_and_bit_flip_is_an_error_or_a_valid_batch) {
  BatchBuilder builder;
  builder.begin({});
  std::uint64_t bytes = 0;
  for (int i = 0; i < 50; ++i) {
    builder.add(request(1000 * i, i % 2 == 0 ? "1.2.3.4" : "::1", "h", 200, 10, 3), 7);
    bytes += 7;
  }
  const auto message = builder.finish(header_for(0, bytes)).value();
  for (std::size_t size = 0; size < message.size(); ++size) {
    EXPECT_FALSE(decode_batch(std::string_view(message).substr(0, size)).has_value()) << size;
  }
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    auto flipped = message;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    const auto batch = decode_batch(flipped);
    if (!batch) continue;
    const auto& columns = batch->columns;
    EXPECT_EQ(columns.records() + columns.unparsed.size() + columns.filtered, columns.line_bytes.size());
  }
}

// Fills a batch with lines until it is full, then adds the longest line allowed.
template <class AddLine>
void stays_readable(const char* what, AddLine add) {
  SCOPED_TRACE(what);
  BatchBuilder builder;
  builder.begin({"extra"});
  std::uint32_t line = 0;
  while (!builder.full()) add(builder, line++);
  EXPECT_GE(line, 16'384U);
  const std::string longest(kMaxLineBytes, 'z');
  builder.add(request(0, "", longest, 200, 1, 1), static_cast<std::uint32_t>(longest.size()));
  const auto batch = decode_batch(builder.finish(header_for(0, builder.content_bytes())).value());
  ASSERT_TRUE(batch.has_value()) << batch.error().what << " after " << line << " lines";
  EXPECT_EQ(batch->columns.line_bytes.size(), line + 1);
}

TEST(Batch, a_builder_is_full_before_a_reader_refuses_its_batch) {
  stays_readable("blank lines", [](BatchBuilder& b, std::uint32_t) { b.add_filtered(1); });
  stays_readable("unparsed lines",
                 [](BatchBuilder& b, std::uint32_t) { b.add_unparsed("x", Unparsed::kNoMatch, 2); });
  stays_readable("an address of its own in each line", [](BatchBuilder& b, std::uint32_t line) {
    const auto address = std::to_string(line >> 16) + "." + std::to_string(line >> 8 & 255U) + "." +
                         std::to_string(line & 255U) + ".1";
    b.add(request(line, address, "h", 200, 1, 1), 20);
  });
  stays_readable("no text twice", [](BatchBuilder& b, std::uint32_t line) {
    Record record;
    std::array<std::string, kTextCount> texts;
    for (std::size_t i = 0; i < kTextCount; ++i) {
      texts[i] = std::to_string(line) + "/" + std::to_string(i);
      record.set(static_cast<Text>(i), texts[i]);
    }
    b.add(record, 400);
  });
  stays_readable("the largest numbers", [](BatchBuilder& b, std::uint32_t line) {
    Record record;
    record.time_ms = line % 2 == 0 ? -(1LL << 53) : 1LL << 53;
    for (std::size_t i = 0; i < kNumberCount; ++i) record.set(static_cast<Number>(i), ~0ULL - line);
    b.add(record, 400);
  });
  stays_readable("long texts", [](BatchBuilder& b, std::uint32_t line) {
    b.add(request(line, std::to_string(line), std::to_string(line) + std::string(500, 'x'), 200, 1, 1), 600);
  });
}

TEST(Batch, limits_hold) {
  BatchBuilder builder;
  builder.begin({});
  for (int i = 0; i < 100; ++i) builder.add_filtered(1);
  const auto message = builder.finish(header_for(0, 100)).value();
  EXPECT_TRUE(decode_batch(message).has_value());
  EXPECT_FALSE(decode_batch(message, {.max_lines = 99}).has_value());
  EXPECT_FALSE(decode_batch(message, {.max_uncompressed_bytes = 10}).has_value());
}

TEST(Fold, of_two_parts_merged_is_the_fold_of_the_whole) {
  std::mt19937 random(20261124);
  for (int round = 0; round < 20; ++round) {
    BatchBuilder builder;
    builder.begin({});
    const std::vector<std::string> hosts = {"a.example", "B.example:80", "bad host", ""};
    for (int i = 0; i < 200; ++i) {
      const auto line_bytes = 1 + static_cast<std::uint32_t>(random() % 9);
      if (random() % 10 == 0) {
        builder.add_unparsed("x", Unparsed::kNoMatch, line_bytes);
      } else {
        builder.add(request(1'700'000'000'000 + random() % 600'000, "1.1.1.1", hosts[random() % 4],
                            200 + random() % 2 * 300, random() % 100'000, random() % 300'000),
                    line_bytes);
      }
    }
    const auto batch = decode_batch(builder.finish(header_for(0, builder.content_bytes())).value()).value();
    WindowDelta whole;
    fold(batch, 0, 200, {}, whole);
    WindowDelta parts;
    const auto cut = static_cast<std::uint32_t>(random() % 201);
    WindowDelta second;
    fold(batch, cut, 200, {}, second);
    fold(batch, 0, cut, {}, parts);
    merge_into(parts, second);
    EXPECT_EQ(whole, parts);
    std::uint64_t sent = 0;
    std::uint64_t flowed = 0;
    std::uint64_t requests = 0;
    for (const auto& [key, sum] : whole) {
      sent += sum.bytes_sent;
      flowed += sum.flow_bytes;
      requests += sum.requests;
      EXPECT_EQ(sum.latency.count(), sum.requests);
    }
    EXPECT_EQ(requests, batch.columns.records());
    EXPECT_EQ(sent, flowed) << "spreading moves bytes in time and loses none";
  }
}

TEST(Fold, spreads_a_long_download_over_its_windows) {
  BatchBuilder builder;
  builder.begin({});
  builder.add(request(180'000, "1.1.1.1", "s", 200, 1200, 120'000), 1);
  const auto batch = decode_batch(builder.finish(header_for(0, 1)).value()).value();
  WindowDelta delta;
  fold(batch, 0, 1, {}, delta);
  EXPECT_EQ((delta[{60, "s", "web1", 200}].flow_bytes), 600U);
  EXPECT_EQ((delta[{120, "s", "web1", 200}].flow_bytes), 600U);
  EXPECT_EQ((delta[{180, "s", "web1", 200}].bytes_sent), 1200U);
}

TEST(Site, is_a_host_name_or_invalid) {
  EXPECT_EQ(site_of("Shop.Example.:8080", "", ""), "shop.example");
  EXPECT_EQ(site_of("[2001:DB8::1]:443", "", ""), "[2001:db8::1]");
  EXPECT_EQ(site_of("", "srv", ""), "srv");
  EXPECT_EQ(site_of("x", "srv", "named"), "named");
  EXPECT_EQ(site_of("", "", ""), kNoSite);
  for (const auto* bad : {"<script>", "a b", "a:b", "[::1", "[]", ".", "\x1b[31m", "a/b"})
    EXPECT_EQ(site_of(bad, "", ""), kInvalidSite) << bad;
  EXPECT_EQ(site_of(std::string(300, 'a'), "", ""), kInvalidSite);
}

}  // namespace
}  // namespace weir
