// The store as its readers see it: pages, reports, audits, rules. Changes nothing, so a read-only connection
// is enough.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/store/states.h"
#include "proto/coverage.h"
#include "proto/result.h"
#include "proto/window.h"

namespace weir {

// Known loss, by cause.
using GapBytes = std::map<LossCause, std::uint64_t>;

struct TrafficQuery {
  std::optional<std::int64_t> from_s{}, to_s{};  // [from, to)
  std::int64_t step_s = 0;                       // 0: everything in one step
  bool by_site = false, by_host = false, by_status = false;
  std::optional<std::string> site{}, host{};  // filters
};

struct TrafficRow {
  std::int64_t start_s = 0;  // start of the step; with step 0 that of the first window
  std::string site, host;
  std::uint16_t status = 0;
  WindowSum sum;
};

// Not thread-safe. Errors: kUnavailable, kInvalid, kIo as in ledger.h; kCorrupt: a row cannot be decoded.
class Traffic {
 public:
  virtual ~Traffic() = default;
  [[nodiscard]] virtual Result<std::vector<std::string>> sites() const = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> hosts() const = 0;
  // Ascending by (start, site, host, status). kFull: the answer has more than `max_rows` rows. Reads only the
  // windows in [from, to), by the table's key.
  [[nodiscard]] virtual Result<std::vector<TrafficRow>> traffic(const TrafficQuery& query,
                                                                std::size_t max_rows) const = 0;
  // Start of the first window and of the last. nullopt: there are none. Costs two index look-ups.
  struct Span {
    std::int64_t first_s = 0, last_s = 0;
  };
  [[nodiscard]] virtual Result<std::optional<Span>> traffic_span() const = 0;
  // Most recently seen first.
  [[nodiscard]] virtual Result<std::vector<SourceState>> all_sources(std::size_t max_rows) const = 0;
  [[nodiscard]] virtual Result<GapBytes> gap_bytes() const = 0;
  [[nodiscard]] virtual Result<std::vector<AgentState>> agents() const = 0;
  struct DeadLetters {
    std::uint64_t total = 0;  // including those that are not kept
    std::vector<DeadLetter> newest;
  };
  [[nodiscard]] virtual Result<DeadLetters> dead_letters(std::size_t max_rows) const = 0;
  // Dead letters that record lost messages, newest first.
  [[nodiscard]] virtual Result<std::vector<DeadLetter>> lost_offsets(std::size_t max_rows) const = 0;
};

}  // namespace weir
