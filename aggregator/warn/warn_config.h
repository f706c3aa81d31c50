// Rules and the way mails leave. Keys: docs/reference/rules.md.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace weir {

struct MailConfig {
  std::string server;  // "smtp://host:587" or "smtps://host:465"
  std::string from;
  std::vector<std::string> to;
  std::string user, password;
  std::string tls = "opportunistic";  // "required", "opportunistic", "none"
  std::string tls_ca;
};

struct RuleConfig {
  std::string name;
  std::string metric;                         // "requests_per_second", "bytes_per_second", "status_share"
  std::string status_class;                   // "5xx" for status_share
  std::optional<double> above, below;         // firing level: exactly one of them
  std::optional<double> clear;                // clearing level; default: the firing level
  std::chrono::milliseconds for_duration{0};  // key `for`
  std::chrono::milliseconds range{60000};     // the value is over this much time
  std::string site;                           // "": the total; "*": each site by itself; else that site
  std::string severity = "warning";
  double min_requests = 0;  // status_share: ignored below this many requests in the range
};

}  // namespace weir
