// Taking a line from its bytes into a batch's columns allocates no memory once the buffers have grown. This
// program's operator new counts.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "agent/format/parser.h"
#include "proto/batch.h"

namespace {

std::atomic<std::uint64_t> allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace weir {
namespace {

constexpr int kLines = 2000;

std::string digits(int value, std::size_t width) {
  auto text = std::to_string(value);
  return std::string(width - std::min(width, text.size()), '0') + text;
}

// Each with its own path, too long for a std::string's internal buffer.
std::string combined_line(int n) {
  return "192.0.2." + std::to_string(n % 250) + " - - [24/Nov/2026:10:00:" + digits(n % 60, 2) +
         " +0000] \"GET /a/path/of/some/length/" + digits(n, 9) + "?q=" + digits(n, 9) +
         " HTTP/1.1\" 200 1234 \"https://example.org/\\x22q\\x22\" \"Mozilla/5.0 (X11; Linux x86_64)\"";
}

std::string json_line(int n) {
  return R"({"time":"2026-11-24T10:00:00+00:00","remote_addr":"192.0.2.1","request":"GET /a/path/of/some/length/)" +
         digits(n, 9) +
         R"json( HTTP/1.1","status":200,"http_user_agent":"Mozilla\/5.0 (X11; Linux x86_64)"})json";
}

std::uint64_t allocations_per_batch(const std::string& format, std::string (*line_of)(int)) {
  std::vector<std::string> lines;
  lines.reserve(kLines);
  for (int n = 0; n < kLines; ++n) lines.push_back(line_of(n));
  const auto parser = std::move(*compile_format(*named_format(format), {}));
  BatchBuilder builder;
  Record record;
  Unparsed reason = Unparsed::kNoMatch;
  std::uint64_t spent = 0;
  for (int turn = 0; turn < 3; ++turn) {  // the first two let the buffers grow
    builder.begin(parser->extra_names());
    const std::uint64_t before = allocations;
    for (const auto& line : lines) {
      record.clear();
      if (parser->parse(line, record, reason) != LineParser::Outcome::kRecord) return ~0ULL;
      builder.add(record, static_cast<std::uint32_t>(line.size() + 1));
    }
    spent = allocations - before;
  }
  return spent;
}

TEST(Allocation, OfALinesWayIntoABatchIsNone) {
  ASSERT_GT(allocations, 0U) << "they are counted";
  EXPECT_EQ(allocations_per_batch("combined", combined_line), 0U);
  EXPECT_EQ(allocations_per_batch("json", json_line), 0U);
}

}  // namespace
}  // namespace weir
