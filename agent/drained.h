// Whether a file may be deleted: all of it is acknowledged. Reads the file and what the
// registry had to say a moment before; waits by a clock that is an argument.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "agent/tail/file_system.h"
#include "agent/tail/registry.h"
#include "common/clock.h"
#include "proto/result.h"

namespace weir {

struct DrainState {
  bool drained = false;
  std::string why;  // "/var/log/a.log: 100 of 200 bytes are acknowledged"
};

// `entries` were read before the file is looked at here: bytes that come in between make it
// not drained, never the other way. A source is proved to be this file's by its bytes, not only by
// its inode, which copytruncate keeps. A copy (compressed, say) of a drained source is drained.
// Errors: kNotFound (no such file), kInvalid (no regular file), kIo and kCorrupt (not readable).
[[nodiscard]] Result<DrainState> drain_state(const std::string& path,
                                             const std::vector<RegistryEntry>& entries,
                                             const FileSystem& files);

// Looks every 100 ms until it is drained or `wait` is over; the last look's answer. `pause` waits
// for so long. Errors: those of `look`; kIo and kCorrupt, which may pass, only after the wait.
[[nodiscard]] Result<DrainState> wait_until_drained(
    const std::function<Result<DrainState>()>& look, std::chrono::milliseconds wait, const Clock& clock,
    const std::function<void(std::chrono::milliseconds)>& pause);

}  // namespace weir
