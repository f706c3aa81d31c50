#include <arpa/inet.h>
#include <zstd.h>

#include <algorithm>
#include <protozero/pbf_reader.hpp>
#include <protozero/varint.hpp>
#include <type_traits>

#include "proto/batch.h"
#include "proto/hostile.h"
#include "proto/wire.h"

namespace weir {
namespace {

constexpr std::size_t kMaxExtraColumns = 256;
constexpr std::size_t kMaxHeaderText = 64 << 10;
constexpr std::size_t kMaxInputFields = 256;

using namespace wire;

std::string header_text(protozero::pbf_reader& in) {
  const auto view = bytes_of(in);
  check(view.size() <= kMaxHeaderText, "a text of its header is longer than 64 KiB");
  return {view.data(), view.size()};
}

std::string_view packed(protozero::pbf_reader& in) { return view(bytes_of(in)); }

// Exactly `expected` varints. protozero's iterators check each byte they go; nearly all of ours are
// one or two bytes long.
template <class T>
std::vector<T> unpack(std::string_view bytes, std::size_t expected, Budget& budget, const char* what) {
  check(bytes.size() >= expected, what);  // of one byte at least each: before memory is taken for them
  budget.take(expected * sizeof(T));
  std::vector<T> out(expected);
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  for (auto& value : out) {
    check(at < end, what);
    auto cell = static_cast<std::uint64_t>(static_cast<unsigned char>(*at++));
    if (cell >= 0x80) {
      --at;
      cell = protozero::decode_varint(&at, end);
    }
    if constexpr (std::is_signed_v<T>) {
      value = protozero::decode_zigzag64(cell);
    } else {
      value = static_cast<T>(cell);
    }
  }
  check(at == end, what);
  return out;
}

// How many varints there are.
std::size_t count_of(std::string_view bytes) {
  return static_cast<std::size_t>(
      std::count_if(bytes.begin(), bytes.end(), [](char byte) { return (byte & 0x80) == 0; }));
}

struct Sections {
  std::string_view string_bytes, line_bytes, record_gap, time_delta;
  std::string_view strings, ipv4, ipv6;
  std::vector<protozero::data_view> text, number, extra, unparsed;
  bool has_gap = false;
  std::uint32_t seen = 0;  // bit of each of those that are there once
};

class ColumnsReader {
 public:
  ColumnsReader(DecodedBatch& batch, std::uint32_t lines, const DecodeLimits& limits)
      : batch_(batch),
        out_(batch.columns),
        lines_(lines),
        limits_(limits),
        budget_(limits.max_uncompressed_bytes * 4) {}

  void read() {
    find_sections();
    read_lines();
    read_strings();
    read_records();
    for (const auto& part : sections_.text) read_text(protozero::pbf_reader(part));
    for (const auto& part : sections_.number) read_number(protozero::pbf_reader(part));
    if (!limits_.extra_columns) return;
    for (const auto& part : sections_.extra) read_extra(protozero::pbf_reader(part));
  }

 private:
  void find_sections() {
    protozero::pbf_reader in(*batch_.buffer_);
    while (in.next()) {
      if (in.tag() <= wire::kTimeDeltaField) once(sections_.seen, in.tag());
      switch (in.tag()) {
        case wire::kStringBytesField:
          sections_.string_bytes = packed(in);
          break;
        case wire::kStringsField:
          sections_.strings = view(bytes_of(in));
          break;
        case wire::kIpv4Field:
          sections_.ipv4 = view(bytes_of(in));
          break;
        case wire::kIpv6Field:
          sections_.ipv6 = view(bytes_of(in));
          break;
        case wire::kLineBytesField:
          sections_.line_bytes = packed(in);
          break;
        case wire::kRecordGapField:
          sections_.record_gap = packed(in);
          sections_.has_gap = true;
          break;
        case wire::kTimeDeltaField:
          sections_.time_delta = packed(in);
          break;
        case wire::kTextField:
          check(sections_.text.size() < 1024, "too many columns");
          sections_.text.push_back(bytes_of(in));
          break;
        case wire::kNumberField:
          check(sections_.number.size() < 1024, "too many columns");
          sections_.number.push_back(bytes_of(in));
          break;
        case wire::kExtraField:
          check(sections_.extra.size() < kMaxExtraColumns, "too many extra columns");
          sections_.extra.push_back(bytes_of(in));
          break;
        case wire::kUnparsedField:
          check(sections_.unparsed.size() < lines_, "more unparsed lines than lines");
          budget_.take(sizeof(UnparsedLine));
          sections_.unparsed.push_back(bytes_of(in));
          break;
        case wire::kFilteredField:
          out_.filtered = u32(in);
          break;
        default:
          in.skip();
      }
    }
  }

  void read_lines() {
    out_.line_bytes = unpack<std::uint32_t>(sections_.line_bytes, lines_, budget_,
                                            "line_bytes does not have one entry per line");
    std::uint64_t sum = 0;
    for (const auto bytes : out_.line_bytes) {
      check(bytes > 0, "a line of zero bytes");
      sum += bytes;
    }
    check(sum == batch_.header.range.size(), "its lines are not as long as its range");
  }

  void read_strings() {
    auto& strings = out_.strings;
    check(sections_.ipv4.size() % 4 == 0 && sections_.ipv6.size() % 16 == 0, "an address is cut off");
    const auto addresses = sections_.ipv4.size() / 4 + sections_.ipv6.size() / 16;
    strings.emplace_back();
    auto rest = sections_.strings;
    const auto texts = count_of(sections_.string_bytes);
    check(texts + addresses < limits_.max_strings, "too many strings");
    budget_.take(texts * sizeof(std::string_view));
    strings.reserve(1 + texts + addresses);
    for (const auto size :
         unpack<std::uint32_t>(sections_.string_bytes, texts, budget_, "a string is cut off")) {
      check(size <= rest.size(), "a string is cut off");
      strings.push_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    check(rest.empty(), "bytes behind its last string");
    budget_.take(addresses * (sizeof(std::string_view) + INET6_ADDRSTRLEN));
    // Not resized after the views were taken: reserve what the addresses can need.
    auto text = std::make_unique<std::string>();
    text->reserve(sections_.ipv4.size() / 4 * INET_ADDRSTRLEN +
                  sections_.ipv6.size() / 16 * INET6_ADDRSTRLEN);
    const auto print = [&](int family, std::string_view packed, std::size_t width) {
      for (std::size_t at = 0; at < packed.size(); at += width) {
        std::array<char, INET6_ADDRSTRLEN> buffer{};
        inet_ntop(family, packed.data() + at, buffer.data(), buffer.size());
        const auto begin = text->size();
        text->append(buffer.data());
        strings.push_back(std::string_view(*text).substr(begin));
      }
    };
    print(AF_INET, sections_.ipv4, 4);
    print(AF_INET6, sections_.ipv6, 16);
    batch_.addresses_ = std::move(text);
  }

  void read_records() {
    const auto records = count_of(sections_.time_delta);
    check(records + sections_.unparsed.size() + out_.filtered == lines_,
          "records, unparsed and filtered lines do not add up");
    out_.time_ms = unpack<std::int64_t>(sections_.time_delta, records, budget_, "time_delta_ms is cut off");
    std::int64_t time_ms = 0;
    for (auto& value : out_.time_ms) {
      check(!__builtin_add_overflow(time_ms, value, &time_ms) && time_ms >= -wire::kMaxTimeMs &&
                time_ms <= wire::kMaxTimeMs,
            "a time out of range");
      value = time_ms;
    }
    budget_.take(records * sizeof(std::uint32_t));
    out_.record_line.resize(records);
    std::uint64_t line = 0;
    if (sections_.has_gap) {
      const auto gaps = unpack<std::uint32_t>(sections_.record_gap, records, budget_,
                                              "record_gap does not have one entry per record");
      for (std::size_t i = 0; i < records; ++i) {
        line += gaps[i];
        check(line < lines_, "a record beyond its lines");
        out_.record_line[i] = static_cast<std::uint32_t>(line++);
      }
    } else {
      for (std::size_t i = 0; i < records; ++i) out_.record_line[i] = static_cast<std::uint32_t>(line++);
    }
    read_unparsed();
  }

  void read_unparsed() {
    std::size_t record = 0;
    for (const auto& part : sections_.unparsed) {
      const auto& bad = out_.unparsed.emplace_back(read_unparsed_line(protozero::pbf_reader(part)));
      const auto count = out_.unparsed.size();
      check(bad.line < lines_ && (count == 1 || out_.unparsed[count - 2].line < bad.line),
            "unparsed lines out of order");
      while (record < out_.record_line.size() && out_.record_line[record] < bad.line) ++record;
      check(record == out_.record_line.size() || out_.record_line[record] != bad.line,
            "a line both parsed and unparsed");
    }
  }

  std::vector<std::uint32_t> indices(std::string_view cells) {
    auto index =
        unpack<std::uint32_t>(cells, out_.records(), budget_, "a column does not have one entry per record");
    if (!index.empty()) {
      check(*std::max_element(index.begin(), index.end()) < out_.strings.size(),
            "an index beyond the string table");
    }
    return index;
  }

  void read_text(protozero::pbf_reader in) {
    std::uint32_t field = 0;
    std::uint32_t seen = 0;
    std::string_view cells;
    while (in.next()) {
      if (in.tag() <= 2) once(seen, in.tag());
      if (in.tag() == 1) {
        field = u32(in);
      } else if (in.tag() == 2) {
        cells = packed(in);
      } else {
        in.skip();
      }
    }
    if (field >= kTextCount) return;  // a newer writer's column
    if ((limits_.text_columns >> field & 1U) == 0) return;
    check(out_.text[field].empty(), "a column twice");
    out_.text[field] = indices(cells);
  }

  void read_number(protozero::pbf_reader in) {
    std::uint32_t field = 0;
    std::uint32_t seen = 0;
    std::string_view cells;
    while (in.next()) {
      if (in.tag() <= 2) once(seen, in.tag());
      if (in.tag() == 1) {
        field = u32(in);
      } else if (in.tag() == 2) {
        cells = packed(in);
      } else {
        in.skip();
      }
    }
    if (field >= kNumberCount) return;
    check(out_.number[field].empty(), "a column twice");
    out_.number[field] =
        unpack<std::uint64_t>(cells, out_.records(), budget_, "a column does not have one entry per record");
  }

  void read_extra(protozero::pbf_reader in) {
    std::string name;
    std::uint32_t seen = 0;
    std::string_view cells;
    while (in.next()) {
      if (in.tag() <= 2) once(seen, in.tag());
      if (in.tag() == 1) {
        name = header_text(in);
      } else if (in.tag() == 2) {
        cells = packed(in);
      } else {
        in.skip();
      }
    }
    out_.extra.push_back(indices(cells));
    out_.extra_names.push_back(std::move(name));
  }

  DecodedBatch& batch_;
  Columns& out_;
  std::uint32_t lines_;
  const DecodeLimits& limits_;
  Budget budget_;
  Sections sections_;
};

std::pair<std::string, std::string> read_field(protozero::pbf_reader in) {
  std::pair<std::string, std::string> field;
  while (in.next()) {
    if (in.tag() == 1) {
      field.first = header_text(in);
    } else if (in.tag() == 2) {
      field.second = header_text(in);
    } else {
      in.skip();
    }
  }
  return field;
}

// 64 and above are the store's own.
LossCause sent_loss_cause(std::int32_t number) {
  return number >= 0 && number < 64 ? loss_cause_of(static_cast<std::uint64_t>(number))
                                    : LossCause::kNotReceived;
}

struct Envelope {
  std::uint32_t version = 0, lines = 0;
  std::uint64_t columns_bytes = 0, windows_bytes = 0;
  std::string_view columns, windows;
};

Envelope read_envelope(std::string_view message, BatchHeader& header) {
  Envelope envelope;
  protozero::pbf_reader in(message.data(), message.size());
  while (in.next()) {
    switch (in.tag()) {
      case wire::kVersionField:
        envelope.version = u32(in);
        break;
      case wire::kKindField: {
        const auto kind = enumerator(in);
        check(kind >= 0 && kind <= 3, "a kind that this reader does not know");
        header.kind = static_cast<BatchKind>(kind);
        break;
      }
      case wire::kSourceField: {
        const auto id = SourceId::from_bytes(view(bytes_of(in)));
        check(id.has_value(), "its source id does not have 16 bytes");
        header.source = *id;
        break;
      }
      case wire::kBeginField:
        header.range.begin = u64(in);
        break;
      case wire::kEndField:
        header.range.end = u64(in);
        break;
      case wire::kOriginField:
        header.origin = u64(in);
        break;
      case wire::kAgentIdField:
        header.agent_id = header_text(in);
        break;
      case wire::kInstanceField:
        header.instance = f64(in);
        break;
      case wire::kHostField:
        header.host = header_text(in);
        break;
      case wire::kInputField:
        header.input = header_text(in);
        break;
      case wire::kPathField:
        header.path = header_text(in);
        break;
      case wire::kFieldsField:
        check(header.fields.size() < kMaxInputFields, "too many fields of the input");
        header.fields.push_back(read_field(protozero::pbf_reader(bytes_of(in))));
        break;
      case wire::kSentField:
        header.sent_ms = s64(in);
        break;
      case wire::kWatermarkField:
        header.watermark_ms = s64(in);
        break;
      case wire::kLagField:
        header.lag_bytes = u64(in);
        break;
      case wire::kLossCauseField:
        header.loss_cause = sent_loss_cause(enumerator(in));
        break;
      case wire::kLinesField:
        envelope.lines = u32(in);
        break;
      case wire::kColumnsBytesField:
        envelope.columns_bytes = u64(in);
        break;
      case wire::kColumnsField:
        envelope.columns = view(bytes_of(in));
        break;
      case wire::kWindowsBytesField:
        envelope.windows_bytes = u64(in);
        break;
      case wire::kWindowsField:
        envelope.windows = view(bytes_of(in));
        break;
      default:
        in.skip();
    }
  }
  return envelope;
}

}  // namespace

// The library reads more than is meant: frames of before its version 0.8, which are not fit for
// strangers' bytes, and whatever follows the first frame.
std::string wire::decompressed(std::string_view frame, std::uint64_t size_bytes, const DecodeLimits& limits) {
  check(size_bytes <= limits.max_uncompressed_bytes, "its columns are larger than the limit");
  check(frame.starts_with("\x28\xb5\x2f\xfd"), "its columns are no zstd frame");
  check(ZSTD_getFrameContentSize(frame.data(), frame.size()) == size_bytes,
        "the size of its columns is not what their zstd frame says");
  check(ZSTD_findFrameCompressedSize(frame.data(), frame.size()) == frame.size(),
        "its columns are not one whole zstd frame");
  std::string plain(size_bytes, '\0');
  const auto size = ZSTD_decompress(plain.data(), plain.size(), frame.data(), frame.size());
  check(ZSTD_isError(size) == 0U && size == size_bytes, "its columns do not decompress");
  return plain;
}

UnparsedLine wire::read_unparsed_line(protozero::pbf_reader in) {
  UnparsedLine bad;
  while (in.next()) {
    switch (in.tag()) {
      case 1:
        bad.line = u32(in);
        break;
      case 2:
        bad.reason = static_cast<Unparsed>(std::clamp(enumerator(in), 0, 255));
        break;
      case 3: {
        const auto text = bytes_of(in);
        check(text.size() <= kUnparsedSampleBytes, "an unparsed sample is too long");
        bad.text.assign(text.data(), text.size());
        break;
      }
      default:
        in.skip();
    }
  }
  return bad;
}

std::string_view to_string(Unparsed reason) {
  switch (reason) {
    case Unparsed::kNoMatch:
      return "the line does not fit the format";
    case Unparsed::kBadTime:
      return "no time that could be read";
    case Unparsed::kTooLong:
      return "longer than max_line";
    case Unparsed::kBinary:
      return "NUL bytes";
  }
  return "a reason that this version does not know";
}

bool looks_like_batch(std::string_view message) { return message.starts_with("\x0dWEIR"); }

Result<DecodedBatch> decode_batch(std::string_view message, const DecodeLimits& limits) {
  if (!looks_like_batch(message)) return std::unexpected(corrupt("does not begin with its magic"));
  DecodedBatch batch;
  try {
    const auto envelope = read_envelope(message, batch.header);
    if (envelope.version != wire::kVersion) {
      return fail(Code::kInvalid,
                  "batch: version " + std::to_string(envelope.version) + " is not known, only " +
                      std::to_string(wire::kVersion),
                  "update weir-aggregator before the agents");
    }
    const auto& header = batch.header;
    const auto sane = [](std::int64_t ms) {
      return ms == kNoTime || (ms >= -wire::kMaxTimeMs && ms <= wire::kMaxTimeMs);
    };
    check(sane(header.sent_ms) && sane(header.watermark_ms), "a time out of range");
    if (header.kind == BatchKind::kHeartbeat) return batch;
    check(!header.source.empty(), "no source id");
    check(
        header.range.begin <= header.range.end && header.range.end < 1ULL << 62 && header.origin < 1ULL << 62,
        "its range is backwards or out of range");
    if (header.kind == BatchKind::kLoss) return batch;
    check(envelope.lines <= limits.max_lines, "too many lines");
    if (header.kind == BatchKind::kWindows) {
      read_windows(batch, envelope.lines, decompressed(envelope.windows, envelope.windows_bytes, limits),
                   limits);
      return batch;
    }
    batch.buffer_ =
        std::make_unique<std::string>(decompressed(envelope.columns, envelope.columns_bytes, limits));
    ColumnsReader(batch, envelope.lines, limits).read();
  } catch (const Corrupt& error) {
    return std::unexpected(corrupt(error.what));
  } catch (const protozero::exception& error) {
    return std::unexpected(corrupt(std::string("not a protocol buffer of this shape: ") + error.what()));
  }
  return batch;
}

void DecodedBatch::record(std::size_t i, Record& out, std::vector<std::string_view>& extra_scratch) const {
  out.clear();
  out.time_ms = columns.time_ms[i];
  for (std::size_t field = 0; field < kTextCount; ++field) {
    if (!columns.text[field].empty())
      out.set(static_cast<Text>(field), columns.strings[columns.text[field][i]]);
  }
  for (std::size_t field = 0; field < kNumberCount; ++field) {
    if (!columns.number[field].empty() && columns.number[field][i] > 0) {
      out.set(static_cast<Number>(field), columns.number[field][i] - 1);
    }
  }
  extra_scratch.clear();
  for (const auto& column : columns.extra) extra_scratch.push_back(columns.strings[column[i]]);
  out.extra = extra_scratch;
}

}  // namespace weir
