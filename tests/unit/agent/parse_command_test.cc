#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "agent/commands.h"
#include "common/exit_codes.h"
#include "tests/unit/compressed.h"
#include "tests/unit/gzip.h"

namespace weir {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLine = R"(1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1)";

struct Output {
  int exit_code = -1;
  std::vector<std::string> lines;
  std::string errors;
};

class ParseCommand : public ::testing::Test {
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

  // Redirects stdout and stderr to files while it runs.
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

TEST_F(ParseCommand, CompressedLogsWholeAndCutAndDamaged) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::string(kLine) + std::to_string(i * 7919) + "\n";
  const std::pair<const char*, std::string> packed[] = {
      // As logrotate leaves them when it appends: two members.
      {"a.gz", testing::gzip(text.substr(0, 999)) + testing::gzip(text.substr(999))},
      {"a.zst", testing::zstd(text)},
      {"a.bz2", testing::bzip2(text)},
      {"called.something", testing::zstd(text)}};
  for (const auto& [name, bytes] : packed) {
    SCOPED_TRACE(name);
    const auto path = write(name, bytes);
    const Output whole = run({path});
    EXPECT_EQ(whole.exit_code, kExitOk);
    EXPECT_EQ(whole.errors, "20000 lines: 20000 records, 0 unparsed, 0 skipped\n");
    const Output cut = run({write(name, bytes.substr(0, bytes.size() / 2))});
    EXPECT_EQ(cut.exit_code, kExitInput);
    EXPECT_NE(cut.errors.find(path + " cannot be read: the compressed data ends too early"),
              std::string::npos)
        << cut.errors;
    auto damaged = bytes;
    for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 64; ++i) damaged[i] = '\x55';
    const Output bad = run({write(name, damaged), write("after", kLine)});
    EXPECT_EQ(bad.exit_code, kExitInput);
    EXPECT_NE(bad.errors.find(path + ": does not decompress after "), std::string::npos) << bad.errors;
    ASSERT_FALSE(bad.lines.empty());
    EXPECT_NE(bad.lines.back().find("@timestamp"), std::string::npos) << "the next file is read";
  }
}

// A pipe cannot be inspected and then read again; its name gives its type.
TEST_F(ParseCommand, ACompressedPipeIsKnownByItsName) {
  const auto path = (folder_ / "pipe.zst").string();
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  std::thread writer(
      [&] { std::ofstream(path, std::ios::binary) << testing::zstd(std::string(kLine) + "\n"); });
  const Output out = run({path});
  writer.join();
  EXPECT_EQ(out.exit_code, kExitOk) << out.errors;
  EXPECT_EQ(out.errors, "1 lines: 1 records, 0 unparsed, 0 skipped\n");
}

TEST_F(ParseCommand, UnreadableFilesDoNotHideTheOthers) {
  const Output out = run({(folder_ / "gone.log").string(), folder_.string(), write("a.log", kLine)});
  EXPECT_EQ(out.exit_code, kExitInput);
  EXPECT_EQ(out.lines.size(), 1U);
  EXPECT_NE(out.errors.find("gone.log cannot be read: No such file"), std::string::npos);
  EXPECT_NE(out.errors.find("Is a directory"), std::string::npos);
}

TEST_F(ParseCommand, AFormatThatFitsNoLineHasAnExitCodeOfItsOwn) {
  const auto none = run({write("other.log", "hello\nworld\n")});
  EXPECT_EQ(none.exit_code, kExitNoLineFits);
  EXPECT_EQ(none.lines.size(), 2U);
  EXPECT_NE(none.errors.find("no line fits the format"), std::string::npos) << none.errors;
  EXPECT_EQ(run({write("one.log", "hello\n" + std::string(kLine) + "\n")}).exit_code, kExitOk);
  EXPECT_EQ(run({write("blank.log", "\n\n")}).exit_code, kExitOk);
  EXPECT_EQ(run({write("empty.log", "")}).exit_code, kExitOk);
  EXPECT_EQ(run({write("bad.log", "hello\n"), "/nosuch.log"}).exit_code, kExitInput);
}

}  // namespace
}  // namespace weir
