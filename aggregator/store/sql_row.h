// Typed rows: a reader that extracts one column after the other, and a writer that appends them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "aggregator/store/sql_connection.h"
#include "aggregator/store/tables.h"
#include "proto/result.h"

namespace weir {

inline constexpr std::size_t kMaxKeyBytes = 255;  // in a column of type kKey

//   RowReader in(row);
//   in >> letter.id >> letter.channel;
//   if (auto read = in.end(); !read) return read;
// end() reports a surplus column, a missing one or a wrong type. The row must outlive the reader.
class RowReader {
 public:
  explicit RowReader(const SqlRow& row) : row_(row) {}

  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  RowReader& operator>>(T& out) {
    if (const auto* value = next<std::int64_t>()) out = static_cast<T>(*value);
    return *this;
  }
  RowReader& operator>>(std::string& out) {
    if (const auto* value = next<std::string>()) out = *value;
    return *this;
  }
  RowReader& operator>>(double& out);  // stored as text
  // kCorrupt when the columns read do not match the row.
  [[nodiscard]] Result<void> end() const;

 private:
  template <class T>
  const T* next() {
    const T* value = at_ < row_.size() ? std::get_if<T>(&row_[at_]) : nullptr;
    if (value == nullptr) good_ = false;
    ++at_;
    return value;
  }

  const SqlRow& row_;
  std::size_t at_ = 0;
  bool good_ = true;
};

// The values of one row, in the order of the table's columns. Truncates keys to their maximum length.
class RowWriter {
 public:
  explicit RowWriter(const Table& table) : table_(table) { values_.reserve(table.columns.size()); }

  template <class T>
    requires(std::is_integral_v<T> || std::is_enum_v<T>)
  RowWriter& operator<<(T value) {
    values_.emplace_back(static_cast<std::int64_t>(value));
    return *this;
  }
  RowWriter& operator<<(std::string_view value);
  RowWriter& operator<<(double value);  // stored as text
  // Values for all columns of the table.
  [[nodiscard]] std::vector<SqlValue> take();

 private:
  const Table& table_;
  std::vector<SqlValue> values_;
};

}  // namespace weir
