#include "agent/format/time_notation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using testing::HasSubstr;

std::optional<std::int64_t> read(std::string_view notation, std::string_view text,
                                 std::string_view zone = {}) {
  const auto compiled = TimeNotation::compile(notation, zone);
  if (!compiled) ADD_FAILURE() << compiled.error().what;
  return compiled ? compiled->read(text) : std::nullopt;
}

constexpr std::int64_t kMs = 1233922454655;  // 2009-02-06T12:14:14.655Z

TEST(TimeNotation, Reads) {
  const struct {
    const char* name;
    const char* notation;
    const char* text;
    std::int64_t want;
  } kCases[] = {
      {"HAProxy's", "%d/%b/%Y:%H:%M:%S.%L", "06/Feb/2009:12:14:14.655", kMs},
      {"a zone", "%d/%b/%Y:%H:%M:%S.%L %z", "06/Feb/2009:13:14:14.655 +0100", kMs},
      {"a zone with a colon", "%FT%T.%f%z", "2009-02-06T06:44:14.655000-05:30", kMs},
      {"a zone of two digits", "%FT%T.%f%z", "2009-02-06T13:14:14.6550+01", kMs},
      {"Z, and text after it", "[%F %T,%L%z]", "[2009-02-06 12:14:14,655Z]", kMs},
      {"no separators", "%Y%m%d%H%M%S%L", "20090206121414655", kMs},
      {"no leading zeros", "%m/%d/%Y %H:%M:%S.%f", "2/6/2009 12:14:14.655", kMs},
      {"spaces for zeros", "%d %b %Y %H:%M:%S.%f", " 6 Feb 2009 12:14:14.655", kMs},
      {"words", "%a, %d %b %Y %T.%L", "Friday, 6 February 2009 12:14:14.655", kMs},
      {"short words", "%a %b %d %T.%L %Y", "Fri Feb  6 12:14:14.655 2009", kMs},
      {"two digits of a year", "%d.%m.%y %T.%L", "06.02.09 12:14:14.655", kMs},
      {"seconds since 1970", "%s.%L", "1233922454.655", kMs},
      {"a short fraction", "%s,%f", "1233922454,6", kMs - 55},
      {"a long fraction is cut", "%s.%f", "1233922454.655999999", kMs},
      {"no seconds", "%Y-%m-%d %H:%M", "2009-02-06 12:14", kMs - 14655},
      {"a percent sign", "%s%%", "1233922454%", kMs - 655},
      {"a leap second", "%F %T", "2016-12-31 23:59:60", 1483228800000},
      {"before 1970", "%F %T", "1969-12-31 23:59:59", -1000},
      {"May", "%d %b %Y %T", "06 May 2009 00:00:00", 1241568000000},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.name);
    EXPECT_EQ(read(test.notation, test.text), test.want);
  }
}

TEST(TimeNotation, TheZoneIsThatOfTimesWithoutOne) {
  EXPECT_EQ(read("%F %T.%L", "2009-02-06 14:14:14.655", "+02:00"), kMs);
  EXPECT_EQ(read("%F %T.%L", "2009-02-06 04:14:14.655", "-0800"), kMs);
  EXPECT_EQ(read("%F %T.%L", "2009-02-06 12:14:14.655", "Z"), kMs);
}

TEST(TimeNotation, OtherTextsAreNoTimes) {
  for (const char* text :
       {"", "06/Feb/2009:12:14:14", "06/Feb/2009:12:14:14.65", "06/Feb/2009:12:14:14.6555", "x",
        "06/feb/2009:12:14:14.655", "30/Feb/2009:12:14:14.655", "06/Feb/2009:24:14:14.655",
        "06/Feb/2009:12:60:14.655", "06/Feb/2009:12:14:61.655", " 06/Feb/2009:12:14:14.655",
        "006/Feb/2009:12:14:14.655", "00/Feb/2009:12:14:14.655", "-6/Feb/2009:12:14:14.655",
        "06/Feb/2009:12:14:14.655 ", "06/Feb/09:12:14:14.655", "06-Feb-2009:12:14:14.655"}) {
    EXPECT_EQ(read("%d/%b/%Y:%H:%M:%S.%L", text), std::nullopt) << text;
  }
  for (const char* zone : {"", "+", "+1", "+1x", "+24:00", "+01:60", "01:00", "+01:0", "+010", "z+"})
    EXPECT_EQ(read("%F %T%z", "2009-02-06 12:14:14" + std::string(zone)), std::nullopt) << zone;
}

TEST(TimeNotation, AMistakeNamesThePieceAndItsPlace) {
  const struct {
    const char* notation;
    const char* what;
    const char* hint;
  } kCases[] = {
      {"%F %Q", R"(time: "%Q" does not stand for a part of a time at character 4)", "%L"},
      {"%F %", R"("%" does not stand for a part of a time at character 4)", "%%"},
      {"%F %T %d", "%d stands twice at character 7", "leave"},
      {"%F %T %m", "%m stands twice", "leave"},
      {"%d %b %m %Y %T", "both %m and %b", "leave"},
      {"%F %T.%L%f", "both %L and %f", "leave"},
      {"%s %z", "both %s and %z", "leave"},
      {"%d/%b %T", "no year", "%Y"},
      {"%Y-%d %T", "no month", "%b"},
      {"%b %Y %T", "no day", "%d"},
      {"%F", "no time of day", "%H"},
      {"", "no year", "%Y"},
      {"%F %T %\xC3\xA4", "\"%\xC3\xA4\" does not stand", "%L"},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.notation);
    const auto compiled = TimeNotation::compile(test.notation, {});
    ASSERT_FALSE(compiled);
    EXPECT_EQ(compiled.error().code, Code::kInvalid);
    EXPECT_THAT(compiled.error().what, HasSubstr(test.what));
    EXPECT_THAT(compiled.error().hint, HasSubstr(test.hint));
  }
}

TEST(TimeNotation, AZoneIsAnOffsetAndSaidOnce) {
  EXPECT_FALSE(TimeNotation::compile("%F %T", "Europe/Berlin"));
  EXPECT_FALSE(TimeNotation::compile("%F %T", "+2"));
  EXPECT_FALSE(TimeNotation::compile("%F %T", "+02:00 "));
  EXPECT_FALSE(TimeNotation::compile("%F %T %z", "+02:00"));
  EXPECT_FALSE(TimeNotation::compile("%s", "+02:00"));
  EXPECT_FALSE(TimeNotation::compile(std::string(1000, 'x'), {}));
}

}  // namespace
}  // namespace weir
