#include "aggregator/detect_format.h"

#include <gtest/gtest.h>

#include <sstream>

#include "agent/format/known.h"

namespace weir {
namespace {

const std::string kCommon = R"(192.0.2.1 - - [23/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 612)";
const std::string kCombined = kCommon + R"( "-" "curl/7.88.1")";
const std::string kMain = kCombined + R"( "203.0.113.9")";
const std::string kJson =
    R"({"time_iso8601":"2026-11-23T10:00:00+00:00","remote_addr":"192.0.2.1","request":"GET / HTTP/1.1",)"
    R"("status":"200","body_bytes_sent":"612"})";

std::string detected(const std::vector<std::string>& lines) {
  const auto format = detect_format(lines);
  return format ? format->name : "";
}

TEST(DetectFormat, KnowsTheNamedFormats) {
  EXPECT_EQ(detected({kCommon, kCommon}), "common");
  EXPECT_EQ(detected({kCombined, kCombined}), "combined");
  EXPECT_EQ(detected({kMain, kMain}), "main");
  EXPECT_EQ(detected({kJson}), "json");
  EXPECT_EQ(detected({"#Version: 1.0", "#Fields: date time c-ip cs-method cs-uri-stem sc-status sc-bytes",
                      "2026-11-23\t10:00:00\t192.0.2.1\tGET\t/\t200\t612"}),
            "w3c");
}

TEST(DetectFormat, EachRowsSampleIsItsOwn) {
  for (const KnownFormat& format : known_formats()) {
    std::vector<std::string> lines;
    std::istringstream in{std::string(format.sample)};
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    EXPECT_EQ(detected(lines), format.name);
  }
}

TEST(DetectFormat, MostLinesDecide) { EXPECT_EQ(detected({"garbage", kMain, kMain, kCombined, ""}), "main"); }

TEST(DetectFormat, NothingFits) {
  EXPECT_EQ(detected({}), "");
  EXPECT_EQ(detected({"", "#", "hello world", std::string("\x00\x01", 2)}), "");
}

}  // namespace
}  // namespace weir
