#include "aggregator/store/sql_text.h"

#include <fmt/format.h>

namespace weir {
namespace {

std::string put_sql(std::string_view verb, const Table& table, std::size_t rows) {
  const auto row = fmt::format("({})", repeated("?", table.columns.size(), ","));
  return fmt::format("{} INTO {}({}) VALUES {}", verb, table.name, columns_sql(table),
                     repeated(row, rows, ","));
}

}  // namespace

std::string repeated(std::string_view part, std::size_t count, std::string_view between) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) out += between;
    out += part;
  }
  return out;
}

std::string columns_sql(const Table& table, std::size_t from) {
  std::string out;
  for (const auto& column : table.columns.subspan(from)) {
    if (!out.empty()) out += ", ";
    out += column.name;
  }
  return out;
}

std::string create_sql(const Table& table, const SqlConnection& db) {
  std::string columns, key;
  for (const auto& column : table.columns) {
    columns += fmt::format("{} {} NOT NULL, ", column.name, db.column_type(column.type));
    if (!column.in_key) continue;
    if (!key.empty()) key += ", ";
    key += column.name;
  }
  return fmt::format("CREATE TABLE IF NOT EXISTS {}({}PRIMARY KEY({})){}", table.name, columns, key,
                     table.clustered ? db.clustered_sql() : "");
}

std::string select_sql(const Table& table) {
  return fmt::format("SELECT {} FROM {}", columns_sql(table), table.name);
}

std::string insert_sql(const Table& table, std::size_t rows) { return put_sql("INSERT", table, rows); }
std::string replace_sql(const Table& table, std::size_t rows) { return put_sql("REPLACE", table, rows); }

std::string update_sql(const Table& table) {
  std::string assignments;
  for (const auto& column : table.columns) {
    if (column.in_key) continue;
    if (!assignments.empty()) assignments += ", ";
    assignments += fmt::format("{} = ?", column.name);
  }
  return fmt::format("UPDATE {} SET {}", table.name, assignments);
}

}  // namespace weir
