// Hands encoded batches to Kafka or, on a single box, to a queue.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "proto/result.h"

namespace weir {

struct Message {
  std::uint64_t id = 0;        // the caller's; ascending
  std::string key;             // SourceId bytes
  std::int32_t partition = 0;  // pinned by the registry
  bool to_windows = false;     // to the topic of the windows, where these have one of their own
  std::string payload;         // one message; with the json and raw codecs: one per line, see `split`
  bool split_lines = false;    // true: payload is '\n'-terminated lines, one Kafka message each
};

struct OutputStatus {
  bool connected = false;
  std::string blocked_because;  // empty when nothing is wrong
  std::uint64_t reconnects = 0;
  friend bool operator==(const OutputStatus&, const OutputStatus&) = default;
};

class Output {
 public:
  // Thread: the loop's. `error` is null when acknowledged as configured (acks).
  // The caller sends the same lines again: kInvalid means in smaller messages.
  using Settled = std::function<void(std::uint64_t id, const Error* error)>;

  virtual ~Output() = default;
  // Called once before send(). on_settled is never called from inside send().
  virtual void set_on_settled(Settled on_settled) = 0;
  // Thread: the loop's. Takes the message. Errors: kFull (message untouched; send again
  // after the next on_settled); any other is final for this message. Never blocks.
  [[nodiscard]] virtual Result<void> send(Message& message) = 0;
  // Partitions of the topic, of two the fewer; 0 while unknown (not connected yet, topic missing).
  [[nodiscard]] virtual std::int32_t partition_count() = 0;
  // Delivers what arrived to on_settled; called by the loop when readable_fd() is readable, and at least
  // every 100 ms while something is on its way that is no heartbeat.
  virtual void poll() = 0;
  // A descriptor that becomes readable when poll() has work; -1: poll by timer only.
  [[nodiscard]] virtual int readable_fd() const = 0;
  [[nodiscard]] virtual OutputStatus status() const = 0;
};

}  // namespace weir
