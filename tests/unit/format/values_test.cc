// Compares the fast paths for numbers and requests with the general ones, which define what is right.
#include "agent/format/values.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

namespace weir {
namespace {

// Memory of exactly the text's size, so that the address sanitizer catches reads beyond it.
class Exact {
 public:
  explicit Exact(const std::string& text)
      : bytes_(std::make_unique<char[]>(text.size())), size_(text.size()) {
    std::copy(text.begin(), text.end(), bytes_.get());
  }
  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t size_;
};

std::string random_text(std::mt19937& random, std::size_t size, std::string_view bytes) {
  std::string text(size, '0');
  for (char& c : text) c = bytes[random() % bytes.size()];
  return text;
}

void expect_same_numbers(const std::string& text) {
  const Exact exact(text);
  EXPECT_EQ(parse_log_number(exact.view()), parse_any_number(exact.view())) << text;
  EXPECT_EQ(parse_seconds_as_ms(exact.view()), parse_any_seconds(exact.view())) << text;
}

TEST(Numbers, AsWordsAreWhatTheyAreByteByByte) {
  expect_same_numbers("");
  for (int a = 0; a < 256; ++a) {
    expect_same_numbers({static_cast<char>(a)});
    for (std::size_t size = 2; size <= 9; ++size) {
      for (std::size_t place = 0; place < size; ++place) {
        std::string text = std::string("987654321").substr(0, size);
        text[place] = static_cast<char>(a);
        expect_same_numbers(text);
        if (size > 4 && place != size - 4) text[size - 4] = '.';
        expect_same_numbers(text);
      }
    }
  }
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i)
    expect_same_numbers(random_text(random, random() % 18, random() % 2 == 0 ? "0123456789" : "0019.e/:-"));
}

TEST(Numbers, OfEachSizeAreRead) {
  EXPECT_EQ(parse_log_number("0"), 0U);
  EXPECT_EQ(parse_log_number("42"), 42U);
  EXPECT_EQ(parse_log_number("304"), 304U);
  EXPECT_EQ(parse_log_number("69936"), 69936U);
  EXPECT_EQ(parse_log_number("12345678"), 12345678U);
  EXPECT_EQ(parse_log_number("123456789"), 123456789U);
  EXPECT_EQ(parse_seconds_as_ms("0.015"), 15U);
  EXPECT_EQ(parse_seconds_as_ms("12.345"), 12345U);
  EXPECT_EQ(parse_seconds_as_ms("9999.999"), 9999999U);
  EXPECT_EQ(parse_seconds_as_ms("10000.001"), 10000001U);
  EXPECT_EQ(parse_seconds_as_ms("0.0155"), 16U);
}

// A method without a fast path in split_request takes the general one.
TEST(Requests, OfUsualMethodsAreSplitAsThoseOfOthers) {
  constexpr std::pair<std::string_view, std::string_view> kMethods[] = {
      {"GET", "GOT"}, {"POST", "PAST"}, {"HEAD", "HEED"}};
  constexpr std::string_view kParts[] = {" ",         "/",        "?",        "HTTP/1.1",    "HTTP/",
                                         " HTTP/2.0", "HTTP/1. ", "a?b",      "/x/y/z?q",    "HTTP/1.10",
                                         "\t",        "*",        "http/1.1", " /i HTTP/1.0"};
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    std::string tail;
    for (auto parts = random() % 7; parts-- > 0;) tail += kParts[random() % std::size(kParts)];
    for (const auto& [usual, other] : kMethods) {
      const Exact by_heart(std::string(usual) + tail);
      const Exact by_search(std::string(other) + tail);
      RequestLine got;
      RequestLine expected;
      const bool split = split_request(by_heart.view(), got);
      ASSERT_EQ(split, split_request(by_search.view(), expected)) << by_heart.view();
      if (!split) continue;
      // A method extends to the next space.
      ASSERT_EQ(got.method.substr(usual.size()), expected.method.substr(usual.size())) << by_heart.view();
      ASSERT_EQ(got.path, expected.path) << by_heart.view();
      ASSERT_EQ(got.query, expected.query) << by_heart.view();
      ASSERT_EQ(got.protocol, expected.protocol) << by_heart.view();
    }
  }
}

}  // namespace
}  // namespace weir
