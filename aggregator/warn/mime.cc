#include "aggregator/warn/mime.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "common/text.h"

namespace weir {
namespace {

constexpr std::size_t kLongestLine = 900;  // below the 998 bytes of RFC 5322

bool is_ascii_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x7f && (byte >= 0x20 || c == '\n');
  });
}

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t word = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      word = (word << 8U) | (j < n ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= n ? kDigits[(word >> (18 - 6 * j)) & 63U] : '=';
    }
  }
  return out;
}

// The value of a header, folded, and as RFC 2047 encoded words unless it is plain ASCII.
std::string header_text(std::string_view text) {
  constexpr std::size_t kWordBytes = 45;  // 60 encoded characters; with its delimiters a word stays below 75
  const std::string clean = mail_line(text, kLongestLine);
  if (is_ascii_text(clean) && clean.size() < kLongestLine) return clean;
  std::string out;
  std::string_view rest = clean;
  while (!rest.empty()) {
    std::size_t take = 0;
    while (take < rest.size()) {
      const std::size_t length = std::max<std::size_t>(1, utf8_length(rest, take));
      if (take + length > kWordBytes) break;
      take += length;
    }
    if (!out.empty()) out += "\r\n ";
    out += fmt::format("=?UTF-8?B?{}?=", base64(rest.substr(0, take)));
    rest.remove_prefix(take);
  }
  return out;
}

std::string quoted_printable(std::string_view text) {
  constexpr std::size_t kColumns = 75;
  std::string out;
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (text[i] == '\n') {
      out += "\r\n";
      column = 0;
      continue;
    }
    const bool at_end = i + 1 == text.size() || text[i + 1] == '\n';
    const bool plain = byte >= 0x20 && byte < 0x7f && byte != '=' && !(byte == ' ' && at_end);
    const std::size_t width = plain ? 1 : 3;
    if (column + width > kColumns) {
      out += "=\r\n";
      column = 0;
    }
    if (plain) {
      out += text[i];
    } else {
      out += fmt::format("={:02X}", byte);
    }
    column += width;
  }
  return out;
}

std::size_t longest_line(std::string_view text) {
  std::size_t longest = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    longest = std::max(longest, end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return longest;
}

// "Sun, 23 Nov 2025 12:05:00 +0000".
std::string rfc5322_date(std::int64_t time_s) {
  using namespace std::chrono;
  const sys_seconds time{seconds{time_s}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} +0000", kDays[weekday{day}.c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

}  // namespace

std::string mime_message(const MimeMail& mail) {
  std::string out;
  out += fmt::format("Date: {}\r\n", rfc5322_date(mail.date_s));
  out += fmt::format("From: {}\r\n", mail_line(mail.from));
  out += fmt::format("To: {}\r\n", mail_line(mail.to));
  out += fmt::format("Subject: {}\r\n", header_text(mail.subject));
  out += fmt::format("Message-ID: <{}>\r\n", mail_line(mail.message_id));
  // No auto-reply, please (RFC 3834).
  out += "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
  out += "Content-Type: text/plain; charset=utf-8\r\n";
  if (is_ascii_text(mail.body) && longest_line(mail.body) < kLongestLine) {
    out += "Content-Transfer-Encoding: 7bit\r\n\r\n";
    for (const char c : mail.body) {
      if (c == '\n') out += '\r';
      out += c;
    }
  } else {
    out += "Content-Transfer-Encoding: quoted-printable\r\n\r\n";
    out += quoted_printable(mail.body);
  }
  return out;
}

std::string mail_line(std::string_view text, std::size_t max_bytes) {
  std::string clean = clean_text(text, text.size());
  if (clean.size() <= max_bytes) return clean;
  return clean_text(clean, max_bytes) + "...";
}

Result<std::string> bare_address(std::string_view mailbox) {
  std::string_view address = mailbox;
  const auto open = mailbox.rfind('<');
  const auto close = mailbox.rfind('>');
  if (open != std::string_view::npos && close != std::string_view::npos && open < close) {
    address = mailbox.substr(open + 1, close - open - 1);
  }
  while (address.starts_with(' ')) address.remove_prefix(1);
  while (address.ends_with(' ')) address.remove_suffix(1);
  bool good = !address.empty() && address.size() <= 320;
  for (const char c : mailbox) {
    if (static_cast<unsigned char>(c) < 0x20) good = false;
  }
  for (const char c : address) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == '<' || c == '>') good = false;
  }
  if (!good) {
    return fail(Code::kInvalid, fmt::format("\"{}\" is not a mail address", mail_line(mailbox)),
                "write name@example.org or Name <name@example.org>");
  }
  return std::string(address);
}

}  // namespace weir
