// Reads the configuration again and hands it to the running parts: all of it or nothing.
#pragma once

#include <functional>
#include <string>

#include "aggregator/config.h"
#include "common/clock.h"
#include "common/log_level.h"
#include "common/reload_state.h"

namespace weir {

class Reloader {
 public:
  // Hands a configuration to the parts. This cannot fail, because the configuration was checked.
  using Apply = std::function<void(const AggregatorConfig&)>;
  struct Parts {
    std::string path;
    ConfigPurpose purpose = ConfigPurpose::kRun;
    std::string used_format{};  // see plan_reload()
    Apply apply;
    Say say;
    const Clock& clock = system_clock();
  };
  // `running`: the configuration read from parts.path at the start.
  Reloader(Parts parts, AggregatorConfig running);

  // Call it from one thread only, the one that receives SIGHUP.
  void reload();
  [[nodiscard]] ReloadState state() const { return state_.get(); }  // any thread

 private:
  void refuse(const std::vector<std::string>& mistakes);

  Parts parts_;
  AggregatorConfig running_;
  SharedReloadState state_;
};

}  // namespace weir
