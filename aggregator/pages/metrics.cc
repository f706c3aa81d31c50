#include "aggregator/pages/metrics.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string_view>

namespace weir {
namespace {

constexpr std::array kCauses = {LossCause::kNotReceived,     LossCause::kReleased,
                                LossCause::kTruncatedUnread, LossCause::kDeletedUnread,
                                LossCause::kUnreadable,      LossCause::kSkippedByOperator,
                                LossCause::kRetention,       LossCause::kWindowsRefused};

class Exposition {
 public:
  template <class Value>
  void add(std::string_view name, std::string_view type, std::string_view help, Value value) {
    head(name, type, help);
    fmt::format_to(std::back_inserter(out_), "weir_aggregator_{} {}\n", name, value);
  }
  // A metric that has a label: its series follow.
  void head(std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(out_),
                   "# HELP weir_aggregator_{0} {1}\n# TYPE weir_aggregator_{0} {2}\n", name, help, type);
  }
  void more(std::string_view name, std::string_view label, std::string_view label_value,
            std::uint64_t value) {
    fmt::format_to(std::back_inserter(out_), "weir_aggregator_{}{{{}=\"{}\"}} {}\n", name, label, label_value,
                   value);
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace

std::string render_metrics(const EngineStatus& engine, const WarnerStatus& warner,
                           const std::optional<GapBytes>& gap_bytes, std::int64_t now_ms) {
  Exposition text;
  text.add("messages_total", "counter", "Messages read from the source.", engine.messages);
  text.add("message_bytes_total", "counter", "Bytes of the messages read.", engine.message_bytes);
  text.add("records_total", "counter", "Requests settled.", engine.records);
  text.add("dead_letters_total", "counter", "Lines and messages that could not be read.",
           engine.dead_letters);
  text.add("commits_total", "counter", "Transactions committed to the store.", engine.commits);
  text.add("fenced_total", "counter", "Commits refused because another aggregator took the partition.",
           engine.fenced);
  text.add("duplicate_bytes_total", "counter", "Bytes of logs that came again and were not counted again.",
           engine.duplicates_dropped_bytes);
  text.add("pending_bytes", "gauge", "Bytes settled and not yet committed.", engine.pending_bytes);
  text.add("partitions", "gauge", "Partitions that this aggregator owns.", engine.partitions);
  if (engine.last_commit_ms > 0) {
    text.add("last_commit_age_seconds", "gauge", "Time since the last commit.",
             static_cast<double>(now_ms - engine.last_commit_ms) / 1000.0);
  }
  text.add("healthy", "gauge", "1: nothing is wrong; /health says what is.",
           engine.problem.empty() && warner.problem.empty() ? 1 : 0);
  text.add("alerts_firing", "gauge", "Alerts that fire.", warner.firing);
  text.add("mails_waiting", "gauge", "Mails in the outbox.", warner.mails_waiting);
  text.add("mails_delivered_total", "counter", "Mails that a server took from this process.",
           warner.mails_delivered);
  text.add("store_up", "gauge", "1: the store answers.", gap_bytes ? 1 : 0);
  if (gap_bytes) {
    text.head("gap_bytes", "gauge", "Bytes of logs that never came: known loss.");
    // Each of them always: an alert on a rise needs the 0 before it.
    for (const LossCause cause : kCauses) {
      const auto found = gap_bytes->find(cause);
      text.more("gap_bytes", "cause", to_string(cause), found == gap_bytes->end() ? 0 : found->second);
    }
  }
  return text.take();
}

}  // namespace weir
