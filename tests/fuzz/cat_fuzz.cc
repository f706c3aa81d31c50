// For any message, `weir-agent cat` prints JSON objects, one per line, without anything that a terminal acts
// on: for a batch with arbitrary values, for foreign JSON, for raw bytes.
#include <simdjson.h>

#include "agent/batch_json.h"
#include "common/text.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/require.h"
#include "tests/unit/random_batch.h"

namespace {

using weir::testing::Choices;
using weir::testing::require;

void is_lines_of_json(std::string_view text) {
  require(text.empty() || text.ends_with('\n'), "a line has an end");
  static simdjson::dom::parser parser;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    simdjson::dom::element root;
    require(parser.parse(line.data(), line.size()).get(root) == simdjson::SUCCESS && root.is_object(),
            "a line is a JSON object");
    for (std::size_t at = 0; at < line.size();) {
      const auto size = weir::utf8_length(line, at);
      const auto first = static_cast<unsigned char>(line[at]);
      require(size > 0 && first >= 0x20 && first != 0x7f, "no control character, no byte that is no UTF-8");
      require(size != 2 || first != 0xc2 || static_cast<unsigned char>(line[at + 1]) >= 0xa0,
              "no C1 control");
      require(line.substr(at, size) != "\xe2\x80\xae", "nothing that turns text around");
      at += size;
    }
  }
}

void show(const std::string& message) {
  const weir::MessagePlace place{.name = "a\x1btopic", .partition = 1, .offset = 2, .timestamp_ms = 3};
  std::string out;
  if (!weir::looks_like_batch(message)) {
    weir::append_foreign_line(out, message, place, false);
    weir::append_foreign_line(out, message, place, true);
    weir::append_foreign_header(out, message, place);
  } else if (const auto batch = weir::decode_batch(message)) {
    weir::append_batch_header(out, *batch, place, message.size());
    for (const bool provenance : {false, true}) {
      weir::BatchLines lines(*batch, place, provenance);
      std::size_t count = 0;
      while (lines.append_next(out)) ++count;
      const auto& folded = batch->folded;
      require(count == batch->columns.records() + batch->columns.unparsed.size() + folded.rows.size() +
                           folded.samples.size(),
              "each line is there");
    }
  }
  is_lines_of_json(out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  show({reinterpret_cast<const char*>(data), size});
  Choices choices(data, size);
  weir::testing::BatchMaker maker([&](std::uint64_t below) { return choices(below); });
  weir::BatchBuilder builder;
  if (const auto message = weir::testing::encode(maker.batch(8), builder)) show(*message);
  return 0;
}
