// WindowDelta: what a batch adds to the windows. It is a commutative monoid: fold(A and B together) ==
// merge(fold(A), fold(B)). Pure.
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

using WindowDelta = std::map<WindowKey, WindowSum>;  // ordered, so that rows are written in primary-key order
void merge_into(WindowDelta& into, const WindowDelta& delta);
// `folded` was computed on `host`.
void merge_into(WindowDelta& into, const FoldedLines& folded, const std::string& host);

inline constexpr std::string_view kOtherSite = "(other)";
inline constexpr std::string_view kNoSite = "(none)";
inline constexpr std::string_view kInvalidSite = "(invalid)";
inline constexpr std::size_t kMaxSiteBytes = 253;  // RFC 1035, in text form

struct FoldConfig {
  std::int64_t window_s = 60;
  // A longer request has its flow bytes spread over its last `max_spread_s` only: a forged request_time must
  // not create a million windows.
  std::int64_t max_spread_s = 6 * 3600;
};

// The site of a record: field "site" of the input if set; else $host in lower case, without port and trailing
// dot; else $server_name; else kNoSite. Anything that is not a host name or address (RFC 1123 letters and
// digits, '-', '.', '_', [IPv6]) becomes kInvalidSite, because clients choose the Host header and the site
// becomes a key.
[[nodiscard]] std::string site_of(std::string_view host, std::string_view server_name,
                                  std::string_view site_field);

// Whether site_of() may return `site`.
[[nodiscard]] bool is_site(std::string_view site);

// Adds batches up until the result is taken: the windows of one commit. A row is found by numbers that stand
// for its names, and its latencies are counted when it is taken, so adding a request to an existing row does
// not allocate. Not thread-safe.
class WindowTable {
 public:
  // False: the site gets no rows of its own and counts as kOtherSite.
  using Admits = std::function<bool(const std::string& site)>;
  explicit WindowTable(const FoldConfig& config);
  ~WindowTable();
  WindowTable(WindowTable&&) noexcept;
  WindowTable& operator=(WindowTable&&) noexcept;

  // Adds the records whose lines lie in [first_line, end_line) of the batch. bytes_sent is $bytes_sent, or
  // $body_bytes_sent if that is absent.
  void add(const DecodedBatch& batch, std::uint32_t first_line, std::uint32_t end_line, const Admits& admits);
  // `folded` was computed on `host`.
  void add(FoldedLines folded, const std::string& host, const Admits& admits);

  // Approximate memory of the table and of the result of take().
  [[nodiscard]] std::uint64_t bytes() const;
  // Returns the sums and starts anew.
  [[nodiscard]] WindowDelta take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Adds to `into` the WindowTable of these lines alone, with all sites admitted.
void fold(const DecodedBatch& batch, std::uint32_t first_line, std::uint32_t end_line,
          const FoldConfig& config, WindowDelta& into);

// Folds line by line where lines are parsed. The result equals fold() of a batch of the same lines. Reuses
// its buffers from batch to batch. Not thread-safe.
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
  // The batch has reached its limit of windows, sites or lines: finish it first. This bounds the memory for
  // any input and keeps every line within the limits of readers.
  [[nodiscard]] bool full() const;
  // Full for another reason than the number of lines.
  [[nodiscard]] bool crowded() const;
  [[nodiscard]] const FoldedLines& finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
