// SQLite's handles with an owner, its codes as a small set. The one place that includes sqlite3.h.
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
  kConstraint,  // a key exists already
  kFull,        // the disk is full
  kCannotOpen,  // the path or the rights
  kNotDatabase,
  kCorrupt,  // the file, or its schema
  kNoMemory,
  kOther,
};

// One statement of a database, which must outlive it. Thread: the database's.
class SqliteStatement {
 public:
  SqliteStatement() = default;  // none
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
  explicit operator bool() const { return statement_ != nullptr; }

  // Parameters count from 1. The bytes must live until reset().
  void bind_number(int at, std::int64_t value);
  void bind_text(int at, std::string_view text);
  void bind_bytes(int at, std::string_view bytes);

  // kRow, kDone or what failed.
  [[nodiscard]] SqliteStatus step();
  void reset();           // ready to be stepped again; the parameters stay
  void clear_bindings();  // forgets the parameters

  // Columns count from 0. Valid until the next step() or reset().
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
  enum class Mode { kReadOnly, kReadWrite };  // kReadWrite makes the file when it does not exist

  // Closes what was open before. kOk, or what failed.
  [[nodiscard]] SqliteStatus open(const std::string& path, Mode mode, std::chrono::milliseconds busy_timeout);
  void close() { database_.reset(); }
  [[nodiscard]] bool is_open() const { return database_ != nullptr; }

  // Each statement of `sql`; rows are dropped. kOk, or what failed.
  [[nodiscard]] SqliteStatus run(const char* sql);
  // None: it failed, see status(). `reused`: many times, which costs SQLite more memory at first.
  [[nodiscard]] SqliteStatement prepare(std::string_view sql, bool reused = false);

  // Of the last call that failed.
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
