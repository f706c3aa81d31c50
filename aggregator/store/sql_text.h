// Builds statements from the lists of columns in tables.h. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "aggregator/store/sql_connection.h"
#include "aggregator/store/tables.h"

namespace weir {

// Repeats `part` `count` times.
[[nodiscard]] std::string repeated(std::string_view part, std::size_t count, std::string_view between);

// "id, agent_id, ...", starting at column number `from`.
[[nodiscard]] std::string columns_sql(const Table& table, std::size_t from = 0);
// "CREATE TABLE IF NOT EXISTS ..."
[[nodiscard]] std::string create_sql(const Table& table, const SqlConnection& db);
// "SELECT <all columns> FROM <table>", to be continued with WHERE and the like.
[[nodiscard]] std::string select_sql(const Table& table);
// With a placeholder for each value of `rows` rows.
[[nodiscard]] std::string insert_sql(const Table& table, std::size_t rows = 1);
[[nodiscard]] std::string replace_sql(const Table& table, std::size_t rows = 1);
// "UPDATE <table> SET a = ?, b = ?" for the columns outside the key.
[[nodiscard]] std::string update_sql(const Table& table);

}  // namespace weir
