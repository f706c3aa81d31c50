#include "aggregator/warn/mail_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using testing::HasSubstr;
using testing::Not;

MailText text_of(const Letter& letter) { return mail_text_of(letter.payload); }

Notice notice(std::string site) {
  Notice out;
  out.rule.name = "flood";
  out.rule.metric = "requests_per_second";
  out.rule.above = 10;
  out.rule.clear = 8;
  out.rule.severity = "critical";
  out.range = {1'763'899'500, 1'763'899'560, true};
  out.subject = std::move(site);
  out.firing = true;
  out.value = 12.5;
  out.requests = 750;
  out.since_s = 1'763'899'560;
  return out;
}

TEST(MailText, HasTheNumbersTheSiteAndThePage) {
  const auto mails = write_mails({notice("www.example.org")}, {"ops@example.org"}, "http://weir/", 1000);
  ASSERT_EQ(mails.size(), 1U);
  EXPECT_EQ(mails[0].address, "ops@example.org");
  EXPECT_EQ(mails[0].created_ms, 1000);
  EXPECT_THAT(text_of(mails[0]).subject, HasSubstr("[weir] critical flood"));
  for (const char* text : {"flood", "critical", "www.example.org", "12.5 requests/s", "above 10 requests/s",
                           "at or below 8 requests/s", "750 requests",
                           "2025-11-23 12:05:00 UTC to 2025-11-23 12:06:00 UTC", "Page:     http://weir/"}) {
    EXPECT_THAT(text_of(mails[0]).body, HasSubstr(text));
  }
}

TEST(MailText, EachRecipientHasAMailOfTheirOwn) {
  const auto mails = write_mails({notice("")}, {"a@x", "b@x"}, "", 1);
  ASSERT_EQ(mails.size(), 2U);
  EXPECT_EQ(mails[1].address, "b@x");
  EXPECT_THAT(text_of(mails[0]).body, Not(HasSubstr("Page:")));
}

TEST(MailText, AFloodOfNoticesIsOneMail) {
  std::vector<Notice> notices;
  for (int i = 0; i < 1000; ++i) notices.push_back(notice("site" + std::to_string(i)));
  const auto mails = write_mails(notices, {"a@x"}, "", 1);
  ASSERT_EQ(mails.size(), 1U);
  EXPECT_THAT(text_of(mails[0]).subject, HasSubstr("1000 sites"));
  EXPECT_THAT(text_of(mails[0]).body, HasSubstr("site199"));
  EXPECT_THAT(text_of(mails[0]).body, HasSubstr("... and 800 more"));
}

TEST(MailText, WhatStrangersWroteCannotMakeAHeader) {
  const auto mails = write_mails({notice("a\r\nBcc: evil@example.org\x1b[31m\xff")}, {"a@x"}, "", 1);
  const std::string message = compose_message("weir@example.org", mails.at(0));
  EXPECT_THAT(message, Not(HasSubstr("\nBcc:")));
  EXPECT_THAT(message, Not(HasSubstr("\x1b")));
  Letter raw;
  raw.payload = mail_payload({"x\r\nBcc: evil@example.org", ""});
  raw.address = "a@x\nCc: b@x";
  const std::string other = compose_message("weir@example.org\r\nX: y", raw);
  EXPECT_THAT(other, Not(HasSubstr("\nBcc:")));
  EXPECT_THAT(other, Not(HasSubstr("\nCc:")));
  EXPECT_THAT(other, Not(HasSubstr("\nX:")));
}

TEST(MailText, MessageIsWellFormed) {
  Letter mail;
  mail.id = 7;
  mail.address = "ops@example.org";
  mail.payload = mail_payload({"plain", "one\ntwo\n"});
  mail.created_ms = 1'763'899'500'000;
  const std::string message = compose_message("Weir <weir@example.org>", mail);
  EXPECT_THAT(message, HasSubstr("Date: Sun, 23 Nov 2025 12:05:00 +0000\r\n"));
  EXPECT_THAT(message, HasSubstr("From: Weir <weir@example.org>\r\n"));
  EXPECT_THAT(message, HasSubstr("To: ops@example.org\r\n"));
  EXPECT_THAT(message, HasSubstr("Subject: plain\r\n"));
  EXPECT_THAT(message, HasSubstr("Message-ID: <weir.1763899500000.7@example.org>\r\n"));
  EXPECT_THAT(message, HasSubstr("7bit\r\n\r\none\r\ntwo\r\n"));
  for (std::size_t i = 0; i < message.size(); ++i) {
    if (message[i] == '\n') {
      ASSERT_TRUE(i > 0 && message[i - 1] == '\r') << "a bare LF at " << i;
    }
  }
}

TEST(MailText, OtherThanAsciiIsEncoded) {
  Letter mail;
  mail.payload =
      mail_payload({"überlast " + std::string(60, 'x') + "ß", "Größe = 1\n" + std::string(1200, 'y') + "\n"});
  const std::string message = compose_message("weir@example.org", mail);
  EXPECT_THAT(message, HasSubstr("Subject: =?UTF-8?B?w7xiZXJsYXN0IH"));
  EXPECT_THAT(message, HasSubstr("Gr=C3=B6=C3=9Fe =3D 1\r\n"));
  for (std::size_t begin = 0; begin < message.size();) {
    const std::size_t end = message.find("\r\n", begin);
    ASSERT_LE((end == std::string::npos ? message.size() : end) - begin, 998U);
    if (end == std::string::npos) break;
    begin = end + 2;
  }
}

TEST(MailText, CleansBrokenUtf8AndOverrides) {
  EXPECT_EQ(clean_for_mail("a\xc3"), "a?");
  EXPECT_EQ(clean_for_mail("a\xed\xa0\x80z"), "a???z");  // a surrogate
  EXPECT_EQ(clean_for_mail("a\xe2\x80\xaez"), "a?z");    // right-to-left override
  EXPECT_EQ(clean_for_mail("größe"), "größe");
  EXPECT_EQ(clean_for_mail(std::string(500, 'a'), 5), "aaaaa...");
}

TEST(MailText, BareAddress) {
  EXPECT_EQ(bare_address("Weir <w@x.org>").value(), "w@x.org");
  EXPECT_EQ(bare_address(" w@x.org ").value(), "w@x.org");
  EXPECT_FALSE(bare_address("").has_value());
  EXPECT_FALSE(bare_address("a@b\r\nRCPT TO:<c@d>").has_value());
}

TEST(MailText, Values) {
  EXPECT_EQ(format_value("bytes_per_second", 125'000), "125 kB/s (1 Mbit/s)");
  EXPECT_EQ(format_value("status_share", 0.125), "12.5 %");
}

}  // namespace
}  // namespace weir
