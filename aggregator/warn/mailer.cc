#include "aggregator/warn/mailer.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "aggregator/warn/mail_text.h"

namespace weir {
namespace {

constexpr long kConnectTimeoutSeconds = 10;
constexpr long kDeliverTimeoutSeconds = 30;

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
  // Once the message is under way the server may have taken it: wait for its answer.
  return upload.stop->load() && !upload.started ? 1 : 0;
}

// The server's last refusal, for the person who reads the error.
int last_refusal(CURL*, curl_infotype type, char* data, std::size_t size, void* user) {
  if (type == CURLINFO_HEADER_IN && size > 0 && (data[0] == '4' || data[0] == '5')) {
    *static_cast<std::string*>(user) = std::string(data, std::min<std::size_t>(size, 300));
  }
  return 0;
}

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::string hint_for(CURLcode code) {
  switch (code) {
    case CURLE_LOGIN_DENIED:
      return "check user and password under [mail]";
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
      return "check [mail] server, and that this host may connect to it; the mail waits in the outbox";
    case CURLE_USE_SSL_FAILED:
      return "the server offers no TLS: name another server, or set [mail] tls = \"none\" to send in the "
             "clear";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CONNECT_ERROR:
      return "check the server's certificate, or name its authority in [mail] tls_ca";
    default:
      return "the mail waits in the outbox and is tried again";
  }
}

class SmtpMailer : public Mailer {
 public:
  SmtpMailer(MailConfig config, const std::atomic<bool>& stop) : config_(std::move(config)), stop_(stop) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  }

  Result<void> deliver(const Letter& mail) override {
    const auto from = bare_address(config_.from);
    if (!from) return std::unexpected(from.error());
    const auto to = bare_address(mail.address);
    if (!to) return std::unexpected(to.error());
    const std::unique_ptr<CURL, EasyDeleter> easy(curl_easy_init());
    const std::unique_ptr<curl_slist, ListDeleter> recipients(curl_slist_append(nullptr, to->c_str()));
    if (!easy || !recipients) {
      return fail(Code::kUnavailable, "mail: no memory for a connection", "the mail is tried again");
    }
    const std::string message = compose_message(config_.from, mail);
    Upload upload{message, false, &stop_};
    std::array<char, CURL_ERROR_SIZE> reason{};
    std::string answer;
    CURL* handle = easy.get();
    curl_easy_setopt(handle, CURLOPT_URL, config_.server.c_str());
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectTimeoutSeconds);
    curl_easy_setopt(handle, CURLOPT_TIMEOUT, kDeliverTimeoutSeconds);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, reason.data());
    curl_easy_setopt(handle, CURLOPT_VERBOSE, 1L);
    curl_easy_setopt(handle, CURLOPT_DEBUGFUNCTION, last_refusal);
    curl_easy_setopt(handle, CURLOPT_DEBUGDATA, &answer);
    curl_easy_setopt(handle, CURLOPT_MAIL_FROM, from->c_str());
    curl_easy_setopt(handle, CURLOPT_MAIL_RCPT, recipients.get());
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, read_upload);
    curl_easy_setopt(handle, CURLOPT_READDATA, &upload);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, progress);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &upload);
    set_security(handle);
    const CURLcode code = curl_easy_perform(handle);
    if (code == CURLE_OK) return {};
    // "Weird server reply" is curl's word for an answer such as 451.
    const char* why = code == CURLE_WEIRD_SERVER_REPLY && !answer.empty() ? "the mail was not taken"
                      : reason[0] != '\0'                                 ? reason.data()
                                                                          : curl_easy_strerror(code);
    std::string what = fmt::format("mail server {}: {}", clean_for_mail(config_.server), why);
    while (!answer.empty() && (answer.back() == '\n' || answer.back() == '\r')) answer.pop_back();
    if (!answer.empty()) {
      what += fmt::format(" (it answered: {})", clean_for_mail(answer));
    }
    return fail(Code::kUnavailable, std::move(what), hint_for(code));
  }

 private:
  void set_security(CURL* handle) const {
    // Whoever can strip TLS from the connection would be handed the password.
    const bool required =
        config_.tls == "required" || (config_.tls == "opportunistic" && !config_.user.empty());
    const long level = required ? CURLUSESSL_ALL : config_.tls == "none" ? CURLUSESSL_NONE : CURLUSESSL_TRY;
    curl_easy_setopt(handle, CURLOPT_USE_SSL, level);
    // Opportunistic TLS takes plain text, so a certificate that nobody signed is no worse
    // (RFC 7435); a name, a password or a CA to check against makes it worth refusing.
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

std::unique_ptr<Mailer> make_smtp_mailer(MailConfig config, const std::atomic<bool>& stop) {
  return std::make_unique<SmtpMailer>(std::move(config), stop);
}

}  // namespace weir
