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

}  // namespace

std::string render_metrics(const EngineStatus& engine, const WarnerStatus& warner,
                           const std::optional<GapBytes>& gap_bytes, std::int64_t now_ms) {
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
               static_cast<double>(now_ms - engine.last_commit_ms) / 1000.0);
  }
  text.gauge("healthy", "1: nothing is wrong; /health says what is.",
             engine.problem.empty() && warner.problem.empty() ? 1 : 0);
  text.gauge("alerts_firing", "Alerts that fire.", warner.firing);
  text.gauge("mails_waiting", "Mails in the outbox.", warner.mails_waiting);
  text.counter("mails_delivered_total", "Mails that a server took from this process.",
               warner.mails_delivered);
  text.gauge("store_up", "1: the store answers.", gap_bytes ? 1 : 0);
  if (gap_bytes) {
    text.family("gap_bytes", "gauge", "Bytes of logs that never came: known loss.");
    // Each of them always: an alert on a rise needs the 0 before it.
    for (const LossCause cause : kCauses) {
      const auto found = gap_bytes->find(cause);
      text.sample("gap_bytes", {{"cause", to_string(cause)}}, found == gap_bytes->end() ? 0 : found->second);
    }
  }
  return text.take();
}

}  // namespace weir
