// How a part says something to the operator: it is given a Say and knows nothing of where that goes.
#pragma once

#include <functional>
#include <string_view>

namespace weir {

// kError: data was lost, or a person must act. kWarning: it may come to that. kInfo: an event that an
// operator expects to find. kDebug: what helps to find a mistake in weir or in a configuration.
enum class LogLevel { kDebug, kInfo, kWarning, kError };

// One sentence, without a newline at its end. Any thread may call the ones that Log gives.
using Say = std::function<void(LogLevel, std::string_view)>;

}  // namespace weir
