// An arbitrary nginx.conf, which may include itself under other names.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "agent/format/nginx_conf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::size_t reads = 0;
  weir::NginxConfFiles files;
  files.read = [&](const std::string& path) -> weir::Result<std::string> {
    if (++reads > 20) return weir::fail(weir::Code::kNotFound, path);
    return text;
  };
  files.glob = [](const std::string& pattern) { return std::vector<std::string>{pattern, pattern + "2"}; };
  const auto logs = weir::read_nginx_conf("/c/nginx.conf", {"/c", "/l/access.log"}, files);
  if (!logs) {
    if (logs.error().what.empty()) std::abort();
    return 0;
  }
  for (const char c : weir::inputs_toml(*logs)) {
    if (static_cast<unsigned char>(c) < 0x20 && c != '\n') std::abort();
  }
  return 0;
}
