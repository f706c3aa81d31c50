#include "common/http_server.h"

#include <cerrno>
#include <cstring>

namespace weir {

void set_up_http(httplib::Server& server, std::size_t threads, std::size_t max_body_bytes) {
  server.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
  // The library sets SO_REUSEPORT by default, so that two programs could share a port unnoticed.
  server.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  server.set_payload_max_length(max_body_bytes);
}

Result<std::uint16_t> bind_http(httplib::Server& server, const ListenAddress& address) {
  errno = 0;
  const int port = address.port == 0                                 ? server.bind_to_any_port(address.host)
                   : server.bind_to_port(address.host, address.port) ? address.port
                                                                     : -1;
  const int reason = errno;
  if (port > 0) return static_cast<std::uint16_t>(port);
  return fail(Code::kUnavailable,
              reason != 0 ? std::strerror(reason) : "the address is not one of this machine's");
}

}  // namespace weir
