// Decodes batches of all kinds. Checks sizes before it allocates, and every index before it is used.
#include <arpa/inet.h>
#include <zstd.h>

#include <algorithm>
#include <numeric>
#include <protozero/pbf_reader.hpp>

#include "proto/batch.h"
#include "proto/hostile.h"
#include "proto/planes.h"
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

// Unpacks `count` numbers of at most `max_planes` planes.
template <class T>
std::vector<T> unpack(std::string_view bytes, std::size_t count, std::size_t max_planes, Budget& budget,
                      const char* what) {
  // Before the memory is allocated.
  check(count == 0 ? bytes.empty() : bytes.size() % count == 0 && !bytes.empty(), what);
  const auto planes = count == 0 ? 0 : bytes.size() / count;
  check(planes <= max_planes, what);
  budget.take(count * sizeof(T));
  std::vector<T> out(count);
  read_planes(bytes.data(), planes, std::span<T>(out));
  return out;
}

constexpr std::size_t kMaxIndexPlanes = 4;
constexpr std::size_t kMaxNumberPlanes = 8;

struct TextSection {
  std::uint32_t field = 0, same_as = 0, strings = 0;
  std::string_view name, cell, string_code, string_bytes;
  std::uint32_t seen = 0;  // one bit per section that was read
  [[nodiscard]] bool has(std::uint32_t tag) const { return (seen >> tag & 1U) != 0; }
};

struct NumberSection {
  std::uint32_t field = 0, near = 0;
  std::string_view cell;
  std::uint32_t seen = 0;
};

struct Sections {
  std::string_view line_bytes, record_gap, time_delta;
  std::vector<TextSection> text, extra;
  std::vector<NumberSection> number;
  std::vector<protozero::data_view> unparsed;
  std::uint32_t records = 0;
  std::int64_t first_time_ms = 0;
  std::uint32_t seen = 0;
};

TextSection text_section(protozero::pbf_reader in) {
  TextSection out;
  while (in.next()) {
    if (in.tag() <= wire::kTextStringBytesField) once(out.seen, in.tag());
    switch (in.tag()) {
      case wire::kTextFieldField:
        out.field = u32(in);
        break;
      case wire::kTextNameField:
        out.name = view(bytes_of(in));
        check(out.name.size() <= kMaxHeaderText, "a text of its header is longer than 64 KiB");
        break;
      case wire::kTextSameAsField:
        out.same_as = u32(in);
        break;
      case wire::kTextCellField:
        out.cell = view(bytes_of(in));
        break;
      case wire::kTextStringsField:
        out.strings = u32(in);
        break;
      case wire::kTextStringCodeField:
        out.string_code = view(bytes_of(in));
        break;
      case wire::kTextStringBytesField:
        out.string_bytes = view(bytes_of(in));
        break;
      default:
        in.skip();
    }
  }
  return out;
}

NumberSection number_section(protozero::pbf_reader in) {
  NumberSection out;
  while (in.next()) {
    if (in.tag() <= wire::kNumberNearField) once(out.seen, in.tag());
    switch (in.tag()) {
      case wire::kNumberFieldField:
        out.field = u32(in);
        break;
      case wire::kNumberCellField:
        out.cell = view(bytes_of(in));
        break;
      case wire::kNumberNearField:
        out.near = u32(in);
        break;
      default:
        in.skip();
    }
  }
  return out;
}

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
    read_records();
    read_texts();
    for (const auto& section : sections_.number) read_number(section);
    if (!limits_.extra_columns) return;
    for (const auto& section : sections_.extra) {
      check(!section.has(wire::kTextSameAsField), "an extra column without cells");
      out_.extra.push_back(text_column(section));
      out_.extra_names.emplace_back(section.name);
    }
  }

 private:
  void find_sections() {
    protozero::pbf_reader in(*batch_.buffer_);
    while (in.next()) {
      if (in.tag() <= wire::kTimeDeltaField) once(sections_.seen, in.tag());
      switch (in.tag()) {
        case wire::kRecordsField:
          sections_.records = u32(in);
          break;
        case wire::kLineBytesField:
          sections_.line_bytes = view(bytes_of(in));
          break;
        case wire::kRecordGapField:
          sections_.record_gap = view(bytes_of(in));
          break;
        case wire::kFirstTimeField:
          sections_.first_time_ms = s64(in);
          break;
        case wire::kTimeDeltaField:
          sections_.time_delta = view(bytes_of(in));
          break;
        case wire::kTextField:
          check(sections_.text.size() < 1024, "too many columns");
          sections_.text.push_back(text_section(protozero::pbf_reader(bytes_of(in))));
          break;
        case wire::kNumberField:
          check(sections_.number.size() < 1024, "too many columns");
          sections_.number.push_back(number_section(protozero::pbf_reader(bytes_of(in))));
          break;
        case wire::kExtraField:
          check(sections_.extra.size() < kMaxExtraColumns, "too many extra columns");
          sections_.extra.push_back(text_section(protozero::pbf_reader(bytes_of(in))));
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
    out_.line_bytes = unpack<std::uint32_t>(sections_.line_bytes, lines_, kMaxIndexPlanes, budget_,
                                            "line_bytes does not have one entry per line");
    std::uint64_t sum = 0;
    bool empty = false;
    for (const auto bytes : out_.line_bytes) {
      empty |= bytes == 0;
      sum += bytes;
    }
    check(!empty, "a line of zero bytes");
    check(sum == batch_.header.range.size(), "its lines are not as long as its range");
  }

  void read_records() {
    const std::size_t records = sections_.records;
    check(std::uint64_t{records} + sections_.unparsed.size() + out_.filtered == lines_,
          "records, unparsed and filtered lines do not add up");
    const auto deltas = unpack<std::uint64_t>(sections_.time_delta, records, kMaxNumberPlanes, budget_,
                                              "time_delta_ms does not have one entry per record");
    budget_.take(records * sizeof(std::int64_t));
    out_.time_ms.resize(records);
    auto time_ms = sections_.first_time_ms;
    for (std::size_t i = 0; i < records; ++i) {
      check(!__builtin_add_overflow(time_ms, static_cast<std::int64_t>(unzigzag(deltas[i])), &time_ms) &&
                time_ms >= -wire::kMaxTimeMs && time_ms <= wire::kMaxTimeMs,
            "a time out of range");
      out_.time_ms[i] = time_ms;
    }
    budget_.take(records * sizeof(std::uint32_t));
    out_.record_line.resize(records);
    std::uint64_t line = 0;
    if ((sections_.seen >> wire::kRecordGapField & 1U) != 0) {
      const auto gaps = unpack<std::uint32_t>(sections_.record_gap, records, kMaxIndexPlanes, budget_,
                                              "record_gap does not have one entry per record");
      for (std::size_t i = 0; i < records; ++i) {
        line += gaps[i];
        check(line < lines_, "a record beyond its lines");
        out_.record_line[i] = static_cast<std::uint32_t>(line++);
      }
    } else {
      std::iota(out_.record_line.begin(), out_.record_line.end(), 0U);
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

  void read_texts() {
    std::array<const TextSection*, kTextCount> known{};
    for (const auto& section : sections_.text) {
      if (section.field >= kTextCount) continue;  // from a newer writer
      check(known[section.field] == nullptr, "a column twice");
      known[section.field] = &section;
    }
    for (std::size_t field = 0; field < kTextCount; ++field) {
      const auto* section = known[field];
      if (section == nullptr || (limits_.text_columns >> field & 1U) == 0) continue;
      if (section->has(wire::kTextSameAsField)) {
        check(!section->has(wire::kTextCellField) && !section->has(wire::kTextStringsField),
              "a column of its own cells that is the same as another");
        check(section->same_as < kTextCount && known[section->same_as] != nullptr &&
                  !known[section->same_as]->has(wire::kTextSameAsField),
              "a column that is the same as none");
        section = known[section->same_as];
      }
      out_.text[field] = text_column(*section);
    }
  }

  TextColumn text_column(const TextSection& section) {
    TextColumn out;
    read_strings(section, out.strings);
    out.index = unpack<std::uint32_t>(section.cell, out_.records(), kMaxIndexPlanes, budget_,
                                      "a column does not have one entry per record");
    std::uint32_t used = 0;
    bool early = false;
    for (auto& cell : out.index) {
      used += static_cast<std::uint32_t>(cell == wire::kNewCell);
      cell = cell == wire::kNewCell ? used : cell - static_cast<std::uint32_t>(cell >= wire::kSeenCell);
      early |= cell > used;
    }
    check(!early && used < out.strings.size(), "a string before its first use");
    check(used + 1 == out.strings.size(), "a string that no record has");
    return out;
  }

  void read_strings(const TextSection& section, std::vector<std::string_view>& strings) {
    strings_ += section.strings;
    check(section.strings < limits_.max_strings && strings_ < limits_.max_strings, "too many strings");
    const auto codes = unpack<std::uint32_t>(section.string_code, section.strings, kMaxIndexPlanes, budget_,
                                             "string_code does not have one entry per string");
    const auto count_of = [&](std::uint32_t code) {
      return static_cast<std::size_t>(std::count(codes.begin(), codes.end(), code));
    };
    // Must not be resized once views point into it: reserves the most that the addresses can need.
    const auto room =
        count_of(wire::kIpv4Code) * INET_ADDRSTRLEN + count_of(wire::kIpv6Code) * INET6_ADDRSTRLEN;
    budget_.take(codes.size() * sizeof(std::string_view) + room);
    std::string* printed = nullptr;
    if (room > 0) {
      printed = batch_.addresses_.emplace_back(std::make_unique<std::string>()).get();
      printed->reserve(room);
    }
    strings.reserve(1 + codes.size());
    strings.emplace_back();
    auto rest = section.string_bytes;
    for (const auto code : codes) {
      const auto size = code == wire::kIpv4Code ? 4 : code == wire::kIpv6Code ? 16 : code - wire::kTextCode;
      check(size <= rest.size(), "a string is cut off");
      const auto bytes = rest.substr(0, size);
      rest.remove_prefix(size);
      if (code >= wire::kTextCode) {
        strings.push_back(bytes);
        continue;
      }
      std::array<char, INET6_ADDRSTRLEN> buffer{};
      inet_ntop(code == wire::kIpv4Code ? AF_INET : AF_INET6, bytes.data(), buffer.data(), buffer.size());
      const auto begin = printed->size();
      printed->append(buffer.data());
      strings.push_back(std::string_view(*printed).substr(begin));
    }
    check(rest.empty(), "bytes behind its last string");
  }

  void read_number(const NumberSection& section) {
    if (section.field >= kNumberCount) return;
    auto& column = out_.number[section.field];
    check(column.empty(), "a column twice");
    column = unpack<std::uint64_t>(section.cell, out_.records(), kMaxNumberPlanes, budget_,
                                   "a column does not have one entry per record");
    if ((section.seen >> wire::kNumberNearField & 1U) == 0) return;
    check(section.near < kNumberCount && section.near != section.field &&
              out_.number[section.near].size() == column.size(),
          "a column near one that does not stand before it");
    const auto& to = out_.number[section.near];
    bool wrapped = false;
    for (std::size_t i = 0; i < column.size(); ++i) {
      if (column[i] == 0) continue;
      const auto from = to[i] == 0 ? 1 : to[i];  // both are cells, which are value + 1
      column[i] = from + unzigzag(column[i] - 1);
      wrapped |= column[i] == 0;
    }
    check(!wrapped, "a number out of range");
  }

  DecodedBatch& batch_;
  Columns& out_;
  std::uint32_t lines_;
  const DecodeLimits& limits_;
  Budget budget_;
  Sections sections_;
  std::uint64_t strings_ = 0;  // of the columns read so far
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

// Values from 64 on belong to the store.
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

// The library accepts more than we do: legacy frames of zstd before 0.8, whose decoders are not safe for
// untrusted input, and anything after the first frame.
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
                  envelope.version < wire::kVersion ? "update the agent that sent it"
                                                    : "update weir-aggregator before the agents");
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
    if (header.kind == BatchKind::kLoss) {
      if (header.loss_cause == LossCause::kNotReceived) batch.header.kind = BatchKind::kClaim;
      return batch;
    }
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
    if (!columns.text[field].index.empty()) out.set(static_cast<Text>(field), columns.text[field].at(i));
  }
  for (std::size_t field = 0; field < kNumberCount; ++field) {
    if (!columns.number[field].empty() && columns.number[field][i] > 0) {
      out.set(static_cast<Number>(field), columns.number[field][i] - 1);
    }
  }
  extra_scratch.clear();
  for (const auto& column : columns.extra) extra_scratch.push_back(column.at(i));
  out.extra = extra_scratch;
}

}  // namespace weir
