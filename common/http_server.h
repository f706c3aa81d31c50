// What the HTTP servers of both programs share: binding to an address, and limits on untrusted requests.
#pragma once

#include <httplib.h>

#include <cstddef>
#include <cstdint>

#include "common/listen.h"
#include "proto/result.h"

namespace weir {

void set_up_http(httplib::Server& server, std::size_t threads, std::size_t max_body_bytes);

// Returns the port: that of the address, or for port 0 the free port that was chosen. Errors: kUnavailable;
// `what` is only the reason, such as "Address already in use".
[[nodiscard]] Result<std::uint16_t> bind_http(httplib::Server& server, const ListenAddress& address);

}  // namespace weir
