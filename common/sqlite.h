// Owning wrappers for SQLite's handles, with its result codes reduced to a small set. Only this wrapper
// includes sqlite3.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace weir {

enum class SqliteStatus {
  kOk,
  kRow,
  kDone,
  kBusy,        // another connection holds a lock
  kConstraint,  // the key already exists
  kFull,        // the disk is full
  kCannotOpen,  // wrong path or permissions
  kNotDatabase,
  kCorrupt,  // the file or its schema
  kNoMemory,
  kOther,
};

// A prepared statement. Its database must outlive it. Thread: the database's.
class SqliteStatement {
 public:
  SqliteStatement() = default;  // empty
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
  explicit operator bool() const { return statement_ != nullptr; }

  // Parameters are numbered from 1. The bytes must live until reset().
  void bind_number(int at, std::int64_t value);
  void bind_text(int at, std::string_view text);
  void bind_bytes(int at, std::string_view bytes);

  // Returns kRow, kDone or the error.
  [[nodiscard]] SqliteStatus step();
  void reset();           // ready to step again; the parameters stay bound
  void clear_bindings();  // removes the bound parameters

  // Columns are numbered from 0. The values are valid until the next step() or reset().
  [[nodiscard]] int column_count() const;
  [[nodiscard]] bool is_number(int column) const;  // an integer or NULL
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::string_view bytes(int column) const;  // text or blob; NULL is empty

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Thread: one at a time.
class SqliteDatabase {
 public:
  enum class Mode { kReadOnly, kReadWrite };  // kReadWrite creates a missing file

  // Closes the database that was open before. Returns kOk or the error.
  [[nodiscard]] SqliteStatus open(const std::string& path, Mode mode, std::chrono::milliseconds busy_timeout);
  void close() { database_.reset(); }
  [[nodiscard]] bool is_open() const { return database_ != nullptr; }

  // Runs each statement of `sql` and discards rows. Returns kOk or the error.
  [[nodiscard]] SqliteStatus run(const char* sql);
  // Nothing: it failed, see status(). `reused`: the statement will run many times; SQLite then uses more
  // memory for it.
  [[nodiscard]] SqliteStatement prepare(std::string_view sql, bool reused = false);

  // Of the last failed call.
  [[nodiscard]] SqliteStatus status() const;
  [[nodiscard]] std::string message() const;
  [[nodiscard]] std::uint64_t changed_rows() const;  // by the last statement
  [[nodiscard]] bool in_transaction() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace weir
