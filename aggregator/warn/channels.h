// The table of channels, and what all of them share: destinations, and letters for notices. A channel
// is one row of channels(), its own file and its member of ChannelsConfig.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/warn/mail_channel.h"
#include "aggregator/warn/warn_config.h"
#include "aggregator/warn/webhook_channel.h"

namespace weir {

struct ChannelsConfig {
  std::optional<MailConfig> mail;
  std::vector<WebhookConfig> webhooks;
};

struct ChannelRow {
  std::string_view name;      // in `notify`, and the outbox's column `channel`
  std::string_view add_hint;  // what to write when it is not configured: "add [mail]"
  void (*read)(ConfigTable& root, ChannelsConfig& config);
  // Where a rule without `notify` sends. Empty: the channel is not configured.
  std::vector<std::string> (*addresses)(const ChannelsConfig& config);
  // Whether an address that is not among them may be named in `notify`.
  bool (*takes)(std::string_view address);
  // The payload of a letter for these notices.
  std::string (*compose)(const NoticeGroup& group, std::string_view page_url);
  // Null when the channel is not configured.
  std::unique_ptr<Deliverer> (*open)(const ChannelsConfig& config, const std::atomic<bool>& stop);
};

[[nodiscard]] std::span<const ChannelRow> channels();
[[nodiscard]] const ChannelRow* channel_named(std::string_view name);

// Every destination of the configuration.
[[nodiscard]] std::vector<Destination> all_destinations(const ChannelsConfig& config);
// What `notify` names: "mail", "mail:ops@example.org", "webhook:pager". A channel without an address
// means all of its addresses. kInvalid: what is wrong, and what it may be.
[[nodiscard]] Result<std::vector<Destination>> read_destinations(const std::vector<std::string>& names,
                                                                 const ChannelsConfig& config);

// The letters for the notices of one evaluation, each composed by its channel.
[[nodiscard]] std::vector<Letter> write_letters(const std::vector<Notice>& notices,
                                                const ChannelsConfig& config, std::string_view page_url,
                                                std::int64_t now_ms);

}  // namespace weir
