#include "proto/header_writer.h"

#include "proto/wire.h"

namespace weir {

void wire::write_unparsed(protozero::pbf_writer& out, std::uint32_t field, const UnparsedLine& bad) {
  protozero::pbf_writer sample(out, field);
  sample.add_uint32(1, bad.line);
  sample.add_enum(2, static_cast<std::int32_t>(bad.reason));
  if (!bad.text.empty()) sample.add_bytes(3, bad.text);
}

void wire::write_header(protozero::pbf_writer& out, const BatchHeader& header) {
  const auto wire_kind = header.kind == BatchKind::kClaim ? BatchKind::kLoss : header.kind;
  out.add_fixed32(wire::kMagicField, wire::kMagic);
  out.add_uint32(wire::kVersionField, wire::kVersion);
  out.add_enum(wire::kKindField, static_cast<std::int32_t>(wire_kind));
  out.add_bytes(wire::kSourceField, header.source.bytes());
  out.add_uint64(wire::kBeginField, header.range.begin);
  out.add_uint64(wire::kEndField, header.range.end);
  out.add_uint64(wire::kOriginField, header.origin);
  out.add_string(wire::kAgentIdField, header.agent_id);
  out.add_fixed64(wire::kInstanceField, header.instance);
  out.add_string(wire::kHostField, header.host);
  out.add_string(wire::kInputField, header.input);
  out.add_string(wire::kPathField, header.path);
  for (const auto& [name, value] : header.fields) {
    protozero::pbf_writer field(out, wire::kFieldsField);
    field.add_string(1, name);
    field.add_string(2, value);
  }
  out.add_sint64(wire::kSentField, header.sent_ms);
  if (header.watermark_ms != kNoTime) out.add_sint64(wire::kWatermarkField, header.watermark_ms);
  out.add_uint64(wire::kLagField, header.lag_bytes);
  if (wire_kind == BatchKind::kLoss)
    out.add_enum(wire::kLossCauseField, static_cast<std::int32_t>(header.loss_cause));
}

namespace {

Result<std::string> encode_header(const BatchHeader& header, BatchKind kind) {
  if (header.kind != kind) return fail(Code::kInvalid, "batch: the header is not of that kind");
  std::string message;
  protozero::pbf_writer out(message);
  wire::write_header(out, header);
  return message;
}

}  // namespace

Result<std::string> encode_heartbeat(const BatchHeader& header) {
  return encode_header(header, BatchKind::kHeartbeat);
}

Result<std::string> encode_loss(const BatchHeader& header) { return encode_header(header, BatchKind::kLoss); }

Result<std::string> encode_claim(const BatchHeader& header) {
  if (header.loss_cause != LossCause::kNotReceived)
    return fail(Code::kInvalid, "batch: a claim has no cause");
  return encode_header(header, BatchKind::kClaim);
}

}  // namespace weir
