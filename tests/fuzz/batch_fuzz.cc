// Arbitrary bytes after the magic: decode_batch() refuses them, or the batch it returns can be used.
#include "tests/fuzz/use_batch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string message = "\x0dWEIR" + std::string(reinterpret_cast<const char*>(data), size);
  const auto batch = weir::decode_batch(
      message, {.max_uncompressed_bytes = 1 << 20, .max_lines = 1 << 14, .max_strings = 1 << 14});
  if (!batch) {
    weir::testing::require(!batch.error().what.empty(), "an error says what is wrong");
    return 0;
  }
  weir::testing::use_batch(*batch);
  return 0;
}
