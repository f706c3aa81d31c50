#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>

#include "aggregator/pages/assets.h"
#include "aggregator/pages/pages.h"
#include "tests/unit/test_store.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Result<std::unique_ptr<PagesServer>> start(const std::string& listen, test::TestStore& tables) {
  return PagesServer::start(
      {listen, 60}, tables.opener(), [] { return EngineStatus{}; }, [] { return WarnerStatus{}; });
}

int port_of(const std::string& url) { return std::stoi(url.substr(url.rfind(':') + 1)); }

// Sends the bytes and reads until the server closes the connection.
std::string converse(int port, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
  std::string out;
  char buffer[65536];
  for (ssize_t n = 0; (n = recv(fd, buffer, sizeof(buffer), 0)) > 0;)
    out.append(buffer, static_cast<std::size_t>(n));
  close(fd);
  return out;
}

std::string get(int port, const std::string& target) {
  return converse(port, "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

TEST(PagesServer, ServesThePageItsFilesAndTheApi) {
  test::TestStore tables;
  tables.add(1'700'000'040, "www.example.org", "h", 200, 42, 4200);
  const auto server = start("127.0.0.1:0", tables);
  ASSERT_TRUE(server.has_value()) << server.error().what;
  const int port = port_of((*server)->url());
  std::set<std::string> served;
  for (const Asset& asset : assets()) EXPECT_TRUE(served.insert(asset.path).second) << asset.path;
  std::set<std::string> wanted = {"/", "/views.js", "/uplot.js", "/uplot.css"};
  const std::filesystem::path web = WEIR_SOURCE_DIR "/aggregator/pages/web";
  for (const auto& file : std::filesystem::recursive_directory_iterator(web)) {
    const std::string name = "/" + std::filesystem::relative(file.path(), web).string();
    if (file.is_regular_file() && !name.ends_with(".json") && name != "/index.html") wanted.insert(name);
  }
  EXPECT_GT(wanted.size(), 12U);
  ASSERT_EQ(served, wanted);
  for (const Asset& asset : assets()) {
    const std::string answer = get(port, asset.path);
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200")) << asset.path;
    EXPECT_THAT(answer, HasSubstr(std::string("Content-Type: ") + asset.content_type)) << asset.path;
    EXPECT_GT(asset.size, 100U) << asset.path;
  }
  const std::string page = get(port, "/");
  EXPECT_THAT(page, HasSubstr("Content-Security-Policy: default-src 'self';"));
  EXPECT_THAT(page, HasSubstr("X-Content-Type-Options: nosniff"));
  EXPECT_THAT(page, HasSubstr("id=\"total-requests\""));
  EXPECT_THAT(page, Not(::testing::ContainsRegex("(src|href)=\"/"))) << "it works below any path";
  EXPECT_THAT(page, Not(HasSubstr("http://"))) << "nothing from outside";
  EXPECT_THAT(page, Not(HasSubstr("https://")));
  EXPECT_THAT(get(port, "/uplot.js"), HasSubstr("uPlot"));
  EXPECT_THAT(get(port, "/api/v1/summary?from=2023-11-14T00%3A00%3A00Z"), HasSubstr("\"requests\":42"));
}

TEST(PagesServer, RefusesWhatItDoesNotKnow) {
  test::TestStore tables;
  const auto server = start("127.0.0.1:0", tables);
  ASSERT_TRUE(server.has_value());
  const int port = port_of((*server)->url());
  EXPECT_THAT(get(port, "/../../etc/passwd"), HasSubstr("HTTP/1.1 404"));
  EXPECT_THAT(get(port, "/api/v1/summary?nope=1"), HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(converse(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
              HasSubstr("HTTP/1.1 405"));
  EXPECT_THAT(converse(port, "\x16\x03\x01 rubbish\r\n\r\n"), HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(get(port, "/api/v1/traffic?site=%00%ff%0d%0aSet-Cookie:x"), Not(HasSubstr("\nSet-Cookie")));
  EXPECT_THAT(get(port, "/health"), HasSubstr("HTTP/1.1 200"));
}

TEST(PagesServer, APortInUseIsSaidSo) {
  test::TestStore tables;
  const auto first = start("127.0.0.1:0", tables);
  ASSERT_TRUE(first.has_value());
  const std::string taken = "127.0.0.1:" + std::to_string(port_of((*first)->url()));
  const auto second = start(taken, tables);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_THAT(second.error().what, HasSubstr(taken));
  EXPECT_THAT(second.error().what, HasSubstr("in use"));
  EXPECT_FALSE(second.error().hint.empty());
}

TEST(PagesServer, AnAddressThatIsNoneIsInvalid) {
  test::TestStore tables;
  for (const char* wrong : {"", "localhost", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "::1:80"}) {
    const auto server = start(wrong, tables);
    ASSERT_FALSE(server.has_value()) << wrong;
    EXPECT_EQ(server.error().code, Code::kInvalid) << wrong;
  }
  const auto foreign = start("192.0.2.1:0", tables);
  ASSERT_FALSE(foreign.has_value());
  EXPECT_EQ(foreign.error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace weir
