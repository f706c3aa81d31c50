#include <arpa/inet.h>
// Inline: most strings are shorter than what a call costs.
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <protozero/pbf_writer.hpp>
#include <protozero/varint.hpp>

#include "proto/batch.h"
#include "proto/varint.h"
#include "proto/wire.h"

namespace weir {
namespace {

constexpr std::uint32_t bit_of(Text field) { return 1U << static_cast<unsigned>(field); }
constexpr std::uint32_t kAddresses =
    bit_of(Text::kClientAddress) | bit_of(Text::kPeerAddress) | bit_of(Text::kRealIpHeader);

std::uint64_t word_at(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// memcmp() == 0 without the call: most strings of a log have a few words. The last word first: user
// agents and paths begin alike.
bool same_bytes(const char* a, const char* b, std::size_t size) {
  if (size < sizeof(std::uint64_t)) {
    for (std::size_t i = 0; i < size; ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }
  const auto last = size - sizeof(std::uint64_t);
  if (word_at(a + last) != word_at(b + last)) return false;
  for (std::size_t at = 0; at < last; at += sizeof(std::uint64_t)) {
    if (word_at(a + at) != word_at(b + at)) return false;
  }
  return true;
}

// The distinct strings of a batch. Open addressing over one buffer of bytes, so
// that interning a string that was seen allocates nothing.
class StringTable {
 public:
  struct Entry {
    std::uint32_t begin, size, hash;
    bool as_text;  // used by a column that is no address
  };

  void clear() {
    std::fill(slots_.begin(), slots_.end(), Slot{});
    entries_.clear();
    bytes_.clear();
  }

  // Index from 1.
  std::uint32_t intern(std::string_view text, bool as_text) {
    if ((entries_.size() + 1) * 2 > slots_.size()) grow();
    const auto hash = static_cast<std::uint32_t>(XXH3_64bits(text.data(), text.size()));
    for (auto at = hash & mask();; at = (at + 1) & mask()) {
      auto& slot = slots_[at];
      if (slot.index == 0) {
        entries_.push_back({static_cast<std::uint32_t>(bytes_.size()),
                            static_cast<std::uint32_t>(text.size()), hash, as_text});
        bytes_.append(text);
        slot = {hash, static_cast<std::uint32_t>(entries_.size())};
        return slot.index;
      }
      if (slot.hash == hash && is(slot.index, text)) {
        entries_[slot.index - 1].as_text |= as_text;
        return slot.index;
      }
    }
  }
  // Whether the string of that index is `text`.
  [[nodiscard]] bool is(std::uint32_t index, std::string_view text) const {
    const auto& entry = entries_[index - 1];
    return entry.size == text.size() && same_bytes(bytes_.data() + entry.begin, text.data(), text.size());
  }

  [[nodiscard]] std::string_view text(const Entry& entry) const {
    return std::string_view(bytes_).substr(entry.begin, entry.size);
  }
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_.size(); }

 private:
  // The hash beside the index: a slot of another string is passed without a look at that string.
  struct Slot {
    std::uint32_t hash = 0, index = 0;
  };
  [[nodiscard]] std::uint32_t mask() const { return static_cast<std::uint32_t>(slots_.size() - 1); }
  void grow() {
    slots_.assign(std::max<std::size_t>(1024, slots_.size() * 2), Slot{});
    for (std::uint32_t i = 0; i < entries_.size(); ++i) {
      auto at = entries_[i].hash & mask();
      while (slots_[at].index != 0) at = (at + 1) & mask();
      slots_[at] = {entries_[i].hash, i + 1};
    }
  }

  std::vector<Slot> slots_;
  std::vector<Entry> entries_;
  std::string bytes_;
};

// A column of cells, one per record, 0 where a record has none. Its memory stays from batch to batch;
// until its first cell of a batch comes it costs nothing.
template <class Cell>
struct Column {
  std::vector<Cell> cells;
  bool used = false;  // of this batch
  void clear() { used = false; }
  void put(std::size_t record, Cell value) {
    if (record >= cells.size()) cells.resize(std::max<std::size_t>(1024, record * 2));
    if (!used) {
      used = true;
      std::fill_n(cells.begin(), record, Cell{0});
    }
    cells[record] = value;
  }
};

struct TextColumn : Column<std::uint32_t> {
  std::uint32_t last = 0;  // logs repeat: the value of the record before is tried first
  void clear() {
    Column::clear();
    last = 0;
  }
};

// Whether `text` is what `ms` prints as, in seconds with three decimals.
bool prints_as_seconds(std::string_view text, std::uint64_t ms) {
  if (text.size() < 5) return false;
  const auto point = text.size() - 4;
  if (text[point] != '.') return false;
  for (auto at = text.size(); at-- > 0;) {
    if (at == point) continue;
    if (text[at] != static_cast<char>('0' + ms % 10)) return false;
    ms /= 10;
  }
  return ms == 0 && (text.size() == 5 || text[0] != '0');
}

// The list of the upstreams' times or statuses says no more than its number beside it: one was tried.
std::uint32_t told_by_numbers(const Record& record) {
  std::uint32_t out = 0;
  if (record.has(Text::kUpstreamTimes) && record.has(Number::kUpstreamTimeMs) &&
      prints_as_seconds(record.get(Text::kUpstreamTimes), record.get(Number::kUpstreamTimeMs)))
    out |= bit_of(Text::kUpstreamTimes);
  if (record.has(Text::kUpstreamStatuses) && record.has(Number::kUpstreamStatus)) {
    const auto status = record.get(Number::kUpstreamStatus);
    const auto text = record.get(Text::kUpstreamStatuses);
    if (text.size() == 3 && status >= 100 && status <= 999 &&
        text[0] == static_cast<char>('0' + status / 100) &&
        text[1] == static_cast<char>('0' + status / 10 % 10) &&
        text[2] == static_cast<char>('0' + status % 10))
      out |= bit_of(Text::kUpstreamStatuses);
  }
  return out;
}

// Dotted decimal as inet_ntop prints it; a leading zero, say, is left to the text it was.
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

void write_header(protozero::pbf_writer& out, const BatchHeader& header) {
  out.add_fixed32(wire::kMagicField, wire::kMagic);
  out.add_uint32(wire::kVersionField, wire::kVersion);
  out.add_enum(wire::kKindField, static_cast<std::int32_t>(header.kind));
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
  if (header.kind == BatchKind::kLoss)
    out.add_enum(wire::kLossCauseField, static_cast<std::int32_t>(header.loss_cause));
}

}  // namespace

struct BatchBuilder::Impl {
  explicit Impl(int level) : zstd_level(level), zstd(ZSTD_createCCtx(), &ZSTD_freeCCtx) {}

  int zstd_level;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> zstd;
  StringTable strings;
  std::array<TextColumn, kTextCount> text;
  std::array<Column<std::uint64_t>, kNumberCount> number;
  std::uint32_t text_used = 0, number_used = 0;  // bit i: that column has a cell
  std::vector<std::string> extra_names;
  std::vector<TextColumn> extra;
  std::vector<std::uint32_t> line_bytes;
  std::vector<std::uint32_t> record_gap;
  std::vector<std::int64_t> time_delta_ms;
  std::vector<UnparsedLine> unparsed;
  std::int64_t last_time_ms = 0;
  std::uint32_t lines_without_record = 0;  // since the last record
  bool any_gap = false;
  std::uint32_t filtered = 0;
  std::uint64_t content_bytes = 0;
  std::string plain, compressed, packed;  // reused
  std::vector<std::uint32_t> remap;

  std::uint32_t index_of(TextColumn& column, std::string_view value, bool as_text) {
    if (value.data() == nullptr) return 0;
    if (column.last == 0 || !strings.is(column.last, value)) column.last = strings.intern(value, as_text);
    return column.last;
  }

  void line(std::uint32_t bytes) {
    line_bytes.push_back(bytes);
    content_bytes += bytes;
  }

  // Varints of all cells, as protocol buffers pack them. The view is good until the next call.
  template <class Range, class Value>
  protozero::data_view pack(const Range& cells, std::size_t count, Value value) {
    if (packed.size() < count * kMaxVarintBytes) packed.resize(count * kMaxVarintBytes);
    char* to = packed.data();
    for (std::size_t i = 0; i < count; ++i) to = write_varint(to, value(cells[i]));
    return {packed.data(), static_cast<std::size_t>(to - packed.data())};
  }
  protozero::data_view pack(const std::vector<std::uint32_t>& cells) {
    return pack(cells, cells.size(), [](std::uint32_t cell) { return cell; });
  }
  protozero::data_view pack_indices(const TextColumn& column) {
    return pack(column.cells, time_delta_ms.size(), [this](std::uint32_t cell) { return remap[cell]; });
  }

  void encode_strings(protozero::pbf_writer& out);
  void encode_columns();
};

// The wire has text strings first, then addresses in binary: an address that only
// address columns use, and that its 4 or 16 bytes print back exactly, moves there.
void BatchBuilder::Impl::encode_strings(protozero::pbf_writer& out) {
  const auto& entries = strings.entries();
  remap.assign(entries.size() + 1, 0);
  std::vector<std::uint32_t> lengths;
  std::string ipv4;
  std::string ipv6;
  std::string text_bytes;
  lengths.reserve(entries.size());
  text_bytes.reserve(strings.bytes());
  std::vector<std::uint8_t> family(entries.size(), 0);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto value = strings.text(entries[i]);
    std::array<char, 16> address{};
    if (!entries[i].as_text && ipv4_of(value, address.data())) {
      family[i] = 4;
      ipv4.append(address.data(), 4);
    } else if (!entries[i].as_text && ipv6_of(value, address.data())) {
      family[i] = 6;
      ipv6.append(address.data(), 16);
    } else {
      lengths.push_back(static_cast<std::uint32_t>(value.size()));
      text_bytes.append(value);
    }
  }
  std::uint32_t next_text = 1;
  auto next_v4 = static_cast<std::uint32_t>(lengths.size() + 1);
  auto next_v6 = static_cast<std::uint32_t>(next_v4 + ipv4.size() / 4);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    remap[i + 1] = family[i] == 0 ? next_text++ : family[i] == 4 ? next_v4++ : next_v6++;
  }
  if (!lengths.empty()) out.add_bytes(wire::kStringBytesField, pack(lengths));
  out.add_bytes(wire::kStringsField, text_bytes);
  if (!ipv4.empty()) out.add_bytes(wire::kIpv4Field, ipv4);
  if (!ipv6.empty()) out.add_bytes(wire::kIpv6Field, ipv6);
}

void BatchBuilder::Impl::encode_columns() {
  plain.clear();
  protozero::pbf_writer out(plain);
  encode_strings(out);
  const auto records = time_delta_ms.size();
  if (!line_bytes.empty()) out.add_bytes(wire::kLineBytesField, pack(line_bytes));
  if (any_gap) out.add_bytes(wire::kRecordGapField, pack(record_gap));
  if (records > 0) {
    out.add_bytes(wire::kTimeDeltaField, pack(time_delta_ms, records, protozero::encode_zigzag64));
  }
  for (std::size_t field = 0; field < kTextCount; ++field) {
    if (!text[field].used) continue;
    protozero::pbf_writer column(out, wire::kTextField);
    column.add_uint32(1, static_cast<std::uint32_t>(field));
    column.add_bytes(2, pack_indices(text[field]));
  }
  for (std::size_t field = 0; field < kNumberCount; ++field) {
    if (!number[field].used) continue;
    protozero::pbf_writer column(out, wire::kNumberField);
    column.add_uint32(1, static_cast<std::uint32_t>(field));
    column.add_bytes(2, pack(number[field].cells, records, [](std::uint64_t cell) { return cell; }));
  }
  for (std::size_t i = 0; i < extra.size(); ++i) {
    if (!extra[i].used) continue;
    protozero::pbf_writer column(out, wire::kExtraField);
    column.add_string(1, extra_names[i]);
    column.add_bytes(2, pack_indices(extra[i]));
  }
  for (const auto& bad : unparsed) {
    protozero::pbf_writer sample(out, wire::kUnparsedField);
    sample.add_uint32(1, bad.line);
    sample.add_enum(2, static_cast<std::int32_t>(bad.reason));
    if (!bad.text.empty()) sample.add_bytes(3, bad.text);
  }
  if (filtered > 0) out.add_uint32(wire::kFilteredField, filtered);
}

BatchBuilder::BatchBuilder(int zstd_level) : impl_(std::make_unique<Impl>(zstd_level)) {}
BatchBuilder::~BatchBuilder() = default;
BatchBuilder::BatchBuilder(BatchBuilder&&) noexcept = default;
BatchBuilder& BatchBuilder::operator=(BatchBuilder&&) noexcept = default;

void BatchBuilder::begin(std::vector<std::string> extra_names) {
  auto& b = *impl_;
  b.strings.clear();
  for (auto& column : b.text) column.clear();
  for (auto& column : b.number) column.clear();
  b.text_used = b.number_used = 0;
  b.extra_names = std::move(extra_names);
  b.extra.resize(b.extra_names.size());
  for (auto& column : b.extra) column.clear();
  b.line_bytes.clear();
  b.record_gap.clear();
  b.time_delta_ms.clear();
  b.unparsed.clear();
  b.last_time_ms = 0;
  b.lines_without_record = 0;
  b.any_gap = false;
  b.filtered = 0;
  b.content_bytes = 0;
}

void BatchBuilder::add(const Record& record, std::uint32_t line_bytes) {
  auto& b = *impl_;
  const auto row = b.time_delta_ms.size();
  // Columns that this or an earlier record of the batch has, and no others.
  const auto sent = record.text_present & ~told_by_numbers(record);
  b.text_used |= sent;
  for (auto left = b.text_used; left != 0; left &= left - 1) {
    const auto field = static_cast<std::size_t>(std::countr_zero(left));
    auto& column = b.text[field];
    const auto value = (sent >> field & 1U) != 0 ? record.text[field] : std::string_view{};
    column.put(row, b.index_of(column, value, (kAddresses >> field & 1U) == 0));
  }
  b.number_used |= record.number_present;
  for (auto left = b.number_used; left != 0; left &= left - 1) {
    const auto field = static_cast<std::size_t>(std::countr_zero(left));
    const bool present = record.has(static_cast<Number>(field));
    // The largest value would wrap to "absent".
    b.number[field].put(row, present ? std::min<std::uint64_t>(record.number[field], ~0ULL - 1) + 1 : 0);
  }
  for (std::size_t i = 0; i < b.extra.size(); ++i) {
    auto& column = b.extra[i];
    const auto index =
        b.index_of(column, i < record.extra.size() ? record.extra[i] : std::string_view{}, true);
    if (index != 0 || column.used) column.put(row, index);
  }
  b.record_gap.push_back(b.lines_without_record);
  b.any_gap |= b.lines_without_record != 0;
  b.lines_without_record = 0;
  const auto time_ms = std::clamp(record.time_ms, -wire::kMaxTimeMs, wire::kMaxTimeMs);
  b.time_delta_ms.push_back(time_ms - b.last_time_ms);
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
std::size_t BatchBuilder::encoded_estimate_bytes() const {
  // Each cell is a varint of an index below 2^21, or a number that rarely needs more than 5 bytes.
  return impl_->strings.bytes() + impl_->line_bytes.size() * (4 + 3 * kTextCount + 5 * kNumberCount);
}

bool BatchBuilder::full() const {
  const auto& b = *impl_;
  constexpr DecodeLimits kLimits;
  const std::uint64_t lines = b.line_bytes.size();
  const std::uint64_t strings = b.strings.entries().size();
  const auto used = [](const auto& columns) {
    return static_cast<std::uint64_t>(
        std::count_if(columns.begin(), columns.end(), [](const auto& column) { return column.used; }));
  };
  const auto texts = static_cast<std::uint64_t>(std::popcount(b.text_used)) + used(b.extra);
  const auto numbers = static_cast<std::uint64_t>(std::popcount(b.number_used));
  // An index below 2^21 is a varint of 3 bytes, a number one of at most 10.
  const std::uint64_t encoded = b.strings.bytes() + strings * 5 + lines * (20 + 3 * texts + 10 * numbers) +
                                b.unparsed.size() * 20 + kUnparsedSamples * kUnparsedSampleBytes;
  const std::uint64_t expanded = lines * (4 + 20 + 4 * texts + 8 * numbers) +
                                 strings * (sizeof(std::string_view) + INET6_ADDRSTRLEN) +
                                 b.unparsed.size() * sizeof(UnparsedLine);
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
  b.compressed.resize(ZSTD_compressBound(b.plain.size()));
  const auto size = ZSTD_compressCCtx(b.zstd.get(), b.compressed.data(), b.compressed.size(), b.plain.data(),
                                      b.plain.size(), b.zstd_level);
  if (ZSTD_isError(size) != 0U) return fail(Code::kFull, std::string("zstd: ") + ZSTD_getErrorName(size));
  std::string message;
  message.reserve(size + 512);
  protozero::pbf_writer out(message);
  write_header(out, header);
  out.add_uint32(wire::kLinesField, lines());
  out.add_uint64(wire::kColumnsBytesField, b.plain.size());
  out.add_bytes(wire::kColumnsField, b.compressed.data(), size);
  return message;
}

namespace {

Result<std::string> encode_header(const BatchHeader& header, BatchKind kind) {
  if (header.kind != kind) return fail(Code::kInvalid, "batch: the header is not of that kind");
  std::string message;
  protozero::pbf_writer out(message);
  write_header(out, header);
  return message;
}

}  // namespace

Result<std::string> encode_heartbeat(const BatchHeader& header) {
  return encode_header(header, BatchKind::kHeartbeat);
}

Result<std::string> encode_loss(const BatchHeader& header) { return encode_header(header, BatchKind::kLoss); }

}  // namespace weir
