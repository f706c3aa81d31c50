// The store as the warner sees it: the state of alerts, their history, letters awaiting delivery, and the
// lease that lets only one of several aggregators send alerts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace weir {

enum class AlertPhase : std::uint8_t { kOk, kPending, kFiring };
[[nodiscard]] std::string_view to_string(AlertPhase phase);  // "ok", "pending", "firing"
[[nodiscard]] std::optional<AlertPhase> alert_phase_of(std::string_view text);

struct AlertState {
  std::string rule;     // its name
  std::string subject;  // the site, or "" for the total
  AlertPhase phase = AlertPhase::kOk;
  std::int64_t since_s = 0;
  double value = 0;
  friend bool operator==(const AlertState&, const AlertState&) = default;
};

// One row of the alert history.
struct AlertEvent {
  std::int64_t id = 0;  // assigned by the store
  std::int64_t at_s = 0;
  std::string rule, subject;
  AlertPhase phase = AlertPhase::kOk;  // after this event
  double value = 0;
  std::string severity;
  std::string text;  // one sentence
  friend bool operator==(const AlertEvent&, const AlertEvent&) = default;
};

// A message for a channel ("mail", ...), kept in the outbox until it is delivered.
struct Letter {
  std::int64_t id = 0;  // assigned by the store; never reused
  std::string channel{};
  std::string address{};  // in the channel's form: a mail address, a URL
  std::string payload{};  // in the channel's form
  std::int64_t created_ms = 0;
  std::int64_t next_try_ms = 0;
  std::uint32_t attempts = 0;
  std::string last_error{};
};

// The changes of one evaluation.
struct AlertChanges {
  std::vector<AlertState> states{};
  std::vector<Letter> letters{};
  std::vector<AlertEvent> events{};
};

inline constexpr std::size_t kMaxAlertEvents = 100'000;
inline constexpr std::int64_t kKeepAlertEventsSeconds = 400 * 86400;

// Not thread-safe. Errors: as in ledger.h.
class Alerts {
 public:
  virtual ~Alerts() = default;
  [[nodiscard]] virtual Result<std::vector<AlertState>> alerts() const = 0;
  // One transaction: all of it or nothing. Deletes events beyond kMaxAlertEvents, and those older than the
  // newest by more than kKeepAlertEventsSeconds.
  [[nodiscard]] virtual Result<void> save_alerts(const AlertChanges& changes) = 0;
  // Events in [from_s, to_s), newest first, at most `max_rows`.
  [[nodiscard]] virtual Result<std::vector<AlertEvent>> history(std::int64_t from_s, std::int64_t to_s,
                                                                std::size_t max_rows) const = 0;

  // The channel's letters that are due, oldest first. They are claimed for `claim_ms`, so that no other
  // aggregator delivers them meanwhile.
  [[nodiscard]] virtual Result<std::vector<Letter>> claim_letters(std::string_view channel,
                                                                  std::int64_t now_ms, std::int64_t claim_ms,
                                                                  std::size_t max_letters) = 0;
  [[nodiscard]] virtual Result<void> letter_delivered(std::int64_t id) = 0;
  [[nodiscard]] virtual Result<void> letter_failed(std::int64_t id, std::int64_t next_try_ms,
                                                   std::string_view error) = 0;
  // By channel; channels without letters are not listed.
  [[nodiscard]] virtual Result<std::map<std::string, std::uint64_t>> letters_waiting() const = 0;

  // Takes the lease `name`, or renews it, until now_ms + for_ms. False: another owner has it. `for_ms` 0
  // releases it. Atomic: if two ask at once, one gets it.
  [[nodiscard]] virtual Result<bool> lease(std::string_view name, std::string_view owner, std::int64_t now_ms,
                                           std::int64_t for_ms) = 0;
};

}  // namespace weir
