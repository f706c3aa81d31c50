// Arbitrary bytes as the content of a batch of windows, before compression: decode_batch() refuses them, or
// the sums it returns can be used. The first four bytes say how many lines they claim to be.
#include <zstd.h>

#include <cstring>
#include <protozero/pbf_writer.hpp>

#include "proto/wire.h"
#include "tests/fuzz/use_batch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint32_t lines = 0;
  if (size < sizeof lines) return 0;
  std::memcpy(&lines, data, sizeof lines);
  const std::string_view plain(reinterpret_cast<const char*>(data) + sizeof lines, size - sizeof lines);
  weir::BatchHeader header;
  header.kind = weir::BatchKind::kWindows;
  header.source.low = 1;
  header.range = {0, 1ULL << 40};
  // A message without lines and windows, followed by these: the last occurrence of a field counts.
  auto message =
      weir::encode_windows(header, {.window_s = 60, .samples = {}, .sites = {}, .rows = {}}, 1).value();
  std::string packed(ZSTD_compressBound(plain.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1));
  protozero::pbf_writer out(message);
  out.add_uint32(weir::wire::kLinesField, lines);
  out.add_uint64(weir::wire::kWindowsBytesField, plain.size());
  out.add_bytes(weir::wire::kWindowsField, packed);
  const auto batch = weir::decode_batch(message);
  if (batch) {
    weir::testing::use_batch(*batch);
  } else {
    weir::testing::require(!batch.error().what.empty(), "an error says what is wrong");
  }
  return 0;
}
