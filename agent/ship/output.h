// Takes messages and reports when each is settled. The implementations are Kafka, text on stdout or in a
// file, and a queue to the aggregator in the same process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "proto/result.h"

namespace weir {

struct Message {
  std::uint64_t id = 0;        // set by the caller; ascending
  std::size_t route = 0;       // an index into routes_of(), which names the topic
  std::string key;             // the bytes of the SourceId
  std::int32_t partition = 0;  // as pinned in the registry
  std::string payload;         // one message, or lines (see split_lines)
  bool split_lines = false;    // the payload is lines that end with '\n'; each becomes a Kafka message
};

struct OutputStatus {
  bool connected = false;
  std::string blocked_because;  // empty if nothing is wrong
  std::uint64_t reconnects = 0;
  friend bool operator==(const OutputStatus&, const OutputStatus&) = default;
};

// All calls come from the loop's thread, and none of them blocks.
class Output {
 public:
  // `error` is null if the message was acknowledged as configured (acks). After an error the caller sends the
  // same lines again; kInvalid asks for smaller messages.
  using Settled = std::function<void(std::uint64_t id, const Error* error)>;

  virtual ~Output() = default;
  // Call it once, before send(). on_settled is never called from inside send().
  virtual void set_on_settled(Settled on_settled) = 0;
  // Takes the message. Errors: kFull (the message is untouched; send it again after the next on_settled). Any
  // other error is final for this message.
  [[nodiscard]] virtual Result<void> send(Message& message) = 0;
  // The number of partitions of the topic of `route`. 0: not known yet (not connected, or the topic is
  // missing). Returns the last known number and does not wait for the broker.
  [[nodiscard]] virtual std::int32_t partition_count(std::size_t route) = 0;
  // Passes the results that have arrived to on_settled. The loop calls it when readable_fd() is readable, and
  // at least every 100 ms while a message other than a heartbeat is in flight.
  virtual void poll() = 0;
  // A descriptor that becomes readable when poll() has work. -1: there is none; call poll() by a timer.
  [[nodiscard]] virtual int readable_fd() const = 0;
  [[nodiscard]] virtual OutputStatus status() const = 0;
};

}  // namespace weir
