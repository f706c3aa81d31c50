// SourceId identifies a file by its content, not by its path (docs/architecture.md).
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/result.h"

namespace weir {

struct SourceId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const SourceId&, const SourceId&) = default;

  [[nodiscard]] bool empty() const { return high == 0 && low == 0; }
  [[nodiscard]] std::string hex() const;    // 32 lower-case hex digits
  [[nodiscard]] std::string bytes() const;  // 16 bytes, big endian
  [[nodiscard]] static Result<SourceId> from_hex(std::string_view text);
  [[nodiscard]] static Result<SourceId> from_bytes(std::string_view bytes);
};

// Upper bound for the part of the first data line that is hashed.
inline constexpr std::size_t kFirstLineHashBytes = 4096;

// XXH3-128 over the agent id, the family and the first line. Each is preceded by its length, so that no two
// triples share an encoding. `salt` is empty except for look-alikes (docs/architecture.md), where it is
// device and inode in decimal, "dev:ino".
[[nodiscard]] SourceId make_source_id(std::string_view agent_id, std::string_view family,
                                      std::string_view first_line, std::string_view salt = {});

struct SourceIdHash {
  [[nodiscard]] std::size_t operator()(const SourceId& id) const { return id.low; }
};

}  // namespace weir
