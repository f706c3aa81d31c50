#include "agent/ship/ship_config.h"

#include "proto/must.h"

namespace weir {

std::string_view to_string(OutputKind kind) {
  switch (kind) {
    case OutputKind::kKafka:
      return "kafka";
    case OutputKind::kStdout:
      return "stdout";
    case OutputKind::kFile:
      return "file";
  }
  MUST(false, "each kind of output has a name");
  return "";
}

std::vector<RouteConfig> routes_of(const OutputConfig& config) {
  if (config.kind != OutputKind::kKafka) return {{.codec = config.codec, .topic = {}, .topic_key = {}}};
  const auto& kafka = config.kafka;
  std::vector<RouteConfig> routes;
  if (kafka.ship != Ship::kWindows) routes.push_back({config.codec, kafka.topic, "topic"});
  if (kafka.ship == Ship::kWindows) routes.push_back({Codec::kWindows, kafka.topic, "topic"});
  if (kafka.ship == Ship::kBoth) routes.push_back({Codec::kWindows, kafka.windows_topic, "windows_topic"});
  return routes;
}

}  // namespace weir
