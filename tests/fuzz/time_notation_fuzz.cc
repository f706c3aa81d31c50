// Arbitrary notations: compiled or refused with a position, then tried on a text. The first line is the
// notation, the second one the zone, the rest the text.
#include "agent/format/time_notation.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using weir::testing::require;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto next = [&rest] {
    const std::size_t end = rest.find('\n');
    const std::string line(rest.substr(0, end));  // memory of its own, to detect reads past the end
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    return line;
  };
  const std::string notation = next();
  const std::string zone = next();
  const std::string text(rest);
  const auto compiled = weir::TimeNotation::compile(notation, zone);
  if (!compiled) {
    require(!compiled.error().what.empty(), "a mistake says what is wrong");
    return 0;
  }
  const auto ms = compiled->read(text);
  require(ms == compiled->read(text), "the same text is the same time");
  // Years have four digits, and seconds since 1970 eleven.
  if (ms) require(*ms > -100'000'000'000'000 && *ms < 400'000'000'000'000, "a time is within what fits");
  return 0;
}
