#include "aggregator/warn/mail_text.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>

namespace weir {
namespace {

// The length of the valid UTF-8 sequence at the front, 0 when there is none.
std::size_t utf8_length(std::string_view text, std::uint32_t& code_point) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    code_point = lead;
    return 1;
  }
  const std::size_t length = lead >= 0xf0 && lead < 0xf5 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (length == 0 || lead >= 0xf5 || text.size() < length) return 0;
  code_point = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return 0;
    code_point = (code_point << 6U) | (byte(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && code_point < 0x800) || (length == 4 && code_point < 0x10000);
  const bool outside = code_point > 0x10ffff || (code_point >= 0xd800 && code_point < 0xe000);
  return overlong || outside ? 0 : length;
}

bool is_deceptive(std::uint32_t code_point) {
  return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) ||  // C0, DEL, C1
         (code_point >= 0x200b && code_point <= 0x200f) ||                  // zero width, marks
         (code_point >= 0x2028 && code_point <= 0x202e) ||                  // separators, overrides
         (code_point >= 0x2066 && code_point <= 0x2069) || code_point == 0xfeff;
}

bool is_ascii_text(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x7f || (byte < 0x20 && c != '\n')) return false;
  }
  return true;
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

// A header's value: RFC 2047 encoded words where it is not plain ASCII, folded.
std::string header_text(std::string_view text) {
  const std::string clean = clean_for_mail(text, 900);
  if (is_ascii_text(clean) && clean.size() < 900) return clean;
  std::string out;
  std::string_view rest = clean;
  while (!rest.empty()) {
    std::size_t take = 0;
    while (take < rest.size()) {  // 45 bytes are 60 digits: a word stays below 75
      std::uint32_t code_point = 0;
      const std::size_t length = utf8_length(rest.substr(take), code_point);
      if (length == 0 || take + length > 45) break;
      take += length;
    }
    if (take == 0) take = 1;
    if (!out.empty()) out += "\r\n ";
    out += fmt::format("=?UTF-8?B?{}?=", base64(rest.substr(0, take)));
    rest.remove_prefix(take);
  }
  return out;
}

std::string quoted_printable(std::string_view text) {
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
    if (column + width > 75) {
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

std::string scaled(double value, std::string_view unit) {
  static constexpr std::array<const char*, 6> kPrefixes = {"", "k", "M", "G", "T", "P"};
  std::size_t prefix = 0;
  while (std::abs(value) >= 1000 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  return fmt::format("{:.4g} {}{}", value, kPrefixes[prefix], unit);
}

std::string metric_name(const RuleConfig& rule) {
  if (rule.metric == "bytes_per_second") return "bandwidth";
  if (rule.metric == "status_share") return "share of " + rule.status_class;
  return "request rate";
}

std::string subject_name(const Notice& notice) {
  return notice.subject.empty() ? "all sites" : "site " + clean_for_mail(notice.subject, 253);
}

double firing_level(const RuleConfig& rule) { return rule.above ? *rule.above : rule.below.value_or(0); }

std::string headline(const Notice& notice) {
  const RuleConfig& rule = notice.rule;
  const std::string value = format_value(rule.metric, notice.value);
  if (notice.firing) {
    return fmt::format("{} of {} is {}, {} {}", metric_name(rule), subject_name(notice), value,
                       rule.above ? "above" : "below", format_value(rule.metric, firing_level(rule)));
  }
  return fmt::format("{} of {} is {} again", metric_name(rule), subject_name(notice), value);
}

std::string mail_subject(const Notice& notice) {
  return fmt::format("[weir] {} {}: {}", notice.firing ? clean_for_mail(notice.rule.severity, 40) : "cleared",
                     clean_for_mail(notice.rule.name, 100), headline(notice));
}

std::string page_line(std::string_view page_url) {
  return page_url.empty() ? std::string() : fmt::format("\nPage:     {}\n", clean_for_mail(page_url));
}

std::string mail_body(const Notice& notice, std::string_view page_url) {
  const RuleConfig& rule = notice.rule;
  std::string body = fmt::format("{}: {}.\n\n", notice.firing ? "FIRING" : "CLEARED", headline(notice));
  body += fmt::format("Rule:     {}\n", clean_for_mail(rule.name));
  body += fmt::format("Severity: {}\n", clean_for_mail(rule.severity));
  body += fmt::format("Site:     {}\n", notice.subject.empty() ? "(all)" : clean_for_mail(notice.subject));
  body += fmt::format("Value:    {} ({:.6g})\n", format_value(rule.metric, notice.value), notice.value);
  body += fmt::format("Fires:    {} {}\n", rule.above ? "above" : "below",
                      format_value(rule.metric, firing_level(rule)));
  body += fmt::format("Clears:   {} {}\n", rule.above ? "at or below" : "at or above",
                      format_value(rule.metric, rule.clear.value_or(firing_level(rule))));
  body +=
      fmt::format("Range:    {} to {} ({} s), {} requests\n", format_utc(notice.range.begin_s),
                  format_utc(notice.range.end_s), notice.range.end_s - notice.range.begin_s, notice.requests);
  body += fmt::format("Since:    {}\n", format_utc(notice.since_s));
  if (!notice.firing) body += fmt::format("Fired:    {}\n", format_utc(notice.fired_since_s));
  return body + page_line(page_url);
}

MailText grouped_mail(const std::vector<const Notice*>& group, std::string_view page_url) {
  constexpr std::size_t kMaxLines = 200;
  const Notice& first = *group.front();
  MailText mail;
  mail.subject = fmt::format(
      "[weir] {} {}: {} sites {}", first.firing ? clean_for_mail(first.rule.severity, 40) : "cleared",
      clean_for_mail(first.rule.name, 100), group.size(), first.firing ? "fire" : "are clear again");
  mail.body = fmt::format("{} at once, rule {}, {} to {}:\n\n", first.firing ? "FIRING" : "CLEARED",
                          clean_for_mail(first.rule.name), format_utc(first.range.begin_s),
                          format_utc(first.range.end_s));
  for (std::size_t i = 0; i < group.size() && i < kMaxLines; ++i) {
    mail.body += fmt::format("{} ({} requests)\n", headline(*group[i]), group[i]->requests);
  }
  if (group.size() > kMaxLines) mail.body += fmt::format("... and {} more\n", group.size() - kMaxLines);
  mail.body += page_line(page_url);
  return mail;
}

}  // namespace

std::string clean_for_mail(std::string_view text, std::size_t max_bytes) {
  std::string out;
  while (!text.empty()) {
    std::uint32_t code_point = 0;
    const std::size_t length = utf8_length(text, code_point);
    const std::string_view piece = length == 0 || is_deceptive(code_point) ? "?" : text.substr(0, length);
    if (out.size() + piece.size() > max_bytes) {
      out += "...";
      break;
    }
    out += piece;
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string format_value(std::string_view metric, double value) {
  if (metric == "bytes_per_second") return scaled(value, "B/s") + " (" + scaled(value * 8, "bit/s") + ")";
  if (metric == "status_share") return fmt::format("{:.4g} %", value * 100);
  return fmt::format("{:.6g} requests/s", value);
}

std::string format_utc(std::int64_t time_s) {
  using namespace std::chrono;
  const sys_seconds time{seconds{time_s}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::vector<Letter> write_mails(const std::vector<Notice>& notices,
                                const std::vector<std::string>& recipients, std::string_view page_url,
                                std::int64_t now_ms) {
  std::map<std::pair<std::string, bool>, std::vector<const Notice*>> groups;
  for (const Notice& notice : notices) groups[{notice.rule.name, notice.firing}].push_back(&notice);
  std::vector<MailText> texts;
  for (const auto& [key, group] : groups) {
    if (group.size() > kGroupAbove) {
      texts.push_back(grouped_mail(group, page_url));
      continue;
    }
    for (const Notice* notice : group) {
      texts.push_back({mail_subject(*notice), mail_body(*notice, page_url)});
    }
  }
  std::vector<Letter> out;
  for (const MailText& text : texts) {
    for (const std::string& recipient : recipients) {
      Letter mail;
      mail.channel = kMailChannel;
      mail.address = recipient;
      mail.payload = mail_payload(text);
      mail.created_ms = now_ms;
      mail.next_try_ms = now_ms;
      out.push_back(std::move(mail));
    }
  }
  return out;
}

std::string mail_payload(const MailText& text) {
  std::string out = text.subject;
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out + "\n" + text.body;
}

MailText mail_text_of(std::string_view payload) {
  const auto end = std::min(payload.find('\n'), payload.size());
  return {std::string(payload.substr(0, end)),
          std::string(payload.substr(std::min(end + 1, payload.size())))};
}

std::string describe(const Notice& notice) {
  return fmt::format("alert {} ({}): {}: {}", clean_for_mail(notice.rule.name),
                     clean_for_mail(notice.rule.severity), notice.firing ? "firing" : "cleared",
                     headline(notice));
}

Result<std::string> bare_address(std::string_view mailbox) {
  std::string_view address = mailbox;
  const auto open = mailbox.rfind('<');
  const auto close = mailbox.rfind('>');
  if (open != std::string_view::npos && close != std::string_view::npos && open < close) {
    address = mailbox.substr(open + 1, close - open - 1);
  }
  while (!address.empty() && address.front() == ' ') address.remove_prefix(1);
  while (!address.empty() && address.back() == ' ') address.remove_suffix(1);
  bool good = !address.empty() && address.size() <= 320;
  for (const char c : mailbox) {
    if (static_cast<unsigned char>(c) < 0x20) good = false;
  }
  for (const char c : address) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == '<' || c == '>') good = false;
  }
  if (!good) {
    return fail(Code::kInvalid, fmt::format("mail address \"{}\" is no address", clean_for_mail(mailbox)),
                "write name@example.org or Name <name@example.org>");
  }
  return std::string(address);
}

std::string compose_message(std::string_view from, const Letter& mail) {
  const auto [subject, body] = mail_text_of(mail.payload);
  const std::string sender = bare_address(from).value_or("weir@localhost");
  const std::string domain = clean_for_mail(sender.substr(sender.find('@') + 1));
  std::string out;
  out += fmt::format("Date: {}\r\n", rfc5322_date(mail.created_ms / 1000));
  out += fmt::format("From: {}\r\n", clean_for_mail(from));
  out += fmt::format("To: {}\r\n", clean_for_mail(mail.address));
  out += fmt::format("Subject: {}\r\n", header_text(subject));
  out += fmt::format("Message-ID: <weir.{}.{}@{}>\r\n", mail.created_ms, mail.id, domain);
  // No auto-reply, please (RFC 3834).
  out += "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
  out += "Content-Type: text/plain; charset=utf-8\r\n";
  std::size_t longest = 0;
  std::size_t line_begin = 0;
  for (std::size_t i = 0; i <= body.size(); ++i) {
    if (i == body.size() || body[i] == '\n') {
      longest = std::max(longest, i - line_begin);
      line_begin = i + 1;
    }
  }
  if (is_ascii_text(body) && longest < 900) {
    out += "Content-Transfer-Encoding: 7bit\r\n\r\n";
    for (const char c : body) {
      if (c == '\n') out += '\r';
      out += c;
    }
  } else {
    out += "Content-Transfer-Encoding: quoted-printable\r\n\r\n";
    out += quoted_printable(body);
  }
  return out;
}

}  // namespace weir
