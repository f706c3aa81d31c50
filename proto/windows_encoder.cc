// Encodes the content of a batch of windows.
#include <zstd.h>

#include <algorithm>

#include "proto/batch.h"
#include "proto/header_writer.h"
#include "proto/wire.h"

namespace weir {
namespace {

// Appends the columns of `folded`, with one entry per row. Leaves out columns that have only zeros.
class RowColumns {
 public:
  RowColumns(protozero::pbf_writer& out, const std::vector<FoldedRow>& rows) : out_(out), rows_(rows) {}
  template <class Value>
  void unsigned_column(std::uint32_t field, Value value) {
    column_.clear();
    for (const auto& row : rows_) column_.push_back(value(row));
    if (std::any_of(column_.begin(), column_.end(), [](auto number) { return number != 0; }))
      out_.add_packed_uint64(field, column_.begin(), column_.end());
  }
  template <class Value>
  void signed_column(std::uint32_t field, Value value) {
    signed_.clear();
    for (const auto& row : rows_) signed_.push_back(value(row));
    if (std::any_of(signed_.begin(), signed_.end(), [](auto number) { return number != 0; }))
      out_.add_packed_sint64(field, signed_.begin(), signed_.end());
  }

 private:
  protozero::pbf_writer& out_;
  const std::vector<FoldedRow>& rows_;
  std::vector<std::uint64_t> column_;
  std::vector<std::int64_t> signed_;
};

std::string windows_message(const FoldedLines& folded) {
  std::string plain;
  protozero::pbf_writer out(plain);
  out.add_uint32(wire::kWindowLengthField, static_cast<std::uint32_t>(folded.window_s));
  if (folded.unparsed > 0) out.add_uint32(wire::kWindowsUnparsedField, folded.unparsed);
  if (folded.filtered > 0) out.add_uint32(wire::kWindowsFilteredField, folded.filtered);
  if (folded.too_long > 0) out.add_uint32(wire::kWindowsTooLongField, folded.too_long);
  for (const auto& bad : folded.samples) wire::write_unparsed(out, wire::kWindowsSampleField, bad);
  std::vector<std::uint32_t> lengths;
  std::string text;
  for (const auto& site : folded.sites) {
    lengths.push_back(static_cast<std::uint32_t>(site.size()));
    text += site;
  }
  out.add_packed_uint32(wire::kSiteBytesField, lengths.begin(), lengths.end());
  out.add_bytes(wire::kSitesField, text);
  RowColumns columns(out, folded.rows);
  // Always present: its number of entries is the number of rows.
  std::vector<std::int64_t> starts;
  std::int64_t before = 0;
  for (const auto& row : folded.rows) {
    const auto window = row.start_s / folded.window_s;
    starts.push_back(window - before);
    before = window;
  }
  out.add_packed_sint64(wire::kStartDeltaField, starts.begin(), starts.end());
  columns.unsigned_column(wire::kSiteField, [](const auto& row) { return row.site; });
  columns.unsigned_column(wire::kStatusField, [](const auto& row) { return row.status; });
  columns.unsigned_column(wire::kRequestsField, [](const auto& row) { return row.sum.requests; });
  columns.unsigned_column(wire::kBytesSentField, [](const auto& row) { return row.sum.bytes_sent; });
  columns.signed_column(wire::kFlowDifferenceField, [](const auto& row) {
    return static_cast<std::int64_t>(row.sum.flow_bytes - row.sum.bytes_sent);
  });
  columns.unsigned_column(wire::kRequestBytesField, [](const auto& row) { return row.sum.request_bytes; });
  columns.unsigned_column(wire::kRequestTimeField, [](const auto& row) { return row.sum.request_time_ms; });
  columns.unsigned_column(wire::kUpstreamTimeField, [](const auto& row) { return row.sum.upstream_time_ms; });
  columns.unsigned_column(wire::kBucketsField,
                          [](const auto& row) { return row.sum.latency.buckets().size(); });
  std::vector<std::uint32_t> deltas;
  std::vector<std::uint64_t> counts;
  for (const auto& row : folded.rows) {
    std::uint32_t last = 0;
    for (const auto& [bucket, count] : row.sum.latency.buckets()) {
      deltas.push_back(bucket - last);
      counts.push_back(count);
      last = bucket;
    }
  }
  out.add_packed_uint32(wire::kBucketDeltaField, deltas.begin(), deltas.end());
  out.add_packed_uint64(wire::kBucketCountField, counts.begin(), counts.end());
  return plain;
}

}  // namespace

Result<std::string> encode_windows(const BatchHeader& header, const FoldedLines& folded, int zstd_level) {
  if (header.kind != BatchKind::kWindows)
    return fail(Code::kInvalid, "batch: the header is not of that kind");
  const auto plain = windows_message(folded);
  std::string compressed(ZSTD_compressBound(plain.size()), '\0');
  const auto size =
      ZSTD_compress(compressed.data(), compressed.size(), plain.data(), plain.size(), zstd_level);
  if (ZSTD_isError(size) != 0U) return fail(Code::kFull, std::string("zstd: ") + ZSTD_getErrorName(size));
  std::string message;
  protozero::pbf_writer out(message);
  wire::write_header(out, header);
  out.add_uint32(wire::kLinesField, folded.lines);
  out.add_uint64(wire::kWindowsBytesField, plain.size());
  out.add_bytes(wire::kWindowsField, compressed.data(), size);
  return message;
}

}  // namespace weir
