// weir-agent cat: prints the messages of a topic or a file as JSON lines.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "agent/batch_json.h"
#include "agent/commands.h"
#include "agent/message_file.h"
#include "agent/stdout_writer.h"
#include "common/exit_codes.h"
#include "common/text.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

constexpr const char* kProgram = "weir-agent";
constexpr std::size_t kFlushBytes = 1 << 20;
// If nothing arrives for this long while reading to the end, the broker is unreachable.
constexpr std::chrono::seconds kPatience{30};

volatile std::sig_atomic_t stop_asked = 0;

// Sets up the signals that stop reading. A second signal ends the program at once.
void stop_on_signals() {
  struct sigaction action = {};
  action.sa_handler = [](int) { stop_asked = 1; };
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

struct Counts {
  std::uint64_t messages = 0, batches = 0, records = 0, unparsed = 0, filtered = 0;
  std::uint64_t heartbeats = 0, losses = 0, windows = 0, foreign = 0, undecoded = 0;
};

class Printer {
 public:
  explicit Printer(const CatOptions& options) : options_(options) {}

  void print(const MessagePlace& place, std::string_view message) {
    ++counts_.messages;
    if (options_.show == CatOptions::Show::kMessages) {
      append_message(out_.buffer(), message);
    } else if (!looks_like_batch(message)) {
      ++counts_.foreign;
      if (options_.show == CatOptions::Show::kHeaders) {
        append_foreign_header(out_.buffer(), message, place);
      } else {
        append_foreign_line(out_.buffer(), message, place, options_.provenance);
      }
    } else if (const auto batch = decode_batch(message); batch) {
      print_batch(place, *batch, message.size());
    } else {
      ++counts_.undecoded;
      out_.flush();  // the output before it must appear before it
      fmt::print(stderr, "{}: {}: {}\n", kProgram, visible(place.text()), visible(batch.error().what));
    }
    if (out_.buffer().size() >= kFlushBytes) out_.flush();
  }
  void flush() { out_.flush(); }
  [[nodiscard]] bool enough() const {
    return stop_asked != 0 || out_.closed() || (options_.count && counts_.messages >= *options_.count);
  }

  // `exit_code`: the result of reading. If it is good but a message did not decode, the result is kExitInput.
  [[nodiscard]] int finish(int exit_code) {
    out_.flush();
    if (const auto& error = out_.error(); error) {
      print_error(kProgram, *error);
      return kExitFailed;
    }
    if (!out_.closed() && (exit_code == kExitOk || counts_.messages > 0)) print_counts();
    if (exit_code != kExitOk) return exit_code;
    return counts_.undecoded > 0 ? kExitInput : kExitOk;
  }

 private:
  void print_batch(const MessagePlace& place, const DecodedBatch& batch, std::size_t message_bytes) {
    const auto& columns = batch.columns;
    switch (batch.header.kind) {
      case BatchKind::kHeartbeat:
        ++counts_.heartbeats;
        break;
      case BatchKind::kLoss:
      case BatchKind::kClaim:
        ++counts_.losses;
        break;
      case BatchKind::kWindows:
        ++counts_.windows;
        break;
      case BatchKind::kRecords:
        ++counts_.batches;
        counts_.records += columns.records();
        counts_.unparsed += columns.unparsed.size();
        counts_.filtered += columns.filtered;
        break;
    }
    if (options_.show == CatOptions::Show::kHeaders) {
      append_batch_header(out_.buffer(), batch, place, message_bytes);
      return;
    }
    BatchLines lines(batch, place, options_.provenance);
    while (!out_.closed() && lines.append_next(out_.buffer())) {
      if (out_.buffer().size() >= kFlushBytes) out_.flush();
    }
  }

  void print_counts() const {
    const auto& c = counts_;
    if (options_.show == CatOptions::Show::kMessages) {
      fmt::print(stderr, "{} messages\n", c.messages);
      return;
    }
    fmt::print(stderr,
               "{} messages: {} batches ({} records, {} unparsed, {} filtered), {} heartbeats, {} losses, {} "
               "others, {} not decoded{}\n",
               c.messages, c.batches, c.records, c.unparsed, c.filtered, c.heartbeats, c.losses, c.foreign,
               c.undecoded, c.windows > 0 ? fmt::format("; {} batches of windows", c.windows) : "");
  }

  const CatOptions& options_;
  StdoutWriter out_;
  Counts counts_;
};

int read_files(const CatOptions& options, Printer& printer) {
  int exit_code = kExitOk;
  for (const auto& path : options.files) {
    auto file = MessageFile::open(path);
    if (!file) {
      print_error(kProgram, file.error());
      exit_code = kExitInput;
      continue;
    }
    MessagePlace place{.name = path};
    while (!printer.enough()) {
      const auto message = file->next();
      if (!message) {
        printer.flush();
        print_error(kProgram, message.error());
        exit_code = kExitInput;
      }
      if (!message) break;
      const auto& bytes = *message;
      if (!bytes) break;
      printer.print(place, *bytes);
      ++place.offset;
    }
  }
  return exit_code;
}

int exit_code_of(const Error& error) { return error.code == Code::kInvalid ? kExitConfig : kExitKafka; }

int read_topic(const CatOptions& options, Printer& printer) {
  stop_on_signals();
  const auto opened = KafkaReader::open(options.connection, options.read);
  if (!opened) {
    print_error(kProgram, opened.error());
    return exit_code_of(opened.error());
  }
  auto& reader = **opened;
  for (const auto& note : reader.notes()) fmt::print(stderr, "{}: {}\n", kProgram, visible(note));
  std::string said;
  auto last_progress = std::chrono::steady_clock::now();
  while (!printer.enough() && !reader.done()) {
    auto record = reader.next(100ms);
    if (!record) {
      printer.flush();
      print_error(kProgram, record.error());
      return exit_code_of(record.error());
    }
    if (const auto& found = *record; found) {
      const MessagePlace place{.name = options.read.topic,
                               .partition = found->partition,
                               .offset = found->offset,
                               .timestamp_ms = found->timestamp_ms};
      printer.print(place, found->payload);
      last_progress = std::chrono::steady_clock::now();
      continue;
    }
    printer.flush();  // show results before waiting for more
    if (const auto status = reader.status(); status != said) {
      said = status;
      if (!said.empty()) fmt::print(stderr, "{}: {}\n", kProgram, visible(said));
    }
    if (!options.read.follow && std::chrono::steady_clock::now() - last_progress > kPatience) {
      print_error(kProgram,
                  Error{Code::kUnavailable,
                        fmt::format("topic {}: nothing came within {} s, and its end is not reached",
                                    options.read.topic, kPatience.count()),
                        "check that its brokers run; begin again with --offset"});
      return kExitKafka;
    }
  }
  return kExitOk;
}

}  // namespace

int cat_command(const CatOptions& options) {
  if (options.show == CatOptions::Show::kMessages && isatty(STDOUT_FILENO) != 0) {
    print_error(kProgram, Error{Code::kInvalid, "--messages writes what is no text",
                                "send it to a file or into a pipe: weir-agent cat ... --messages > FILE"});
    return kExitUsage;
  }
  Printer printer(options);
  return printer.finish(options.files.empty() ? read_topic(options, printer) : read_files(options, printer));
}

}  // namespace weir
