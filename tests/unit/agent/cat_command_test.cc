#include <fmt/format.h>
#include <gmock/gmock.h>

#include "agent/commands.h"
#include "agent/message_file.h"
#include "common/exit_codes.h"
#include "tests/unit/agent/command_test_parts.h"
#include "tests/unit/mock_kafka.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

BatchHeader header_of(std::uint64_t begin, std::uint64_t end) {
  BatchHeader header;
  header.source = make_source_id("web1", "/l/access.log", "first");
  header.range = {begin, end};
  header.agent_id = "web1";
  header.instance = 0xABC;
  header.host = "web1.example";
  header.input = "web";
  header.path = "/l/\x1b[31maccess.log";
  header.fields = {{"dc", "\xe2\x80\xaex"}};
  header.sent_ms = 1'790'000'000'000;
  return header;
}

// A record, an unparsed line, a filtered one, a record.
std::string records() {
  BatchBuilder builder;
  builder.begin({"geo"});
  Record record;
  record.time_ms = 1'790'000'000'123;
  record.set(Text::kClientAddress, "192.0.2.1");
  record.set(Text::kPath, "/\x1b[2J");
  record.set(Number::kRequestTimeMs, 12);
  builder.add(record, 100);
  builder.add_unparsed(
      "rub\xff"
      "bish",
      Unparsed::kNoMatch, 9);
  builder.add_filtered(1);
  const std::string_view geo = "NL";
  record.extra = std::span(&geo, 1);
  builder.add(record, 50);
  return builder.finish(header_of(1000, 1160)).value();
}

class CatCommand : public CommandTest {
 protected:
  [[nodiscard]] CommandOutput cat(const std::string& bytes) {
    options_.files = {write("messages", bytes)};
    return run([&] { return cat_command(options_); });
  }
  static std::string framed(const std::vector<std::string>& messages) {
    std::string out;
    for (const auto& message : messages) append_message(out, message);
    return out;
  }
  CatOptions options_;
};

constexpr std::string_view kFirst =
    R"({"@timestamp":"2026-09-21T14:13:20.123Z","source.address":"192.0.2.1","url.path":"/\u001b[2J",)"
    R"("nginx.access.request_time":0.012)";

TEST_F(CatCommand, PrintsTheLinesOfABatchInTheirOrder) {
  const auto out = cat(framed({records()}));
  EXPECT_EQ(out.exit_code, kExitOk);
  EXPECT_EQ(out.out, std::string(kFirst) + "}\n" + R"({"message":"rub)" + "\xEF\xBF\xBD" +
                         R"(bish","error.message":"the line does not fit the format"})" + "\n" +
                         std::string(kFirst) + R"(,"nginx.variable.geo":"NL"})" + "\n");
  EXPECT_EQ(out.errors,
            "1 messages: 1 batches (2 records, 1 unparsed, 1 filtered), 0 heartbeats, 0 losses, 0 others, 0 "
            "not decoded\n");
}

TEST_F(CatCommand, SaysWhereEachLineWas) {
  options_.provenance = true;
  const auto out = cat(framed({records()}));
  const auto where = [&](int begin, int end) {
    return fmt::format(
        R"("weir.file":"{}","weir.offset":0,"weir.agent_id":"web1","weir.host":"web1.example",)"
        R"("weir.input":"web","weir.path":"/l/\u001b[31maccess.log","weir.source":"{}",)"
        R"("weir.begin":{},"weir.end":{}}})"
        "\n",
        options_.files[0], header_of(0, 0).source.hex(), begin, end);
  };
  EXPECT_THAT(out.out, StartsWith(std::string(kFirst) + "," + where(1000, 1100)));
  EXPECT_THAT(out.out, HasSubstr(R"(format",)" + where(1100, 1109)));
  EXPECT_THAT(out.out, HasSubstr(R"("NL",)" + where(1110, 1160)));
}

TEST_F(CatCommand, HeadersSayWhatABatchSaysOfItself) {
  options_.show = CatOptions::Show::kHeaders;
  auto heartbeat = header_of(0, 0);
  heartbeat.kind = BatchKind::kHeartbeat;
  heartbeat.watermark_ms = 5;
  heartbeat.lag_bytes = 6;
  auto loss = header_of(7, 9);
  loss.kind = BatchKind::kLoss;
  loss.loss_cause = LossCause::kReleased;
  const auto message = records();
  const auto out = cat(framed({message, encode_heartbeat(heartbeat).value(), encode_loss(loss).value(),
                               R"({"message":"of Filebeat"})", "raw\x1b"}));
  EXPECT_EQ(out.exit_code, kExitOk);
  const auto file = fmt::format(R"({{"file":"{}","offset":)", options_.files[0]);
  const auto source = header_of(0, 0).source.hex();
  const auto columns_bytes = decode_batch(message)->buffer_->size();
  EXPECT_EQ(
      out.out,
      fmt::format(
          R"({0}0,"message_bytes":{2},"kind":"records","agent_id":"web1","instance":"0000000000000abc",)"
          R"("host":"web1.example","sent_ms":1790000000000,"input":"web","path":"/l/\u001b[31maccess.log",)"
          R"("fields":{{"dc":"\u202ex"}},"source":"{1}","begin":1000,"end":1160,"origin":0,"lines":4,"records":2,)"
          R"("unparsed":1,"filtered":1,"columns_bytes":{3}}})"
          "\n"
          R"({0}1,"message_bytes":{4},"kind":"heartbeat","agent_id":"web1","instance":"0000000000000abc",)"
          R"("host":"web1.example","sent_ms":1790000000000,"watermark_ms":5,"lag_bytes":6}})"
          "\n"
          R"({0}2,"message_bytes":{5},"kind":"loss","agent_id":"web1","instance":"0000000000000abc",)"
          R"("host":"web1.example","sent_ms":1790000000000,"input":"web","path":"/l/\u001b[31maccess.log",)"
          R"("fields":{{"dc":"\u202ex"}},"source":"{1}","begin":7,"end":9,"origin":0,"loss_cause":"{6}"}})"
          "\n"
          R"({0}3,"message_bytes":25,"kind":"json"}})"
          "\n"
          R"({0}4,"message_bytes":4,"kind":"raw"}})"
          "\n",
          file, source, message.size(), columns_bytes, encode_heartbeat(heartbeat)->size(),
          encode_loss(loss)->size(), to_string(LossCause::kReleased)));
  EXPECT_THAT(out.errors,
              HasSubstr("5 messages: 1 batches (2 records, 1 unparsed, 1 filtered), 1 heartbeats, 1 "
                        "losses, 2 others, 0 not decoded"));
}

TEST_F(CatCommand, WhatDoesNotDecodeIsSaidAndTheNextIsPrinted) {
  auto broken = records();
  broken[broken.size() / 2] = static_cast<char>(broken[broken.size() / 2] ^ 0x55);
  const auto out = cat(framed({"\x0dWEIR\xff", records(), broken.substr(0, 60)}));
  EXPECT_EQ(out.exit_code, kExitInput);
  EXPECT_THAT(out.out, StartsWith(std::string(kFirst)));
  EXPECT_THAT(out.errors, HasSubstr("messages: message 0: batch: "));
  EXPECT_THAT(out.errors, HasSubstr("messages: message 2: batch: "));
  EXPECT_THAT(out.errors, HasSubstr("2 not decoded"));
}

TEST_F(CatCommand, OtherShippersMessagesAreShownAndMoveNoCursor) {
  options_.provenance = true;
  const auto out = cat(framed({"{ \"a\" : \"\x7f \xc2\x9b \xe2\x80\xae\", \"b\": [ 1.50, {} ] }\n", "{}",
                               "{broken \x1b[2J", std::string("\0\xc2\x9b", 3)}));
  const auto where = [&](int offset) {
    return fmt::format(R"("weir.file":"{}","weir.offset":{}}})"
                       "\n",
                       options_.files[0], offset);
  };
  EXPECT_EQ(out.out, R"({"a":"\u007f \u009b \u202e","b":[1.50,{}],)" + where(0) + "{" + where(1) +
                         R"({"message":"{broken \u001b[2J",)" + where(2) + R"({"message":"\u0000\u009b",)" +
                         where(3));
}

TEST_F(CatCommand, WhatMessagesWroteIsReadAgain) {
  options_.show = CatOptions::Show::kMessages;
  const auto bytes = framed({records(), "raw", ""});
  const auto out = cat(bytes);
  EXPECT_EQ(out.out, bytes);
  EXPECT_EQ(out.errors, "3 messages\n");
}

TEST_F(CatCommand, AFileMayBeOneBatch) {
  const auto out = cat(records());
  EXPECT_EQ(out.exit_code, kExitOk);
  EXPECT_THAT(out.errors, StartsWith("1 messages: 1 batches (2 records"));
}

TEST_F(CatCommand, EndsAfterTheCount) {
  options_.count = 2;
  EXPECT_EQ(cat(framed({"a", "b", "c"})).out, "{\"message\":\"a\"}\n{\"message\":\"b\"}\n");
  options_.count = 0;
  EXPECT_EQ(cat(framed({"a"})).out, "");
}

TEST_F(CatCommand, FilesThatAreNoneAreSaid) {
  const auto whole = framed({"a", "b"});
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const auto out = cat(whole.substr(0, size));
    EXPECT_EQ(out.exit_code, size == 5 ? kExitOk : kExitInput) << size;
    EXPECT_THAT(out.errors, size == 5 ? HasSubstr("1 messages") : HasSubstr("ends inside message")) << size;
  }
  const auto text = cat("{\"message\":\"no length before it\"}\n");
  EXPECT_EQ(text.exit_code, kExitInput);
  EXPECT_THAT(text.errors, HasSubstr("message 0 claims to have 2065853797 bytes"));
  options_.files = {path("missing\x1b")};
  const auto missing = run([&] { return cat_command(options_); });
  EXPECT_EQ(missing.exit_code, kExitInput);
  EXPECT_THAT(missing.errors, HasSubstr("missing\\x1b cannot be read: No such file"));
}

TEST_F(CatCommand, ATopicIsReadToItsEnd) {
  testing::MockKafka kafka("access", 1);
  kafka.produce(0, records());
  kafka.produce(0, "\x0dWEIR broken");
  kafka.produce(0, "raw");
  options_.connection = kafka.connection();
  options_.read.topic = "access";
  options_.provenance = true;
  const auto out = run([&] { return cat_command(options_); });
  EXPECT_EQ(out.exit_code, kExitInput) << out.errors;
  EXPECT_THAT(out.out,
              StartsWith(std::string(kFirst) +
                         R"(,"weir.topic":"access","weir.partition":0,"weir.offset":0,"weir.agent_id")"));
  EXPECT_THAT(
      out.out,
      HasSubstr("{\"message\":\"raw\",\"weir.topic\":\"access\",\"weir.partition\":0,\"weir.offset\":2}\n"));
  EXPECT_THAT(out.errors, HasSubstr("weir-agent: access[0]@1: batch: "));
  EXPECT_THAT(out.errors, HasSubstr("3 messages: 1 batches"));

  options_.read.topic = "nowhere";
  options_.connection.brokers = {"127.0.0.1:1"};
  options_.read.answer_timeout = std::chrono::milliseconds(100);
  const auto nobody = run([&] { return cat_command(options_); });
  EXPECT_EQ(nobody.exit_code, kExitKafka);
  EXPECT_THAT(nobody.errors, HasSubstr("no broker of 127.0.0.1:1 answers"));
  EXPECT_THAT(nobody.errors, Not(HasSubstr("0 messages")));
}

}  // namespace
}  // namespace weir
