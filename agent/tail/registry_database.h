// The SQLite file of the registry: its schema, and errors that name the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/sqlite.h"
#include "proto/result.h"

namespace weir {

// Errors of all calls: kCorrupt (SQLite cannot read the file, or it is no registry), kIo.
class RegistryDatabase {
 public:
  // `file` is opened by open().
  explicit RegistryDatabase(std::string file) : file_(std::move(file)) {}
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] Result<void> open(SqliteDatabase::Mode mode);
  void close() { database_.close(); }

  [[nodiscard]] Result<void> run(const char* sql);
  [[nodiscard]] Result<SqliteStatement> prepare(std::string_view sql);
  // Steps through a statement that returns no rows, and resets it.
  [[nodiscard]] Result<void> execute(SqliteStatement& statement);
  // True: there is a row. False: there are no more.
  [[nodiscard]] Result<bool> next(SqliteStatement& statement);
  // The first column of each row.
  [[nodiscard]] Result<std::vector<std::string>> column_of(const char* sql);

  // Creates the tables, or brings those of an older version up to date, in one transaction. Returns the
  // instance: a new one for a file that was empty. Errors: also kInvalid (written by a newer weir).
  [[nodiscard]] Result<std::uint64_t> make_current();
  // The tables are those of this version, and nothing in the file runs by itself.
  [[nodiscard]] Result<void> check_shape();
  // SQLite itself found the file to be damaged, with the last call that failed.
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
