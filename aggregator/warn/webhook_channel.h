// The channel "webhook": POSTs an alert as JSON. A letter's address is the name of a [[webhook]]; its payload
// is the body. Keys and members: docs/reference/rules.md.
//
// The URL and the headers are secrets. They are in the configuration only, never in the store, the journal,
// /health or the API. So no error may repeat what curl or the server says.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/warn/channel.h"
#include "common/config_table.h"

namespace weir {

struct WebhookConfig {
  std::string name;
  std::string url;
  std::map<std::string, std::string> headers;
  std::chrono::milliseconds timeout{10000};  // for the whole request
  std::string tls_ca;                        // "": the system's certificate authorities
};

[[nodiscard]] std::vector<WebhookConfig> read_webhooks(ConfigTable& root);
[[nodiscard]] std::string compose_webhook(const NoticeGroup& group, std::string_view page_url);
// `stop` aborts a request as long as no byte of its body was sent.
[[nodiscard]] std::unique_ptr<Deliverer> open_webhooks(std::vector<WebhookConfig> webhooks,
                                                       const std::atomic<bool>& stop);

}  // namespace weir
