// The table of channels, and what they share: destinations, and letters for notices. A channel consists of
// one row of channels(), its own file and its member of ChannelsConfig.
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
  std::string_view name;      // as used in `notify` and in the outbox's column `channel`
  std::string_view add_hint;  // how to configure it, for errors: "add [mail]"
  void (*read)(ConfigTable& root, ChannelsConfig& config);
  // Where a rule without `notify` sends its alerts. Empty: the channel is not configured.
  std::vector<std::string> (*addresses)(const ChannelsConfig& config);
  // Whether `notify` may also name this address, which is not among them.
  bool (*takes)(std::string_view address);
  // Composes the payload of a letter for these notices.
  std::string (*compose)(const NoticeGroup& group, std::string_view page_url);
  // Null when the channel is not configured.
  std::unique_ptr<Deliverer> (*open)(const ChannelsConfig& config, const std::atomic<bool>& stop);
};

[[nodiscard]] std::span<const ChannelRow> channels();
[[nodiscard]] const ChannelRow* channel_named(std::string_view name);

// All destinations of the configuration.
[[nodiscard]] std::vector<Destination> all_destinations(const ChannelsConfig& config);
// Reads `notify`: "mail", "mail:ops@example.org", "webhook:pager". A channel without an address means all of
// its addresses. kInvalid says what is wrong and what is allowed.
[[nodiscard]] Result<std::vector<Destination>> read_destinations(const std::vector<std::string>& names,
                                                                 const ChannelsConfig& config);

// Writes the letters for the notices of one evaluation. Each channel composes its own.
[[nodiscard]] std::vector<Letter> write_letters(const std::vector<Notice>& notices,
                                                const ChannelsConfig& config, std::string_view page_url,
                                                std::int64_t now_ms);

}  // namespace weir
