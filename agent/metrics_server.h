// Serves Prometheus metrics and /health of the agent on a thread of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/status.h"
#include "proto/result.h"

namespace weir {

[[nodiscard]] std::string render_metrics(const AgentStatus& status);
// {"status":"ok"|"degraded","problems":[...],"configuration":{"loaded_at":...}}
[[nodiscard]] std::string render_health(const AgentStatus& status);

class MetricsServer {
 public:
  // The server is listening when this returns. kUnavailable: the address is in use or not ours.
  [[nodiscard]] static Result<std::unique_ptr<MetricsServer>> start(const std::string& listen,
                                                                    std::function<AgentStatus()> status);
  ~MetricsServer();
  [[nodiscard]] std::string address() const;  // "127.0.0.1:9601", with the actual port

 private:
  MetricsServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
