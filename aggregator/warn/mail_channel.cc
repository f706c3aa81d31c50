#include "aggregator/warn/mail_channel.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "aggregator/warn/alert_text.h"
#include "aggregator/warn/curl_handles.h"
#include "aggregator/warn/mime.h"
#include "common/config_values.h"

namespace weir {
namespace {

constexpr long kConnectTimeoutSeconds = 10;
constexpr long kDeliverTimeoutSeconds = 30;
static_assert(kDeliverTimeoutSeconds < kDeliveryTimeout.count());

std::string mail_subject(const NoticeGroup& group) {
  const Notice& first = *group.front();
  return fmt::format("[weir] {} {}: {}", first.firing ? mail_line(first.rule.severity, 40) : "cleared",
                     mail_line(first.rule.name, 100), group_text(group));
}

std::string single_body(const Notice& notice) {
  const RuleConfig& rule = notice.rule;
  std::string body = fmt::format("{}: {}.\n\n", notice.firing ? "FIRING" : "CLEARED", headline(notice));
  body += fmt::format("Rule:     {}\n", mail_line(rule.name));
  body += fmt::format("Severity: {}\n", mail_line(rule.severity));
  body += fmt::format("Site:     {}\n", notice.subject.empty() ? "(all)" : mail_line(notice.subject));
  body += fmt::format("Value:    {} ({:.6g})\n", value_text(rule, notice.value), notice.value);
  body +=
      fmt::format("Fires:    {} {}\n", rule.above ? "above" : "below", value_text(rule, firing_level(rule)));
  body += fmt::format("Clears:   {} {}\n", rule.above ? "at or below" : "at or above",
                      value_text(rule, clearing_level(rule)));
  body += fmt::format("Range:    {} to {} ({} s), {} requests\n", alert_time_text(notice.range.begin_s),
                      alert_time_text(notice.range.end_s), notice.range.end_s - notice.range.begin_s,
                      notice.requests);
  body += fmt::format("Since:    {}\n", alert_time_text(notice.since_s));
  if (!notice.firing) body += fmt::format("Fired:    {}\n", alert_time_text(notice.fired_since_s));
  return body;
}

std::string grouped_body(const NoticeGroup& group) {
  const Notice& first = *group.front();
  std::string body =
      fmt::format("{}: {} sites at once, by the rule {}, {} to {}.\n\n", first.firing ? "FIRING" : "CLEARED",
                  group.size(), mail_line(first.rule.name), alert_time_text(first.range.begin_s),
                  alert_time_text(first.range.end_s));
  for (std::size_t i = 0; i < group.size() && i < kMaxListed; ++i)
    body += fmt::format("{} ({} requests)\n", headline(*group[i]), group[i]->requests);
  if (group.size() > kMaxListed) body += fmt::format("... and {} more\n", group.size() - kMaxListed);
  return body;
}

void check_addresses(ConfigTable& table, const MailConfig& mail) {
  if (table.has("from") && !is_mail_address(mail.from)) {
    table.mistake("from", fmt::format("\"{}\" is not a mail address; write \"weir@example.org\"", mail.from));
  }
  if (table.has("to") && mail.to.empty()) table.mistake("to", "is empty; give at least one address");
  for (const std::string& to : mail.to) {
    if (!is_mail_address(to))
      table.mistake("to", fmt::format("\"{}\" is not a mail address; write \"ops@example.org\"", to));
  }
}

struct Upload {
  std::string_view rest;
  bool started = false;
  const std::atomic<bool>* stop = nullptr;
};

std::size_t read_upload(char* buffer, std::size_t size, std::size_t count, void* user) {
  auto& upload = *static_cast<Upload*>(user);
  const std::size_t bytes = std::min(size * count, upload.rest.size());
  std::memcpy(buffer, upload.rest.data(), bytes);
  upload.rest.remove_prefix(bytes);
  upload.started = true;
  return bytes;
}

int progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto& upload = *static_cast<Upload*>(user);
  // Once sending the message has begun, the server may have accepted it: wait for its answer.
  return upload.stop->load() && !upload.started ? 1 : 0;
}

// Keeps the server's last refusal for the error message.
int last_refusal(CURL*, curl_infotype type, char* data, std::size_t size, void* user) {
  if (type == CURLINFO_HEADER_IN && size > 0 && (data[0] == '4' || data[0] == '5')) {
    *static_cast<std::string*>(user) = std::string(data, std::min<std::size_t>(size, 300));
  }
  return 0;
}

std::string hint_for(CURLcode code) {
  switch (code) {
    case CURLE_LOGIN_DENIED:
      return "check user and password under [mail]";
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
      return "check [mail] server, and that this host may connect to it; the mail waits in the outbox";
    case CURLE_USE_SSL_FAILED:
      return "the server offers no TLS: name another server, or set [mail] tls = \"none\" to send "
             "unencrypted";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR:
      return "check the server's certificate, or name its authority in [mail] tls_ca";
    default:
      return "the mail waits in the outbox and is tried again";
  }
}

class SmtpDeliverer : public Deliverer {
 public:
  SmtpDeliverer(MailConfig config, const std::atomic<bool>& stop) : config_(std::move(config)), stop_(stop) {
    init_curl();
  }

  bool has_one_server() const override { return true; }

  Result<void> deliver(const Letter& letter) override {
    const auto from = bare_address(config_.from);
    if (!from) return std::unexpected(from.error());
    const auto to = bare_address(letter.address);
    if (!to) return std::unexpected(to.error());
    const CurlEasy easy(curl_easy_init());
    const CurlList recipients(curl_slist_append(nullptr, to->c_str()));
    if (!easy || !recipients) {
      return fail(Code::kUnavailable, "mail: no memory for a connection", "the mail is tried again");
    }
    const std::string message = mail_message(config_.from, letter);
    Upload upload{message, false, &stop_};
    std::array<char, CURL_ERROR_SIZE> reason{};
    std::string answer;
    CURL* handle = easy.get();
    set_connection(handle);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, reason.data());
    curl_easy_setopt(handle, CURLOPT_DEBUGDATA, &answer);
    curl_easy_setopt(handle, CURLOPT_MAIL_FROM, from->c_str());
    curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, recipients.get());
    curl_easy_setopt(handle, CURLOPT_READDATA, &upload);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &upload);
    set_security(handle);
    const CURLcode code = curl_easy_perform(handle);
    if (code == CURLE_OK) return {};
    return refusal(code, reason.data(), std::move(answer));
  }

 private:
  void set_connection(CURL* handle) const {
    curl_easy_setopt(handle, CURLOPT_URL, config_.server.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectTimeoutSeconds);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT, kDeliverTimeoutSeconds);
    curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, last_refusal);
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, read_upload);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, progress);
  }

  // `reason` comes from curl, `answer` is the server's last refusal. Either may be empty.
  [[nodiscard]] std::unexpected<Error> refusal(CURLcode code, const char* reason, std::string answer) const {
    // "Weird server reply" is curl's name for an answer such as 451.
    const char* why = code == CURLE_WEIRD_SERVER_REPLY && !answer.empty() ? "the mail was not accepted"
                      : reason[0] != '\0'                                 ? reason
                                                                          : curl_easy_strerror(code);
    std::string what = fmt::format("mail server {}: {}", mail_line(config_.server), why);
    while (answer.ends_with('\n') || answer.ends_with('\r')) answer.pop_back();
    if (!answer.empty()) what += fmt::format(" (it answered: {})", mail_line(answer));
    return fail(Code::kUnavailable, std::move(what), hint_for(code));
  }

  void set_security(CURL* handle) const {
    // Otherwise an attacker who strips TLS from the connection would get the password.
    const bool required =
        config_.tls == "required" || (config_.tls == "opportunistic" && !config_.user.empty());
    const long level = required ? CURLUSESSL_ALL : config_.tls == "none" ? CURLUSESSL_NONE : CURLUSESSL_TRY;
    curl_easy_setopt(handle, CURLOPT_USE_SSL, level);
    // Opportunistic TLS accepts plain text, so an unverified certificate is no worse (RFC 7435). With a user,
    // a password or an authority to verify against, it is worth refusing one.
    const bool implicit = config_.server.starts_with("smtps:");
    const bool verify =
        level == CURLUSESSL_ALL || implicit || !config_.user.empty() || !config_.tls_ca.empty();
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    if (!config_.tls_ca.empty()) curl_easy_setopt(handle, CURLOPT_CAINFO, config_.tls_ca.c_str());
    if (!config_.user.empty()) {
      curl_easy_setopt(handle, CURLOPT_USERNAME, config_.user.c_str());
      curl_easy_setopt(handle, CURLOPT_PASSWORD, config_.password.c_str());
    }
  }

  MailConfig config_;
  const std::atomic<bool>& stop_;
};

}  // namespace

std::optional<MailConfig> read_mail(ConfigTable& root) {
  auto table = root.table("mail");
  if (!table.present()) return std::nullopt;
  MailConfig mail;
  for (const char* key : {"server", "from", "to"}) table.require(key);
  mail.server = table.string("server");
  if (!mail.server.empty() && !mail.server.starts_with("smtp://") && !mail.server.starts_with("smtps://"))
    table.mistake("server", "must be smtp://HOST:PORT or smtps://HOST:PORT");
  mail.from = table.string("from");
  mail.to = table.strings("to");
  check_addresses(table, mail);
  mail.user = table.string("user");
  mail.password = table.secret("password");
  mail.tls = read_choice(table, "tls", {"opportunistic", "required", "none"}, mail.tls);
  mail.tls_ca = table.string("tls_ca");
  return mail;
}

bool is_mail_address(std::string_view text) {
  const auto address = bare_address(text);
  if (!address) return false;
  const auto at = address->rfind('@');
  return at != std::string::npos && at > 0 && at + 1 < address->size();
}

std::string compose_mail(const NoticeGroup& group, std::string_view page_url) {
  std::string payload = mail_subject(group) + "\n";
  payload += group.size() == 1 ? single_body(*group.front()) : grouped_body(group);
  if (const std::string link = group_link(page_url, group); !link.empty())
    payload += fmt::format("\nPage:     {}\n", mail_line(link, 2000));
  return payload;
}

std::string mail_message(std::string_view from, const Letter& letter) {
  const std::string sender = bare_address(from).value_or("weir@localhost");
  const std::size_t subject_end = std::min(letter.payload.find('\n'), letter.payload.size());
  MimeMail mail;
  mail.from = from;
  mail.to = letter.address;
  mail.subject = letter.payload.substr(0, subject_end);
  mail.body = letter.payload.substr(std::min(subject_end + 1, letter.payload.size()));
  mail.message_id =
      fmt::format("weir.{}.{}@{}", letter.created_ms, letter.id, sender.substr(sender.find('@') + 1));
  mail.date_s = letter.created_ms / 1000;
  return mime_message(mail);
}

std::unique_ptr<Deliverer> open_mail(MailConfig config, const std::atomic<bool>& stop) {
  return std::make_unique<SmtpDeliverer>(std::move(config), stop);
}

}  // namespace weir
