// What the decoders of this folder share: checked reads of untrusted bytes.
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

// Thrown inside the decoders only: they nest too deeply to return a Result from each read.
struct Corrupt {
  std::string what;
};

inline void check(bool good, const char* what) {
  if (!good) throw Corrupt{what};
}

// protozero relies on the caller to know a field's wire type; in untrusted input it may be any.
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

// Given a repeated field, some libraries join the pieces and others take the last one. Two readers must not
// see different content.
inline void once(std::uint32_t& seen, std::uint32_t field) {
  check((seen >> field & 1U) == 0, "a section twice");
  seen |= 1U << field;
}

// Bounds the memory of expanded columns, so that a small message cannot become gigabytes.
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

// Decompresses the single zstd frame of a message, which must state a content size of `size_bytes`.
[[nodiscard]] std::string decompressed(std::string_view frame, std::uint64_t size_bytes,
                                       const DecodeLimits& limits);
[[nodiscard]] UnparsedLine read_unparsed_line(protozero::pbf_reader in);
// Fills batch.folded.
void read_windows(DecodedBatch& batch, std::uint32_t lines, std::string_view plain,
                  const DecodeLimits& limits);

}  // namespace weir::wire
