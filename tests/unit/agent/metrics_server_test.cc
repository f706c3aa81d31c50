// The server listens on the addresses that `check` accepts.
#include "agent/metrics_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/config_values.h"
#include "common/listen.h"

namespace weir {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

bool machine_has_ipv6() {
  const int fd = ::socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool bound = fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (fd >= 0) ::close(fd);
  return bound;
}

std::string health_at(const std::string& address) {
  const auto parsed = parse_listen(address);
  httplib::Client client(parsed->host, parsed->port);
  const auto answer = client.Get("/health");
  return answer ? answer->body : "no answer";
}

AgentStatus no_problem() { return {}; }

TEST(MetricsServer, ListensAtAnIpv6Address) {
  if (!machine_has_ipv6()) GTEST_SKIP() << "this machine has no ::1";
  const auto server = MetricsServer::start("[::1]:0", no_problem);
  ASSERT_TRUE(server.has_value()) << server.error().what;
  EXPECT_THAT((*server)->address(), StartsWith("[::1]:"));
  EXPECT_THAT(health_at((*server)->address()), HasSubstr("\"ok\""));
}

TEST(MetricsServer, ListensAtEveryAddressWhenOnlyAPortIsGiven) {
  const auto server = MetricsServer::start(":0", no_problem);
  ASSERT_TRUE(server.has_value()) << server.error().what;
  const auto address = parse_listen((*server)->address());
  ASSERT_TRUE(address.has_value()) << (*server)->address();
  EXPECT_THAT(health_at(address->reachable_text()), HasSubstr("\"ok\""));
}

TEST(MetricsServer, RefusesWhatCheckRefuses) {
  for (const char* listen : {"127.0.0.1:0", ":0", "9601", "::1:0", "host:", "127.0.0.1:99999"}) {
    auto file = ConfigFile::from_text(std::string("listen = \"") + listen + "\"\n", "a.toml");
    std::ignore = read_listen(file.root(), "listen", "127.0.0.1:9601", true);
    const bool check_takes_it = file.finish().empty();
    const auto server = MetricsServer::start(listen, no_problem);
    EXPECT_EQ(server.has_value(), check_takes_it) << listen;
  }
}

TEST(MetricsServer, AnAddressInUseIsSaidSo) {
  const auto first = MetricsServer::start("127.0.0.1:0", no_problem);
  ASSERT_TRUE(first.has_value());
  const auto second = MetricsServer::start((*first)->address(), no_problem);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_THAT(second.error().what, HasSubstr("in use"));
}

TEST(Metrics, EachRouteHasItsLagAndItsBytes) {
  AgentStatus status;
  status.routes = {{.name = "batch", .topic = "weir", .lag_bytes = 0, .wire_bytes = 900},
                   {.name = "windows", .topic = "sums", .lag_bytes = 152, .wire_bytes = 30}};
  const auto metrics = render_metrics(status);
  EXPECT_THAT(metrics, HasSubstr("# TYPE weir_agent_route_lag_bytes gauge\n"
                                 "weir_agent_route_lag_bytes{route=\"batch\"} 0\n"
                                 "weir_agent_route_lag_bytes{route=\"windows\"} 152\n"));
  EXPECT_THAT(metrics, HasSubstr("# TYPE weir_agent_route_wire_bytes_total counter\n"
                                 "weir_agent_route_wire_bytes_total{route=\"batch\"} 900\n"
                                 "weir_agent_route_wire_bytes_total{route=\"windows\"} 30\n"));
}

TEST(Health, NamesBeyondAsciiStayAsTheyAre) {
  AgentStatus status;
  status.problems = {"/var/log/caf\xC3\xA9.log: \xE2\x80\xAEgone"};
  const auto health = render_health(status);
  EXPECT_THAT(health, HasSubstr("caf\xC3\xA9.log"));
  EXPECT_THAT(health, HasSubstr("\\u202egone"));
  EXPECT_THAT(health, Not(HasSubstr("\xE2\x80\xAE")));
}

TEST(Health, ARefusedReloadIsShown) {
  AgentStatus status;
  status.reload = {.loaded_at_ms = 1'763'899'500'000};
  EXPECT_EQ(
      render_health(status),
      "{\"status\":\"ok\",\"problems\":[],\"configuration\":{\"loaded_at\":\"2025-11-23T12:05:00Z\"}}\n");
  EXPECT_THAT(render_metrics(status), HasSubstr("\nweir_agent_config_last_reload_successful 1\n"));
  status.reload = {.loaded_at_ms = 1'763'899'500'000,
                   .refused_at_ms = 1'763'899'560'000,
                   .refused_because = "agent.toml:3: input.pahts: unknown key"};
  const auto health = render_health(status);
  EXPECT_THAT(health, HasSubstr("\"degraded\""));
  EXPECT_THAT(health, HasSubstr("the reload at 2025-11-23T12:06:00Z was refused: agent.toml:3: input.pahts"));
  EXPECT_THAT(health, HasSubstr("\"refused_because\":\"agent.toml:3: input.pahts: unknown key\""));
  const auto metrics = render_metrics(status);
  EXPECT_THAT(metrics, HasSubstr("\nweir_agent_config_last_reload_successful 0\n"));
  EXPECT_THAT(metrics, HasSubstr("\nweir_agent_config_last_reload_success_timestamp_seconds 1763899500\n"));
}

}  // namespace
}  // namespace weir
