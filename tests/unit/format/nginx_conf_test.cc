#include "agent/format/nginx_conf.h"

#include <fnmatch.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Conf {
 public:
  explicit Conf(std::map<std::string, std::string> texts) : texts_(std::move(texts)) {}
  [[nodiscard]] Result<NginxLogs> read() const {
    NginxConfFiles files;
    files.read = [this](const std::string& path) -> Result<std::string> {
      const auto at = texts_.find(path);
      if (at == texts_.end()) return fail(Code::kNotFound, path + " cannot be read: it does not exist");
      return at->second;
    };
    files.glob = [this](const std::string& pattern) {
      std::vector<std::string> out;
      for (const auto& [path, text] : texts_) {
        if (fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0) out.push_back(path);
      }
      return out;
    };
    return read_nginx_conf("/etc/nginx/nginx.conf", {"/usr/share/nginx", "/var/log/nginx/access.log"}, files);
  }

 private:
  std::map<std::string, std::string> texts_;
};

NginxLogs logs_of(std::string text) {
  const auto logs = Conf({{"/etc/nginx/nginx.conf", std::move(text)}}).read();
  if (!logs) ADD_FAILURE() << logs.error().what;
  return logs.value_or(NginxLogs{});
}

std::string error_of(std::string text) {
  const auto logs = Conf({{"/etc/nginx/nginx.conf", std::move(text)}}).read();
  return logs ? "" : logs.error().what;
}

TEST(NginxConf, IncludesFormatsAndServers) {
  const auto logs =
      Conf({{"/etc/nginx/nginx.conf",
             "user www; # a } comment {\nevents { worker_connections 1; }\n"
             "http {\n log_format long escape=json '{\"t\":\"$msec\",'\n   \"\\\"s\\\":$status}\";\n"
             " log_format main '$msec';\n include sites/*.conf;\n access_log logs/all.log main "
             "buffer=32k;\n}\n"},
            {"/etc/nginx/sites/a.conf",
             "server { server_name a.org www.a.org; access_log /l/$host-${server_port}.log long "
             "if=$loggable;\n"
             "location /x { access_log off; if ($y) { access_log /l/y.log; } } }"},
            {"/etc/nginx/sites/b.conf",
             "server { server_name b.org _; access_log syslog:server=unix:/s main; "
             "access_log /l/y.log combined gzip=5; }"},
            {"/etc/nginx/sites/c.conf", "server { listen 81; server_name c.org; }"}})
          .read();
  ASSERT_TRUE(logs) << logs.error().what;
  ASSERT_EQ(logs->formats.size(), 2U);
  EXPECT_EQ(logs->formats[0].text, R"({"t":"$msec","s":$status})");
  EXPECT_EQ(logs->formats[0].escape, "json");
  ASSERT_EQ(logs->logs.size(), 3U);
  EXPECT_EQ(logs->logs[0].path, "/usr/share/nginx/logs/all.log");
  EXPECT_EQ(logs->logs[0].format, "main");
  EXPECT_THAT(logs->logs[0].server_names, ElementsAre("c.org"));
  EXPECT_EQ(logs->logs[1].path, "/l/*-*.log");
  EXPECT_EQ(logs->logs[1].condition, "$loggable");
  EXPECT_EQ(logs->logs[1].where, "/etc/nginx/sites/a.conf:1");
  EXPECT_THAT(logs->logs[1].server_names, ElementsAre("a.org", "www.a.org"));
  EXPECT_EQ(logs->logs[2].path, "/l/y.log");
  EXPECT_TRUE(logs->logs[2].compressed);
  EXPECT_THAT(logs->logs[2].server_names, ElementsAre("a.org", "www.a.org", "b.org"));
  ASSERT_EQ(logs->skipped.size(), 1U);
  EXPECT_THAT(logs->skipped[0], HasSubstr("sites/b.conf:1: syslog:"));
}

TEST(NginxConf, DefaultsAndOff) {
  const auto plain = logs_of("http { server { server_name a; } }");
  ASSERT_EQ(plain.logs.size(), 1U);
  EXPECT_EQ(plain.logs[0].path, "/var/log/nginx/access.log");
  EXPECT_EQ(plain.logs[0].format, "combined");
  EXPECT_TRUE(logs_of("http { access_log off; server { } }").logs.empty());
  const auto one = logs_of(
      "http { access_log /a.log; access_log /b.log; server { access_log off; } server { access_log /c.log; } "
      "}");
  EXPECT_EQ(one.logs.size(), 3U);
  EXPECT_EQ(
      logs_of(
          "http { server { content_by_lua_block { if x then s = \"}\" -- }\n end } access_log /d.log; } }")
          .logs.size(),
      1U);
}

TEST(NginxConf, MistakesNameFileAndLine) {
  EXPECT_THAT(error_of("http {\n server {\n }\n"),
              HasSubstr("/etc/nginx/nginx.conf:1: this block is not closed"));
  EXPECT_THAT(error_of("http {}\n}\n"), HasSubstr("nginx.conf:2: an unexpected \"}\""));
  EXPECT_THAT(error_of("http {\n x 'y;\n}"), HasSubstr("nginx.conf:2: this quote is not closed"));
  EXPECT_THAT(error_of("user x"), HasSubstr("nginx.conf:1: this directive is not closed"));
  EXPECT_THAT(error_of("\ninclude gone.conf;"),
              HasSubstr("nginx.conf:2: /etc/nginx/gone.conf cannot be read"));
  EXPECT_THAT(error_of("include nginx.conf;"), HasSubstr("includes itself"));
  EXPECT_THAT(error_of("http { access_log /a.log nosuch; server {} }"), HasSubstr("\"nosuch\""));
  EXPECT_THAT(error_of(std::string(100, 'a') + std::string(200, '{')), HasSubstr("unexpected"));
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "a {";
  EXPECT_THAT(error_of(deep), HasSubstr("nested too deeply"));
}

TEST(NginxConf, TomlOfTheLogs) {
  const std::string toml = inputs_toml(
      logs_of("http { log_format main '$msec \"$status\"'; log_format q escape=json \"$msec 'q'\";\n"
              "server { server_name \"a\nb\"; access_log /l/shop.access.log main; access_log /l/access.log q "
              "if=$x; access_log /m/access.log; } }"));
  EXPECT_EQ(toml,
            "[format.nginx_main]\nnginx = '$msec \"$status\"'\n\n"
            "[format.q]\nnginx = \"$msec 'q'\"\nescape = \"json\"\n\n"
            "# /etc/nginx/nginx.conf:3\n# server_name a\\nb\n[[input]]\nname = \"shop\"\npaths = "
            "[\"/l/shop.access.log\"]\nformat = \"nginx_main\"\n\n"
            "# /etc/nginx/nginx.conf:3\n# server_name a\\nb\n# if=$x: nginx leaves requests out of this log\n"
            "[[input]]\nname = \"access\"\npaths = [\"/l/access.log\"]\nformat = \"q\"\n\n"
            "# /etc/nginx/nginx.conf:3\n# server_name a\\nb\n[[input]]\nname = \"access-2\"\npaths = "
            "[\"/m/access.log\"]\nformat = \"combined\"\n");
}

TEST(NginxConf, AFormatThatCannotBeReadIsShownAndDoesNothing) {
  const std::string toml =
      inputs_toml(logs_of("http { log_format bare '$remote_addr \"$request\"';\n"
                          "server { access_log /l/bare.log bare; access_log /l/good.log; } }"));
  EXPECT_EQ(toml,
            "# not read: format: no time at character 24\n"
            "# weir needs the time of each request: log $time_local, $time_iso8601 or $msec\n"
            "# [format.bare]\n# nginx = '$remote_addr \"$request\"'\n\n"
            "# /etc/nginx/nginx.conf:2\n# not followed: its format is not read, see above\n"
            "# [[input]]\n# name = \"bare\"\n# paths = [\"/l/bare.log\"]\n# format = \"bare\"\n\n"
            "# /etc/nginx/nginx.conf:2\n[[input]]\nname = \"good\"\npaths = [\"/l/good.log\"]\nformat = "
            "\"combined\"\n");
}

}  // namespace
}  // namespace weir
