// WindowDelta: what a batch adds to the windows. A commutative monoid:
// fold(A and B together) == merge(fold(A), fold(B)). Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "proto/batch.h"
#include "proto/folded.h"

namespace weir {

struct WindowKey {
  std::int64_t start_s = 0;  // Unix seconds, a multiple of the window's length
  std::string site;
  std::string host;
  std::uint16_t status = 0;  // 0: not logged
  friend auto operator<=>(const WindowKey&, const WindowKey&) = default;
};

using WindowDelta = std::map<WindowKey, WindowSum>;  // ordered: rows go in primary-key order
void merge_into(WindowDelta& into, const WindowDelta& delta);
// `folded` was made on `host`.
void merge_into(WindowDelta& into, const FoldedLines& folded, const std::string& host);

inline constexpr std::string_view kOtherSite = "(other)";
inline constexpr std::string_view kNoSite = "(none)";
inline constexpr std::string_view kInvalidSite = "(invalid)";
inline constexpr std::size_t kMaxSiteBytes = 253;  // RFC 1035, as text

struct FoldConfig {
  std::int64_t window_s = 60;
  // A request that ran longer than this has its flow bytes spread over the last
  // `max_spread_s` only (a hostile request_time must not make a million windows).
  std::int64_t max_spread_s = 6 * 3600;
};

// The site of a record: field "site" of the input when set, else $host lower-cased,
// without port and trailing dot, else $server_name, else kNoSite. Anything that is
// no host name or address (RFC 1123 letters, digits, '-', '.', '_', [IPv6]) is kInvalidSite:
// it was written by a stranger and becomes a key.
[[nodiscard]] std::string site_of(std::string_view host, std::string_view server_name,
                                  std::string_view site_field);

// What site_of() may answer.
[[nodiscard]] bool is_site(std::string_view site);

// What batches come to, added up until it is taken: the windows of one commit. A row is found by numbers
// that stand for its names, and its latencies are counted when it is taken: adding a request to a row that
// is there costs no allocation. Not thread-safe.
class WindowTable {
 public:
  // False: the site is not to have rows of its own and counts as kOtherSite.
  using Admits = std::function<bool(const std::string& site)>;
  explicit WindowTable(const FoldConfig& config);
  ~WindowTable();
  WindowTable(WindowTable&&) noexcept;
  WindowTable& operator=(WindowTable&&) noexcept;

  // The records whose lines lie in [first_line, end_line) of the batch.
  // bytes_sent is $bytes_sent, else $body_bytes_sent.
  void add(const DecodedBatch& batch, std::uint32_t first_line, std::uint32_t end_line, const Admits& admits);
  // `folded` was made on `host`.
  void add(FoldedLines folded, const std::string& host, const Admits& admits);

  // What it occupies, and what take() makes of it, roughly.
  [[nodiscard]] std::uint64_t bytes() const;
  // Starts anew.
  [[nodiscard]] WindowDelta take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A WindowTable of these lines alone, all sites admitted, added to `into`.
void fold(const DecodedBatch& batch, std::uint32_t first_line, std::uint32_t end_line,
          const FoldConfig& config, WindowDelta& into);

// The same, line by line, where the lines are parsed: what it gives is what fold() makes of a
// batch of these lines. Keeps its buffers from batch to batch. Not thread-safe.
class LineFolder {
 public:
  LineFolder();
  ~LineFolder();
  LineFolder(LineFolder&&) noexcept;
  LineFolder& operator=(LineFolder&&) noexcept;

  // Starts anew. `site_field`: field "site" of the input.
  void begin(const FoldConfig& config, std::string_view site_field);
  void add(const Record& record);
  void add_unparsed(std::string_view line, Unparsed reason);
  void add_filtered();
  // As many windows, sites or lines as one batch may have: finish this one first. So its memory is
  // bounded whatever stands in the lines, and no line's numbers go where they do not belong.
  [[nodiscard]] bool full() const;
  // Full, and not just by its number of lines.
  [[nodiscard]] bool crowded() const;
  [[nodiscard]] const FoldedLines& finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
