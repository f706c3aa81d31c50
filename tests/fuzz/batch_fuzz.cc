// Any bytes behind the magic: decode_batch() says no, or the batch it gives can be used.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "proto/window.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string message = "\x0dWEIR" + std::string(reinterpret_cast<const char*>(data), size);
  const auto batch = weir::decode_batch(
      message, {.max_uncompressed_bytes = 1 << 20, .max_lines = 1 << 14, .max_strings = 1 << 14});
  if (!batch) return 0;
  const auto& columns = batch->columns;
  if (columns.records() + columns.unparsed.size() + columns.filtered != columns.line_bytes.size())
    std::abort();
  weir::Record record;
  std::vector<std::string_view> scratch;
  for (std::size_t i = 0; i < columns.records(); ++i) batch->record(i, record, scratch);
  weir::WindowDelta delta;
  weir::fold(*batch, 0, static_cast<std::uint32_t>(columns.line_bytes.size()), {.max_spread_s = 600}, delta);
  std::uint64_t requests = 0;
  for (const auto& [key, sum] : delta) requests += sum.requests;
  if (requests != columns.records()) std::abort();
  return 0;
}
