// Random batches, and the expected result of decoding them. A function supplies the randomness: a seeded
// generator in the unit tests, a fuzzer's bytes in tests/fuzz.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "proto/batch.h"
#include "proto/window.h"

namespace weir::testing {

// 0 <= result < `below`.
using Choose = std::function<std::uint64_t(std::uint64_t below)>;

struct MadeLine {
  enum class Kind { kRecord, kUnparsed, kFiltered };
  Kind kind = Kind::kRecord;
  std::uint32_t line_bytes = 1;
  std::int64_t time_ms = 0;
  std::array<std::optional<std::string>, kTextCount> text;
  std::array<std::optional<std::uint64_t>, kNumberCount> number;
  std::vector<std::optional<std::string>> extra;  // parallel to the batch's extra_names
  std::string unparsed;
  Unparsed reason = Unparsed::kNoMatch;
};

struct MadeBatch {
  BatchHeader header;
  std::vector<std::string> extra_names;
  std::vector<MadeLine> lines;
};

class BatchMaker {
 public:
  explicit BatchMaker(Choose choose) : choose_(std::move(choose)) {}

  MadeBatch batch(std::size_t max_lines) {
    MadeBatch made;
    const auto columns = choose_(4) == 0 ? choose_(40) : choose_(3);
    for (std::uint64_t i = 0; i < columns; ++i) made.extra_names.push_back(fmt::format("extra_{}", i));
    // Each column is in most records, in few, or in none.
    for (auto& odds : text_odds_) odds = choose_(5);
    for (auto& odds : number_odds_) odds = choose_(5);
    const auto lines = choose_(max_lines + 1);
    std::uint64_t bytes = 0;
    // The client's address equals another column, in all lines or up to some line.
    constexpr auto client = static_cast<std::size_t>(Text::kClientAddress);
    const auto client_is = static_cast<std::size_t>(
        std::array{Text::kPeerAddress, Text::kForwardedFor, Text::kRealIpHeader}[choose_(3)]);
    const auto alike = one_in(2) ? choose_(lines + 1) : one_in(2) ? lines : 0;
    for (std::uint64_t i = 0; i < lines; ++i) {
      made.lines.push_back(line(made.extra_names.size()));
      if (i < alike) made.lines.back().text[client] = made.lines.back().text[client_is];
      bytes += made.lines.back().line_bytes;
    }
    header(made.header, bytes);
    return made;
  }

 private:
  bool one_in(std::uint64_t n) { return choose_(n) == n - 1; }

  std::string text() {
    static const std::vector<std::string> kKnown = {
        "",
        "-",
        "GET",
        "/index.html",
        "10.0.0.1",
        "010.0.0.1",
        "10.0.0.256",
        "255.255.255.255",
        "::1",
        "::ffff:10.0.0.1",
        "2001:db8::1",
        "2001:DB8::1",
        "2001:db8:0:0:0:0:0:1",
        "unix:",
        "192.0.2.1, 10.0.0.1",
        std::string("10.0.0.1\0", 9),
        std::string("\0", 1),
        "caf\xc3\xa9",
        "\xff\xfe",
        std::string(5000, 'x'),
    };
    if (!one_in(4)) return kKnown[choose_(kKnown.size())];
    std::string out(choose_(20), '\0');
    for (auto& c : out) c = static_cast<char>(choose_(256));
    return out;
  }

  std::uint64_t number() {
    switch (choose_(4)) {
      case 0:
        return choose_(600);
      case 1:
        return choose_(1ULL << 32);
      case 2:
        return ~0ULL - choose_(3);
      default:
        return 0;
    }
  }

  std::int64_t time() {
    if (one_in(12)) {
      static constexpr std::array<std::int64_t, 6> kEdges = {
          kNoTime, std::numeric_limits<std::int64_t>::max(), 1LL << 53, -(1LL << 53), (1LL << 53) + 1, -1};
      return kEdges[choose_(kEdges.size())];
    }
    return 1'790'000'000'000 + static_cast<std::int64_t>(choose_(1'000'000));
  }

  MadeLine line(std::size_t columns) {
    MadeLine made;
    made.line_bytes = one_in(50) ? ~0U - static_cast<std::uint32_t>(choose_(2))
                                 : 1 + static_cast<std::uint32_t>(choose_(500));
    const auto kind = choose_(10);
    if (kind == 8) {
      made.kind = MadeLine::Kind::kUnparsed;
      made.unparsed = one_in(10) ? std::string(kUnparsedSampleBytes + 1, 'y') : text();
      made.reason = static_cast<Unparsed>(choose_(4));
    } else if (kind == 9) {
      made.kind = MadeLine::Kind::kFiltered;
    } else {
      made.time_ms = time();
      for (std::size_t i = 0; i < kTextCount; ++i) {
        if (there(text_odds_[i])) made.text[i] = text();
      }
      for (std::size_t i = 0; i < kNumberCount; ++i) {
        if (there(number_odds_[i])) made.number[i] = number();
      }
      made.extra.resize(columns);
      for (auto& value : made.extra) {
        if (one_in(3)) value = text();
      }
    }
    return made;
  }

  bool there(std::uint64_t odds) {
    return odds == 4 || (odds == 3 && !one_in(10)) || (odds == 2 && one_in(10));
  }

  void header(BatchHeader& out, std::uint64_t bytes) {
    out.source = make_source_id(text(), text(), text());
    out.range.begin = choose_(1ULL << 61);
    out.range.end = out.range.begin + bytes;
    out.origin = choose_(1ULL << 62);
    out.agent_id = text();
    out.instance = ~choose_(1ULL << 63);
    out.host = text();
    out.input = text();
    out.path = text();
    for (auto fields = choose_(4); fields > 0; --fields) out.fields.emplace_back(text(), text());
    const auto moment = [&] { return static_cast<std::int64_t>(choose_(1ULL << 54)) - (1LL << 53); };
    out.sent_ms = moment();
    out.watermark_ms = one_in(2) ? moment() : kNoTime;
    out.lag_bytes = choose_(1ULL << 63) * 2 + 1;
  }

  Choose choose_;
  std::array<std::uint64_t, kTextCount> text_odds_{};
  std::array<std::uint64_t, kNumberCount> number_odds_{};
};

// The record of a generated line; `extra` holds its extra values.
[[nodiscard]] inline Record record_of(const MadeLine& line, std::vector<std::string_view>& extra) {
  Record record;
  record.time_ms = line.time_ms;
  for (std::size_t i = 0; i < kTextCount; ++i) {
    if (line.text[i]) record.set(static_cast<Text>(i), *line.text[i]);
  }
  for (std::size_t i = 0; i < kNumberCount; ++i) {
    if (line.number[i]) record.set(static_cast<Number>(i), *line.number[i]);
  }
  extra.assign(line.extra.size(), {});
  for (std::size_t i = 0; i < extra.size(); ++i) {
    if (line.extra[i]) extra[i] = *line.extra[i];
  }
  record.extra = extra;
  return record;
}

// `builder` may have built other batches before.
[[nodiscard]] inline Result<std::string> encode(const MadeBatch& made, BatchBuilder& builder) {
  builder.begin(made.extra_names);
  std::vector<std::string_view> extra;
  for (const auto& line : made.lines) {
    if (line.kind == MadeLine::Kind::kFiltered) {
      builder.add_filtered(line.line_bytes);
    } else if (line.kind == MadeLine::Kind::kUnparsed) {
      builder.add_unparsed(line.unparsed, line.reason, line.line_bytes);
    } else {
      builder.add(record_of(line, extra), line.line_bytes);
    }
  }
  return builder.finish(made.header);
}

// Lines [first, end) of the batch, as the agent folds them.
[[nodiscard]] inline FoldedLines fold_lines(const MadeBatch& made, std::size_t first, std::size_t end,
                                            const FoldConfig& config, LineFolder& folder) {
  std::string_view site_field;
  for (const auto& [name, value] : made.header.fields) {
    if (name == "site") site_field = value;
  }
  folder.begin(config, site_field);
  std::vector<std::string_view> extra;
  for (auto i = first; i < end; ++i) {
    const auto& line = made.lines[i];
    if (line.kind == MadeLine::Kind::kFiltered) {
      folder.add_filtered();
    } else if (line.kind == MadeLine::Kind::kUnparsed) {
      folder.add_unparsed(line.unparsed, line.reason);
    } else {
      folder.add(record_of(line, extra));
    }
  }
  return folder.finish();
}

// "" if `batch` equals `made` in every column; otherwise the first difference.
[[nodiscard]] inline std::string difference(const MadeBatch& made, const DecodedBatch& batch) {
  if (!(batch.header == made.header)) return "the header";
  const auto& columns = batch.columns;
  if (columns.line_bytes.size() != made.lines.size()) return "the number of lines";
  // A column without records is not sent.
  std::vector<std::size_t> sent;
  for (std::size_t i = 0; i < made.extra_names.size(); ++i) {
    if (std::any_of(made.lines.begin(), made.lines.end(),
                    [&](const auto& line) { return i < line.extra.size() && line.extra[i]; }))
      sent.push_back(i);
  }
  if (columns.extra_names.size() != sent.size()) return "the number of extra columns";
  for (std::size_t i = 0; i < sent.size(); ++i) {
    if (columns.extra_names[i] != made.extra_names[sent[i]]) return fmt::format("extra name {}", i);
  }
  const auto same = [](std::string_view got, const std::optional<std::string>& want) {
    return want ? got.data() != nullptr && got == *want : got.data() == nullptr;
  };
  std::size_t record = 0;
  std::size_t unparsed = 0;
  std::uint32_t filtered = 0;
  Record out;
  std::vector<std::string_view> scratch;
  for (std::size_t at = 0; at < made.lines.size(); ++at) {
    const auto& line = made.lines[at];
    if (columns.line_bytes[at] != line.line_bytes) return fmt::format("line_bytes of line {}", at);
    if (line.kind == MadeLine::Kind::kFiltered) {
      ++filtered;
      continue;
    }
    if (line.kind == MadeLine::Kind::kUnparsed) {
      if (unparsed >= columns.unparsed.size()) return fmt::format("unparsed line {} is missing", at);
      const UnparsedLine want{
          static_cast<std::uint32_t>(at), line.reason,
          unparsed < kUnparsedSamples ? line.unparsed.substr(0, kUnparsedSampleBytes) : std::string()};
      if (!(columns.unparsed[unparsed++] == want)) return fmt::format("unparsed line {}", at);
      continue;
    }
    if (record >= columns.records()) return fmt::format("the record of line {} is missing", at);
    if (columns.record_line[record] != at) return fmt::format("the line of record {}", record);
    batch.record(record++, out, scratch);
    if (out.time_ms != std::clamp(line.time_ms, -(std::int64_t{1} << 53), std::int64_t{1} << 53))
      return fmt::format("the time of line {}", at);
    for (std::size_t i = 0; i < kTextCount; ++i) {
      if (!same(out.get(static_cast<Text>(i)), line.text[i]))
        return fmt::format("{} of line {}", ecs_name(static_cast<Text>(i)), at);
    }
    for (std::size_t i = 0; i < kNumberCount; ++i) {
      const auto field = static_cast<Number>(i);
      if (out.has(field) != line.number[i].has_value() ||
          (line.number[i] && out.get(field) != std::min(*line.number[i], std::uint64_t{~0ULL - 1})))
        return fmt::format("{} of line {}", ecs_name(field), at);
    }
    if (out.extra.size() != sent.size()) return fmt::format("extra values of line {}", at);
    for (std::size_t i = 0; i < sent.size(); ++i) {
      if (!same(out.extra[i], line.extra[sent[i]])) return fmt::format("extra value {} of line {}", i, at);
    }
  }
  if (record != columns.records()) return "more records than lines have";
  if (unparsed != columns.unparsed.size()) return "more unparsed lines than there were";
  if (filtered != columns.filtered) return "the number of filtered lines";
  return "";
}

}  // namespace weir::testing
