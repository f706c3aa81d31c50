#include "common/listen.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/text.h"

namespace weir {
namespace {

constexpr std::size_t kMaxBytes = 300;

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

std::string joined(const std::string& host, std::uint16_t port) {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

}  // namespace

std::optional<HostPort> parse_host_port(std::string_view text) {
  const bool odd = std::any_of(text.begin(), text.end(),
                               [](unsigned char c) { return c <= ' ' || c == ',' || c == '/' || c >= 0x7f; });
  if (text.empty() || text.size() > kMaxBytes || odd) return std::nullopt;
  std::size_t host_end = std::min(text.find(':'), text.size());
  std::string_view host = text.substr(0, host_end);
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || close == 1) return std::nullopt;
    host = text.substr(1, close - 1);
    host_end = close + 1;
  }
  if (host.find_first_of("[]") != std::string_view::npos) return std::nullopt;
  HostPort out{std::string(host), std::nullopt};
  if (host_end == text.size()) return out;
  if (text[host_end] != ':') return std::nullopt;
  out.port = parse_port(text.substr(host_end + 1));  // rejects IPv6 without brackets
  if (!out.port) return std::nullopt;
  return out;
}

bool is_host_port(std::string_view text) {
  const auto address = parse_host_port(text);
  return address && !address->host.empty() && address->port != 0;
}

std::string ListenAddress::text() const { return joined(host, port); }

std::string ListenAddress::reachable_text() const {
  return joined(host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host, port);
}

Result<ListenAddress> parse_listen(std::string_view text) {
  const auto address = parse_host_port(text);
  if (!address || !address->port) {
    return fail(Code::kInvalid,
                fmt::format("\"{}\" is not an address to listen on", visible(text.substr(0, kMaxBytes))),
                "write \"127.0.0.1:PORT\", \"[::1]:PORT\" or, for every address, \":PORT\"");
  }
  return ListenAddress{address->host.empty() ? "0.0.0.0" : address->host, *address->port};
}

}  // namespace weir
