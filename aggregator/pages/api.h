// The JSON API: a path and its parameters in, an answer out. Knows nothing of HTTP's wire.
// Described in docs/reference/api.md.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "aggregator/pages/metrics.h"
#include "aggregator/pages/pages.h"
#include "aggregator/pages/query.h"
#include "aggregator/pages/store_pool.h"
#include "aggregator/pages/store_watch.h"

namespace weir {

struct Answer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

// {"error":{"what":...,"hint":...}}
[[nodiscard]] Answer error_answer(int status, std::string_view what, std::string_view hint);
[[nodiscard]] Answer error_answer(const Error& error);

class Api {
 public:
  Api(PagesConfig config, OpenStore open_store, std::function<EngineStatus()> engine,
      std::function<WarnerStatus()> warner, std::function<std::int64_t()> now_ms);

  // Any thread. Never throws on what a stranger sends.
  [[nodiscard]] Answer get(std::string_view path, const Params& params);
  // Asks the store what /health and /metrics say of it: every few seconds, from one thread.
  void look_at_store() { watch_.look(now_ms_()); }

 private:
  struct Extent {
    std::int64_t first_s = 0;
    std::int64_t end_s = 0;  // of the last window
  };

  [[nodiscard]] Answer summary(const Params& params);
  [[nodiscard]] Answer traffic(const Params& params);
  [[nodiscard]] Answer names(const Params& params, bool sites);
  [[nodiscard]] Answer sources(const Params& params);
  [[nodiscard]] Answer agents(const Params& params);
  [[nodiscard]] Answer alerts(const Params& params);
  [[nodiscard]] Answer dead_letters(const Params& params);
  [[nodiscard]] Answer health();
  [[nodiscard]] Answer metrics();
  // Of all windows; nullopt: there are none. Remembered for a few seconds.
  [[nodiscard]] Result<std::optional<Extent>> extent();

  PagesConfig config_;
  std::function<EngineStatus()> engine_;
  std::function<WarnerStatus()> warner_;
  std::function<std::int64_t()> now_ms_;
  StorePool pool_;
  StoreWatch watch_;
  std::mutex mutex_;  // of what is remembered
  std::optional<Extent> extent_;
  std::int64_t extent_at_ms_ = 0;
};

}  // namespace weir
