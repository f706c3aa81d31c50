// Alerts, their history, the outbox and the leases, in SQL.
#include <fmt/format.h>

#include <algorithm>

#include "aggregator/store/sql_row.h"
#include "aggregator/store/sql_store.h"
#include "aggregator/store/sql_text.h"
#include "proto/must.h"

namespace weir {
namespace {

constexpr std::size_t kMaxErrorBytes = 1000;

Result<AlertPhase> phase_of(const std::string& text) {
  if (const auto phase = alert_phase_of(text)) return *phase;
  return fail(Code::kCorrupt, fmt::format("store: an alert has the unknown state \"{}\"", text),
              "the tables were changed by hand, or belong to another version of weir");
}

}  // namespace

Result<std::vector<AlertState>> SqlStore::alerts() const {
  auto rows = session_->ask(select_sql(tables::kAlert) + " ORDER BY rule_name, subject");
  if (!rows) return std::unexpected(rows.error());
  std::vector<AlertState> out;
  for (const auto& row : *rows) {
    AlertState alert;
    std::string phase;
    RowReader in(row);
    in >> alert.rule >> alert.subject >> phase >> alert.since_s >> alert.value;
    if (auto read = in.end(); !read) return std::unexpected(read.error());
    // Every rule has a name. The row without one is the lease that an aggregator of schema version 2, if one
    // still runs, writes here.
    if (alert.rule.empty()) continue;
    auto known = phase_of(phase);
    if (!known) return std::unexpected(known.error());
    alert.phase = *known;
    out.push_back(std::move(alert));
  }
  return out;
}

// Draws a fresh number within the transaction. It is never reused, even after its row is deleted.
Result<std::int64_t> SqlStore::next_id(std::string_view counter) {
  const std::string name(counter);
  if (auto raised = session_->run("UPDATE meta SET value = value + 1 WHERE name = ?", {name}); !raised)
    return std::unexpected(raised.error());
  auto rows = session_->db().query("SELECT value FROM meta WHERE name = ?", {name});
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty())
    return fail(Code::kCorrupt, fmt::format("store: table meta has no row {}", name),
                "start weir-aggregator again: it mends the tables");
  return number(rows->front().front());
}

Result<void> SqlStore::save_alerts(const AlertChanges& changes) {
  return session_->transaction([&]() -> Result<void> {
    for (const auto& alert : changes.states) {
      RowWriter row(tables::kAlert);
      row << alert.rule << alert.subject << to_string(alert.phase) << alert.since_s << alert.value;
      if (auto put = session_->run(replace_sql(tables::kAlert), row.take()); !put) return put;
    }
    for (const auto& letter : changes.letters) {
      const auto id = next_id("last_mail_id");
      if (!id) return std::unexpected(id.error());
      RowWriter row(tables::kOutbox);
      row << *id << letter.channel << letter.address << letter.payload << letter.created_ms
          << letter.next_try_ms << letter.attempts << letter.last_error;
      if (auto put = session_->run(insert_sql(tables::kOutbox), row.take()); !put) return put;
    }
    return write_events(changes.events);
  });
}

Result<void> SqlStore::write_events(const std::vector<AlertEvent>& events) {
  if (events.empty()) return {};
  for (const auto& event : events) {
    const auto id = next_id("last_event_id");
    if (!id) return std::unexpected(id.error());
    RowWriter row(tables::kAlertHistory);
    row << event.at_s << *id << event.rule << event.subject << to_string(event.phase) << event.value
        << event.severity << event.text;
    if (auto put = session_->run(insert_sql(tables::kAlertHistory), row.take()); !put) return put;
  }
  auto newest = session_->db().query("SELECT at_s FROM alert_history ORDER BY at_s DESC LIMIT 1");
  if (!newest) return std::unexpected(newest.error());
  if (newest->empty()) return {};
  if (auto gone = session_->run("DELETE FROM alert_history WHERE at_s < ?",
                                {number(newest->front().front()) - kKeepAlertEventsSeconds});
      !gone)
    return gone;
  auto last = session_->db().query(fmt::format(
      "SELECT at_s, id FROM alert_history ORDER BY at_s DESC, id DESC LIMIT 1 OFFSET {}", kMaxAlertEvents));
  if (!last) return std::unexpected(last.error());
  if (last->empty()) return {};
  const auto& row = last->front();
  return session_->run("DELETE FROM alert_history WHERE at_s < ? OR (at_s = ? AND id <= ?)",
                       {row[0], row[0], row[1]});
}

Result<std::vector<AlertEvent>> SqlStore::history(std::int64_t from_s, std::int64_t to_s,
                                                  std::size_t max_rows) const {
  auto rows =
      session_->ask(fmt::format("{} WHERE at_s >= ? AND at_s < ? ORDER BY at_s DESC, id DESC LIMIT {}",
                                select_sql(tables::kAlertHistory), max_rows),
                    {from_s, to_s});
  if (!rows) return std::unexpected(rows.error());
  std::vector<AlertEvent> out(rows->size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    AlertEvent& event = out[i];
    std::string phase;
    RowReader in(rows->at(i));
    in >> event.at_s >> event.id >> event.rule >> event.subject >> phase >> event.value >> event.severity >>
        event.text;
    if (auto read = in.end(); !read) return std::unexpected(read.error());
    auto known = phase_of(phase);
    if (!known) return std::unexpected(known.error());
    event.phase = *known;
  }
  return out;
}

Result<std::vector<Letter>> SqlStore::claim_letters(std::string_view channel, std::int64_t now_ms,
                                                    std::int64_t claim_ms, std::size_t max_letters) {
  auto rows = session_->ask(fmt::format("{} WHERE channel = ? AND next_try_ms <= ? ORDER BY id LIMIT {}",
                                        select_sql(tables::kOutbox), max_letters),
                            {std::string(channel), now_ms});
  if (!rows) return std::unexpected(rows.error());
  std::vector<Letter> out;
  for (const auto& row : *rows) {
    Letter letter;
    RowReader in(row);
    in >> letter.id >> letter.channel >> letter.address >> letter.payload >> letter.created_ms >>
        letter.next_try_ms >> letter.attempts >> letter.last_error;
    if (auto read = in.end(); !read) return std::unexpected(read.error());
    // The first to move next_try_ms has claimed the letter; the update of a second one then matches no row.
    auto claimed = session_->ask("UPDATE outbox SET next_try_ms = ? WHERE id = ? AND next_try_ms = ?",
                                 {now_ms + claim_ms, letter.id, letter.next_try_ms});
    if (!claimed) return std::unexpected(claimed.error());
    MUST(session_->db().affected_rows() <= 1, "a letter has one row");
    if (session_->db().affected_rows() != 1) continue;
    letter.next_try_ms = now_ms + claim_ms;
    out.push_back(std::move(letter));
  }
  return out;
}

Result<void> SqlStore::letter_delivered(std::int64_t id) {
  auto done = session_->ask("DELETE FROM outbox WHERE id = ?", {id});
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<void> SqlStore::letter_failed(std::int64_t id, std::int64_t next_try_ms, std::string_view error) {
  auto done =
      session_->ask("UPDATE outbox SET next_try_ms = ?, attempts = attempts + 1, last_error = ? WHERE id = ?",
                    {next_try_ms, std::string(error.substr(0, kMaxErrorBytes)), id});
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<std::map<std::string, std::uint64_t>> SqlStore::letters_waiting() const {
  auto rows = session_->ask("SELECT channel, COUNT(*) FROM outbox GROUP BY channel");
  if (!rows) return std::unexpected(rows.error());
  std::map<std::string, std::uint64_t> out;
  for (const auto& row : *rows) {
    std::string channel;
    std::uint64_t count = 0;
    RowReader in(row);
    in >> channel >> count;
    if (auto read = in.end(); !read) return std::unexpected(read.error());
    out[channel] = count;
  }
  return out;
}

Result<bool> SqlStore::lease(std::string_view name, std::string_view owner, std::int64_t now_ms,
                             std::int64_t for_ms) {
  const std::string key(name.substr(0, kMaxKeyBytes));
  const std::string taker(owner.substr(0, kMaxKeyBytes));
  auto taken = session_->ask(
      "UPDATE lease SET owner = ?, until_ms = ? WHERE name = ? AND (owner = ? OR until_ms <= ?)",
      {taker, now_ms + for_ms, key, taker, now_ms});
  if (!taken) return std::unexpected(taken.error());
  MUST(session_->db().affected_rows() <= 1, "a lease has one row");
  if (session_->db().affected_rows() == 1) return true;
  auto known = session_->ask("SELECT owner FROM lease WHERE name = ?", {key});
  if (!known) return std::unexpected(known.error());
  if (!known->empty()) return false;
  RowWriter row(tables::kLease);
  row << key << taker << now_ms + for_ms;
  auto made = session_->ask(insert_sql(tables::kLease), row.take());
  if (made) return true;
  if (made.error().code == Code::kFenced) return false;  // another aggregator was first
  return std::unexpected(made.error());
}

}  // namespace weir
