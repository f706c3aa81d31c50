#include "agent/format/realip.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool port(std::string_view text) {
  if (text.empty() || text.size() > 5) return false;
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool parse_v4(std::string_view text, IpAddress& ip) {
  std::memcpy(ip.data(), kMappedPrefix.data(), kMappedPrefix.size());
  std::size_t at = 0;
  for (std::size_t part = 0; part < 4; ++part) {
    unsigned value = 0;
    const std::size_t first = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && at - first < 3; ++at) {
      value = value * 10 + static_cast<unsigned>(text[at] - '0');
    }
    if (at == first || value > 255) return false;
    ip[12 + part] = static_cast<std::uint8_t>(value);
    if (part < 3 && (at >= text.size() || text[at++] != '.')) return false;
  }
  return at == text.size();
}

bool parse_v6(std::string_view text, IpAddress& ip) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.size() >= buffer.size() || text.find(':') == std::string_view::npos) return false;
  std::memcpy(buffer.data(), text.data(), text.size());
  return inet_pton(AF_INET6, buffer.data(), ip.data()) == 1;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<ParsedAddress> parse_address(std::string_view text) {
  ParsedAddress out;
  out.text = text;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view after = text.substr(close + 1);
    if (!after.empty() && !(after[0] == ':' && port(after.substr(1)))) return std::nullopt;
    out.text = text.substr(1, close - 1);
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos && colon == text.rfind(':') && port(text.substr(colon + 1))) {
    out.text = text.substr(0, colon);
  }
  if (parse_v4(out.text, out.ip)) return out;
  if (!parse_v6(out.text, out.ip)) return std::nullopt;
  if (std::memcmp(out.ip.data(), kMappedPrefix.data(), kMappedPrefix.size()) == 0) {
    const std::string_view tail = out.text.substr(out.text.rfind(':') + 1);
    if (tail.find('.') != std::string_view::npos) out.text = tail;
  }
  return out;
}

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& networks) {
  TrustedProxies out;
  for (const std::string& text : networks) {
    if (text == "unix:") {
      out.unix_ = true;
      continue;
    }
    const std::size_t slash = text.find('/');
    const auto address = parse_address(std::string_view(text).substr(0, slash));
    const bool v4 = address && text.find(':') == std::string::npos;
    Network network;
    network.bits = 128;
    bool good = address && address->text.size() == std::min(slash, text.size());
    // parse_address() shortens "::ffff:10.0.0.1". Without a mask that form is valid.
    if (address && slash == std::string::npos && text.starts_with("::ffff:")) good = true;
    if (good && slash != std::string::npos) {
      unsigned bits = 0;
      const char* end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, bits);
      good = error == std::errc{} && stop == end && bits <= (v4 ? 32U : 128U);
      network.bits = v4 ? bits + 96 : bits;
    }
    if (!good) {
      return fail(Code::kInvalid, fmt::format("trusted_proxies: \"{}\" is not a network", text),
                  "write an address or a network: \"10.0.0.0/8\", \"2001:db8::/32\", \"unix:\"");
    }
    network.ip = address->ip;
    out.networks_.push_back(network);
  }
  return out;
}

bool TrustedProxies::trusts(const IpAddress& ip) const {
  for (const Network& network : networks_) {
    const std::size_t whole = network.bits / 8;
    if (std::memcmp(ip.data(), network.ip.data(), whole) != 0) continue;
    const unsigned rest = network.bits % 8;
    if (rest == 0 || ((ip[whole] ^ network.ip[whole]) >> (8 - rest)) == 0) return true;
  }
  return false;
}

bool TrustedProxies::trusts(std::string_view peer) const {
  if (peer.starts_with("unix:")) return unix_;
  const auto address = parse_address(peer);
  return address && trusts(address->ip);
}

std::string_view TrustedProxies::client_of(std::string_view peer, std::string_view header) const {
  std::string_view client = peer;
  while (header.data() != nullptr) {
    const std::size_t comma = header.rfind(',');
    const std::string_view hop = trimmed(comma == std::string_view::npos ? header : header.substr(comma + 1));
    const auto address = parse_address(hop);
    if (!address) return client;
    client = address->text;
    if (!trusts(address->ip) || comma == std::string_view::npos) return client;
    header = header.substr(0, comma);
  }
  return client;
}

}  // namespace weir
