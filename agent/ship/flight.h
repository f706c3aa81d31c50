// Messages on their way to the output: in flight, held (waiting because the output is full) or staged
// (waiting for a registry write). Only Flight counts them.
//
// Messages that are sent together are one Parcel, for example one range of lines on each route. Each settled
// message is reported as a value: what it was part of, its route and its result.
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
  std::uint64_t offset = 0;  // everything before it is claimed
};
struct SentHeartbeat {};
using Sent = std::variant<SentLines, SentLoss, SentClaim, SentHeartbeat>;

class Flight {
 public:
  // The result of one message.
  struct Settled {
    std::uint64_t id = 0;
    std::size_t route = 0;
    const Sent& what;
    const Error* error = nullptr;  // null: acknowledged
    // `last`: it was the last message of its parcel. Then `failed` says that some of them were not
    // acknowledged.
    bool last = false, failed = false;
  };
  // `on_settled` is called from within the output's poll(), and from within send() and send_held() for
  // messages that the output refuses at once. `max_bytes` limits the lines in flight; the last batch may
  // exceed it.
  Flight(Output& output, std::uint64_t max_bytes, std::function<void(const Settled&)> on_settled);
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  // The id of the next message. Ids ascend.
  [[nodiscard]] std::uint64_t next_id() { return next_id_++; }
  // Passes the messages to the output in order. False: it is full, and the messages are held.
  bool send(std::vector<Message> messages, Sent what);

  // Lines that are sent after the registry has been written. They already count as in flight.
  struct Staged {
    std::vector<Message> messages;
    SentLines lines;
    std::string tail_before;     // the hash of the bytes before lines.range
    bool needs_registry = true;  // not sent while the registry cannot be written
  };
  void stage(Staged staged);
  [[nodiscard]] bool has_staged() const { return !staged_.empty(); }
  [[nodiscard]] bool staged_full() const;
  [[nodiscard]] std::vector<Staged> take_staged();
  bool send(Staged staged);            // for results of take_staged(). False: the output is full
  void abandon(const Staged& staged);  // it will not be sent

  // Sends held messages in order. False: the output is full again.
  bool send_held();
  [[nodiscard]] std::size_t held() const { return held_.size(); }

  // Content bytes of all lines in flight, held or staged.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t max_bytes() const { return max_bytes_; }
  void set_max_bytes(std::uint64_t max_bytes) { max_bytes_ = max_bytes; }
  // Bytes of messages with lines since construction, by route. Routes at the end that have sent nothing are
  // missing.
  [[nodiscard]] const std::vector<std::uint64_t>& wire_bytes() const { return wire_bytes_; }
  [[nodiscard]] std::size_t messages() const { return in_flight_.size() + staged_.size(); }
  // Whether nothing is in flight or held.
  [[nodiscard]] bool empty() const { return in_flight_.empty() && held_.empty(); }
  // Whether nothing except heartbeats is in flight, held or staged.
  [[nodiscard]] bool quiet() const {
    return held_.empty() && staged_.empty() && in_flight_.size() == heartbeats_;
  }
  [[nodiscard]] bool loss_in_flight() const { return losses_ > 0; }

  // Checks the invariant that the counts match the messages.
  void check() const;

 private:
  struct Parcel {
    Sent what;
    std::size_t left = 0;  // messages that are not settled yet
    bool failed = false;   // one of them failed
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
  void count_wire(std::size_t route, std::size_t bytes);

  Output& output_;
  std::function<void(const Settled&)> on_settled_;
  std::uint64_t max_bytes_;
  std::unordered_map<std::uint64_t, InFlight> in_flight_;
  std::deque<Held> held_;
  std::vector<Staged> staged_;
  std::size_t staged_bytes_ = 0;  // payload bytes of the messages in staged_
  std::uint64_t next_id_ = 1;
  std::uint64_t bytes_ = 0;
  std::vector<std::uint64_t> wire_bytes_;
  std::size_t losses_ = 0, heartbeats_ = 0;  // messages in in_flight_; losses_ also counts held ones
};

}  // namespace weir
