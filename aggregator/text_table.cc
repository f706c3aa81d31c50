#include "aggregator/text_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/moment.h"

namespace weir {

std::string aligned(const std::vector<std::vector<std::string>>& rows, std::size_t text_columns) {
  std::vector<std::size_t> width(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += (i > 0 ? "  " : "") + (i < text_columns ? fmt::format("{:<{}}", row[i], width[i])
                                                      : fmt::format("{:>{}}", row[i], width[i]));
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  }
  return out;
}

std::string grouped(std::uint64_t value) {
  auto digits = fmt::format("{}", value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string iso(std::int64_t seconds) { return iso_text_s(seconds); }

}  // namespace weir
