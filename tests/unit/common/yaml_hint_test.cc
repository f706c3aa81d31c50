#include "common/yaml_hint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/config_table.h"

namespace weir {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string mistake_of(std::string_view text) {
  auto file = ConfigFile::from_text(text, "a.toml");
  const auto mistakes = file.finish();
  return mistakes.empty() ? "" : mistakes.front().text();
}

TEST(Yaml, IsRecognisedInEachOfItsShapes) {
  const struct {
    const char* name;
    const char* text;
  } kYaml[] = {{"comments first", "# a file\n\n# of mine\ntopic: weir\nbrokers: [\"a:9092\"]\n"},
               {"document mark", "---\ntopic: weir\n"},
               {"nested keys", "output:\n  kafka:\n    topic: \"x\"\n"},
               {"a list", "inputs:\n- type: log\n  paths:\n    - /var/log/*.log\n"},
               {"one key", "topic: weir\n"},
               {"CRLF", "output:\r\n  hosts: [\"x\"]\r\n"},
               {"byte order mark", "\xEF\xBB\xBFtopic: weir\n"},
               {"a value with an equals sign", "query: a = b\nother: c = d\n"},
               {"quoted keys", "\"topic\": weir\n"}};
  for (const auto& row : kYaml) {
    EXPECT_THAT(mistake_of(row.text), HasSubstr("this is YAML; weir reads TOML")) << row.name;
  }
}

TEST(Yaml, AFilebeatYmlIsCalledSo) {
  EXPECT_THAT(mistake_of("filebeat.inputs:\n- type: filestream\n  paths:\n    - /var/log/nginx/*.log\n"
                         "output.kafka:\n  hosts: [\"kafka1:9092\"]\n"),
              testing::StrEq("a.toml: this is YAML (a filebeat.yml?); weir reads TOML: see "
                             "docs/reference/agent-config.md"));
}

TEST(Yaml, ATomlFileWithAMistakeIsNotCalledSo) {
  const struct {
    const char* name;
    const char* text;
  } kToml[] = {{"a colon in place of an equals sign", "[agent]\nid: \"x\"\nstate_dir = \"/tmp\"\n"},
               {"first line", "id: \"x\"\nstate_dir = \"/tmp\"\n[output]\ncodec = \"batch\"\n"},
               {"an open bracket", "[agent\nid = \"x\"\n"},
               {"an open string", "[agent]\nid = \"x\n"},
               {"a key without a value", "[agent]\nid =\n"},
               {"one word", "hello\n"},
               {"YAML in a text of several lines", "[a]\nb = '''\nx: 1\n'''\nc = = 1\n"}};
  for (const auto& row : kToml) {
    EXPECT_THAT(mistake_of(row.text), HasSubstr("not TOML")) << row.name;
    EXPECT_THAT(mistake_of(row.text), Not(HasSubstr("YAML"))) << row.name;
  }
}

}  // namespace
}  // namespace weir
