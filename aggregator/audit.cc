#include "aggregator/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "aggregator/text_table.h"
#include "common/text.h"

namespace weir {
namespace {

using nlohmann::ordered_json;

std::string when(std::int64_t ms) { return ms <= 0 ? "unknown" : iso(ms / 1000); }

ordered_json when_json(std::int64_t ms) { return ms <= 0 ? ordered_json() : ordered_json(iso(ms / 1000)); }

std::string counted(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", grouped(count), count == 1 ? one : many);
}

std::string verdict(const AuditReport& report) {
  if (report.whole()) {
    return fmt::format("whole: every byte of {} was counted\n",
                       counted(report.sources.size(), "log", "logs"));
  }
  std::vector<std::string> parts;
  if (report.gaps > 0)
    parts.push_back(fmt::format("{} of {}", counted(report.gaps, "gap", "gaps"),
                                counted(report.gap_bytes, "byte", "bytes")));
  if (!report.lost.empty())
    parts.push_back(counted(report.lost.size(), "loss of messages", "losses of messages"));
  if (!report.unsettled.empty())
    parts.push_back(fmt::format("{} not settled, {}", counted(report.unsettled.size(), "log", "logs"),
                                counted(report.unsettled_bytes, "byte", "bytes")));
  return fmt::format("not whole: {}\n", fmt::join(parts, "; "));
}

}  // namespace

Result<std::vector<AgentSource>> parse_agent_status(std::string_view text, std::string_view name) {
  std::vector<AgentSource> out;
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const auto field = [&](const char* key) {
      return json.is_object() && json.contains(key) ? json[key] : nlohmann::json();
    };
    const auto source = field("source");
    const auto path = field("path");
    const auto shipped = field("shipped_offset");
    const auto id = source.is_string() ? SourceId::from_hex(source.get_ref<const std::string&>())
                                       : Result<SourceId>(fail(Code::kInvalid, ""));
    if (!id || !path.is_string() || !shipped.is_number_unsigned()) {
      return fail(Code::kInvalid, fmt::format("{}:{}: is not a line of an agent's status", name, number),
                  "write the file by `weir-agent status --state-dir DIR --json >FILE`");
    }
    out.push_back({*id, path.get<std::string>(), shipped.get<std::uint64_t>()});
  }
  return out;
}

AuditReport audit(std::vector<SourceState> sources, std::vector<DeadLetter> lost,
                  const std::vector<AgentSource>& agents) {
  AuditReport report;
  report.sources = std::move(sources);
  report.lost = std::move(lost);
  std::sort(report.sources.begin(), report.sources.end(), [](const auto& a, const auto& b) {
    return std::tie(a.host, a.path, a.id) < std::tie(b.host, b.path, b.id);
  });
  std::map<SourceId, std::uint64_t> high_waters;
  for (const auto& source : report.sources) {
    high_waters[source.id] = source.coverage.high_water();
    report.counted_bytes += source.coverage.counted_bytes();
    report.gaps += source.coverage.gaps().size();
    report.gap_bytes += source.coverage.gap_bytes();
    report.lines += source.lines;
    report.unparsed += source.unparsed;
    report.too_long += source.too_long;
    report.filtered += source.filtered;
  }
  std::map<SourceId, Unsettled> unsettled;
  for (const auto& agent : agents) {
    const auto known = high_waters.find(agent.id);
    const ByteRange missing{known == high_waters.end() ? 0 : known->second, agent.shipped_offset};
    if (missing.empty()) continue;
    auto& entry = unsettled[agent.id];
    if (entry.missing.end < missing.end) entry = {agent.id, agent.path, missing, known != high_waters.end()};
  }
  for (auto& [id, entry] : unsettled) {
    report.unsettled_bytes += entry.missing.size();
    report.unsettled.push_back(std::move(entry));
  }
  std::stable_sort(report.unsettled.begin(), report.unsettled.end(),
                   [](const auto& a, const auto& b) { return a.path < b.path; });
  return report;
}

std::string audit_table(const AuditReport& report) {
  std::vector<std::vector<std::string>> table = {
      {"host", "path", "counted bytes", "missing bytes", "lines", "unparsed", "too long", "filtered"}};
  for (const auto& source : report.sources) {
    table.push_back({visible(source.host), visible(source.path), grouped(source.coverage.counted_bytes()),
                     grouped(source.coverage.gap_bytes()), grouped(source.lines), grouped(source.unparsed),
                     grouped(source.too_long), grouped(source.filtered)});
  }
  table.push_back({"total", "", grouped(report.counted_bytes), grouped(report.gap_bytes),
                   grouped(report.lines), grouped(report.unparsed), grouped(report.too_long),
                   grouped(report.filtered)});
  auto out = aligned(table, 2);
  for (const auto& source : report.sources) {
    for (const auto& gap : source.coverage.gaps())
      out += fmt::format("gap: {} {}: bytes [{}, {}), {}, {}, since {}\n", visible(source.host),
                         visible(source.path), gap.begin, gap.end, counted(gap.size(), "byte", "bytes"),
                         to_string(gap.cause), when(gap.since_ms));
  }
  for (const auto& letter : report.lost)
    out += fmt::format("lost: {} {}: {}, seen {}\n", visible(letter.partition.topic),
                       letter.partition.partition, visible(letter.reason), when(letter.seen_ms));
  for (const auto& entry : report.unsettled)
    out += fmt::format("not settled: {} ({}): bytes [{}, {}), {}{}\n", visible(entry.path), entry.id.hex(),
                       entry.missing.begin, entry.missing.end, counted(entry.missing.size(), "byte", "bytes"),
                       entry.known ? "" : ", the store does not know this log");
  return out + verdict(report);
}

std::string audit_json(const AuditReport& report) {
  auto sources = ordered_json::array();
  for (const auto& source : report.sources) {
    auto gaps = ordered_json::array();
    for (const auto& gap : source.coverage.gaps()) {
      gaps.push_back({{"begin", gap.begin},
                      {"end", gap.end},
                      {"bytes", gap.size()},
                      {"cause", to_string(gap.cause)},
                      {"since", when_json(gap.since_ms)}});
    }
    sources.push_back({{"source", source.id.hex()},
                       {"host", visible(source.host)},
                       {"path", visible(source.path)},
                       {"counted_bytes", source.coverage.counted_bytes()},
                       {"gap_bytes", source.coverage.gap_bytes()},
                       {"gaps", std::move(gaps)},
                       {"lines", source.lines},
                       {"unparsed", source.unparsed},
                       {"too_long", source.too_long},
                       {"filtered", source.filtered}});
  }
  auto lost = ordered_json::array();
  for (const auto& letter : report.lost) {
    lost.push_back({{"topic", visible(letter.partition.topic)},
                    {"partition", letter.partition.partition},
                    {"reason", visible(letter.reason)},
                    {"seen", when_json(letter.seen_ms)}});
  }
  auto unsettled = ordered_json::array();
  for (const auto& entry : report.unsettled) {
    unsettled.push_back({{"source", entry.id.hex()},
                         {"path", visible(entry.path)},
                         {"begin", entry.missing.begin},
                         {"end", entry.missing.end},
                         {"bytes", entry.missing.size()},
                         {"known", entry.known}});
  }
  const ordered_json out = {{"whole", report.whole()},
                            {"total",
                             {{"sources", report.sources.size()},
                              {"counted_bytes", report.counted_bytes},
                              {"gaps", report.gaps},
                              {"gap_bytes", report.gap_bytes},
                              {"unsettled_bytes", report.unsettled_bytes},
                              {"lines", report.lines},
                              {"unparsed", report.unparsed},
                              {"too_long", report.too_long},
                              {"filtered", report.filtered}}},
                            {"sources", std::move(sources)},
                            {"lost", std::move(lost)},
                            {"unsettled", std::move(unsettled)}};
  return out.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace weir
