// Finds the client's address behind load balancers as nginx's realip module does. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace weir {

// IPv4 is stored as IPv4-mapped IPv6, so that both kinds can be compared.
using IpAddress = std::array<std::uint8_t, 16>;

struct ParsedAddress {
  IpAddress ip{};
  std::string_view text;  // a part of the given text, without port, brackets and "::ffff:"
};
// "1.2.3.4", "1.2.3.4:80", "::1", "[::1]", "[::1]:80", "::ffff:1.2.3.4".
[[nodiscard]] std::optional<ParsedAddress> parse_address(std::string_view text);

class TrustedProxies {
 public:
  // "10.0.0.0/8", "::1", "unix:".
  [[nodiscard]] static Result<TrustedProxies> parse(const std::vector<std::string>& networks);
  [[nodiscard]] bool empty() const { return networks_.empty() && !unix_; }
  [[nodiscard]] bool trusts(const IpAddress& ip) const;
  [[nodiscard]] bool trusts(std::string_view peer) const;
  // Reads the header from the right, skips trusted addresses and returns the first untrusted one. Reading
  // stops at text that is not an address. Returns `peer` if the header names no client.
  [[nodiscard]] std::string_view client_of(std::string_view peer, std::string_view header) const;

 private:
  struct Network {
    IpAddress ip{};
    unsigned bits = 0;  // of 128
  };
  std::vector<Network> networks_;
  bool unix_ = false;
};

}  // namespace weir
