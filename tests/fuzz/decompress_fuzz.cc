// Arbitrary bytes as .gz, .zst and .bz2: however they are cut, the output and the following error are the
// same. What is compressed here is decompressed unchanged.
#include "agent/tail/decompressor.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/require.h"
#include "tests/unit/compressed.h"
#include "tests/unit/gzip.h"

namespace {

using weir::Compression;
using weir::testing::Choices;
using weir::testing::require;

constexpr std::size_t kEnoughBytes = 1 << 20;

struct Given {
  std::string bytes, error;
  bool member_ended = false;
};

Given all_of(Compression compression, std::string_view input, std::size_t piece, std::size_t room) {
  const auto decompressor = weir::Decompressor::create(compression, "f");
  require(decompressor.has_value(), "there is memory");
  Given given;
  std::string out(room, '\0');
  while (given.bytes.size() < kEnoughBytes) {
    const std::string now(input.substr(0, piece));  // memory of its own, to detect reads past the end
    const auto got = (*decompressor)->run(now, out.data(), out.size());
    if (!got) {
      given.error = got.error().what + "|" + got.error().hint;
      require(!got.error().what.empty(), "an error says what is wrong");
      const auto again = (*decompressor)->run(now, out.data(), out.size());
      require(!again.has_value() && again.error() == got.error(), "an error stays");
      return given;
    }
    require(got->consumed <= now.size() && got->produced <= room, "progress is within bounds");
    require(got->needs_input || got->produced > 0, "each call gets on or says what it waits for");
    require(!got->needs_input || got->consumed == now.size(), "it waits when all is consumed");
    given.bytes.append(out, 0, got->produced);
    given.member_ended = got->member_ended;
    input.remove_prefix(got->consumed);
    if (input.empty() && got->needs_input) return given;
  }
  given.bytes.resize(kEnoughBytes);
  return given;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Choices choose(data, size);
  const auto compression = static_cast<Compression>(1 + choose(3));
  const auto piece = static_cast<std::size_t>(1 + choose(64));
  const auto room = static_cast<std::size_t>(1 + choose(256));
  const bool whole = choose(4) == 0;
  const auto input = choose.rest();
  (void)weir::looks_compressed(input);
  if (whole) {
    const std::string text(input);
    const auto packed = compression == Compression::kGzip   ? weir::testing::gzip(text)
                        : compression == Compression::kZstd ? weir::testing::zstd(text)
                                                            : weir::testing::bzip2(text);
    require(weir::looks_compressed(packed) == compression, "it is recognised");
    const auto given = all_of(compression, packed + packed, piece, room);
    require(given.error.empty() && given.bytes == text + text && given.member_ended, "it comes back");
    return 0;
  }
  const auto at_once = all_of(compression, input, 1 << 16, 1 << 16);
  const auto pieces = all_of(compression, input, piece, room);
  if (compression == Compression::kBzip2 && !at_once.error.empty()) {
    // libbz2 discards what it wrote of a block in the call that finds the block damaged.
    require(at_once.bytes.starts_with(pieces.bytes) || pieces.bytes.starts_with(at_once.bytes),
            "the bytes before the damage do not depend on the pieces");
    require(!pieces.error.empty(), "the damage does not depend on the pieces");
    return 0;
  }
  require(at_once.bytes == pieces.bytes, "the bytes do not depend on the pieces");
  require(at_once.error == pieces.error, "the error does not depend on the pieces");
  // After an error it keeps the value of the last successful call.
  require(at_once.member_ended == pieces.member_ended || !at_once.error.empty() ||
              at_once.bytes.size() == kEnoughBytes,
          "where it may end does not depend on the pieces");
  return 0;
}
