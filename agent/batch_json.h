// Prints a message of a topic as JSON lines, for `weir-agent cat`. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/batch.h"

namespace weir {

// The position of a message.
struct MessagePlace {
  std::string name;             // the topic, or the file
  std::int32_t partition = -1;  // -1: in a file
  std::int64_t offset = 0;      // in a file, the message's index
  std::int64_t timestamp_ms = 0;

  [[nodiscard]] bool in_topic() const { return partition >= 0; }
  [[nodiscard]] std::string text() const;  // "access[2]@17"
};

// The lines of a batch in file order, without filtered lines. For a batch of windows: its rows, then samples
// of lines that did not parse.
class BatchLines {
 public:
  // `batch` and `place` must outlive this object. With `provenance`, each object states where its line came
  // from.
  BatchLines(const DecodedBatch& batch, const MessagePlace& place, bool provenance);
  // Appends the next line's object and a newline. False: there are no more.
  [[nodiscard]] bool append_next(std::string& out);

 private:
  [[nodiscard]] bool append_next_row(std::string& out);
  void append_unparsed(std::string& out, const UnparsedLine& bad) const;
  void append_provenance(std::string& out, ByteRange bytes) const;
  [[nodiscard]] ByteRange bytes_of(std::uint32_t line);

  const DecodedBatch& batch_;
  const MessagePlace& place_;
  bool provenance_;
  std::size_t record_ = 0, unparsed_ = 0;  // for windows: row, sample
  std::uint32_t at_line_ = 0;              // the line whose first byte is at_
  std::uint64_t at_;
  Record scratch_;
  std::vector<std::string_view> extra_;
};

// Appends the batch's header as one object with a newline. `message_bytes` is the size in Kafka.
void append_batch_header(std::string& out, const DecodedBatch& batch, const MessagePlace& place,
                         std::size_t message_bytes);

// Does the same for a message that is not a batch, such as JSON of other shippers or raw lines.
void append_foreign_line(std::string& out, std::string_view message, const MessagePlace& place,
                         bool provenance);
void append_foreign_header(std::string& out, std::string_view message, const MessagePlace& place);

}  // namespace weir
