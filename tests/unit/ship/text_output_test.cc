// [output.file]: what is written is settled; what is not is reported and tried again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "agent/ship/make_output.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

OutputConfig config_of(const std::string& path) {
  OutputConfig config;
  config.kind = OutputKind::kFile;
  config.file_path = path;
  return config;
}

struct Settled {
  std::uint64_t id;
  bool acknowledged;
};

std::vector<Settled> collect(Output& output) {
  std::vector<Settled> settled;
  output.set_on_settled(
      [&](std::uint64_t id, const Error* error) { settled.push_back({id, error == nullptr}); });
  output.poll();
  return settled;
}

Message message_of(std::uint64_t id, std::string payload) {
  Message message;
  message.id = id;
  message.payload = std::move(payload);
  return message;
}

TEST(TextOutput, AppendsAndSettlesInOrder) {
  const TempFolder folder;
  const auto path = folder.write("out", "before\n");
  auto output = std::move(*make_output(config_of(path), {}, 0));
  EXPECT_EQ(output->partition_count(0), 1);
  auto first = message_of(1, "one\n");
  auto second = message_of(2, "two\n");
  ASSERT_TRUE(output->send(first).has_value());
  ASSERT_TRUE(output->send(second).has_value());
  const auto settled = collect(*output);
  ASSERT_EQ(settled.size(), 2U);
  EXPECT_EQ(settled[0].id, 1U);
  EXPECT_EQ(settled[1].id, 2U);
  EXPECT_TRUE(settled[1].acknowledged);
  // It accepts a bounded number between two polls.
  std::uint64_t id = 3;
  Result<void> sent;
  auto blank = message_of(id, "");
  for (; sent && id < 1000; ++id) {
    blank.id = id;
    sent = output->send(blank);
  }
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, Code::kFull);
  std::ifstream in(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "before\none\ntwo\n");
}

TEST(TextOutput, AFullDiskIsAFailedMessageAndAPause) {
  auto output = std::move(*make_output(config_of("/dev/full"), {}, 0));
  auto message = message_of(1, "one\n");
  ASSERT_TRUE(output->send(message).has_value());
  const auto settled = collect(*output);
  ASSERT_EQ(settled.size(), 1U);
  EXPECT_FALSE(settled[0].acknowledged);
  EXPECT_THAT(output->status().blocked_because, HasSubstr("/dev/full: No space left on device"));
  auto again = message_of(2, "one\n");
  const auto paused = output->send(again);
  ASSERT_FALSE(paused.has_value());
  EXPECT_EQ(paused.error().code, Code::kFull);
}

TEST(TextOutput, AFileThatCannotBeMadeIsSaid) {
  const TempFolder folder;
  const auto refused = make_output(config_of(folder / "no/such/folder/out"), {}, 0);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kIo);
  EXPECT_THAT(refused.error().what, HasSubstr(folder / "no/such/folder/out"));
  EXPECT_FALSE(refused.error().hint.empty());
}

}  // namespace
}  // namespace weir
