// The HTTP server: the page, its JSON API, /metrics and /health. Only reads the store.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "aggregator/engine_status.h"
#include "aggregator/store/store.h"
#include "aggregator/warn/warner.h"
#include "common/reload_state.h"

namespace weir {

struct PagesConfig {
  std::string listen = "127.0.0.1:8080";  // port 0: any free port
  std::int64_t window_s = 60;
  std::function<ReloadState()> reload_state{};  // empty: the program was started without a configuration
};

class PagesServer {
 public:
  // The server is listening when this returns. kInvalid: not an address; kUnavailable: in use, or not an
  // address of this machine.
  [[nodiscard]] static Result<std::unique_ptr<PagesServer>> start(PagesConfig config, OpenStore open_store,
                                                                  std::function<EngineStatus()> engine,
                                                                  std::function<WarnerStatus()> warner);
  ~PagesServer();                         // stops and joins
  [[nodiscard]] std::string url() const;  // "http://127.0.0.1:43211/"

 private:
  PagesServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
