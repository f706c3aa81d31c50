#include "agent/tail/proof.h"

#include <xxhash.h>

#include <algorithm>
#include <optional>

#include "proto/source_id.h"

namespace weir {
namespace {

// The first line of `head` that has data. nullopt: there is none. "": its end is not known yet.
std::optional<std::string_view> data_line_in(std::string_view head, bool complete) {
  for (auto rest = head; !rest.empty();) {
    const auto end = rest.find('\n');
    const bool whole = end != std::string_view::npos || rest.size() >= kFirstLineHashBytes || complete;
    const auto line = rest.substr(0, end);
    if (!line.empty() && line.front() != '#')
      return whole ? line.substr(0, kFirstLineHashBytes) : std::string_view();
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace

std::string hash_of(std::string_view bytes) {
  const auto hash = XXH3_128bits(bytes.data(), bytes.size());
  return SourceId{hash.high64, hash.low64}.bytes();
}

Result<std::string> first_data_line(Content& content) {
  std::string head;
  // One short read is usually enough. This runs for each young file at every scan.
  if (const auto got = content.read(0, kFirstLineHashBytes, head); !got) return std::unexpected(got.error());
  if (!head.starts_with('\0')) {
    if (const auto line = data_line_in(head, false); line && !line->empty()) return std::string(*line);
  }
  if (const auto got = read_whole(content, head.size(), kHeadScanBytes - head.size(), head); !got)
    return std::unexpected(got.error());
  if (head.starts_with('\0')) {
    // A hole left by a writer without O_APPEND.
    const auto data = content.data_from(0);
    head.clear();
    if (const auto again = read_whole(content, data, kHeadScanBytes, head); !again)
      return std::unexpected(again.error());
    head.erase(0, head.find_first_not_of('\0'));
  }
  if (const auto line = data_line_in(head, content.compressed() && content.complete()); line)
    return std::string(*line);
  // 64 KiB of comments and no data: the comments identify the file.
  return head.size() >= kHeadScanBytes ? head.substr(0, kFirstLineHashBytes) : std::string();
}

Result<std::string> tail_hash(Content& content, std::uint64_t offset) {
  const auto size = std::min<std::uint64_t>(offset, kTailHashBytes);
  std::string bytes;
  const auto got = read_whole(content, offset - size, size, bytes);
  if (!got) return std::unexpected(got.error());
  return *got < size ? std::string() : hash_of(bytes);
}

Result<std::size_t> read_whole(Content& content, std::uint64_t offset, std::size_t size_bytes,
                               std::string& out) {
  std::size_t read = 0;
  while (read < size_bytes) {
    const auto got = content.read(offset + read, size_bytes - read, out);
    if (!got) return got;
    if (*got == 0) break;
    read += *got;
  }
  return read;
}

}  // namespace weir
