// Whether a file may be deleted because all of it is acknowledged. Compares the file with registry entries
// that were read just before. Waiting goes through a `pause` argument.
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

// `entries` must be read before this call checks the file: bytes that arrive in between can only make it "not
// drained", never the reverse. A source is matched to this file by its bytes, not only by its inode, because
// copytruncate keeps the inode. A copy of a drained source, for example a compressed one, is drained.
// Errors: kNotFound (no such file), kInvalid (not a regular file), kIo and kCorrupt (not readable).
[[nodiscard]] Result<DrainState> drain_state(const std::string& path,
                                             const std::vector<RegistryEntry>& entries,
                                             const FileSystem& files);

// Calls `look` every 100 ms until the file is drained or `wait` has passed, and returns the last answer.
// `pause` sleeps for the given time. Errors: those of `look`. kIo and kCorrupt may be temporary, so they are
// returned only after the wait.
[[nodiscard]] Result<DrainState> wait_until_drained(
    const std::function<Result<DrainState>()>& read_state, std::chrono::milliseconds wait, const Clock& clock,
    const std::function<void(std::chrono::milliseconds)>& pause);

}  // namespace weir
