// Takes messages and says when each is settled: Kafka, text on stdout or in a file, or a queue to the
// aggregator in the same process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "proto/result.h"

namespace weir {

struct Message {
  std::uint64_t id = 0;        // the caller's; ascending
  std::size_t route = 0;       // which of routes_of(): it names the topic
  std::string key;             // the bytes of the SourceId
  std::int32_t partition = 0;  // pinned by the registry
  std::string payload;         // one message, or lines: see split_lines
  bool split_lines = false;    // the payload is lines that end with '\n', one Kafka message each
};

struct OutputStatus {
  bool connected = false;
  std::string blocked_because;  // empty when nothing is wrong
  std::uint64_t reconnects = 0;
  friend bool operator==(const OutputStatus&, const OutputStatus&) = default;
};

// All calls come from the thread of the loop, and none of them waits.
class Output {
 public:
  // `error` is null when the message is acknowledged as configured (acks). After an error the caller sends
  // the same lines again; kInvalid asks for smaller messages.
  using Settled = std::function<void(std::uint64_t id, const Error* error)>;

  virtual ~Output() = default;
  // Called once, before send(). on_settled is never called from inside send().
  virtual void set_on_settled(Settled on_settled) = 0;
  // Takes the message. Errors: kFull (the message is untouched; send it again after the next on_settled);
  // any other is final for this message.
  [[nodiscard]] virtual Result<void> send(Message& message) = 0;
  // The partitions of the topic of `route`. 0: not known yet (not connected, or the topic is missing).
  // Answers with what is known and does not wait for the broker.
  [[nodiscard]] virtual std::int32_t partition_count(std::size_t route) = 0;
  // Delivers what has arrived to on_settled. The loop calls it when readable_fd() is readable, and at least
  // every 100 ms while a message other than a heartbeat is in flight.
  virtual void poll() = 0;
  // A descriptor that becomes readable when poll() has work. -1: there is none, poll by a timer.
  [[nodiscard]] virtual int readable_fd() const = 0;
  [[nodiscard]] virtual OutputStatus status() const = 0;
};

}  // namespace weir
