// The notation of times in a log, as a pattern like strptime's: "%d/%b/%Y:%H:%M:%S.%L". Pure.
//
//   %Y year, four digits     %H hour, 0 to 23   %L milliseconds, three digits
//   %y year, two digits      %M minute          %f a fraction of a second, one to nine digits
//   %m month, 1 to 12        %S second          %z zone: +0200, +02:00, +02, Z
//   %b month: Jan, January   %s seconds since 1970, which stand for all above
//   %d day of the month      %a day of the week: Mon, Monday; not compared with the date
//   %F is %Y-%m-%d           %T is %H:%M:%S     %% is a percent sign
//
// Every other character stands for itself. Leading zeros may be missing or replaced by spaces, unless another
// number follows directly.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace weir {

class TimeNotation {
 public:
  // `zone`, such as "+02:00", applies to times that do not state one; "" is UTC.
  // Errors: kInvalid, with the offending piece and its position.
  [[nodiscard]] static Result<TimeNotation> compile(std::string_view text, std::string_view zone);
  // Milliseconds since 1970. nullopt: `text` is not exactly one time in this notation.
  [[nodiscard]] std::optional<std::int64_t> read(std::string_view text) const;

 private:
  struct Piece {
    char part = '\0';  // the letter after '%'; '\0' is a literal
    char literal = '\0';
    bool adjacent = false;  // a number follows without a separator, so all digits must be present
  };
  struct Reading;

  [[nodiscard]] Result<void> add_pieces(std::string_view text);
  [[nodiscard]] Result<void> check(std::string_view text) const;
  [[nodiscard]] bool has(char part) const;

  std::vector<Piece> pieces_;
  std::int64_t zone_s_ = 0;
  bool epoch_ = false;  // %s
};

}  // namespace weir
