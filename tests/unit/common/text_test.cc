// There is one UTF-8 decoder, and one set of deceptive characters.
#include "common/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/json_text.h"

namespace weir {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string utf8(std::uint32_t point) {
  std::string out;
  append_utf8(out, point);
  return out;
}

const std::uint32_t kDeceiving[] = {0x00AD, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F,  0x2028, 0x2029,
                                    0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2060,  0x2066, 0x2067,
                                    0x2068, 0x2069, 0x206F, 0xFEFF, 0xFFF9, 0xE0001, 0xE0061};

TEST(Utf8, DecodesWhatItEncodesAndNothingElse) {
  for (const std::uint32_t point :
       {0x41U, 0x7FU, 0x80U, 0x7FFU, 0x800U, 0xD7FFU, 0xE000U, 0xFFFFU, 0x10000U, 0x10FFFFU}) {
    const auto text = utf8(point);
    const auto decoded = decode_utf8(text);
    EXPECT_EQ(decoded.point, point);
    EXPECT_EQ(decoded.bytes, text.size());
    EXPECT_EQ(utf8_length(text, 0), text.size());
    if (text.size() > 1) {
      EXPECT_EQ(utf8_length(text.substr(0, text.size() - 1), 0), 0U) << "cut short: " << point;
    }
  }
  const struct {
    const char* name;
    const char* bytes;
  } kWrong[] = {{"continuation", "\x80"},
                {"overlong of two", "\xC0\xAF"},
                {"overlong of three", "\xE0\x9F\xBF"},
                {"overlong of four", "\xF0\x8F\xBF\xBF"},
                {"surrogate", "\xED\xA0\x80"},
                {"above U+10FFFF", "\xF4\x90\x80\x80"},
                {"lead of five", "\xF8\x88\x80\x80"},
                {"bad second byte", "\xC3\x28"},
                {"bad third byte", "\xE2\x82\x28"}};
  for (const auto& row : kWrong) EXPECT_EQ(decode_utf8(row.bytes).bytes, 0U) << row.name;
}

TEST(Text, NoDecevingCharacterComesThroughAnyOfThem) {
  for (const auto point : kDeceiving) {
    const auto raw = utf8(point);
    const auto text = "a" + raw + "b";
    EXPECT_TRUE(is_deceiving(point)) << std::hex << point;
    EXPECT_THAT(visible(text), Not(HasSubstr(raw))) << std::hex << point;
    EXPECT_EQ(clean_text(text, 100), "a?b") << std::hex << point;
    EXPECT_THAT(json_string(text), Not(HasSubstr(raw))) << std::hex << point;
    std::string shown;
    append_shown_json(shown, "{\"a\":\"" + text + "\"}");
    EXPECT_THAT(shown, Not(HasSubstr(raw))) << std::hex << point;
  }
  for (const std::uint32_t point : {0xE4U, 0x20ACU, 0x1F600U, 0x5D0U}) {
    EXPECT_EQ(visible(utf8(point)), utf8(point)) << "an ordinary character stays";
    EXPECT_EQ(clean_text(utf8(point), 100), utf8(point));
    EXPECT_EQ(json_string(utf8(point)), "\"" + utf8(point) + "\"");
  }
}

TEST(Text, IsCleanedToItsBoundBetweenCharacters) {
  EXPECT_EQ(clean_text("caf\xC3\xA9", 4), "caf");
  EXPECT_EQ(clean_text("caf\xC3\xA9", 5), "caf\xC3\xA9");
  EXPECT_EQ(clean_text("a\x1b[2J\x7f\xC2\x9B\xFF", 100), "a?[2J???");
  EXPECT_EQ(clean_text("abc", 0), "");
}

TEST(JsonText, EscapesWhatJsonAndTerminalsMind) {
  EXPECT_EQ(json_string("caf\xC3\xA9.log"), "\"caf\xC3\xA9.log\"");
  EXPECT_EQ(json_string("a\"\\\n\r\t\x01\x7f"), "\"a\\\"\\\\\\n\\r\\t\\u0001\\u007f\"");
  EXPECT_EQ(json_string("\xFF"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(json_string(utf8(0x202E)), "\"\\u202e\"");
  EXPECT_EQ(json_string(utf8(0xE0061)), "\"\\udb40\\udc61\"") << "a pair of surrogates";
}

}  // namespace
}  // namespace weir
