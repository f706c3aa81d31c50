#include "aggregator/open_for_reading.h"

#include <fmt/format.h>

#include "aggregator/load_config.h"
#include "common/exit_codes.h"

namespace weir {

Result<void> check_readable(Ledger& store) {
  const auto version = store.schema_version();
  if (!version) return std::unexpected(version.error());
  if (*version > kSchemaVersion) {
    return fail(Code::kInvalid,
                fmt::format("store: schema version {} is newer than this program knows ({})", *version,
                            kSchemaVersion),
                "install the newer weir-aggregator; an older one would read it wrongly");
  }
  if (*version < kSchemaVersion) {
    return fail(Code::kNotFound,
                fmt::format("store: schema version {} is older than this program reads ({})", *version,
                            kSchemaVersion),
                "start this weir-aggregator once (run, local or check --store): it migrates the tables");
  }
  return {};
}

std::expected<StoreToRead, int> open_for_reading(const std::string& store_path,
                                                 const std::string& config_path) {
  AggregatorConfig config;
  config.sqlite_path = store_path;
  if (store_path.empty()) {
    auto loaded = load_or_print(config_path);
    if (!loaded) return std::unexpected(int{kExitConfig});
    config = std::move(*loaded);
  }
  auto store = config.mysql ? open_mysql(*config.mysql) : open_sqlite_readonly(config.sqlite_path);
  if (!store) {
    print_error(kProgram, store.error());
    return std::unexpected(int{kExitStore});
  }
  if (const auto readable = check_readable(**store); !readable) {
    print_error(kProgram, readable.error());
    return std::unexpected(int{readable.error().code == Code::kInvalid ? kExitSchemaTooNew : kExitStore});
  }
  return StoreToRead{std::move(*store), store_path.empty() ? config.window.count() : 0};
}

}  // namespace weir
