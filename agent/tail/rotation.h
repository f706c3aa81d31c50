// Derives from the name of a rotated file which log it belongs to and how old it is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

// The path without its rotation suffix: "/l/access.log.2.gz" -> "/l/access.log",
// "/l/access.log-20261123.gz" -> "/l/access.log", "/l/a.log" -> itself.
// Removes these suffixes from the end, repeatedly: .gz .zst .bz2, .N (1 to 4 digits), -YYYYMMDD, -YYYYMMDDHH,
// -YYYYMMDD-N, .YYYY-MM-DD, -YYYY-MM-DD and -EPOCH (10 digits).
[[nodiscard]] std::string log_family(std::string_view path);

// Whether `a` is older than `b`, which is of the same family, by the rotation suffix alone: access.log.2.gz
// comes before access.log.1 before access.log, access.log-20261123 before access.log-20261124 before
// access.log.
[[nodiscard]] bool older_generation(const std::string& a, const std::string& b);
// Whether `a` is nearer to the base name than `b`. False if the names do not show it.
[[nodiscard]] bool less_rotated(const std::string& a, const std::string& b);

}  // namespace weir
