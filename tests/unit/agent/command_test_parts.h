// A temporary folder and captured output, for the tests of the agent's commands.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "tests/unit/temp_folder.h"

namespace weir {

struct CommandOutput {
  int exit_code = -1;
  std::string out, errors;
};

class CommandTest : public ::testing::Test {
 protected:
  std::string write(std::string_view name, std::string_view text) const { return folder_.write(name, text); }
  [[nodiscard]] std::string path(std::string_view name) const { return folder_ / name; }

  // Redirects stdout and stderr to files while it runs.
  template <class Command>
  [[nodiscard]] CommandOutput run(const Command& command) const {
    std::fflush(nullptr);
    const int saved_out = dup(STDOUT_FILENO);
    const int saved_err = dup(STDERR_FILENO);
    redirect(path("stdout"), STDOUT_FILENO);
    redirect(path("stderr"), STDERR_FILENO);
    CommandOutput result;
    result.exit_code = command();
    std::fflush(nullptr);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    close(saved_out);
    close(saved_err);
    result.out = text_of("stdout");
    result.errors = text_of("stderr");
    return result;
  }

  testing::TempFolder folder_;

 private:
  [[nodiscard]] std::string text_of(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(path(name), std::ios::binary).rdbuf();
    return text.str();
  }
  static void redirect(const std::string& file, int to) {
    const int fd = open(file.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    ASSERT_GE(fd, 0);
    dup2(fd, to);
    close(fd);
  }
};

}  // namespace weir
