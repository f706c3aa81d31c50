#include "aggregator/store/sql_row.h"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

#include "proto/must.h"

namespace weir {

RowReader& RowReader::operator>>(double& out) {
  if (const auto* value = next<std::string>()) out = std::strtod(value->c_str(), nullptr);
  return *this;
}

Result<void> RowReader::end() const {
  if (good_ && at_ == row_.size()) return {};
  return fail(Code::kCorrupt,
              fmt::format("store: a row of {} columns was read as one of {}", row_.size(), at_),
              "the tables were changed by hand, or belong to another version of weir");
}

RowWriter& RowWriter::operator<<(std::string_view value) {
  MUST(values_.size() < table_.columns.size(), "a row has no more values than its table has columns");
  const auto& column = table_.columns[values_.size()];
  MUST(column.type != ColumnType::kNumber, "text goes into a column of text");
  values_.emplace_back(std::string(column.type == ColumnType::kKey ? value.substr(0, kMaxKeyBytes) : value));
  return *this;
}

RowWriter& RowWriter::operator<<(double value) { return *this << std::string_view(fmt::format("{}", value)); }

std::vector<SqlValue> RowWriter::take() {
  MUST(values_.size() == table_.columns.size(), "a row has a value for each column of its table");
  return std::move(values_);
}

}  // namespace weir
