// The wire format of a mail: headers, encodings and line ends (RFC 5322, 2045, 2047). Pure.
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

// The message in the form SMTP's DATA takes: lines end with CRLF, and none is longer than 998 bytes. Leading
// dots are not doubled. No text of the mail can inject a header.
[[nodiscard]] std::string mime_message(const MimeMail& mail);

// Text for one line of a mail: valid UTF-8 without control characters or deceptive ones. Text longer than
// `max_bytes` is cut and ends with "...".
[[nodiscard]] std::string mail_line(std::string_view text, std::size_t max_bytes = 300);

// "Weir <weir@example.org>" -> "weir@example.org". kInvalid: the text has no address.
[[nodiscard]] Result<std::string> bare_address(std::string_view mailbox);

}  // namespace weir
