// The codecs by name, and what the rest of the agent must know of each.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

enum class Codec { kBatch, kWindows, kJson, kRaw };

struct CodecTraits {
  // A message cannot be cut: a range that was sent once is sent again with the same ends.
  bool keeps_ranges = false;
  // A payload is lines that end with '\n', and each is a message of its own.
  bool splits_lines = false;
  // Its reader counts bytes of files: losses, claims and heartbeats go the same way as the lines.
  bool wants_claims = false;
};

[[nodiscard]] const CodecTraits& traits_of(Codec codec);
// "batch", as the configuration has it.
[[nodiscard]] std::string_view to_string(Codec codec);
[[nodiscard]] std::optional<Codec> codec_named(std::string_view name);

// Which codecs the key `codec` of an output may name. Windows are asked for by `ship`.
enum class CodecsFor { kKafka, kText };
[[nodiscard]] std::vector<std::string> codec_names(CodecsFor output);

}  // namespace weir
