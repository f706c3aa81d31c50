// Sources without an agent: a file in a temporary folder, none of it read yet.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "agent/follow/source.h"
#include "tests/unit/temp_folder.h"

namespace weir::testing {

class SourcesTest : public ::testing::Test {
 protected:
  // `line`: its first line, from which its base is made.
  std::shared_ptr<Source> source(const std::string& name, const std::string& line = "first") {
    const auto path = folder_.write(name, line + "\n");
    auto opened = Content::open(path);
    EXPECT_TRUE(opened);
    const std::shared_ptr<Content> content = std::move(*opened);
    const auto id = make_source_id("agent", name, line);
    return std::make_shared<Source>(Source{.id = id,
                                           .base = make_source_id("agent", "family", line),
                                           .line_hash = {},
                                           .path = path,
                                           .names = {path},
                                           .content = content,
                                           .facts = *content->facts(),
                                           .folder = {},
                                           .trouble = {},
                                           .parser = {},
                                           .reader = LineReader(content, 0, {}, 1 << 20),
                                           .sent = RouteRanges({SentRanges(0, {})}),
                                           .lane = {},
                                           .claim = {}});
  }
  TempFolder folder_;
};

}  // namespace weir::testing
