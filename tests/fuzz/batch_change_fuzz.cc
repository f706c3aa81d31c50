// A batch of records made from the input is decoded unchanged in every column. With some of its bytes
// changed, before or after compression, it is refused or can be used.
#include <zstd.h>

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "proto/wire.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/use_batch.h"
#include "tests/unit/random_batch.h"

namespace {

using weir::testing::Choices;
using weir::testing::require;

std::string columns_of(const std::string& message) {
  protozero::pbf_reader in(message);
  require(in.next(weir::wire::kColumnsField), "a batch has columns");
  const auto packed = in.get_view();
  std::string plain(ZSTD_getFrameContentSize(packed.data(), packed.size()), '\0');
  require(ZSTD_decompress(plain.data(), plain.size(), packed.data(), packed.size()) == plain.size(),
          "columns decompress");
  return plain;
}

std::string with_columns(const std::string& message, const std::string& plain) {
  std::string packed(ZSTD_compressBound(plain.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), plain.data(), plain.size(), 1));
  std::string out;
  protozero::pbf_writer to(out);
  protozero::pbf_reader in(message);
  while (in.next()) {
    if (in.tag() == weir::wire::kColumnsField) {
      in.skip();
      to.add_bytes(weir::wire::kColumnsField, packed);
    } else if (in.tag() == weir::wire::kColumnsBytesField) {
      in.skip();
      to.add_uint64(weir::wire::kColumnsBytesField, plain.size());
    } else if (in.wire_type() == protozero::pbf_wire_type::length_delimited) {
      const auto tag = in.tag();
      to.add_bytes(tag, in.get_bytes());
    } else if (in.wire_type() == protozero::pbf_wire_type::varint) {
      const auto tag = in.tag();
      to.add_uint64(tag, in.get_uint64());
    } else if (in.wire_type() == protozero::pbf_wire_type::fixed64) {
      const auto tag = in.tag();
      to.add_fixed64(tag, in.get_fixed64());
    } else {
      const auto tag = in.tag();
      to.add_fixed32(tag, in.get_fixed32());
    }
  }
  return out;
}

void change(std::string& bytes, Choices& choose) {
  for (auto changes = 1 + choose(8); changes > 0 && !bytes.empty(); --changes) {
    const auto at = choose(bytes.size());
    switch (choose(5)) {
      case 0:
        bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ 1U << choose(8));
        break;
      case 1:
        bytes[at] = static_cast<char>(choose(256));
        break;
      case 2:
        bytes.resize(at);
        break;
      case 3:
        bytes.insert(at, bytes.substr(choose(bytes.size()), choose(64)));
        break;
      default:
        bytes.erase(at, choose(16));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static weir::BatchBuilder builder;
  Choices choose(data, size);
  const auto changed = choose(3);
  const auto made = weir::testing::BatchMaker(std::ref(choose)).batch(60);
  auto message = weir::testing::encode(made, builder);
  require(message.has_value(), "a batch is made");
  {
    const auto batch = weir::decode_batch(*message);
    require(batch.has_value(), batch ? "" : batch.error().what);
    require(weir::testing::difference(made, *batch).empty(), weir::testing::difference(made, *batch));
    weir::testing::use_batch(*batch);
  }
  if (changed == 0) {
    change(*message, choose);
  } else {
    auto plain = columns_of(*message);
    change(plain, choose);
    *message = with_columns(*message, plain);
  }
  const auto batch = weir::decode_batch(*message);
  if (batch) weir::testing::use_batch(*batch);
  return 0;
}
