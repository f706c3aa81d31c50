#include "agent/batch_json.h"

#include <fmt/format.h>

#include <iterator>

#include "agent/format/foreign_json.h"
#include "agent/format/parser.h"
#include "common/json_text.h"

namespace weir {
namespace {

// Appends members to an object whose '{' is already written.
class Members {
 public:
  explicit Members(std::string& out) : out_(out) {}
  template <class Integer>
  void number(std::string_view name, Integer value) {
    key(name);
    fmt::format_to(std::back_inserter(out_), "{}", value);
  }
  void text(std::string_view name, std::string_view value) {
    key(name);
    append_json_string(out_, value);
  }
  void texts(std::string_view name, const std::vector<std::pair<std::string, std::string>>& values) {
    key(name);
    out_.push_back('{');
    for (const auto& [inner, value] : values) {
      if (out_.back() != '{') out_.push_back(',');
      append_json_string(out_, inner);
      out_.push_back(':');
      append_json_string(out_, value);
    }
    out_.push_back('}');
  }

 private:
  void key(std::string_view name) {
    if (out_.back() != '{') out_.push_back(',');
    append_json_string(out_, name);
    out_.push_back(':');
  }
  std::string& out_;
};

std::string_view kind_name(BatchKind kind) {
  switch (kind) {
    case BatchKind::kRecords:
      return "records";
    case BatchKind::kHeartbeat:
      return "heartbeat";
    case BatchKind::kLoss:
    case BatchKind::kClaim:
      return "loss";
    case BatchKind::kWindows:
      return "windows";
  }
  return "unknown";
}

void put_place(Members& to, const MessagePlace& place, std::string_view prefix) {
  const auto name = [&](const char* of) { return fmt::format("{}{}", prefix, of); };
  to.text(name(place.in_topic() ? "topic" : "file"), place.name);
  if (place.in_topic()) to.number(name("partition"), place.partition);
  to.number(name("offset"), place.offset);
}

void put_message(Members& to, const MessagePlace& place, std::size_t message_bytes) {
  put_place(to, place, "");
  if (place.timestamp_ms > 0) to.number("timestamp_ms", place.timestamp_ms);
  to.number("message_bytes", message_bytes);
}

}  // namespace

std::string MessagePlace::text() const {
  return in_topic() ? fmt::format("{}[{}]@{}", name, partition, offset)
                    : fmt::format("{}: message {}", name, offset);
}

BatchLines::BatchLines(const DecodedBatch& batch, const MessagePlace& place, bool provenance)
    : batch_(batch), place_(place), provenance_(provenance), at_(batch.header.range.begin) {}

bool BatchLines::append_next(std::string& out) {
  if (batch_.header.kind == BatchKind::kWindows) return append_next_row(out);
  const auto& columns = batch_.columns;
  const bool record_left = record_ < columns.records();
  const bool unparsed_left = unparsed_ < columns.unparsed.size();
  if (!record_left && !unparsed_left) return false;
  std::uint32_t line = 0;
  if (record_left && (!unparsed_left || columns.record_line[record_] < columns.unparsed[unparsed_].line)) {
    line = columns.record_line[record_];
    batch_.record(record_++, scratch_, extra_);
    append_json(out, scratch_, columns.extra_names);
  } else {
    line = columns.unparsed[unparsed_].line;
    append_unparsed(out, columns.unparsed[unparsed_++]);
  }
  if (provenance_) append_provenance(out, bytes_of(line));
  out.push_back('\n');
  return true;
}

// Uses the column names of the store.
bool BatchLines::append_next_row(std::string& out) {
  const auto& folded = batch_.folded;
  if (record_ < folded.rows.size()) {
    const auto& row = folded.rows[record_++];
    out.push_back('{');
    Members members(out);
    members.number("start_s", row.start_s);
    members.number("window_s", folded.window_s);
    members.text("site", folded.sites[row.site]);
    members.number("status", row.status);
    members.number("requests", row.sum.requests);
    members.number("bytes_sent", row.sum.bytes_sent);
    members.number("flow_bytes", row.sum.flow_bytes);
    members.number("request_bytes", row.sum.request_bytes);
    members.number("request_time_ms", row.sum.request_time_ms);
    members.number("upstream_time_ms", row.sum.upstream_time_ms);
    out.push_back('}');
  } else if (unparsed_ < folded.samples.size()) {
    append_unparsed(out, folded.samples[unparsed_++]);
  } else {
    return false;
  }
  if (provenance_) append_provenance(out, batch_.header.range);
  out.push_back('\n');
  return true;
}

void BatchLines::append_unparsed(std::string& out, const UnparsedLine& bad) const {
  if (bad.text.empty()) {
    // Only the first unparsed lines of a batch carry their text.
    out.push_back('{');
    Members(out).text("error.message", to_string(bad.reason));
    out.push_back('}');
  } else {
    append_json_unparsed(out, bad.text, bad.reason);
  }
}

ByteRange BatchLines::bytes_of(std::uint32_t line) {
  for (; at_line_ < line; ++at_line_) at_ += batch_.columns.line_bytes[at_line_];
  return {at_, at_ + batch_.columns.line_bytes[line]};
}

void BatchLines::append_provenance(std::string& out, ByteRange bytes) const {
  out.pop_back();  // '}'
  Members members(out);
  put_place(members, place_, "weir.");
  const auto& header = batch_.header;
  members.text("weir.agent_id", header.agent_id);
  members.text("weir.host", header.host);
  members.text("weir.input", header.input);
  members.text("weir.path", header.path);
  members.text("weir.source", header.source.hex());
  members.number("weir.begin", bytes.begin);
  members.number("weir.end", bytes.end);
  out.push_back('}');
}

void append_batch_header(std::string& out, const DecodedBatch& batch, const MessagePlace& place,
                         std::size_t message_bytes) {
  const auto& header = batch.header;
  out.push_back('{');
  Members members(out);
  put_message(members, place, message_bytes);
  members.text("kind", kind_name(header.kind));
  members.text("agent_id", header.agent_id);
  members.text("instance", fmt::format("{:016x}", header.instance));
  members.text("host", header.host);
  members.number("sent_ms", header.sent_ms);
  if (header.kind == BatchKind::kHeartbeat) {
    if (header.watermark_ms != kNoTime) members.number("watermark_ms", header.watermark_ms);
    members.number("lag_bytes", header.lag_bytes);
  } else {
    members.text("input", header.input);
    members.text("path", header.path);
    members.texts("fields", header.fields);
    members.text("source", header.source.hex());
    members.number("begin", header.range.begin);
    members.number("end", header.range.end);
    members.number("origin", header.origin);
  }
  if (header.kind == BatchKind::kLoss || header.kind == BatchKind::kClaim)
    members.text("loss_cause", to_string(header.loss_cause));
  if (header.kind == BatchKind::kRecords) {
    const auto& columns = batch.columns;
    members.number("lines", columns.line_bytes.size());
    members.number("records", columns.records());
    members.number("unparsed", columns.unparsed.size());
    members.number("filtered", columns.filtered);
    members.number("columns_bytes", batch.buffer_ ? batch.buffer_->size() : 0);
  }
  if (header.kind == BatchKind::kWindows) {
    const auto& folded = batch.folded;
    members.number("lines", folded.lines);
    members.number("records", folded.lines - folded.unparsed - folded.filtered);
    members.number("unparsed", folded.unparsed);
    members.number("filtered", folded.filtered);
    members.number("window_s", folded.window_s);
    members.number("rows", folded.rows.size());
  }
  out += "}\n";
}

void append_foreign_line(std::string& out, std::string_view message, const MessagePlace& place,
                         bool provenance) {
  if (!append_foreign_object(out, message)) {
    out.push_back('{');
    Members(out).text("message", message);
    out.push_back('}');
  }
  if (provenance) {
    out.pop_back();
    Members members(out);
    put_place(members, place, "weir.");
    out.push_back('}');
  }
  out.push_back('\n');
}

void append_foreign_header(std::string& out, std::string_view message, const MessagePlace& place) {
  std::string object;
  out.push_back('{');
  Members members(out);
  put_message(members, place, message.size());
  members.text("kind", append_foreign_object(object, message) ? "json" : "raw");
  out += "}\n";
}

}  // namespace weir
