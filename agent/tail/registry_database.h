// The SQLite file of the registry: its schema, and errors that name the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/sqlite.h"
#include "proto/result.h"

namespace weir {

// Errors of all calls: kCorrupt (SQLite cannot read the file, or the file is not a registry), kIo.
class RegistryDatabase {
 public:
  // open() opens `file`.
  explicit RegistryDatabase(std::string file) : file_(std::move(file)) {}
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] Result<void> open(SqliteDatabase::Mode mode);
  void close() { database_.close(); }

  [[nodiscard]] Result<void> run(const char* sql);
  [[nodiscard]] Result<SqliteStatement> prepare(std::string_view sql);
  // Runs a statement that returns no rows, and resets it.
  [[nodiscard]] Result<void> execute(SqliteStatement& statement);
  // True: there is a row. False: there are no more rows.
  [[nodiscard]] Result<bool> next(SqliteStatement& statement);
  // The first column of each row.
  [[nodiscard]] Result<std::vector<std::string>> column_of(const char* sql);

  // Creates the tables or migrates those of an older version, in one transaction. Returns the instance
  // number, which is new if the file was empty. Errors: also kInvalid (written by a newer weir).
  [[nodiscard]] Result<std::uint64_t> make_current();
  // Checks that the tables are those of this version and that nothing in the file runs on its own.
  [[nodiscard]] Result<void> check_shape();
  // Whether SQLite reported the file as damaged at the last failed call.
  [[nodiscard]] bool is_damaged() const;

 private:
  [[nodiscard]] std::unexpected<Error> error() const;
  [[nodiscard]] std::unexpected<Error> damaged(std::string_view what) const;
  [[nodiscard]] Result<int> read_version(std::uint64_t& instance);
  [[nodiscard]] Result<void> migrate(int version, std::uint64_t& instance);

  std::string file_;
  SqliteDatabase database_;
};

}  // namespace weir
