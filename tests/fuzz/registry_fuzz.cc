// Arbitrary bytes as the registry's file, as its write-ahead log, or as both: opening it returns an error
// with a message, or a registry that works and remembers.
#include <filesystem>

#include "agent/tail/registry.h"
#include "agent/tail/registry_status.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/require.h"
#include "tests/unit/temp_folder.h"

namespace {

using weir::Registry;
using weir::testing::require;

// A valid registry, to combine with a damaged log.
std::string good_registry() {
  const weir::testing::TempFolder folder;
  {
    const auto registry = std::move(*Registry::open(folder.path()));
    weir::RegistryEntry entry;
    entry.id.low = 7;
    entry.path = "/l/access.log";
    registry->put(entry);
    require(registry->flush().has_value(), "a registry is written");
  }
  std::ifstream file(folder / "registry", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto good = good_registry();
  static const weir::testing::TempFolder folder;
  static const std::string state = folder / "state";
  std::filesystem::remove_all(state);
  std::filesystem::create_directories(state);
  weir::testing::Choices choose(data, size);
  const auto what = choose(4);
  const auto cut = what == 1 ? 0 : what == 2 ? choose(1 << 16) : ~0ULL;
  const auto bytes = choose.rest();
  const auto database = bytes.substr(0, cut);
  const auto log = bytes.substr(database.size());
  folder.write("state/registry", what == 1 ? good : database);
  if (!log.empty()) folder.write("state/registry-wal", log);
  (void)weir::read_registry_status(state);

  weir::RegistryEntry entry;
  entry.id.high = 1;
  entry.path = "/l/other.log";
  entry.base = entry.id;
  entry.acknowledged_offset = ~0ULL;
  entry.state = {weir::FileState::kActive, {}};
  bool flushed = false;
  {
    const auto registry = Registry::open(state);
    if (!registry) {
      require(!registry.error().what.empty() && !registry.error().hint.empty(), "an error says what to do");
      return 0;
    }
    (*registry)->put(entry);
    const auto result = (*registry)->flush();
    flushed = result.has_value();
    require(flushed || !result.error().what.empty(), "an error says what is wrong");
  }
  const auto again = Registry::open(state);
  require(again.has_value() || !again.error().what.empty(), "an error says what is wrong");
  // A damaged file may accept a row and then turn out damaged. If so, it must report that and discard
  // everything.
  if (flushed && again.has_value() && (*again)->note().empty()) {
    const auto* found = (*again)->find(entry.id);
    require(found != nullptr && *found == entry, "what was written is remembered");
  }
  return 0;
}
