// The factories of the encoders, for the table in encoder.cc.
#pragma once

#include <memory>

#include "agent/ship/encoder.h"

namespace weir {

[[nodiscard]] std::unique_ptr<Encoder> make_batch_encoder(int zstd_level);
[[nodiscard]] std::unique_ptr<Encoder> make_windows_encoder(int zstd_level);
[[nodiscard]] std::unique_ptr<Encoder> make_json_encoder(int zstd_level);
[[nodiscard]] std::unique_ptr<Encoder> make_raw_encoder(int zstd_level);

}  // namespace weir
