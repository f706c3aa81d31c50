// Each later version decodes the batches of a released version to the same lines.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "agent/batch_json.h"
#include "tests/unit/golden_batches.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

const std::string kFolder = std::string(WEIR_TEST_DATA) + "/golden/v2/";

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// The output of `weir-agent cat --headers` and `weir-agent cat`, or the reason for a refusal.
std::string told(const std::string& name, const std::string& message) {
  const auto batch = decode_batch(message);
  if (!batch) return "refused: " + batch.error().what + "\n";
  const MessagePlace place{.name = name + ".batch"};
  std::string out;
  append_batch_header(out, *batch, place, message.size());
  BatchLines lines(*batch, place, false);
  while (lines.append_next(out)) {
  }
  return out;
}

// Without the one number that may differ with another zstd.
std::string without_size(std::string text) {
  const auto begin = text.find("\"message_bytes\":");
  if (begin != std::string::npos) text.erase(begin, text.find(',', begin) - begin);
  return text;
}

// With WEIR_GOLDEN_OUT: writes the missing ones. See tests/data/golden/README.md.
TEST(GoldenBatch, AreAllThere) {
  const char* folder = std::getenv("WEIR_GOLDEN_OUT");
  for (const auto& [name, message] : testing::golden_batches(WEIR_TEST_DATA)) {
    if (folder != nullptr && !fs::exists(folder + ("/" + name + ".batch"))) {
      std::ofstream(folder + ("/" + name + ".batch"), std::ios::binary) << message;
      std::ofstream(folder + ("/" + name + ".jsonl"), std::ios::binary) << told(name, message);
    }
    EXPECT_TRUE(fs::exists(kFolder + name + ".batch")) << name << ": run tests/data/golden/make";
  }
}

TEST(GoldenBatch, OfAnyVersionSayToThisOneWhatTheyAlwaysSaid) {
  int seen = 0;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() != ".batch") continue;
    const auto name = entry.path().stem().string();
    EXPECT_EQ(told(name, bytes_of(entry.path())), bytes_of(kFolder + name + ".jsonl")) << name;
    ++seen;
  }
  EXPECT_GE(seen, 20);
}

TEST(GoldenBatch, MadeTodayOfTheSameLinesSayTheSame) {
  for (const auto& [name, message] : testing::golden_batches(WEIR_TEST_DATA)) {
    EXPECT_EQ(without_size(told(name, message)), without_size(bytes_of(kFolder + name + ".jsonl"))) << name;
  }
}

// The two with additions decode to the same as the old one.
TEST(GoldenBatch, WhatALaterVersionAddsIsSkipped) {
  const auto lines = [](const std::string& name) {
    const auto text = bytes_of(kFolder + name + ".jsonl");
    return text.substr(text.find('\n'));
  };
  EXPECT_EQ(lines("unknown_fields"), lines("regex"));
  auto want = lines("regex");  // an unknown reason stays a separate reason
  for (const auto reason : {Unparsed::kNoMatch, Unparsed::kBadTime, Unparsed::kBinary}) {
    const auto at = want.find(to_string(reason));
    ASSERT_NE(at, std::string::npos) << to_string(reason);
    want.replace(at, to_string(reason).size(), to_string(static_cast<Unparsed>(100)));
  }
  EXPECT_EQ(lines("unknown_values"), want);
}

}  // namespace
}  // namespace weir
