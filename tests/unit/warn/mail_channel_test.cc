#include "aggregator/warn/mail_channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aggregator/warn/channels.h"
#include "aggregator/warn/mime.h"

namespace weir {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<Letter> write_mails(const std::vector<Notice>& notices, std::vector<std::string> recipients,
                                std::string_view page_url, std::int64_t now_ms) {
  ChannelsConfig config;
  config.mail = MailConfig{.server = "smtp://mail", .from = "weir@example.org", .to = std::move(recipients)};
  return write_letters(notices, config, page_url, now_ms);
}

struct MailText {
  std::string subject, body;
};
MailText text_of(const Letter& letter) {
  const auto end = letter.payload.find('\n');
  return {letter.payload.substr(0, end), letter.payload.substr(end + 1)};
}

Notice notice(std::string site) {
  Notice out;
  out.rule.name = "flood";
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
  for (const char* text :
       {"flood", "critical", "www.example.org", "12.5 requests/s", "above 10 requests/s",
        "at or below 8 requests/s", "750 requests", "2025-11-23 12:05:00 UTC to 2025-11-23 12:06:00 UTC",
        "Page:     http://weir/?from=2025-11-23T11:06:00Z&to=2025-11-23T12:06:00Z&site=www.example.org"}) {
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
  const std::string message = mail_message("weir@example.org", mails.at(0));
  EXPECT_THAT(message, Not(HasSubstr("\nBcc:")));
  EXPECT_THAT(message, Not(HasSubstr("\x1b")));
  MimeMail raw;
  raw.from = "weir@example.org\r\nX: y";
  raw.subject = "x\r\nBcc: evil@example.org";
  raw.to = "a@x\nCc: b@x";
  raw.message_id = "1@x>\r\nX: y";
  const std::string other = mime_message(raw);
  EXPECT_THAT(other, Not(HasSubstr("\nBcc:")));
  EXPECT_THAT(other, Not(HasSubstr("\nCc:")));
  EXPECT_THAT(other, Not(HasSubstr("\nX:")));
}

TEST(MailText, MessageIsWellFormed) {
  Letter mail;
  mail.id = 7;
  mail.address = "ops@example.org";
  mail.payload = "plain\none\ntwo\n";
  mail.created_ms = 1'763'899'500'000;
  const std::string message = mail_message("Weir <weir@example.org>", mail);
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
  mail.payload = "überlast " + std::string(60, 'x') + "ß\nGröße = 1\n" + std::string(1200, 'y') + "\n";
  const std::string message = mail_message("weir@example.org", mail);
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
  EXPECT_EQ(mail_line("a\xc3"), "a?");
  EXPECT_EQ(mail_line("a\xed\xa0\x80z"), "a???z");  // a surrogate
  EXPECT_EQ(mail_line("a\xe2\x80\xaez"), "a?z");    // right-to-left override
  EXPECT_EQ(mail_line("a\xd8\x9cz"), "a?z");        // an Arabic letter mark
  EXPECT_EQ(mail_line("größe"), "größe");
  EXPECT_EQ(mail_line(std::string(500, 'a'), 5), "aaaaa...");
}

TEST(MailText, BareAddress) {
  EXPECT_EQ(bare_address("Weir <w@x.org>").value(), "w@x.org");
  EXPECT_EQ(bare_address(" w@x.org ").value(), "w@x.org");
  EXPECT_FALSE(bare_address("").has_value());
  EXPECT_FALSE(bare_address("a@b\r\nRCPT TO:<c@d>").has_value());
}

TEST(MailText, ReadsAsASentence) {
  Notice cleared = notice("");
  cleared.firing = false;
  cleared.value = 5;
  EXPECT_THAT(compose_mail({&cleared}, ""),
              testing::StartsWith("[weir] cleared flood: request rate of all sites is back to 5 requests/s\n"
                                  "CLEARED: request rate of all sites is back to 5 requests/s.\n"));
}

}  // namespace
}  // namespace weir
