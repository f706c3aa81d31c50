// weir-agent parse: reads lines and prints one JSON object per line.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "agent/commands.h"
#include "agent/stdout_writer.h"
#include "agent/tail/decompressor.h"
#include "common/exit_codes.h"

namespace weir {
namespace {

constexpr const char* kProgram = "weir-agent";
constexpr std::size_t kMaxLineBytes = 1 << 20;
constexpr std::size_t kReadBytes = 1 << 20;

struct Counts {
  std::uint64_t lines = 0, records = 0, unparsed = 0, skipped = 0;
};

class LinePrinter {
 public:
  LinePrinter(LineParser& parser, StdoutWriter& out) : parser_(parser), out_(out) {}

  void print(std::string_view line, bool cut) {
    ++counts_.lines;
    Unparsed reason = cut ? Unparsed::kTooLong : Unparsed::kNoMatch;
    const auto outcome = cut ? LineParser::Outcome::kUnparsed : parser_.parse(line, record_, reason);
    std::string& json = out_.buffer();
    switch (outcome) {
      case LineParser::Outcome::kRecord:
        ++counts_.records;
        append_json(json, record_, parser_.extra_names());
        break;
      case LineParser::Outcome::kUnparsed:
        ++counts_.unparsed;
        append_json_unparsed(json, line, reason);
        break;
      case LineParser::Outcome::kSkip:
        ++counts_.skipped;
        append_json_unparsed(json, line, "no data: comment or blank line");
        break;
    }
    json.push_back('\n');
    if (json.size() >= kReadBytes) out_.flush();
  }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  LineParser& parser_;
  StdoutWriter& out_;
  Record record_;
  Counts counts_;
};

// Reads from a descriptor and decompresses if necessary.
class Input {
 public:
  Input(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  ~Input() {
    if (fd_ > STDIN_FILENO) close(fd_);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // Returns 0 at the end.
  [[nodiscard]] Result<std::size_t> read_some(char* to, std::size_t room) {
    return decompressor_ != nullptr ? decompress_some(to, room) : read_raw(to, room);
  }

  // The first bytes of a file show whether it is compressed. A pipe cannot be read twice, so its name
  // decides.
  [[nodiscard]] Result<void> recognise() {
    std::array<char, kCompressionMagicBytes> first{};
    const ssize_t got = pread(fd_, first.data(), first.size(), 0);
    const auto compression =
        got < 0 ? compression_of(name_) : looks_compressed({first.data(), static_cast<std::size_t>(got)});
    if (compression == Compression::kNone) return {};
    auto made = Decompressor::create(compression, name_);
    if (!made) return std::unexpected(made.error());
    decompressor_ = std::move(*made);
    packed_.resize(kReadBytes);
    return {};
  }

 private:
  [[nodiscard]] Result<std::size_t> read_raw(char* to, std::size_t room) {
    ssize_t got = 0;
    do {
      got = read(fd_, to, room);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return failed(std::strerror(errno), "run as a user who may read it");
    return static_cast<std::size_t>(got);
  }

  [[nodiscard]] Result<std::size_t> decompress_some(char* to, std::size_t room) {
    for (;;) {
      const auto progress = decompressor_->run(rest_, to, room);
      if (!progress) return std::unexpected(progress.error());
      rest_.remove_prefix(progress->consumed);
      if (progress->produced > 0) return progress->produced;
      if (!progress->needs_input) continue;
      const auto got = read_raw(packed_.data(), packed_.size());
      if (!got) return got;
      if (*got == 0) {
        if (progress->member_ended) return 0;
        return failed("the compressed data ends too early",
                      "everything before that is printed; copy the file again");
      }
      rest_ = std::string_view(packed_).substr(0, *got);
    }
  }
  [[nodiscard]] Result<std::size_t> failed(std::string_view why, std::string hint) const {
    return fail(Code::kIo, fmt::format("{} cannot be read: {}", name_, why), std::move(hint));
  }

  int fd_;
  std::string name_;
  std::unique_ptr<Decompressor> decompressor_;
  std::string packed_;
  std::string_view rest_;  // the part of packed_ that is not decompressed yet
};

class LineSplitter {
 public:
  LineSplitter() : buffer_(kMaxLineBytes + kReadBytes, '\0') {}

  [[nodiscard]] Result<void> run(Input& input, LinePrinter& printer, StdoutWriter& out) {
    std::size_t used = 0;   // bytes of the unfinished line at the start of the buffer
    bool dropping = false;  // skipping the rest of a truncated line
    while (!out.closed()) {
      out.flush();  // show results before waiting for more
      const auto got = input.read_some(buffer_.data() + used, kReadBytes);
      if (!got || *got == 0) {
        if (used > 0) printer.print({buffer_.data(), std::min(used, kMaxLineBytes)}, dropping);
        if (!got) return std::unexpected(got.error());
        return {};
      }
      const char* begin = buffer_.data();
      const char* const end = begin + used + *got;
      const char* search = begin + used;
      while (const auto* newline = static_cast<const char*>(
                 std::memchr(search, '\n', static_cast<std::size_t>(end - search)))) {
        const auto size = static_cast<std::size_t>(newline - begin);
        const bool cut = dropping || size > kMaxLineBytes;
        printer.print({begin, std::min(size, kMaxLineBytes)}, cut);
        dropping = false;
        begin = search = newline + 1;
      }
      used = static_cast<std::size_t>(end - begin);
      std::memmove(buffer_.data(), begin, used);
      if (used > kMaxLineBytes) {
        used = kMaxLineBytes;
        dropping = true;
      }
    }
    return {};
  }

 private:
  std::string buffer_;
};

}  // namespace

int parse_command(const ParseOptions& options) {
  auto parser = compile_format(options.format, options.client);
  if (!parser) {
    print_error(kProgram, parser.error());
    return kExitConfig;
  }
  StdoutWriter out;
  LinePrinter printer(**parser, out);
  LineSplitter splitter;
  int exit_code = kExitOk;
  const auto read_input = [&](int fd, const std::string& name) {
    Input input(fd, name);
    auto done = input.recognise();
    if (done) done = splitter.run(input, printer, out);
    if (!done) {
      print_error(kProgram, done.error());
      exit_code = kExitInput;
    }
  };
  if (options.files.empty()) read_input(STDIN_FILENO, "stdin");
  for (const std::string& file : options.files) {
    if (out.closed()) break;
    if (file == "-") {
      read_input(STDIN_FILENO, "stdin");
      continue;
    }
    const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      print_error(kProgram, Error{Code::kIo, fmt::format("{} cannot be read: {}", file, std::strerror(errno)),
                                  "check the path and the permissions"});
      exit_code = kExitInput;
      continue;
    }
    read_input(fd, file);
  }
  out.flush();
  if (const auto& error = out.error(); error) {
    print_error(kProgram, *error);
    return kExitFailed;
  }
  if (out.closed()) return exit_code;
  const Counts& counts = printer.counts();
  fmt::print(stderr, "{} lines: {} records, {} unparsed, {} skipped\n", counts.lines, counts.records,
             counts.unparsed, counts.skipped);
  if (exit_code == kExitOk && counts.records == 0 && counts.unparsed > 0) {
    print_error(kProgram,
                Error{Code::kInvalid, "no line fits the format",
                      "name another one: --format NAME, or --log-format with the log_format of nginx.conf"});
    return kExitNoLineFits;
  }
  return exit_code;
}

}  // namespace weir
