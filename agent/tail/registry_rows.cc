#include "agent/tail/registry_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "proto/must.h"
#include "proto/varint.h"

namespace weir {
namespace {

// The columns of each table, in the order of the functions below.
constexpr std::string_view kSourceColumns =
    "id, path, input, device, inode, partition, origin, acknowledged_offset, size_bytes, tail_hash, "
    "last_acknowledged_ms, state, base, line_hash, birth_ns, seen_ms, sent_offset, sent_tail_hash, cuts, "
    "routes";
constexpr std::string_view kLossColumns =
    "source, begin_offset, end_offset, cause, origin, partition, path, input, noticed_ms";

std::string placeholders(std::string_view columns) {
  std::string out = "?";
  for (auto commas = std::ranges::count(columns, ','); commas > 0; --commas) out += ",?";
  return out;
}

// The value of the column `cuts`, as varints: 1, then the distance of each cut from the previous one (for the
// first cut, from the acknowledged offset). Empty: not known.
std::string cuts_bytes(const RegistryEntry& entry) {
  std::string out;
  if (!entry.cuts_known) return out;
  append_varint(out, 1);
  auto before = entry.acknowledged_offset;
  for (const auto cut : entry.cuts) {
    MUST(cut > before, "cuts ascend behind the acknowledged offset");
    append_varint(out, cut - before);
    before = cut;
  }
  return out;
}

// Unreadable cuts count as not known. The source is then shipped as records, which is always correct.
void read_cuts(std::string_view bytes, RegistryEntry& entry) {
  std::uint64_t number = 0;
  if (!take_varint(bytes, number) || number != 1) return;
  auto cut = entry.acknowledged_offset;
  while (!bytes.empty()) {
    if (!take_varint(bytes, number) || number == 0 || number >= 1ULL << 62 || cut >= 1ULL << 62) {
      entry.cuts.clear();
      return;
    }
    cut += number;
    entry.cuts.push_back(cut);
  }
  entry.cuts_known = true;
}

// The value of the column `routes`: "batch=1000 windows=800".
std::string routes_text(const RegistryEntry& entry) {
  std::string out;
  for (const auto& [route, offset] : entry.routes)
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", route, offset);
  return out;
}

// Unreadable text counts as not known. All routes are then at the acknowledged offset, and the bytes sent
// after it go out as records once, which is always correct.
void read_routes(std::string_view text, RegistryEntry& entry) {
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const auto equals = word.find('=');
    RouteOffset route{std::string(word.substr(0, equals)), 0};
    const char* end = word.data() + word.size();
    const auto number = equals == std::string_view::npos
                            ? std::from_chars_result{nullptr, std::errc::invalid_argument}
                            : std::from_chars(word.data() + equals + 1, end, route.acknowledged_offset);
    if (number.ec != std::errc{} || number.ptr != end || route.route.empty() ||
        route.acknowledged_offset < entry.acknowledged_offset) {
      entry.routes.clear();
      entry.cuts_known = false;
      entry.cuts.clear();
      return;
    }
    entry.routes.push_back(std::move(route));
  }
}

// Returns the columns of a row one after another.
class RowReader {
 public:
  explicit RowReader(const SqliteStatement& row) : row_(row) {}
  [[nodiscard]] std::string text() { return std::string(row_.bytes(column_++)); }
  [[nodiscard]] std::uint64_t count() { return static_cast<std::uint64_t>(row_.number(column_++)); }
  [[nodiscard]] std::int64_t number() { return row_.number(column_++); }
  [[nodiscard]] std::int32_t partition() { return static_cast<std::int32_t>(number()); }

 private:
  const SqliteStatement& row_;
  int column_ = 0;
};

// Binds the parameters of a statement one after another. Texts must stay valid until the statement is
// executed.
class RowWriter {
 public:
  explicit RowWriter(SqliteStatement& row) : row_(row) {}
  void text(std::string_view value) { row_.bind_text(next_++, value); }
  void bytes(std::string_view value) { row_.bind_bytes(next_++, value); }
  void count(std::uint64_t value) { row_.bind_number(next_++, static_cast<std::int64_t>(value)); }
  void number(std::int64_t value) { row_.bind_number(next_++, value); }

 private:
  SqliteStatement& row_;
  int next_ = 1;
};

// nullopt: weir did not write this id. The file is then read again and still counted only once.
std::optional<RegistryEntry> read_entry(RowReader row) {
  const auto id = SourceId::from_hex(row.text());
  if (!id) return std::nullopt;
  RegistryEntry entry;
  entry.id = *id;
  entry.path = row.text();
  entry.input = row.text();
  entry.device = row.count();
  entry.inode = row.count();
  entry.partition = row.partition();
  entry.origin = row.count();
  entry.acknowledged_offset = row.count();
  entry.size_bytes = row.count();
  entry.tail_hash = row.text();
  entry.last_acknowledged_ms = row.number();
  entry.state = FileCondition::from_text(row.text());
  entry.base = SourceId::from_hex(row.text()).value_or(entry.id);
  entry.line_hash = row.text();
  entry.birth_ns = row.number();
  entry.seen_ms = row.number();
  entry.sent_offset = row.count();
  entry.sent_tail_hash = row.text();
  read_cuts(row.text(), entry);
  read_routes(row.text(), entry);
  return entry;
}

Result<void> put_entry(RegistryDatabase& database, SqliteStatement& statement, const RegistryEntry& entry) {
  const auto id = entry.id.hex();
  const auto base = entry.base.hex();
  const auto state = entry.state.text();
  const auto cuts = cuts_bytes(entry);
  const auto routes = routes_text(entry);
  RowWriter row(statement);
  row.text(id);
  row.text(entry.path);
  row.text(entry.input);
  row.count(entry.device);
  row.count(entry.inode);
  row.number(entry.partition);
  row.count(entry.origin);
  row.count(entry.acknowledged_offset);
  row.count(entry.size_bytes);
  row.bytes(entry.tail_hash);
  row.number(entry.last_acknowledged_ms);
  row.text(state);
  row.text(base);
  row.bytes(entry.line_hash);
  row.number(entry.birth_ns);
  row.number(entry.seen_ms);
  row.count(entry.sent_offset);
  row.bytes(entry.sent_tail_hash);
  row.bytes(cuts);
  row.text(routes);
  return database.execute(statement);
}

}  // namespace

Result<std::vector<RegistryEntry>> read_entries(RegistryDatabase& database) {
  auto statement = database.prepare(fmt::format("SELECT {} FROM source ORDER BY path, id", kSourceColumns));
  if (!statement) return std::unexpected(statement.error());
  std::vector<RegistryEntry> entries;
  for (;;) {
    const auto row = database.next(*statement);
    if (!row) return std::unexpected(row.error());
    if (!*row) return entries;
    if (auto entry = read_entry(RowReader(*statement))) entries.push_back(std::move(*entry));
  }
}

Result<std::vector<Loss>> read_losses(RegistryDatabase& database) {
  auto statement = database.prepare(fmt::format("SELECT {} FROM loss", kLossColumns));
  if (!statement) return std::unexpected(statement.error());
  std::vector<Loss> losses;
  for (;;) {
    const auto next = database.next(*statement);
    if (!next) return std::unexpected(next.error());
    if (!*next) return losses;
    RowReader row(*statement);
    const auto id = SourceId::from_hex(row.text());
    Loss loss;
    loss.range.begin = row.count();
    loss.range.end = row.count();
    if (!id || loss.range.begin >= loss.range.end) continue;
    loss.source = *id;
    loss.cause = loss_cause_of(row.count());
    loss.origin = row.count();
    loss.partition = row.partition();
    loss.path = row.text();
    loss.input = row.text();
    loss.noticed_ms = row.number();
    losses.push_back(std::move(loss));
  }
}

Result<void> put_entries(RegistryDatabase& database, const std::vector<const RegistryEntry*>& entries) {
  auto statement = database.prepare(
      fmt::format("REPLACE INTO source({}) VALUES({})", kSourceColumns, placeholders(kSourceColumns)));
  if (!statement) return std::unexpected(statement.error());
  for (const auto* entry : entries) {
    if (auto done = put_entry(database, *statement, *entry); !done) return done;
  }
  return {};
}

Result<void> remove_entries(RegistryDatabase& database, const std::vector<SourceId>& ids) {
  auto statement = database.prepare("DELETE FROM source WHERE id = ?");
  if (!statement) return std::unexpected(statement.error());
  for (const auto& id : ids) {
    const auto hex = id.hex();
    RowWriter(*statement).text(hex);
    if (auto done = database.execute(*statement); !done) return done;
  }
  return {};
}

Result<void> replace_losses(RegistryDatabase& database, const std::vector<Loss>& losses) {
  if (auto cleared = database.run("DELETE FROM loss"); !cleared) return cleared;
  auto statement = database.prepare(
      fmt::format("INSERT INTO loss({}) VALUES({})", kLossColumns, placeholders(kLossColumns)));
  if (!statement) return std::unexpected(statement.error());
  for (const auto& loss : losses) {
    const auto source = loss.source.hex();
    RowWriter row(*statement);
    row.text(source);
    row.count(loss.range.begin);
    row.count(loss.range.end);
    row.number(static_cast<int>(loss.cause));
    row.count(loss.origin);
    row.number(loss.partition);
    row.text(loss.path);
    row.text(loss.input);
    row.number(loss.noticed_ms);
    if (auto done = database.execute(*statement); !done) return done;
  }
  return {};
}

}  // namespace weir
