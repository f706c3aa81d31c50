// Coverage: which bytes of a source were already counted. Pure.
//
// A high-water mark and the gaps below it. [origin, high_water) minus gaps is
// counted. Ranges are half-open, in bytes of the uncompressed content.
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

// Why bytes were not counted. Wire values and values of the store: append only.
enum class LossCause : std::uint8_t {
  kNotReceived = 0,        // nobody said why: what came next lies behind it
  kReleased = 1,           // given up by the agent under disk pressure
  kTruncatedUnread = 2,    // truncated before it was read
  kDeletedUnread = 3,      // deleted before it was read
  kUnreadable = 4,         // the file could not be read there
  kSkippedByOperator = 5,  // somebody told the agent to go on behind it
  kRetention = 64,         // the topic kept its messages for too short a time
  kWindowsRefused = 65,    // came as windows that could not be added: see the dead letters
};
[[nodiscard]] std::string_view to_string(LossCause cause);
// What a stored or received number means; kNotReceived for those that this version does not know.
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

  // The parts of `range` that are not counted yet, ascending. A range below
  // the origin is not counted and not a gap: it is returned as uncovered, too.
  [[nodiscard]] std::vector<ByteRange> uncovered(ByteRange range) const;

  // Counts `range`; leaves a gap when it begins past the high-water mark, with that cause;
  // closes (parts of) gaps that it covers. `origin` matters for the first
  // range of a source only: what lies below it was never meant to be read.
  void add(ByteRange range, std::uint64_t origin, LossCause cause_of_gap = LossCause::kNotReceived,
           std::int64_t now_ms = 0);

  // What of `range` is not counted becomes a gap (or stays one, and has this cause from now on
  // unless it had a better one); the high-water mark moves to its end. Doing so twice is doing it once.
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
  bool started_ = false;  // false: nothing is known of it yet
  std::vector<Gap> gaps_;
};

}  // namespace weir
