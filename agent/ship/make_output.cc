#include "agent/ship/make_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "agent/ship/kafka_output.h"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;
// A full disk stays full for a while. Without a pause the loop would retry constantly.
constexpr auto kRetryAfter = std::chrono::seconds(1);

constexpr std::size_t kMaxWritten = 64;  // messages between two calls of poll()

// Writes to stdout or a file. A message is settled once the system has accepted it.
class TextOutput : public Output {
 public:
  TextOutput(int fd, bool owned, std::string name) : fd_(fd), owned_(owned), name_(std::move(name)) {}
  ~TextOutput() override {
    if (owned_) ::close(fd_);
  }
  void set_on_settled(Settled on_settled) override { on_settled_ = std::move(on_settled); }
  [[nodiscard]] Result<void> send(Message& message) override {
    if (written_.size() >= kMaxWritten)
      return fail(Code::kFull, name_ + ": other messages must be settled first");
    if (Clock::now() < retry_at_) return fail(Code::kFull, status_.blocked_because);
    std::string_view rest = message.payload;
    std::optional<Error> error;
    while (!rest.empty()) {
      const auto put = ::write(fd_, rest.data(), rest.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        error = Error{Code::kUnavailable, fmt::format("{}: {}", name_, std::strerror(errno)),
                      "free some space, or choose another output"};
        break;
      }
      rest.remove_prefix(static_cast<std::size_t>(put));
    }
    if (error) retry_at_ = Clock::now() + kRetryAfter;
    status_.blocked_because = error ? error->what + "; " + error->hint : "";
    written_.emplace_back(message.id, std::move(error));
    return {};
  }
  [[nodiscard]] std::int32_t partition_count(std::size_t /*route*/) override { return 1; }
  void poll() override {
    for (const auto& [id, error] : std::exchange(written_, {})) on_settled_(id, error ? &*error : nullptr);
  }
  [[nodiscard]] int readable_fd() const override { return -1; }
  [[nodiscard]] OutputStatus status() const override { return status_; }

 private:
  int fd_;
  bool owned_;
  std::string name_;
  Settled on_settled_;
  Clock::time_point retry_at_;
  std::vector<std::pair<std::uint64_t, std::optional<Error>>> written_;
  OutputStatus status_{.connected = true, .blocked_because = {}, .reconnects = 0};
};

}  // namespace

Result<std::unique_ptr<Output>> make_output(const OutputConfig& config, const ShipConfig& ship,
                                            std::uint64_t max_line) {
  if (config.kind == OutputKind::kKafka) return KafkaOutput::create(config, ship, max_line);
  if (config.kind == OutputKind::kStdout) return std::make_unique<TextOutput>(STDOUT_FILENO, false, "stdout");
  const int fd = ::open(config.file_path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) {
    return fail(Code::kIo, fmt::format("output.file {}: {}", config.file_path, std::strerror(errno)),
                "give the user that runs weir-agent the right to write it");
  }
  return std::make_unique<TextOutput>(fd, true, config.file_path);
}

}  // namespace weir
