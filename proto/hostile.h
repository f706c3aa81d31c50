// What the decoders of this folder share: checked reads of bytes that come from a stranger.
#pragma once

#include <cstdint>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/batch.h"
#include "proto/result.h"

namespace weir::wire {

inline Error corrupt(std::string what) {
  return Error{Code::kCorrupt, "batch: " + std::move(what), "see who else writes to this topic"};
}

// Thrown inside the decoders only: they nest too deep to hand Results up at each read.
struct Corrupt {
  std::string what;
};

inline void check(bool good, const char* what) {
  if (!good) throw Corrupt{what};
}

// protozero trusts the caller to know the wire type of a field; ours comes from a stranger.
template <class Get>
auto typed(protozero::pbf_reader& in, protozero::pbf_wire_type type, Get get) {
  check(in.wire_type() == type, "a field of the wrong wire type");
  return get();
}
using protozero::pbf_wire_type;
inline std::uint32_t u32(protozero::pbf_reader& in) {
  return typed(in, pbf_wire_type::varint, [&] { return in.get_uint32(); });
}
inline std::uint64_t u64(protozero::pbf_reader& in) {
  return typed(in, pbf_wire_type::varint, [&] { return in.get_uint64(); });
}
inline std::int64_t s64(protozero::pbf_reader& in) {
  return typed(in, pbf_wire_type::varint, [&] { return in.get_sint64(); });
}
inline std::int32_t enumerator(protozero::pbf_reader& in) {
  return typed(in, pbf_wire_type::varint, [&] { return in.get_enum(); });
}
inline std::uint64_t f64(protozero::pbf_reader& in) {
  return typed(in, pbf_wire_type::fixed64, [&] { return in.get_fixed64(); });
}
inline protozero::data_view bytes_of(protozero::pbf_reader& in) {
  return typed(in, pbf_wire_type::length_delimited, [&] { return in.get_view(); });
}

// Libraries join the pieces of such a field or take the last one: two readers must not read two things.
inline void once(std::uint32_t& seen, std::uint32_t field) {
  check((seen >> field & 1U) == 0, "a section twice");
  seen |= 1U << field;
}

// What columns may occupy when expanded, so that a small message does not become gigabytes.
class Budget {
 public:
  explicit Budget(std::uint64_t bytes) : left_(bytes) {}
  void take(std::uint64_t bytes) {
    check(bytes <= left_, "its columns expand beyond the limit");
    left_ -= bytes;
  }

 private:
  std::uint64_t left_;
};

inline std::string_view view(protozero::data_view in) { return {in.data(), in.size()}; }

// The content of the one zstd frame of a message, which says that it has `size_bytes`.
[[nodiscard]] std::string decompressed(std::string_view frame, std::uint64_t size_bytes,
                                       const DecodeLimits& limits);
[[nodiscard]] UnparsedLine read_unparsed_line(protozero::pbf_reader in);
// Fills batch.folded.
void read_windows(DecodedBatch& batch, std::uint32_t lines, std::string_view plain,
                  const DecodeLimits& limits);

}  // namespace weir::wire
