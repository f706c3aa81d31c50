#include "aggregator/warn/webhook_channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "aggregator/warn/alert_text.h"
#include "aggregator/warn/curl_handles.h"
#include "aggregator/warn/mime.h"
#include "common/config_values.h"
#include "common/moment.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using nlohmann::ordered_json;

constexpr int kPayloadVersion = 1;
constexpr auto kMaxTimeout = 30s;
static_assert(kMaxTimeout < kDeliveryTimeout);
constexpr std::size_t kMaxNameBytes = 100;
// The body of the answer is not used. A server that sends more than this is cut off.
constexpr std::size_t kMaxAnswerBytes = 64 << 10;

// http or https with a host. Curl decides which host the URL names, because curl connects later.
bool is_http_url(const std::string& text) {
  init_curl();
  if (text.find(":///") != std::string::npos) return false;  // curl would take the path for the host
  const CurlUrl url(curl_url());
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return false;
  char* scheme = nullptr;
  if (curl_url_get(url.get(), CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) return false;
  const std::string_view name = scheme;
  const bool good = name == "http" || name == "https";
  curl_free(scheme);
  return good;
}

bool is_token(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

// Headers that describe the request's body or its connection are set by us.
bool is_own_header(std::string name) {
  constexpr std::array<std::string_view, 5> kOwn = {"content-type", "content-length", "transfer-encoding",
                                                    "connection", "expect"};
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::find(kOwn.begin(), kOwn.end(), name) != kOwn.end();
}

// The mistakes name headers, never their values.
void check_headers(ConfigTable& table, const std::map<std::string, std::string>& headers) {
  for (const auto& [name, value] : headers) {
    const bool clean = std::none_of(value.begin(), value.end(), [](char c) {
      const auto byte = static_cast<unsigned char>(c);
      return byte < 0x20 || byte == 0x7f;
    });
    if (!is_token(name)) table.mistake("headers", fmt::format("\"{}\" is not the name of a header", name));
    if (!clean) table.mistake("headers", fmt::format("the value of {} has control characters", name));
    if (is_own_header(name)) table.mistake("headers", fmt::format("{} is set by weir; remove it", name));
  }
}

WebhookConfig read_webhook(ConfigTable& table) {
  WebhookConfig webhook;
  table.require("name");
  webhook.name = table.string("name");
  if (table.has("name") &&
      (!is_plain_text(webhook.name, kMaxNameBytes) || webhook.name.find(':') != std::string::npos)) {
    table.mistake("name", fmt::format("must be 1 to {} bytes of text without \":\"", kMaxNameBytes));
  }
  if (!table.has("url") && !table.has("url_file")) table.mistake("url", "is required; or set url_file");
  webhook.url = table.secret("url");
  // The error does not repeat the URL: services put their secret into it.
  if (!webhook.url.empty() && !is_http_url(webhook.url))
    table.mistake("url", "is not a valid URL; write \"https://HOST/PATH\"");
  webhook.headers = table.string_map("headers");
  check_headers(table, webhook.headers);
  webhook.timeout = read_duration(table, "timeout", webhook.timeout, 100ms, kMaxTimeout);
  webhook.tls_ca = table.string("tls_ca");
  return webhook;
}

std::size_t drop_answer(char*, std::size_t size, std::size_t count, void* user) {
  std::size_t& received = *static_cast<std::size_t*>(user);
  received += size * count;
  return received > kMaxAnswerBytes ? 0 : size * count;  // 0 aborts the transfer
}

int stop_before_body(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t sent_bytes) {
  // Once sending the body has begun, the server may act on it: wait for its answer.
  return static_cast<const std::atomic<bool>*>(user)->load() && sent_bytes == 0 ? 1 : 0;
}

const char* hint_for(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
      return "check its url, and that this host may connect to it; the alert waits in the outbox";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR:
      return "check the server's certificate, or name its authority in tls_ca of the [[webhook]]";
    default:
      return "the alert waits in the outbox and is tried again";
  }
}

const char* hint_for_status(long status) {
  if (status >= 300 && status < 400) return "redirects are not followed: set url to the final address";
  if (status == 401 || status == 403 || status == 404 || status == 410)
    return "check url and headers of the [[webhook]]; the alert waits in the outbox";
  return "the alert waits in the outbox and is tried again";
}

class WebhookDeliverer : public Deliverer {
 public:
  WebhookDeliverer(std::vector<WebhookConfig> webhooks, const std::atomic<bool>& stop)
      : webhooks_(std::move(webhooks)), stop_(stop) {
    init_curl();
  }

  bool has_one_server() const override { return false; }

  Result<void> deliver(const Letter& letter) override {
    const auto webhook = std::find_if(webhooks_.begin(), webhooks_.end(),
                                      [&](const WebhookConfig& w) { return w.name == letter.address; });
    if (webhook == webhooks_.end()) {
      return fail(
          Code::kNotFound,
          fmt::format("webhook {}: it is not in the configuration any more", mail_line(letter.address)),
          "add a [[webhook]] of that name, or delete its rows in the table outbox");
    }
    return post(*webhook, letter);
  }

 private:
  [[nodiscard]] Result<void> post(const WebhookConfig& webhook, const Letter& letter) const {
    const CurlEasy easy(curl_easy_init());
    const CurlList headers = headers_of(webhook, letter);
    if (!easy || !headers) {
      return fail(Code::kUnavailable, fmt::format("webhook {}: no memory for a connection", webhook.name),
                  "the alert is tried again");
    }
    std::size_t received_bytes = 0;
    CURL* handle = easy.get();
    set_request(handle, webhook, letter);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &received_bytes);
    const CURLcode code = curl_easy_perform(handle);
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    // The status decides, even if the rest of the answer was missing or cut off.
    if (status >= 200 && status < 300) return {};
    if (status == 0) {
      return fail(Code::kUnavailable, fmt::format("webhook {}: {}", webhook.name, curl_easy_strerror(code)),
                  hint_for(code));
    }
    return fail(Code::kUnavailable, fmt::format("webhook {}: it answered {}", webhook.name, status),
                hint_for_status(status));
  }

  [[nodiscard]] static CurlList headers_of(const WebhookConfig& webhook, const Letter& letter) {
    CurlList list;
    const auto add = [&](const std::string& header) {
      if (curl_slist* longer = curl_slist_append(list.get(), header.c_str()); longer != nullptr) {
        (void)list.release();
        list.reset(longer);
      }
    };
    add("Content-Type: application/json");
    add("Expect:");
    // The same at each attempt, so that a receiver can recognise a repeated alert.
    add(fmt::format("Weir-Delivery: {}.{}", letter.created_ms, letter.id));
    for (const auto& [name, value] : webhook.headers) {
      // In curl's notation, "Name;" is a header without a value.
      add(value.empty() ? name + ";" : fmt::format("{}: {}", name, value));
    }
    return list;
  }

  void set_request(CURL* handle, const WebhookConfig& webhook, const Letter& letter) const {
    curl_easy_setopt(handle, CURLOPT_URL, webhook.url.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, static_cast<long>(webhook.timeout.count()));
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!webhook.tls_ca.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, webhook.tls_ca.c_str());
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "weir-aggregator/" WEIR_VERSION);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(letter.payload.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, letter.payload.c_str());
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, drop_answer);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, stop_before_body);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &stop_);
  }

  std::vector<WebhookConfig> webhooks_;
  const std::atomic<bool>& stop_;
};

ordered_json subjects_of(const NoticeGroup& group) {
  ordered_json subjects = ordered_json::array();
  for (std::size_t i = 0; i < group.size() && i < kMaxListed; ++i) {
    subjects.push_back({{"subject", mail_line(group[i]->subject)},
                        {"value", group[i]->value},
                        {"requests", group[i]->requests}});
  }
  return subjects;
}

}  // namespace

std::vector<WebhookConfig> read_webhooks(ConfigTable& root) {
  std::vector<WebhookConfig> out;
  std::set<std::string> names;
  for (auto& table : root.tables("webhook")) {
    out.push_back(read_webhook(table));
    if (const auto& name = out.back().name; !name.empty() && !names.insert(name).second)
      table.mistake("name", fmt::format("\"{}\" is the name of another webhook, too", name));
  }
  return out;
}

std::string compose_webhook(const NoticeGroup& group, std::string_view page_url) {
  const Notice& first = *group.front();
  const RuleConfig& rule = first.rule;
  const bool single = group.size() == 1;
  ordered_json out;
  out["version"] = kPayloadVersion;
  out["rule"] = mail_line(rule.name);
  out["severity"] = mail_line(rule.severity);
  out["phase"] = to_string(first.firing ? AlertPhase::kFiring : AlertPhase::kOk);
  out["text"] = group_text(group);
  out["subject"] = single ? ordered_json(mail_line(first.subject)) : ordered_json(nullptr);
  out["metric"] = row_of(rule.metric).name;
  out["status_class"] =
      rule.status_class > 0 ? ordered_json(fmt::format("{}xx", rule.status_class)) : ordered_json(nullptr);
  out["value"] = single ? ordered_json(first.value) : ordered_json(nullptr);
  out["unit"] = row_of(rule.metric).unit;
  out["direction"] = rule.above ? "above" : "below";
  out["threshold"] = firing_level(rule);
  out["clear"] = clearing_level(rule);
  out["requests"] = single ? ordered_json(first.requests) : ordered_json(nullptr);
  out["window_start"] = iso_text_s(first.range.begin_s);
  out["window_end"] = iso_text_s(first.range.end_s);
  out["since"] = single ? ordered_json(iso_text_s(first.since_s)) : ordered_json(nullptr);
  out["link"] = group_link(page_url, group);
  if (!single) {
    out["count"] = group.size();
    out["subjects"] = subjects_of(group);
  }
  return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::unique_ptr<Deliverer> open_webhooks(std::vector<WebhookConfig> webhooks, const std::atomic<bool>& stop) {
  return std::make_unique<WebhookDeliverer>(std::move(webhooks), stop);
}

}  // namespace weir
