// The codecs by name, and the properties of each that the rest of the agent must know.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

enum class Codec { kBatch, kWindows, kJson, kRaw };

struct CodecTraits {
  // A message cannot be split: a range that is sent again keeps its ends.
  bool keeps_ranges = false;
  // A payload consists of lines that end with '\n', and each line is sent as its own message.
  bool splits_lines = false;
  // Its consumer counts bytes of files, so losses, claims and heartbeats travel with the lines.
  bool wants_claims = false;
};

[[nodiscard]] const CodecTraits& traits_of(Codec codec);
// "batch", as in the configuration.
[[nodiscard]] std::string_view to_string(Codec codec);
[[nodiscard]] std::optional<Codec> codec_named(std::string_view name);

// The codecs that the key `codec` of an output may name. Windows are chosen by `ship` instead.
enum class CodecsFor { kKafka, kText };
[[nodiscard]] std::vector<std::string> codec_names(CodecsFor output);

}  // namespace weir
