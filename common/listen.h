// Addresses in configurations and options, with one grammar for listening and connecting. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/result.h"

namespace weir {

// Parses "HOST:PORT", "[::1]:PORT" and ":PORT", or "HOST" and "[::1]" without a port. Returns nothing if the
// address is not valid. Does not resolve names.
struct HostPort {
  std::string host;  // without brackets; empty in ":PORT"
  std::optional<std::uint16_t> port;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};
[[nodiscard]] std::optional<HostPort> parse_host_port(std::string_view text);
// The address of a peer: the host is required; the port may be missing but must not be 0.
[[nodiscard]] bool is_host_port(std::string_view text);

// The address a program listens on.
struct ListenAddress {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free port

  [[nodiscard]] std::string text() const;  // "127.0.0.1:9601", "[::1]:9601"
  // The address for programs on this machine: text(), with the wildcard address replaced by loopback.
  [[nodiscard]] std::string reachable_text() const;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};
// Parses "127.0.0.1:9601", "[::1]:9601" or ":9601" (every IPv4 address of this machine). The port is
// required.
[[nodiscard]] Result<ListenAddress> parse_listen(std::string_view text);

}  // namespace weir
