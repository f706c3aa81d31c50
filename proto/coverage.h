// Coverage: which bytes of a source have been counted. Pure.
//
// It consists of a high-water mark and the gaps below it. Everything in [origin, high_water) outside the gaps
// is counted. Ranges are half-open, in bytes of the uncompressed content.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace weir {

struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
  [[nodiscard]] std::uint64_t size() const { return end - begin; }
  [[nodiscard]] bool empty() const { return begin >= end; }
};

// Why bytes were not counted. The values are used on the wire and in the store: append only.
enum class LossCause : std::uint8_t {
  kNotReceived = 0,        // no reason reported; later bytes have arrived
  kReleased = 1,           // given up by the agent under disk pressure
  kTruncatedUnread = 2,    // truncated before it was read
  kDeletedUnread = 3,      // deleted before it was read
  kUnreadable = 4,         // the file could not be read at this range
  kSkippedByOperator = 5,  // an operator told the agent to skip it
  kRetention = 64,         // the topic deleted the messages before they were read
  kWindowsRefused = 65,    // arrived as windows that could not be added: see the dead letters
};
[[nodiscard]] std::string_view to_string(LossCause cause);
// Converts a stored or received number; values unknown to this version become kNotReceived.
[[nodiscard]] LossCause loss_cause_of(std::uint64_t number);

struct Gap : ByteRange {
  Gap() = default;
  Gap(std::uint64_t from, std::uint64_t to, LossCause why = LossCause::kNotReceived, std::int64_t since = 0)
      : ByteRange{from, to}, cause(why), since_ms(since) {}
  LossCause cause = LossCause::kNotReceived;
  std::int64_t since_ms = 0;  // when it was noticed; Unix epoch
  friend bool operator==(const Gap&, const Gap&) = default;
};

class Coverage {
 public:
  Coverage() = default;
  // `gaps` must be sorted, disjoint, non-empty and below high_water (checked by valid()).
  Coverage(std::uint64_t origin, std::uint64_t high_water, std::vector<Gap> gaps);

  // The parts of `range` that are not counted yet, ascending. A range below the origin is neither counted nor
  // a gap, so it is returned as uncovered too.
  [[nodiscard]] std::vector<ByteRange> uncovered(ByteRange range) const;

  // Counts `range` and closes the gaps, or parts of gaps, that it covers. When it begins past the high-water
  // mark, the bytes skipped become a gap with `cause_of_gap`. `origin` matters only for the first range of a
  // source: nothing below it was meant to be read.
  void add(ByteRange range, std::uint64_t origin, LossCause cause_of_gap = LossCause::kNotReceived,
           std::int64_t now_ms = 0);

  // The uncounted parts of `range` become gaps with this cause; an existing gap takes the cause unless it
  // already has a more specific one. The high-water mark moves to the end of `range`. Idempotent.
  void lose(ByteRange range, std::uint64_t origin, LossCause cause, std::int64_t now_ms);

  [[nodiscard]] std::uint64_t origin() const { return origin_; }
  [[nodiscard]] std::uint64_t high_water() const { return high_water_; }
  [[nodiscard]] const std::vector<Gap>& gaps() const { return gaps_; }
  [[nodiscard]] std::uint64_t gap_bytes() const;
  [[nodiscard]] std::uint64_t counted_bytes() const { return high_water_ - origin_ - gap_bytes(); }
  [[nodiscard]] bool valid() const;
  friend bool operator==(const Coverage&, const Coverage&) = default;

 private:
  void begin_at(std::uint64_t begin, std::uint64_t origin, std::int64_t now_ms);
  void merge_touching();

  std::uint64_t origin_ = 0;
  std::uint64_t high_water_ = 0;
  bool started_ = false;  // false: nothing is known of the source yet
  std::vector<Gap> gaps_;
};

}  // namespace weir
