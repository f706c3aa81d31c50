#include "agent/ship/flight.h"

#include <set>
#include <utility>

#include "proto/must.h"

namespace weir {
namespace {

// The most batches that may wait for one registry write before they are sent.
constexpr std::size_t kMaxStaged = 256;
constexpr std::size_t kMaxStagedBytes = 16 << 20;

}  // namespace

Flight::Flight(Output& output, std::uint64_t max_bytes, std::function<void(const Settled&)> on_settled)
    : output_(output), on_settled_(std::move(on_settled)), max_bytes_(max_bytes) {
  output_.set_on_settled([this](std::uint64_t id, const Error* error) { message_settled(id, error); });
}

void Flight::count(const SentLines& lines) {
  MUST(bytes_ < max_bytes_, "reading stops at max_in_flight");
  bytes_ += lines.range.size();
}

void Flight::count_wire(std::size_t route, std::size_t bytes) {
  if (route >= wire_bytes_.size()) wire_bytes_.resize(route + 1);
  wire_bytes_[route] += bytes;
}

bool Flight::send(std::vector<Message> messages, Sent what) {
  if (const auto* lines = std::get_if<SentLines>(&what)) count(*lines);
  return send_parcel(std::move(messages), std::move(what));
}

bool Flight::send_parcel(std::vector<Message> messages, Sent what) {
  const auto parcel = std::make_shared<Parcel>(Parcel{.what = std::move(what), .left = messages.size()});
  if (std::holds_alternative<SentLoss>(parcel->what)) ++losses_;
  bool taken = true;
  for (auto& message : messages) taken = send_message(std::move(message), parcel) && taken;
  return taken;
}

bool Flight::send_message(Message message, const std::shared_ptr<Parcel>& parcel) {
  const auto id = message.id;
  const auto route = message.route;
  const auto bytes = message.payload.size();
  const auto sent = held_.empty() ? output_.send(message) : fail(Code::kFull, "others wait before it");
  if (!sent && sent.error().code == Code::kFull) {
    held_.push_back({std::move(message), parcel});
    return false;
  }
  if (std::holds_alternative<SentLines>(parcel->what)) count_wire(route, bytes);
  const bool fresh = in_flight_.emplace(id, InFlight{route, parcel}).second;
  MUST(fresh, "each message has an id of its own");
  if (std::holds_alternative<SentHeartbeat>(parcel->what)) ++heartbeats_;
  if (!sent) message_settled(id, &sent.error());
  return true;
}

bool Flight::send_held() {
  for (auto again = std::exchange(held_, {}); !again.empty(); again.pop_front())
    send_message(std::move(again.front().message), again.front().parcel);
  return held_.empty();
}

void Flight::stage(Staged staged) {
  count(staged.lines);
  for (const auto& message : staged.messages) staged_bytes_ += message.payload.size();
  staged_.push_back(std::move(staged));
}

bool Flight::staged_full() const { return staged_.size() >= kMaxStaged || staged_bytes_ >= kMaxStagedBytes; }

std::vector<Flight::Staged> Flight::take_staged() {
  staged_bytes_ = 0;
  return std::exchange(staged_, {});
}

bool Flight::send(Staged staged) { return send_parcel(std::move(staged.messages), std::move(staged.lines)); }

void Flight::abandon(const Staged& staged) {
  MUST(bytes_ >= staged.lines.range.size(), "what is abandoned was counted");
  bytes_ -= staged.lines.range.size();
}

void Flight::message_settled(std::uint64_t id, const Error* error) {
  const auto found = in_flight_.find(id);
  if (found == in_flight_.end()) return;
  const auto [route, parcel] = std::move(found->second);
  in_flight_.erase(found);
  if (std::holds_alternative<SentHeartbeat>(parcel->what)) --heartbeats_;
  if (error != nullptr) parcel->failed = true;
  MUST(parcel->left > 0, "a message is settled once");
  const bool last = --parcel->left == 0;
  if (last && std::holds_alternative<SentLoss>(parcel->what)) --losses_;
  if (const auto* lines = std::get_if<SentLines>(&parcel->what); last && lines != nullptr) {
    MUST(bytes_ >= lines->range.size(), "what is settled was counted");
    bytes_ -= lines->range.size();
  }
  on_settled_({.id = id,
               .route = route,
               .what = parcel->what,
               .error = error,
               .last = last,
               .failed = parcel->failed});
}

void Flight::check() const {
#ifdef WEIR_MUST
  std::unordered_map<const Parcel*, std::size_t> messages;
  std::size_t heartbeats = 0;
  for (const auto& [id, message] : in_flight_) {
    ++messages[message.parcel.get()];
    heartbeats += std::holds_alternative<SentHeartbeat>(message.parcel->what) ? 1 : 0;
    MUST(id < next_id_, "ids ascend");
  }
  for (const auto& held : held_) ++messages[held.parcel.get()];
  std::uint64_t bytes = 0;
  std::size_t losses = 0;
  for (const auto& [parcel, count] : messages) {
    MUST(count == parcel->left, "a parcel waits for just its messages that are in flight or held");
    if (const auto* lines = std::get_if<SentLines>(&parcel->what)) bytes += lines->range.size();
    losses += std::holds_alternative<SentLoss>(parcel->what) ? 1 : 0;
  }
  std::size_t staged_bytes = 0;
  for (const auto& staged : staged_) {
    bytes += staged.lines.range.size();
    for (const auto& message : staged.messages) staged_bytes += message.payload.size();
  }
  MUST(bytes == bytes_, "the bytes in flight are the sum of what is in flight");
  MUST(staged_bytes == staged_bytes_, "the bytes that are staged are the sum of what is staged");
  MUST(losses == losses_ && heartbeats == heartbeats_, "losses and heartbeats in flight are counted");
#endif
}

}  // namespace weir
