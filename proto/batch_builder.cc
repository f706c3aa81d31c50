// Encodes batches: collects cells per column while lines are added, then writes the message.
#include <arpa/inet.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <protozero/pbf_writer.hpp>

#include "proto/batch.h"
#include "proto/header_writer.h"
#include "proto/planes.h"
#include "proto/string_table.h"
#include "proto/varint.h"
#include "proto/wire.h"

namespace weir {
namespace {

constexpr std::uint32_t bit_of(Text field) { return 1U << static_cast<unsigned>(field); }
constexpr std::uint32_t bit_of(Number field) { return 1U << static_cast<unsigned>(field); }
// Columns whose strings may be encoded as IP addresses of 4 or 16 bytes.
constexpr std::uint32_t kAddresses = bit_of(Text::kClientAddress) | bit_of(Text::kPeerAddress) |
                                     bit_of(Text::kRealIpHeader) | bit_of(Text::kForwardedFor);
// Columns that the client's address comes from, directly or through realip.
constexpr std::uint32_t kClientIs =
    bit_of(Text::kPeerAddress) | bit_of(Text::kForwardedFor) | bit_of(Text::kRealIpHeader);

// Pairs of columns whose values are usually close to each other.
struct Near {
  Number column, to;
};
constexpr std::array kNear = {Near{Number::kBodyBytesSent, Number::kBytesSent},
                              Near{Number::kUpstreamTimeMs, Number::kRequestTimeMs},
                              Near{Number::kUpstreamHeaderTimeMs, Number::kUpstreamTimeMs},
                              Near{Number::kUpstreamStatus, Number::kStatus}};
// Below this value differences do not overflow.
constexpr std::uint64_t kMaxNear = 1ULL << 62;

// zstd gains most on columns from Huffman codes, and computes them per block. So a block ends after each
// column of at least this size, where the codes cost little compared with what they save.
constexpr std::size_t kMinBlockBytes = 2048;

// A column of cells, one per record; 0 where a record has none. Its memory is kept from batch to batch. Until
// its first cell of a batch arrives, it costs nothing.
template <class Cell>
struct Column {
  std::vector<Cell> cells;
  bool used = false;  // in this batch
  Cell bits = 0;      // bits set in any cell
  void clear() {
    used = false;
    bits = 0;
  }
  void put(std::size_t record, Cell value) {
    if (record >= cells.size()) cells.resize(std::max<std::size_t>(1024, record * 2));
    if (!used) {
      used = true;
      std::fill_n(cells.begin(), record, Cell{0});
    }
    cells[record] = value;
    bits |= value;
  }
};

struct TextCells : Column<std::uint32_t> {
  StringTable strings;
  std::uint32_t last = 0;  // log values repeat: try the previous record's string first
  void clear() {
    Column::clear();
    strings.clear();
    last = 0;
  }
};

// Accepts only dotted decimal as inet_ntop prints it; other notations, such as leading zeros, stay text.
bool ipv4_of(std::string_view text, char* out) {
  std::size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    unsigned value = 0;
    const auto begin = at;
    for (; at < text.size() && at - begin < 3 && text[at] >= '0' && text[at] <= '9'; ++at)
      value = value * 10 + static_cast<unsigned>(text[at] - '0');
    if (at == begin || value > 255 || (text[begin] == '0' && at - begin > 1)) return false;
    out[part] = static_cast<char>(value);
    if (part < 3 && (at == text.size() || text[at++] != '.')) return false;
  }
  return at == text.size();
}

bool ipv6_of(std::string_view text, char* out) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find(':') == std::string_view::npos) return false;
  std::array<char, INET6_ADDRSTRLEN> in{};
  std::array<char, INET6_ADDRSTRLEN> back{};
  text.copy(in.data(), text.size());
  return inet_pton(AF_INET6, in.data(), out) == 1 &&
         inet_ntop(AF_INET6, out, back.data(), back.size()) != nullptr && text == back.data();
}

}  // namespace

struct BatchBuilder::Impl {
  explicit Impl(int level) : zstd_level(level), zstd(ZSTD_createCCtx(), &ZSTD_freeCCtx) {}

  int zstd_level;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> zstd;
  std::array<TextCells, kTextCount> text;
  std::array<Column<std::uint64_t>, kNumberCount> number;
  std::uint32_t text_used = 0, number_used = 0;  // bit i: column i has a cell
  // Number of bits set above. full() needs it for each line, and where the target lacks a popcount
  // instruction, counting bits is a function call.
  std::uint64_t text_columns = 0, number_columns = 0;
  // Columns that equal the client's address in every record, so that it needs no cells.
  std::uint32_t client_is = 0;
  std::vector<std::string> extra_names;
  std::vector<TextCells> extra;
  std::size_t strings = 0, string_bytes = 0, longest_string = 0;  // of all columns
  std::uint64_t time_bits = 0;
  std::uint32_t line_bits = 0;
  std::vector<std::uint32_t> line_bytes;
  std::vector<std::uint32_t> record_gap;
  std::vector<std::uint64_t> time_delta_ms;  // zigzag
  std::vector<UnparsedLine> unparsed;
  std::int64_t first_time_ms = 0, last_time_ms = 0;
  std::uint32_t lines_without_record = 0;  // since the last record
  bool any_gap = false;
  std::uint32_t filtered = 0;
  std::uint64_t content_bytes = 0;
  std::string plain, compressed;           // reused from batch to batch, as are those below
  std::vector<std::size_t> block_ends;     // offsets in `plain`
  std::vector<std::uint64_t> differences;  // of a number column
  std::vector<std::uint32_t> codes;        // of a text column's strings
  std::string addresses;                   // the strings of a column, with addresses in binary

  [[nodiscard]] std::size_t records() const { return time_delta_ms.size(); }

  static void use(std::uint32_t& used, std::uint32_t more, std::uint64_t& count) {
    if ((used | more) == used) return;
    used |= more;
    count = static_cast<std::uint64_t>(std::popcount(used));
  }
  void line(std::uint32_t bytes) {
    line_bytes.push_back(bytes);
    line_bits |= bytes;
    content_bytes += bytes;
  }

  void put(TextCells& column, std::size_t row, std::string_view value, std::uint32_t hash) {
    const auto before = column.strings.size();
    column.last = column.strings.intern(value, hash);
    if (column.last <= before) return column.put(row, column.last - 1 + wire::kSeenCell);
    ++strings;
    string_bytes += value.size();
    longest_string = std::max(longest_string, value.size());
    column.put(row, wire::kNewCell);
  }
  // False: the string differs from the previous record's.
  static bool put_as_before(TextCells& column, std::size_t row, std::string_view value) {
    if (column.last == 0 || !column.strings.is(column.last, value)) return false;
    column.put(row, column.last - 1 + wire::kSeenCell);
    return true;
  }

  void compare_client(const Record& record);
  void add_texts(const Record& record);

  // Append fields of the message to `plain`.
  void key(std::uint32_t field, protozero::pbf_wire_type type) {
    append_varint(plain, field << 3U | static_cast<std::uint32_t>(type));
  }
  void varint_field(std::uint32_t field, std::uint64_t value) {
    key(field, protozero::pbf_wire_type::varint);
    append_varint(plain, value);
  }
  void bytes_field(std::uint32_t field, std::string_view bytes) {
    key(field, protozero::pbf_wire_type::length_delimited);
    append_varint(plain, bytes.size());
    plain.append(bytes);
    end_block();
  }
  template <class T>
  void planes_field(std::uint32_t field, std::span<const T> numbers) {
    const auto planes = numbers.empty() ? 0 : planes_of(numbers);
    key(field, protozero::pbf_wire_type::length_delimited);
    append_varint(plain, numbers.size() * planes);
    const auto begin = plain.size();
    plain.resize(begin + numbers.size() * planes);
    write_planes(plain.data() + begin, numbers, planes);
    end_block();
  }
  // A nested message, written by `write`.
  template <class Write>
  void message_field(std::uint32_t field, Write write);
  void end_block() {
    if (plain.size() - (block_ends.empty() ? 0 : block_ends.back()) >= kMinBlockBytes)
      block_ends.push_back(plain.size());
  }

  void encode_text(const TextCells& column, bool may_be_addresses);
  void encode_number(std::size_t field);
  void encode_columns();
  [[nodiscard]] Result<std::string_view> compress();
};

// The client's address usually equals the peer's or a header's; then it is not sent twice.
void BatchBuilder::Impl::compare_client(const Record& record) {
  if (client_is == 0) return;
  const auto client = record.get(Text::kClientAddress);
  const auto before = client_is;
  for (auto left = before; left != 0; left &= left - 1) {
    const auto other = record.get(static_cast<Text>(std::countr_zero(left)));
    const bool same = client.data() == other.data()
                          ? client.size() == other.size()
                          : client.data() != nullptr && other.data() != nullptr && client == other;
    if (!same) client_is &= ~(left & -left);
  }
  if (client_is != 0) return;
  // From here on the column has cells of its own; until now it shared those of another column.
  auto& own = text[static_cast<std::size_t>(Text::kClientAddress)];
  own = text[static_cast<std::size_t>(std::countr_zero(before))];
  strings += own.strings.size();
  string_bytes += own.strings.bytes().size();
}

void BatchBuilder::Impl::add_texts(const Record& record) {
  const auto row = records();
  compare_client(record);
  // Visits only the columns that this or an earlier record of the batch has.
  use(text_used, record.text_present, text_columns);
  struct Waiting {
    std::uint32_t field, hash;
  };
  std::array<Waiting, kTextCount> waiting;
  std::size_t count = 0;
  auto left = client_is != 0 ? text_used & ~bit_of(Text::kClientAddress) : text_used;
  for (; left != 0; left &= left - 1) {
    const auto field = static_cast<std::uint32_t>(std::countr_zero(left));
    auto& column = text[field];
    const auto value = record.get(static_cast<Text>(field));
    if (value.data() == nullptr) {
      column.put(row, wire::kAbsentCell);
    } else if (!put_as_before(column, row, value)) {
      const auto hash = StringTable::hash_of(value);
      column.strings.prefetch(hash);
      waiting[count++] = {field, hash};
    }
  }
  for (std::size_t i = 0; i < count; ++i)
    put(text[waiting[i].field], row, record.text[waiting[i].field], waiting[i].hash);
  for (std::size_t i = 0; i < extra.size(); ++i) {
    auto& column = extra[i];
    const auto value = i < record.extra.size() ? record.extra[i] : std::string_view{};
    if (value.data() == nullptr) {
      if (column.used) column.put(row, wire::kAbsentCell);
    } else if (!put_as_before(column, row, value)) {
      put(column, row, value, StringTable::hash_of(value));
    }
  }
}

template <class Write>
void BatchBuilder::Impl::message_field(std::uint32_t field, Write write) {
  key(field, protozero::pbf_wire_type::length_delimited);
  // The length is known only afterwards. A varint may have more bytes than it needs; this one always has
  // four.
  constexpr std::size_t kLengthBytes = 4;
  const auto begin = plain.size() + kLengthBytes;
  plain.resize(begin);
  write();
  const auto length = plain.size() - begin;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    const auto more = i + 1 < kLengthBytes ? 0x80U : 0U;
    plain[begin - kLengthBytes + i] = static_cast<char>((length >> (7 * i) & 0x7FU) | more);
  }
}

void BatchBuilder::Impl::encode_text(const TextCells& column, bool may_be_addresses) {
  const auto& table = column.strings;
  codes.clear();
  addresses.clear();
  for (std::size_t i = 0; i < table.size(); ++i) {
    const auto value = table.at(i);
    std::array<char, 16> address{};
    if (may_be_addresses && ipv4_of(value, address.data())) {
      codes.push_back(wire::kIpv4Code);
      addresses.append(address.data(), 4);
    } else if (may_be_addresses && ipv6_of(value, address.data())) {
      codes.push_back(wire::kIpv6Code);
      addresses.append(address.data(), 16);
    } else {
      codes.push_back(static_cast<std::uint32_t>(value.size()) + wire::kTextCode);
      if (may_be_addresses) addresses.append(value);
    }
  }
  varint_field(wire::kTextStringsField, table.size());
  planes_field(wire::kTextStringCodeField, std::span<const std::uint32_t>(codes));
  bytes_field(wire::kTextStringBytesField, may_be_addresses ? addresses : table.bytes());
  planes_field(wire::kTextCellField, std::span(column.cells).first(records()));
}

void BatchBuilder::Impl::encode_number(std::size_t field) {
  const auto cells = std::span<const std::uint64_t>(number[field].cells).first(records());
  varint_field(wire::kNumberFieldField, field);
  const auto* near = std::find_if(kNear.begin(), kNear.end(), [&](const Near& pair) {
    return static_cast<std::size_t>(pair.column) == field && (number_used & bit_of(pair.to)) != 0;
  });
  const auto small = [](std::span<const std::uint64_t> all) {
    return std::all_of(all.begin(), all.end(), [](auto cell) { return cell < kMaxNear; });
  };
  if (near == kNear.end()) return planes_field(wire::kNumberCellField, cells);
  const auto to =
      std::span<const std::uint64_t>(number[static_cast<std::size_t>(near->to)].cells).first(records());
  if (!small(cells) || !small(to)) return planes_field(wire::kNumberCellField, cells);
  differences.resize(records());
  for (std::size_t i = 0; i < records(); ++i) {
    const auto from = to[i] == 0 ? 1 : to[i];  // both are cells, which are value + 1
    differences[i] = cells[i] == 0 ? 0 : zigzag(cells[i] - from) + 1;
  }
  planes_field(wire::kNumberCellField, std::span<const std::uint64_t>(differences));
  varint_field(wire::kNumberNearField, static_cast<std::uint64_t>(near->to));
}

void BatchBuilder::Impl::encode_columns() {
  plain.clear();
  block_ends.clear();
  varint_field(wire::kRecordsField, records());
  planes_field(wire::kLineBytesField, std::span<const std::uint32_t>(line_bytes));
  if (any_gap) planes_field(wire::kRecordGapField, std::span<const std::uint32_t>(record_gap));
  varint_field(wire::kFirstTimeField, zigzag(static_cast<std::uint64_t>(first_time_ms)));
  planes_field(wire::kTimeDeltaField, std::span<const std::uint64_t>(time_delta_ms));
  for (auto left = text_used; left != 0; left &= left - 1) {
    const auto field = static_cast<std::uint32_t>(std::countr_zero(left));
    message_field(wire::kTextField, [&] {
      varint_field(wire::kTextFieldField, field);
      if (client_is != 0 && field == static_cast<std::uint32_t>(Text::kClientAddress)) {
        varint_field(wire::kTextSameAsField, static_cast<std::uint32_t>(std::countr_zero(client_is)));
      } else {
        encode_text(text[field], (kAddresses >> field & 1U) != 0);
      }
    });
  }
  for (auto left = number_used; left != 0; left &= left - 1) {
    const auto field = static_cast<std::size_t>(std::countr_zero(left));
    message_field(wire::kNumberField, [&] { encode_number(field); });
  }
  for (std::size_t i = 0; i < extra.size(); ++i) {
    if (!extra[i].used) continue;
    message_field(wire::kExtraField, [&] {
      bytes_field(wire::kTextNameField, extra_names[i]);
      encode_text(extra[i], false);
    });
  }
  protozero::pbf_writer out(plain);
  for (const auto& bad : unparsed) wire::write_unparsed(out, wire::kUnparsedField, bad);
  if (filtered > 0) out.add_uint32(wire::kFilteredField, filtered);
}

// Compresses `plain` into one frame, ending a block at each of block_ends.
Result<std::string_view> BatchBuilder::Impl::compress() {
  const auto failed = [](std::size_t code) {
    return fail(Code::kFull, std::string("zstd: ") + ZSTD_getErrorName(code));
  };
  auto* context = zstd.get();
  ZSTD_CCtx_reset(context, ZSTD_reset_session_only);
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, zstd_level);
  ZSTD_CCtx_setPledgedSrcSize(context, plain.size());
  // Each block has a header of three bytes.
  compressed.resize(ZSTD_compressBound(plain.size()) + 16 * block_ends.size());
  ZSTD_outBuffer out{compressed.data(), compressed.size(), 0};
  ZSTD_inBuffer in{plain.data(), 0, 0};
  for (const auto end : block_ends) {
    in.size = end;
    const auto left = ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
    if (ZSTD_isError(left) != 0U) return failed(left);
    if (left != 0) return fail(Code::kFull, "zstd: its bound is too small");
  }
  in.size = plain.size();
  const auto left = ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
  if (ZSTD_isError(left) != 0U) return failed(left);
  if (left != 0) return fail(Code::kFull, "zstd: its bound is too small");
  return std::string_view(compressed).substr(0, out.pos);
}

BatchBuilder::BatchBuilder(int zstd_level) : impl_(std::make_unique<Impl>(zstd_level)) {}
BatchBuilder::~BatchBuilder() = default;
BatchBuilder::BatchBuilder(BatchBuilder&&) noexcept = default;
BatchBuilder& BatchBuilder::operator=(BatchBuilder&&) noexcept = default;

void BatchBuilder::begin(std::vector<std::string> extra_names) {
  auto& b = *impl_;
  for (auto& column : b.text) column.clear();
  for (auto& column : b.number) column.clear();
  b.text_used = b.number_used = 0;
  b.text_columns = b.number_columns = 0;
  b.client_is = kClientIs;
  b.extra_names = std::move(extra_names);
  b.extra.resize(b.extra_names.size());
  for (auto& column : b.extra) column.clear();
  b.strings = b.string_bytes = b.longest_string = 0;
  b.time_bits = b.line_bits = 0;
  b.line_bytes.clear();
  b.record_gap.clear();
  b.time_delta_ms.clear();
  b.unparsed.clear();
  b.first_time_ms = b.last_time_ms = 0;
  b.lines_without_record = 0;
  b.any_gap = false;
  b.filtered = 0;
  b.content_bytes = 0;
}

void BatchBuilder::add(const Record& record, std::uint32_t line_bytes) {
  auto& b = *impl_;
  const auto row = b.records();
  b.add_texts(record);
  b.use(b.number_used, record.number_present, b.number_columns);
  for (auto left = b.number_used; left != 0; left &= left - 1) {
    const auto field = static_cast<std::size_t>(std::countr_zero(left));
    const bool present = record.has(static_cast<Number>(field));
    // The largest value would wrap to "absent".
    b.number[field].put(row, present ? std::min<std::uint64_t>(record.number[field], ~0ULL - 1) + 1 : 0);
  }
  b.record_gap.push_back(b.lines_without_record);
  b.any_gap |= b.lines_without_record != 0;
  b.lines_without_record = 0;
  const auto time_ms = std::clamp(record.time_ms, -wire::kMaxTimeMs, wire::kMaxTimeMs);
  if (row == 0) b.first_time_ms = b.last_time_ms = time_ms;
  b.time_delta_ms.push_back(zigzag(static_cast<std::uint64_t>(time_ms - b.last_time_ms)));
  b.time_bits |= b.time_delta_ms.back();
  b.last_time_ms = time_ms;
  b.line(line_bytes);
}

void BatchBuilder::add_unparsed(std::string_view line, Unparsed reason, std::uint32_t line_bytes) {
  auto& b = *impl_;
  auto& bad = b.unparsed.emplace_back();
  bad.line = static_cast<std::uint32_t>(b.line_bytes.size());
  bad.reason = reason;
  if (b.unparsed.size() <= kUnparsedSamples) bad.text = line.substr(0, kUnparsedSampleBytes);
  ++b.lines_without_record;
  b.line(line_bytes);
}

void BatchBuilder::add_filtered(std::uint32_t line_bytes) {
  auto& b = *impl_;
  ++b.filtered;
  ++b.lines_without_record;
  b.line(line_bytes);
}

std::uint32_t BatchBuilder::lines() const { return static_cast<std::uint32_t>(impl_->line_bytes.size()); }
std::uint64_t BatchBuilder::content_bytes() const { return impl_->content_bytes; }
std::uint64_t BatchBuilder::columns_bytes() const {
  const auto& b = *impl_;
  constexpr std::uint64_t kHeadBytes = 32;  // per column
  const auto planes = [](std::uint64_t bits) { return bits == 0 ? 1 : (std::bit_width(bits) + 7U) / 8U; };
  std::uint64_t of_line = planes(b.line_bits);
  std::uint64_t of_record = planes(b.time_bits) + (b.any_gap ? 4U : 0U);
  std::uint64_t heads = kHeadBytes;
  const auto text = [&](const TextCells& column) {
    of_record += planes(column.bits);
    heads += kHeadBytes;
  };
  for (auto left = b.text_used; left != 0; left &= left - 1)
    text(b.text[static_cast<std::size_t>(std::countr_zero(left))]);
  for (std::size_t i = 0; i < b.extra.size(); ++i) {
    if (!b.extra[i].used) continue;
    text(b.extra[i]);
    heads += b.extra_names[i].size();
  }
  for (auto left = b.number_used; left != 0; left &= left - 1) {
    auto bits = b.number[static_cast<std::size_t>(std::countr_zero(left))].bits;
    // The column may be sent as differences to one with more bits.
    for (const auto& near : kNear) {
      if (static_cast<int>(near.column) == std::countr_zero(left))
        bits = std::min(bits | b.number[static_cast<std::size_t>(near.to)].bits, ~std::uint64_t{0} >> 2) << 2;
    }
    of_record += planes(bits);
    heads += kHeadBytes;
  }
  return heads + b.string_bytes + b.strings * planes(b.longest_string + wire::kTextCode) +
         b.line_bytes.size() * of_line + b.records() * of_record + b.unparsed.size() * 20 +
         kUnparsedSamples * (kUnparsedSampleBytes + 8);
}

bool BatchBuilder::full() const {
  const auto& b = *impl_;
  constexpr DecodeLimits kLimits;
  const std::uint64_t lines = b.line_bytes.size();
  const std::uint64_t strings = b.strings;
  const auto texts = b.text_columns + b.extra.size();
  // A text cell is below 2^21, a number below 2^64. A time difference takes up to 7 bytes.
  const std::uint64_t encoded = b.string_bytes + strings * 4 +
                                lines * (16 + 3 * texts + 8 * b.number_columns) + b.unparsed.size() * 20 +
                                kUnparsedSamples * kUnparsedSampleBytes;
  const std::uint64_t expanded = lines * (4 + 20 + 4 * texts + 8 * b.number_columns) +
                                 strings * (sizeof(std::string_view) + 4 + INET6_ADDRSTRLEN) +
                                 b.unparsed.size() * sizeof(UnparsedLine);
  // Leaves room for one more line that adds a string to every column.
  return lines >= kLimits.max_lines || strings + kTextCount + b.extra.size() >= kLimits.max_strings ||
         encoded >= kLimits.max_uncompressed_bytes - kMaxLineBytes - (1 << 20) ||
         expanded >= kLimits.max_uncompressed_bytes * 3;
}

Result<std::string> BatchBuilder::finish(const BatchHeader& header) {
  auto& b = *impl_;
  if (header.range.begin > header.range.end || header.range.size() != b.content_bytes) {
    return fail(Code::kInvalid, "batch: its range is not as long as its lines");
  }
  b.encode_columns();
  const auto columns = b.compress();
  if (!columns) return std::unexpected(columns.error());
  std::string message;
  message.reserve(columns->size() + 512);
  protozero::pbf_writer out(message);
  wire::write_header(out, header);
  out.add_uint32(wire::kLinesField, lines());
  out.add_uint64(wire::kColumnsBytesField, b.plain.size());
  out.add_bytes(wire::kColumnsField, columns->data(), columns->size());
  return message;
}

}  // namespace weir
