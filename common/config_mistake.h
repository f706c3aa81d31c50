// A mistake in a configuration file, and where it is.
#pragma once

#include <cstdint>
#include <string>

namespace weir {

struct ConfigMistake {
  std::string file;
  std::uint32_t line = 0;                  // 0: the file as a whole
  std::string key;                         // "output.kafka.broker"
  std::string what;                        // "unknown key; did you mean \"brokers\"?"
  [[nodiscard]] std::string text() const;  // "agent.toml:12: output.kafka.broker: unknown key; ..."
};

}  // namespace weir
