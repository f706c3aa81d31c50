#include "aggregator/warn/warner.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "aggregator/warn/outbox.h"
#include "tests/unit/test_store.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// Speaks as much SMTP as one client needs. The first `refuse` mails get a 451.
class SmtpServer {
 public:
  explicit SmtpServer(int refuse = 0) : refuse_(refuse) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~SmtpServer() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  [[nodiscard]] std::string url() const { return "smtp://127.0.0.1:" + std::to_string(port_); }
  std::vector<std::string> mails() {
    const std::lock_guard lock(mutex_);
    return mails_;
  }

 private:
  void run() {
    for (;;) {
      const int client = accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      serve(client);
      close(client);
    }
  }
  void serve(int client) {
    std::string input;
    std::string envelope;
    bool in_data = false;
    const auto say = [&](const std::string& text) {
      EXPECT_EQ(send(client, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    };
    say("220 test\r\n");
    char buffer[4096];
    for (;;) {
      const ssize_t n = recv(client, buffer, sizeof(buffer), 0);
      if (n <= 0) return;
      input.append(buffer, static_cast<std::size_t>(n));
      for (;;) {
        const std::size_t end = input.find(in_data ? "\r\n.\r\n" : "\r\n");
        if (end == std::string::npos) break;
        const std::string line = input.substr(0, end);
        input.erase(0, end + (in_data ? 5 : 2));
        if (in_data) {
          in_data = false;
          const std::lock_guard lock(mutex_);
          mails_.push_back(envelope + line);
          say("250 taken\r\n");
        } else if (line.starts_with("EHLO") || line.starts_with("HELO")) {
          say("250 test\r\n");
        } else if (line.starts_with("MAIL") && refuse_ > 0) {
          --refuse_;
          say("451 come back later\r\n");
        } else if (line.starts_with("DATA")) {
          in_data = true;
          say("354 go on\r\n");
        } else if (line.starts_with("QUIT")) {
          say("221 bye\r\n");
          return;
        } else {
          envelope += line + "\n";
          say("250 ok\r\n");
        }
      }
    }
  }

  int listener_ = -1;
  int port_ = 0;
  int refuse_ = 0;
  std::mutex mutex_;
  std::vector<std::string> mails_;
  std::thread thread_;
};

MailConfig mail_config(const std::string& server) {
  MailConfig out;
  out.server = server;
  out.from = "Weir <weir@example.org>";
  out.to = {"ops@example.org"};
  return out;
}

Letter test_letter() {
  return Letter{.id = 1, .channel = "mail", .address = "a@x.org", .payload = "subject\nbody\n"};
}

template <class Fact>
bool eventually(Fact fact) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!fact()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

std::int64_t now_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

TEST(Mailer, DeliversToARealSocket) {
  SmtpServer server;
  const std::atomic<bool> stop{false};
  const auto mailer = open_mail(mail_config(server.url()), stop);
  Letter mail;
  mail.address = "ops@example.org";
  mail.payload = "hello\nfirst\n.dot\nlast\n";
  const auto sent = mailer->deliver(mail);
  ASSERT_TRUE(sent.has_value()) << sent.error().what;
  ASSERT_EQ(server.mails().size(), 1U);
  EXPECT_THAT(server.mails()[0], HasSubstr("MAIL FROM:<weir@example.org>"));
  EXPECT_THAT(server.mails()[0], HasSubstr("RCPT TO:<ops@example.org>"));
  EXPECT_THAT(server.mails()[0], HasSubstr("Subject: hello"));
  EXPECT_THAT(server.mails()[0], HasSubstr("\r\n..dot\r\n")) << "a dot in front is doubled";
}

TEST(Mailer, SaysWhatTheServerAnswered) {
  SmtpServer server(1);
  const std::atomic<bool> stop{false};
  const auto sent = open_mail(mail_config(server.url()), stop)->deliver(test_letter());
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, Code::kUnavailable);
  EXPECT_THAT(sent.error().what, HasSubstr("(it answered: 451 come back later)"));
}

TEST(Mailer, RequiredTlsIsNotGivenUp) {
  SmtpServer server;
  MailConfig config = mail_config(server.url());
  config.tls = "required";
  const std::atomic<bool> stop{false};
  EXPECT_FALSE(open_mail(config, stop)->deliver(test_letter()).has_value());
  EXPECT_TRUE(server.mails().empty());
}

TEST(Mailer, APasswordIsNotSentInTheClearUnlessAskedTo) {
  SmtpServer server;
  MailConfig config = mail_config(server.url());
  config.user = "ops";
  config.password = "secret";
  const std::atomic<bool> stop{false};
  const auto sent = open_mail(config, stop)->deliver(test_letter());
  ASSERT_FALSE(sent.has_value());
  EXPECT_THAT(sent.error().hint, HasSubstr("no TLS"));
  EXPECT_TRUE(server.mails().empty());
}

TEST(Outbox, BackOffDoublesUpToTenMinutes) {
  EXPECT_EQ(retry_delay_ms(1), 5'000);
  EXPECT_EQ(retry_delay_ms(2), 10'000);
  EXPECT_EQ(retry_delay_ms(7), 320'000);
  EXPECT_EQ(retry_delay_ms(8), 600'000);
  EXPECT_EQ(retry_delay_ms(4'000'000'000U), 600'000);
}

class FakeClock : public Clock {
 public:
  std::int64_t now_ms = 1000;
  [[nodiscard]] std::int64_t wall_ms() const override { return now_ms; }
  [[nodiscard]] std::int64_t steady_ms() const override { return now_ms; }
};

class ScriptedDeliverer : public Deliverer {
 public:
  explicit ScriptedDeliverer(bool one_server = true) : one_server_(one_server) {}
  int failures = 0;
  std::string failing_address;  // mail to this address always fails
  std::vector<std::string> tried, sent;
  [[nodiscard]] bool has_one_server() const override { return one_server_; }
  Result<void> deliver(const Letter& letter) override {
    tried.push_back(letter.payload);
    if (failures > 0 || letter.address == failing_address) {
      --failures;
      return fail(Code::kUnavailable, "mail server smtp://x: refused\x1b", "start it");
    }
    sent.push_back(letter.payload);
    return {};
  }

 private:
  bool one_server_;
};

Letter due(std::string channel, std::string address, std::string payload) {
  return Letter{.channel = std::move(channel), .address = std::move(address), .payload = std::move(payload)};
}

TEST(Outbox, AMailIsKeptUntilItIsDelivered) {
  test::TestStore tables;
  Alerts& store = tables.store();
  ASSERT_TRUE(store.save_alerts({.letters = {due("mail", "a@x", "one"), due("mail", "a@x", "two")}}));
  ScriptedDeliverer deliverer;
  deliverer.failures = 1;
  FakeClock clock;
  const auto round = [&] {
    return deliver_due(store, "mail", deliverer, clock, [] { return false; }).value();
  };
  const OutboxResult failed = round();
  EXPECT_EQ(failed.delivered, 0U);
  EXPECT_EQ(failed.problem, "mail server smtp://x: refused?; start it");
  EXPECT_EQ(tables.sql("SELECT next_try_ms, attempts FROM outbox WHERE id = 1"),
            (std::vector<SqlRow>{{std::int64_t{6000}, std::int64_t{1}}}));
  EXPECT_EQ(round().delivered, 1U) << "the other one is due";
  clock.now_ms = 5999;
  EXPECT_EQ(round().delivered, 0U);
  clock.now_ms = 6000;
  EXPECT_EQ(round().delivered, 1U);
  EXPECT_EQ(deliverer.sent, (std::vector<std::string>{"two", "one"}));
  EXPECT_TRUE(store.letters_waiting()->empty());
}

TEST(Outbox, OneServerThatIsAwayHoldsUpNoOther) {
  test::TestStore tables;
  Alerts& store = tables.store();
  ASSERT_TRUE(store.save_alerts({.letters = {due("webhook", "dead", "one"), due("webhook", "dead", "two"),
                                             due("webhook", "alive", "three"), due("mail", "a@x", "four")}}));
  ScriptedDeliverer deliverer(false);
  deliverer.failing_address = "dead";
  FakeClock clock;
  const auto done = deliver_due(store, "webhook", deliverer, clock, [] { return false; });
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->delivered, 1U);
  EXPECT_EQ(deliverer.sent, (std::vector<std::string>{"three"}));
  EXPECT_EQ(deliverer.tried, (std::vector<std::string>{"one", "three"})) << "the second would fail, too";
  EXPECT_EQ(store.letters_waiting()->at("webhook"), 2U);
  EXPECT_EQ(store.letters_waiting()->at("mail"), 1U);
}

std::uint64_t delivered(const Warner& warner) {
  const auto by_channel = warner.status().delivered;
  const auto found = by_channel.find("mail");
  return found == by_channel.end() ? 0 : found->second;
}

TEST(Warner, MailsOnceWhenItFiresAndOnceWhenItClears) {
  SmtpServer server;
  test::TestStore tables;
  WarnerConfig config;
  config.window = 1s;
  config.interval = 20ms;
  config.page_url = "http://weir.example.org/";
  config.channels.mail = mail_config(server.url());
  RuleConfig rule;
  rule.name = "flood";
  rule.above = 100;
  rule.range = 2s;
  rule.site = "*";
  config.rules = {rule};
  for (std::int64_t t = now_s() - 10; t < now_s() + 2; ++t)
    tables.add(t, "www.example.org", "h", 200, 1000, 1);
  // Two aggregators on one store: only one of them may write the mail.
  const Warner one(config, tables.opener());
  const Warner two(config, tables.opener());
  ASSERT_TRUE(eventually([&] { return server.mails().size() == 2; }));
  EXPECT_THAT(server.mails()[0], HasSubstr("FIRING"));
  EXPECT_THAT(server.mails()[0], HasSubstr("www.example.org"));
  EXPECT_THAT(server.mails()[0], HasSubstr("http://weir.example.org/"));
  EXPECT_THAT(server.mails()[1], HasSubstr("CLEARED"));
  ASSERT_TRUE(eventually([&] { return delivered(one) + delivered(two) == 2; }));
  ASSERT_TRUE(eventually([&] { return one.status().firing == 0 && two.status().firing == 0; }));
  EXPECT_EQ(server.mails().size(), 2U);
}

TEST(Warner, AStoreThatIsAwayIsAProblemUntilItIsBack) {
  test::TestStore tables;
  tables.down = true;
  WarnerConfig config;
  config.interval = 10ms;
  std::mutex mutex;
  std::string said;
  config.say = [&](LogLevel, std::string_view sentence) {
    const std::lock_guard lock(mutex);
    said += sentence;
  };
  {
    const Warner warner(config, tables.opener());
    ASSERT_TRUE(eventually([&] { return !warner.status().problem.empty(); }));
    EXPECT_THAT(warner.status().problem, HasSubstr("test store: it is away"));
    tables.down = false;
    ASSERT_TRUE(eventually([&] { return warner.status().problem.empty(); }));
  }
  EXPECT_THAT(said, ::testing::StartsWith("warnings: ")) << "the journal has it too";
}

TEST(Warner, AReloadChangesRulesAndChannelsAndKeepsAlerts) {
  SmtpServer old_server, new_server;
  test::TestStore tables;
  for (std::int64_t t = now_s() - 10; t < now_s() + 600; ++t)
    tables.add(t, "www.example.org", "h", 200, 1000, 1);
  WarnerConfig config;
  config.window = 1s;
  config.interval = 20ms;
  config.channels.mail = mail_config(old_server.url());
  RuleConfig flood;
  flood.name = "flood";
  flood.above = 100;
  flood.range = 2s;
  config.rules = {flood};
  Warner warner(config, tables.opener());
  ASSERT_TRUE(eventually([&] { return old_server.mails().size() == 1; }));
  const auto since = [&] { return tables.sql("SELECT since_s FROM alert WHERE rule_name = 'flood'"); };
  const auto fired_at = since();

  RuleConfig busy = flood;
  busy.name = "busy";
  config.rules = {flood, busy};
  config.channels.mail = mail_config(new_server.url());
  warner.reload(config);
  ASSERT_TRUE(eventually([&] { return new_server.mails().size() == 1; }));
  EXPECT_THAT(new_server.mails()[0], HasSubstr("busy"));
  EXPECT_EQ(old_server.mails().size(), 1U) << "what fires is not told again";
  EXPECT_EQ(since(), fired_at) << "it fires since the same time";
  ASSERT_TRUE(eventually([&] { return warner.status().firing == 2; }));

  config.rules = {busy};
  warner.reload(config);
  ASSERT_TRUE(eventually([&] { return warner.status().firing == 1; }));
  const auto history = tables.store().history(0, now_s() + 600, 10);
  ASSERT_TRUE(history.has_value());
  ASSERT_EQ(history->size(), 3U) << "each fired, one was taken out";
  EXPECT_EQ((*history)[0].rule, "flood");
  EXPECT_EQ((*history)[0].phase, AlertPhase::kOk);
  EXPECT_THAT((*history)[0].text, HasSubstr("does not watch all sites"));
  EXPECT_THAT((*history)[2].text, HasSubstr("request rate of all sites is 1000 requests/s, above 100"));
}

TEST(Warner, LettersOfAChannelThatIsNotConfiguredAreAProblem) {
  test::TestStore tables;
  ASSERT_TRUE(tables.store().save_alerts({.letters = {due("webhook", "pager", "{}")}}));
  WarnerConfig config;
  config.interval = 10ms;
  const Warner warner(config, tables.opener());
  ASSERT_TRUE(eventually([&] { return !warner.status().problem.empty(); }));
  EXPECT_THAT(
      warner.status().problem,
      HasSubstr(
          "1 alerts wait in the outbox for the channel webhook, which is not configured; add [[webhook]]"));
  EXPECT_EQ(warner.status().waiting.at("webhook"), 1U);
}

}  // namespace
}  // namespace weir
