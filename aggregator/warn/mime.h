// The look of a mail on the wire: headers, encodings and line ends (RFC 5322, 2045, 2047). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/result.h"

namespace weir {

struct MimeMail {
  std::string from, to, subject, message_id;  // message_id: without < and >
  std::string body;                           // lines end with "\n"
  std::int64_t date_s = 0;
};

// The message as SMTP's DATA takes it: lines end with CRLF, none is longer than 998 bytes. Dots are
// not stuffed. No text of the mail can add a header.
[[nodiscard]] std::string mime_message(const MimeMail& mail);

// Text for one line of a mail: valid UTF-8 without control and deceiving characters. What is longer
// than `max_bytes` is cut and ends with "...".
[[nodiscard]] std::string mail_line(std::string_view text, std::size_t max_bytes = 300);

// "Weir <weir@example.org>" -> "weir@example.org". kInvalid: it has no address.
[[nodiscard]] Result<std::string> bare_address(std::string_view mailbox);

}  // namespace weir
