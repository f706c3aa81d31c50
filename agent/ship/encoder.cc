#include "agent/ship/encoder.h"

#include <algorithm>
#include <array>

#include "agent/ship/encoders.h"
#include "proto/must.h"

namespace weir {
namespace {

struct Row {
  Codec codec;
  std::string_view name;
  CodecTraits traits;
  std::unique_ptr<Encoder> (*make)(int zstd_level);
};

constexpr std::array kRows = {
    Row{Codec::kBatch, "batch", {.wants_claims = true}, make_batch_encoder},
    Row{Codec::kWindows, "windows", {.keeps_ranges = true, .wants_claims = true}, make_windows_encoder},
    Row{Codec::kJson, "json", {.splits_lines = true}, make_json_encoder},
    Row{Codec::kRaw, "raw", {.splits_lines = true}, make_raw_encoder},
};

const Row& row_of(Codec codec) {
  const auto* const row = std::ranges::find(kRows, codec, &Row::codec);
  MUST(row != kRows.end(), "each codec has a row in the table of encoders");
  return *row;
}

}  // namespace

const CodecTraits& traits_of(Codec codec) { return row_of(codec).traits; }

std::string_view to_string(Codec codec) { return row_of(codec).name; }

std::optional<Codec> codec_named(std::string_view name) {
  const auto* const row = std::ranges::find(kRows, name, &Row::name);
  if (row == kRows.end()) return std::nullopt;
  return row->codec;
}

std::vector<std::string> codec_names(CodecsFor output) {
  std::vector<std::string> names;
  for (const auto& row : kRows) {
    const bool fits = output == CodecsFor::kText ? row.traits.splits_lines : !row.traits.keeps_ranges;
    if (fits) names.emplace_back(row.name);
  }
  return names;
}

std::unique_ptr<Encoder> make_encoder(Codec codec, int zstd_level) { return row_of(codec).make(zstd_level); }

}  // namespace weir
