// Addresses as configurations and options write them: one grammar to listen on and to connect to. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/result.h"

namespace weir {

// "HOST:PORT", "[::1]:PORT", ":PORT"; without a port "HOST" and "[::1]". Not a valid address: nothing.
// Does not look names up.
struct HostPort {
  std::string host;  // without brackets; empty in ":PORT"
  std::optional<std::uint16_t> port;

  friend bool operator==(const HostPort&, const HostPort&) = default;
};
[[nodiscard]] std::optional<HostPort> parse_host_port(std::string_view text);
// Of a peer: the host is required, the port may be missing and is not 0.
[[nodiscard]] bool is_host_port(std::string_view text);

// Where a program listens.
struct ListenAddress {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one

  [[nodiscard]] std::string text() const;  // "127.0.0.1:9601", "[::1]:9601"
  // Where a program on this machine reaches it: text(), but for every address the loopback one.
  [[nodiscard]] std::string reachable_text() const;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};
// "127.0.0.1:9601", "[::1]:9601", ":9601" (every IPv4 address of this machine). The port is required.
[[nodiscard]] Result<ListenAddress> parse_listen(std::string_view text);

}  // namespace weir
