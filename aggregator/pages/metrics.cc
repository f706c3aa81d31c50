#include "aggregator/pages/metrics.h"

#include <array>
#include <string_view>

#include "common/exposition.h"

namespace weir {
namespace {

constexpr std::array kCauses = {LossCause::kNotReceived,     LossCause::kReleased,
                                LossCause::kTruncatedUnread, LossCause::kDeletedUnread,
                                LossCause::kUnreadable,      LossCause::kSkippedByOperator,
                                LossCause::kRetention,       LossCause::kWindowsRefused};

std::uint64_t count_of(const std::map<std::string, std::uint64_t>& by_channel, std::string_view channel) {
  const auto found = by_channel.find(std::string(channel));
  return found == by_channel.end() ? 0 : found->second;
}

void add_channels(Exposition& text, const WarnerStatus& warner) {
  text.gauge("mails_waiting", "Mails in the outbox.", count_of(warner.waiting, "mail"));
  text.counter("mails_delivered_total", "Mails that a server took from this process.",
               count_of(warner.delivered, "mail"));
  text.family("outbox_letters", "gauge", "Alerts that wait in the outbox, by channel.");
  for (const ChannelRow& channel : channels())
    text.sample("outbox_letters", {{"channel", channel.name}}, count_of(warner.waiting, channel.name));
  text.family("letters_delivered_total", "counter", "Alerts that this process delivered, by channel.");
  for (const ChannelRow& channel : channels())
    text.sample("letters_delivered_total", {{"channel", channel.name}},
                count_of(warner.delivered, channel.name));
}

}  // namespace

std::string render_metrics(const AggregatorFacts& facts) {
  const EngineStatus& engine = facts.engine;
  const WarnerStatus& warner = facts.warner;
  const std::optional<GapBytes>& gap_bytes = facts.gap_bytes;
  const bool refused = facts.reload && facts.reload->refused();
  Exposition text("weir_aggregator_");
  text.counter("messages_total", "Messages read from the source.", engine.messages);
  text.counter("message_bytes_total", "Bytes of the messages read.", engine.message_bytes);
  text.counter("records_total", "Requests settled.", engine.records);
  text.counter("dead_letters_total", "Lines and messages that could not be read.", engine.dead_letters);
  text.counter("commits_total", "Transactions committed to the store.", engine.commits);
  text.counter("fenced_total", "Commits refused because another aggregator took the partition.",
               engine.fenced);
  text.counter("duplicate_bytes_total", "Bytes of logs that came again and were not counted again.",
               engine.duplicates_dropped_bytes);
  text.gauge("pending_bytes", "Bytes settled and not yet committed.", engine.pending_bytes);
  text.gauge("partitions", "Partitions that this aggregator owns.", engine.partitions);
  if (engine.last_commit_ms > 0) {
    text.gauge("last_commit_age_seconds", "Time since the last commit.",
               static_cast<double>(facts.now_ms - engine.last_commit_ms) / 1000.0);
  }
  text.gauge("healthy", "1: nothing is wrong; /health says what is.",
             engine.problem.empty() && warner.problem.empty() && !refused ? 1 : 0);
  if (facts.reload) add_reload_state(text, *facts.reload);
  text.gauge("alerts_firing", "Alerts that fire.", warner.firing);
  add_channels(text, warner);
  text.gauge("store_up", "1: the store answers.", gap_bytes ? 1 : 0);
  if (gap_bytes) {
    text.family("gap_bytes", "gauge", "Bytes of logs that never came: known loss.");
    // List every cause, even at 0: an alert on an increase needs the 0 before it.
    for (const LossCause cause : kCauses) {
      const auto found = gap_bytes->find(cause);
      text.sample("gap_bytes", {{"cause", to_string(cause)}}, found == gap_bytes->end() ? 0 : found->second);
    }
  }
  return text.take();
}

}  // namespace weir
