#include "aggregator/warn/channels.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "common/text.h"
#include "proto/must.h"

namespace weir {
namespace {

void read_mail_table(ConfigTable& root, ChannelsConfig& config) { config.mail = read_mail(root); }
std::vector<std::string> mail_addresses(const ChannelsConfig& config) {
  return config.mail ? config.mail->to : std::vector<std::string>{};
}
std::unique_ptr<Deliverer> open_mail_channel(const ChannelsConfig& config, const std::atomic<bool>& stop) {
  return config.mail ? open_mail(*config.mail, stop) : nullptr;
}

void read_webhook_tables(ConfigTable& root, ChannelsConfig& config) { config.webhooks = read_webhooks(root); }
std::vector<std::string> webhook_addresses(const ChannelsConfig& config) {
  std::vector<std::string> names;
  for (const WebhookConfig& webhook : config.webhooks) names.push_back(webhook.name);
  return names;
}
bool no_other(std::string_view) { return false; }
std::unique_ptr<Deliverer> open_webhook_channel(const ChannelsConfig& config, const std::atomic<bool>& stop) {
  return config.webhooks.empty() ? nullptr : open_webhooks(config.webhooks, stop);
}

constexpr std::array kChannels = {
    ChannelRow{"mail", "add [mail]", read_mail_table, mail_addresses, is_mail_address, compose_mail,
               open_mail_channel},
    ChannelRow{"webhook", "add [[webhook]]", read_webhook_tables, webhook_addresses, no_other,
               compose_webhook, open_webhook_channel},
};

Result<std::vector<Destination>> destinations_of(std::string_view name, const ChannelsConfig& config) {
  const std::size_t colon = std::min(name.find(':'), name.size());
  const ChannelRow* row = channel_named(name.substr(0, colon));
  if (row == nullptr) {
    std::vector<std::string_view> known;
    for (const ChannelRow& channel : kChannels) known.push_back(channel.name);
    return fail(Code::kInvalid, fmt::format("\"{}\" does not begin with a channel: {}", visible(name),
                                            fmt::join(known, ", ")));
  }
  const std::vector<std::string> addresses = row->addresses(config);
  if (addresses.empty()) {
    return fail(Code::kInvalid,
                fmt::format("\"{}\": the channel is not configured; {}", visible(name), row->add_hint));
  }
  std::vector<Destination> out;
  if (colon == name.size()) {
    for (const std::string& address : addresses) out.push_back({std::string(row->name), address});
    return out;
  }
  const std::string address(name.substr(colon + 1));
  if (std::find(addresses.begin(), addresses.end(), address) == addresses.end() && !row->takes(address)) {
    return fail(Code::kInvalid, fmt::format("\"{}\": {} has no such address; it has {}", visible(name),
                                            row->name, fmt::join(addresses, ", ")));
  }
  return std::vector{Destination{std::string(row->name), address}};
}

// More than kGroupAbove notices of one rule and phase form one group; otherwise each notice is its own group.
std::vector<NoticeGroup> group_notices(const std::vector<Notice>& notices) {
  std::map<std::pair<std::string_view, bool>, NoticeGroup> by_rule;
  for (const Notice& notice : notices) by_rule[{notice.rule.name, notice.firing}].push_back(&notice);
  std::vector<NoticeGroup> out;
  for (auto& [key, group] : by_rule) {
    if (group.size() > kGroupAbove) {
      out.push_back(std::move(group));
    } else {
      for (const Notice* notice : group) out.push_back({notice});
    }
  }
  return out;
}

}  // namespace

std::span<const ChannelRow> channels() { return kChannels; }

const ChannelRow* channel_named(std::string_view name) {
  for (const ChannelRow& row : kChannels) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::vector<Destination> all_destinations(const ChannelsConfig& config) {
  std::vector<Destination> out;
  for (const ChannelRow& row : kChannels) {
    for (std::string& address : row.addresses(config))
      out.push_back({std::string(row.name), std::move(address)});
  }
  return out;
}

Result<std::vector<Destination>> read_destinations(const std::vector<std::string>& names,
                                                   const ChannelsConfig& config) {
  std::vector<Destination> out;
  for (const std::string& name : names) {
    auto destinations = destinations_of(name, config);
    if (!destinations) return std::unexpected(destinations.error());
    for (Destination& destination : *destinations) {
      if (std::find(out.begin(), out.end(), destination) == out.end()) out.push_back(std::move(destination));
    }
  }
  return out;
}

std::vector<Letter> write_letters(const std::vector<Notice>& notices, const ChannelsConfig& config,
                                  std::string_view page_url, std::int64_t now_ms) {
  const std::vector<Destination> everywhere = all_destinations(config);
  std::vector<Letter> out;
  for (const NoticeGroup& group : group_notices(notices)) {
    std::map<std::string_view, std::string> payloads;  // by channel
    const auto& notify = group.front()->rule.notify;
    for (const Destination& destination : notify ? *notify : everywhere) {
      const ChannelRow* row = channel_named(destination.channel);
      MUST(row != nullptr, "a destination names a channel of the table");
      auto [payload, is_new] = payloads.try_emplace(row->name);
      if (is_new) payload->second = row->compose(group, page_url);
      Letter letter;
      letter.channel = destination.channel;
      letter.address = destination.address;
      letter.payload = payload->second;
      letter.created_ms = now_ms;
      letter.next_try_ms = now_ms;
      MUST(!letter.address.empty() && !letter.payload.empty(), "a letter has an address and a payload");
      out.push_back(std::move(letter));
    }
  }
  return out;
}

}  // namespace weir
