#include "aggregator/warn/webhook_channel.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

namespace weir {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

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

struct Request {
  std::string target;   // "/hook?key=1"
  std::string headers;  // "Host: 127.0.0.1:1234\r\n..."
  std::string body;
};
using Handler = std::function<std::string(const Request&)>;  // returns the complete answer

std::string answer(int status, std::string_view more = "\r\n") {
  return "HTTP/1.1 " + std::to_string(status) + " x\r\nConnection: close\r\n" + std::string(more);
}

// Speaks as much HTTP as one POST needs, and keeps what it received.
class Receiver {
 public:
  explicit Receiver(Handler handler) : handler_(std::move(handler)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (int client = 0; (client = accept(listener_, nullptr, nullptr)) >= 0; close(client)) serve(client);
    });
  }
  ~Receiver() {
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  [[nodiscard]] std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  std::vector<Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve(int client) {
    std::string input;
    Request request;
    const std::string length = "\r\nContent-Length: ";
    for (;;) {
      char buffer[4096];
      const ssize_t n = recv(client, buffer, sizeof(buffer), 0);
      if (n <= 0) return;
      input.append(buffer, static_cast<std::size_t>(n));
      const auto end = input.find("\r\n\r\n");
      if (!input.starts_with("POST ") || end == std::string::npos) {
        if (input.size() > 5 && !input.starts_with("POST ")) return;  // TLS
        continue;
      }
      const auto at = input.find(length);
      if (at == std::string::npos || input.size() < end + 4 + std::stoul(input.substr(at + length.size())))
        continue;
      request.target = input.substr(5, input.find(' ', 5) - 5);
      request.headers = input.substr(0, end + 2);
      request.body = input.substr(end + 4);
      break;
    }
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    const std::string text = handler_(request);
    for (std::size_t sent = 0; sent < text.size();) {
      const ssize_t n = send(client, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
    }
  }

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  std::vector<Request> requests_;
  std::thread thread_;
};

Letter letter(std::string payload) {
  return Letter{
      .id = 7, .channel = "webhook", .address = "pager", .payload = std::move(payload), .created_ms = 5};
}

Result<void> post(WebhookConfig webhook, const std::string& payload = "{}") {
  const std::atomic<bool> stop{false};
  webhook.name = "pager";
  return open_webhooks({std::move(webhook)}, stop)->deliver(letter(payload));
}

TEST(Webhook, PostsThePayloadWithItsHeaders) {
  Receiver receiver([](const Request&) { return answer(204); });
  WebhookConfig webhook;
  webhook.url = receiver.url("/hook?key=1");
  webhook.headers = {{"Authorization", "Bearer secret"}};
  const auto sent = post(webhook, R"({"rule":"flood"})");
  ASSERT_TRUE(sent.has_value()) << sent.error().what;
  ASSERT_EQ(receiver.requests().size(), 1U);
  const auto request = receiver.requests()[0];
  EXPECT_EQ(request.target, "/hook?key=1");
  EXPECT_EQ(request.body, R"({"rule":"flood"})");
  EXPECT_THAT(request.headers, HasSubstr("\r\nAuthorization: Bearer secret\r\n"));
  EXPECT_THAT(request.headers, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(request.headers, HasSubstr("\r\nWeir-Delivery: 5.7\r\n"));
}

TEST(Webhook, OnlyA2xxIsADelivery) {
  for (const int status : {300, 302, 308, 400, 404, 429, 500, 503}) {
    Receiver receiver([&](const Request&) { return answer(status, "Location: /elsewhere\r\n\r\n"); });
    WebhookConfig webhook;
    webhook.url = receiver.url("/hook");
    const auto sent = post(webhook);
    ASSERT_FALSE(sent.has_value()) << status;
    EXPECT_EQ(sent.error().code, Code::kUnavailable);
    EXPECT_THAT(sent.error().what, HasSubstr("webhook pager: it answered " + std::to_string(status)));
    EXPECT_EQ(receiver.requests().size(), 1U) << "redirects are not followed";
  }
}

TEST(Webhook, NoErrorRepeatsASecret) {
  // Some servers repeat the path, including the token, in their answer.
  Receiver receiver([](const Request& request) {
    return answer(404, "\r\nCannot POST " + request.target + request.headers);
  });
  WebhookConfig webhook;
  webhook.headers = {{"Authorization", "Bearer tok3n"}};
  for (const std::string& url :
       {receiver.url("/services/s3cret"), std::string("http://s3cret.invalid/s3cret"),
        std::string("http://u:s3cret@127.0.0.1:1/"), std::string("https://s3cret:bad/")}) {
    webhook.url = url;
    const auto sent = post(webhook);
    ASSERT_FALSE(sent.has_value());
    EXPECT_THAT(sent.error().sentence(), Not(HasSubstr("s3cret")));
    EXPECT_THAT(sent.error().sentence(), Not(HasSubstr("tok3n")));
    EXPECT_THAT(sent.error().sentence(), HasSubstr("webhook pager"));
  }
}

TEST(Webhook, ALongAnswerIsCutOff) {
  Receiver receiver([](const Request&) { return answer(200, "\r\n" + std::string(1 << 20, 'x')); });
  WebhookConfig webhook;
  webhook.url = receiver.url("/");
  webhook.timeout = 30s;
  EXPECT_TRUE(post(webhook).has_value()) << "its status was 200";
}

TEST(Webhook, AServerThatDoesNotAnswerIsNotWaitedFor) {
  std::atomic<bool> done = false;
  Receiver receiver([&](const Request&) {
    while (!done) std::this_thread::sleep_for(1ms);
    return answer(200);
  });
  WebhookConfig webhook;
  webhook.url = receiver.url("/");
  webhook.timeout = 100ms;
  const auto sent = post(webhook);
  done = true;
  ASSERT_FALSE(sent.has_value());
  EXPECT_THAT(sent.error().what, HasSubstr("Timeout was reached"));
}

TEST(Webhook, AnHttpsUrlIsNeverAskedInTheClear) {
  Receiver receiver([](const Request&) { return answer(200); });
  WebhookConfig webhook;
  webhook.url = receiver.url("/").replace(0, 4, "https");
  EXPECT_FALSE(post(webhook).has_value());
  EXPECT_THAT(receiver.requests(), IsEmpty());
}

TEST(Webhook, ALetterToAWebhookThatWasRemovedWaits) {
  const std::atomic<bool> stop{false};
  WebhookConfig other;
  other.name = "other";
  other.url = "http://127.0.0.1:1/";
  const auto sent = open_webhooks({other}, stop)->deliver(letter("{}"));
  ASSERT_FALSE(sent.has_value());
  EXPECT_THAT(sent.error().what, HasSubstr("webhook pager: it is not in the configuration"));
}

TEST(Webhook, ThePayloadSaysWhatHasHappened) {
  const Notice one = notice("www.example.org");
  const json payload = json::parse(compose_webhook({&one}, "https://weir.example.org/"));
  EXPECT_EQ(payload, json::parse(R"({
    "version": 1, "rule": "flood", "severity": "critical", "phase": "firing",
    "text": "request rate of site www.example.org is 12.5 requests/s, above 10 requests/s",
    "subject": "www.example.org", "metric": "requests_per_second", "status_class": null,
    "value": 12.5, "unit": "requests/s", "direction": "above", "threshold": 10.0, "clear": 8.0,
    "requests": 750, "window_start": "2025-11-23T12:05:00Z", "window_end": "2025-11-23T12:06:00Z",
    "since": "2025-11-23T12:06:00Z",
    "link": "https://weir.example.org/?from=2025-11-23T11:06:00Z&to=2025-11-23T12:06:00Z&site=www.example.org"
  })"));
}

TEST(Webhook, ManyAtOnceAreOnePayload) {
  std::vector<Notice> notices;
  for (int i = 0; i < 1000; ++i) notices.push_back(notice("site" + std::to_string(i)));
  NoticeGroup group;
  for (const Notice& one : notices) group.push_back(&one);
  const json payload = json::parse(compose_webhook(group, ""));
  EXPECT_EQ(payload["count"], 1000);
  EXPECT_EQ(payload["subject"], nullptr);
  EXPECT_EQ(payload["subjects"].size(), kMaxListed);
  EXPECT_EQ(payload["subjects"][3]["subject"], "site3");
  EXPECT_EQ(payload["text"], "1000 sites are above 10 requests/s");
  EXPECT_EQ(payload["link"], "");
}

TEST(Webhook, WhatStrangersWroteIsCleaned) {
  const Notice one = notice("a\x1b[31m\xe2\x80\xae\xff");
  const std::string payload = compose_webhook({&one}, "");
  EXPECT_EQ(json::parse(payload)["subject"], "a?[31m??");
}

std::vector<ConfigMistake> mistakes_of(std::string_view text) {
  ConfigFile file = ConfigFile::from_text(text, "a.toml");
  (void)read_webhooks(file.root());
  return file.finish();
}

TEST(Webhook, ItsKeysAreRead) {
  ConfigFile file = ConfigFile::from_text(R"([[webhook]]
name = "pager"
url = "https://example.org/x"
headers = { Authorization = "Bearer x" }
timeout = "3s"
tls_ca = "/ca.pem"
[[webhook]]
name = "chat"
url = "http://[::1]:8080/"
)",
                                          "a.toml");
  const auto webhooks = read_webhooks(file.root());
  EXPECT_THAT(file.finish(), IsEmpty());
  ASSERT_EQ(webhooks.size(), 2U);
  EXPECT_EQ(webhooks[0].url, "https://example.org/x");
  EXPECT_EQ(webhooks[0].headers.at("Authorization"), "Bearer x");
  EXPECT_EQ(webhooks[0].timeout, 3s);
  EXPECT_EQ(webhooks[0].tls_ca, "/ca.pem");
}

TEST(Webhook, MistakesAreSaidWithoutTheSecrets) {
  const struct {
    const char* text;
    const char* wanted;
  } kCases[] = {
      {"name = \"a\"", "webhook.url: is required"},
      {"url = \"https://s3cret/\"", "webhook.name"},
      {"name = \"a:b\"\nurl = \"https://s3cret/\"", "webhook.name: must be"},
      {"name = \"a\"\nurl = \"s3cret\"", "webhook.url: is not a valid URL"},
      {"name = \"a\"\nurl = \"ftp://s3cret/\"", "webhook.url: is not a valid URL"},
      {"name = \"a\"\nurl = \"https:///s3cret\"", "webhook.url: is not a valid URL"},
      {"name = \"a\"\nurl = \"https://h:99999/s3cret\"", "webhook.url: is not a valid URL"},
      {"name = \"a\"\nurl = \"https://h/s3cret x\"", "webhook.url: is not a valid URL"},
      {"name = \"a\"\nurl = \"https://h/\"\nheaders = { \"a b\" = \"s3cret\" }",
       "is not the name of a header"},
      {"name = \"a\"\nurl = \"https://h/\"\nheaders = { a = \"s3cret\\r\\nb: c\" }", "control characters"},
      {"name = \"a\"\nurl = \"https://h/\"\nheaders = { Content-Length = \"s3cret\" }", "is set by weir"},
      {"name = \"a\"\nurl = \"https://h/\"\ntimeout = \"2m\"", "webhook.timeout"},
      {"name = \"a\"\nurl = \"https://h/\"\n[[webhook]]\nname = \"a\"\nurl = \"https://h/\"",
       "is the name of another webhook"},
  };
  for (const auto& c : kCases) {
    std::string said;
    for (const auto& mistake : mistakes_of(std::string("[[webhook]]\n") + c.text + "\n"))
      said += mistake.text() + "\n";
    EXPECT_THAT(said, HasSubstr(c.wanted)) << c.text;
    EXPECT_THAT(said, Not(HasSubstr("s3cret"))) << c.text;
  }
}

}  // namespace
}  // namespace weir
