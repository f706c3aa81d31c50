// What is on its way to the output, and what waits to be: messages in flight, those that wait because the
// output is full (held), and those that wait for a write of the registry (staged). It alone counts them.
//
// What is sent together, one range of lines on each route say, is one Parcel. Each message that is settled
// comes back as a value that says of what it was a part, on which route, and how it went.
// Thread: the loop's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "agent/ship/line_batch.h"
#include "agent/ship/output.h"
#include "agent/tail/registry.h"
#include "proto/batch.h"
#include "proto/result.h"

namespace weir {

struct Source;

struct SentLines {
  std::shared_ptr<Source> source;
  ByteRange range;
  LineBatch::Counts counts;
  std::int64_t last_event_ms = kNoTime;
};
struct SentLoss {
  Loss loss;
};
struct SentClaim {
  std::shared_ptr<Source> source;
  std::uint64_t offset = 0;  // all before it was claimed
};
struct SentHeartbeat {};
using Sent = std::variant<SentLines, SentLoss, SentClaim, SentHeartbeat>;

class Flight {
 public:
  // One message is settled.
  struct Settled {
    std::uint64_t id = 0;
    std::size_t route = 0;
    const Sent& what;
    const Error* error = nullptr;  // null: acknowledged
    // It was the last of its parcel; then `failed`: not all of them were acknowledged.
    bool last = false, failed = false;
  };
  // `on_settled` is called from within poll() of the output, and from within send() and send_held() for
  // what the output refuses at once. `max_bytes`: of lines in flight; the last batch may go beyond it.
  Flight(Output& output, std::uint64_t max_bytes, std::function<void(const Settled&)> on_settled);
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  // Of the next message: ascending.
  [[nodiscard]] std::uint64_t next_id() { return next_id_++; }
  // Hands the messages to the output, in their order. False: it is full; they are held.
  bool send(std::vector<Message> messages, Sent what);

  // Lines that are sent once the registry was written. They count as in flight from now on.
  struct Staged {
    std::vector<Message> messages;
    SentLines lines;
    std::string tail_before;     // of the bytes before lines.range
    bool needs_registry = true;  // it is not sent while the registry cannot be written
  };
  void stage(Staged staged);
  [[nodiscard]] bool has_staged() const { return !staged_.empty(); }
  [[nodiscard]] bool staged_full() const;
  [[nodiscard]] std::vector<Staged> take_staged();
  bool send(Staged staged);            // what take_staged() gave. False: the output is full
  void abandon(const Staged& staged);  // it is not sent after all

  // What was held, in its order. False: the output is full again.
  bool send_held();
  [[nodiscard]] std::size_t held() const { return held_.size(); }

  // Content bytes of the lines that are in flight, held or staged.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t max_bytes() const { return max_bytes_; }
  void set_max_bytes(std::uint64_t max_bytes) { max_bytes_ = max_bytes; }
  [[nodiscard]] std::uint64_t wire_bytes() const { return wire_bytes_; }  // of lines, since creation
  [[nodiscard]] std::size_t messages() const { return in_flight_.size() + staged_.size(); }
  // Nothing is in flight or held.
  [[nodiscard]] bool empty() const { return in_flight_.empty() && held_.empty(); }
  // Nothing is in flight, held or staged but heartbeats.
  [[nodiscard]] bool quiet() const {
    return held_.empty() && staged_.empty() && in_flight_.size() == heartbeats_;
  }
  [[nodiscard]] bool loss_in_flight() const { return losses_ > 0; }

  // Invariants: the counts are those of what is there.
  void check() const;

 private:
  struct Parcel {
    Sent what;
    std::size_t left = 0;  // messages that were not settled
    bool failed = false;   // one of them
  };
  struct Held {
    Message message;
    std::shared_ptr<Parcel> parcel;
  };
  bool send_parcel(std::vector<Message> messages, Sent what);
  bool send_message(Message message, const std::shared_ptr<Parcel>& parcel);
  struct InFlight {
    std::size_t route = 0;
    std::shared_ptr<Parcel> parcel;
  };
  void message_settled(std::uint64_t id, const Error* error);
  void count(const SentLines& lines);

  Output& output_;
  std::function<void(const Settled&)> on_settled_;
  std::uint64_t max_bytes_;
  std::unordered_map<std::uint64_t, InFlight> in_flight_;
  std::deque<Held> held_;
  std::vector<Staged> staged_;
  std::size_t staged_bytes_ = 0;  // of their messages
  std::uint64_t next_id_ = 1;
  std::uint64_t bytes_ = 0, wire_bytes_ = 0;
  std::size_t losses_ = 0, heartbeats_ = 0;  // messages in in_flight_; losses also those that are held
};

}  // namespace weir
