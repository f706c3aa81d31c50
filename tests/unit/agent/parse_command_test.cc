#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/commands.h"
#include "common/exit_codes.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLine = R"(1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1)";

struct Output {
  int exit_code = -1;
  std::vector<std::string> lines;
  std::string errors;
};

class ParseCommand : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "weir-parse-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }

  // With stdout and stderr going to files for as long as it runs.
  [[nodiscard]] Output run(std::vector<std::string> files) const {
    ParseOptions options;
    options.format = *named_format("common");
    options.files = std::move(files);
    const std::string out = (folder_ / "stdout").string();
    const std::string err = (folder_ / "stderr").string();
    std::fflush(nullptr);
    const int saved_out = dup(STDOUT_FILENO);
    const int saved_err = dup(STDERR_FILENO);
    redirect(out, STDOUT_FILENO);
    redirect(err, STDERR_FILENO);
    Output result;
    result.exit_code = parse_command(options);
    std::fflush(nullptr);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    close(saved_out);
    close(saved_err);
    std::ifstream lines(out, std::ios::binary);
    for (std::string line; std::getline(lines, line);) result.lines.push_back(line);
    std::stringstream errors;
    errors << std::ifstream(err).rdbuf();
    result.errors = errors.str();
    return result;
  }

  fs::path folder_;

 private:
  static void redirect(const std::string& path, int to) {
    const int fd = open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    ASSERT_GE(fd, 0);
    dup2(fd, to);
    close(fd);
  }
};

TEST_F(ParseCommand, OneObjectPerLine) {
  const std::string line(kLine);
  const Output out = run({write("a.log", line + "\n\nbroken\n" + line)});
  EXPECT_EQ(out.exit_code, kExitOk);
  ASSERT_EQ(out.lines.size(), 4U);
  EXPECT_EQ(out.lines[0], out.lines[3]);
  EXPECT_NE(out.lines[0].find("\"@timestamp\":\"2000-10-10T20:55:36.000Z\""), std::string::npos);
  EXPECT_EQ(out.lines[1], R"({"message":"","error.message":"no data: comment or blank line"})");
  EXPECT_EQ(out.lines[2], R"({"message":"broken","error.message":"the line does not fit the format"})");
  EXPECT_EQ(out.errors, "4 lines: 2 records, 1 unparsed, 1 skipped\n");
}

TEST_F(ParseCommand, LongLinesAreCutAndCountOnce) {
  const std::size_t max = 1U << 20;
  const Output out = run({write("a.log", std::string(max, 'a') + "\n" + std::string(max + 1, 'b') + "\n" +
                                             std::string(3 * max, 'c') + "\n" + std::string(kLine) + "\n" +
                                             std::string(2 * max, 'd'))});
  ASSERT_EQ(out.lines.size(), 5U);
  EXPECT_EQ(out.lines[0].find("longer than max_line"), std::string::npos);
  for (const std::size_t i : {1U, 2U, 4U}) {
    EXPECT_NE(out.lines[i].find("longer than max_line"), std::string::npos) << i;
    EXPECT_LT(out.lines[i].size(), max + 100);
  }
  EXPECT_NE(out.lines[3].find("@timestamp"), std::string::npos);
}

TEST_F(ParseCommand, GzipWholeAndCut) {
  std::string text;
  for (int i = 0; i < 2000; ++i) text += std::string(kLine) + std::to_string(i) + "\n";
  const std::string path = (folder_ / "a.gz").string();
  gzFile gz = gzopen(path.c_str(), "wb");
  ASSERT_EQ(gzwrite(gz, text.data(), static_cast<unsigned>(text.size())), static_cast<int>(text.size()));
  ASSERT_EQ(gzclose(gz), Z_OK);
  const Output whole = run({path});
  EXPECT_EQ(whole.exit_code, kExitOk);
  EXPECT_EQ(whole.errors, "2000 lines: 2000 records, 0 unparsed, 0 skipped\n");
  fs::resize_file(path, fs::file_size(path) / 2);
  const Output cut = run({path});
  EXPECT_EQ(cut.exit_code, kExitInput);
  EXPECT_NE(cut.errors.find("ends too early"), std::string::npos);
}

TEST_F(ParseCommand, UnreadableFilesDoNotHideTheOthers) {
  const Output out = run({(folder_ / "gone.log").string(), folder_.string(), write("a.log", kLine)});
  EXPECT_EQ(out.exit_code, kExitInput);
  EXPECT_EQ(out.lines.size(), 1U);
  EXPECT_NE(out.errors.find("gone.log cannot be read: No such file"), std::string::npos);
  EXPECT_NE(out.errors.find("Is a directory"), std::string::npos);
}

}  // namespace
}  // namespace weir
