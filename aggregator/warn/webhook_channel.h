// The channel "webhook": POSTs a JSON of the alert. The address of a letter is the name of a
// [[webhook]]; its payload is the body. Keys and members: docs/reference/rules.md.
//
// The URL and the headers are secrets: they stand in the configuration only, never in the store, the
// journal, /health or the API. So no error repeats what curl or the server says.
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
  std::chrono::milliseconds timeout{10000};  // of the whole request
  std::string tls_ca;                        // "": the system's authorities
};

[[nodiscard]] std::vector<WebhookConfig> read_webhooks(ConfigTable& root);
[[nodiscard]] std::string compose_webhook(const NoticeGroup& group, std::string_view page_url);
// `stop` ends a request of whose body no byte was sent yet.
[[nodiscard]] std::unique_ptr<Deliverer> open_webhooks(std::vector<WebhookConfig> webhooks,
                                                       const std::atomic<bool>& stop);

}  // namespace weir
