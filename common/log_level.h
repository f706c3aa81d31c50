// How a part reports to the operator: it calls a Say, and does not know where the text goes.
#pragma once

#include <functional>
#include <string_view>

namespace weir {

// kError: data was lost, or a person must act. kWarning: that may follow. kInfo: an event that an operator
// expects to see. kDebug: helps to find a mistake in weir or in a configuration.
enum class LogLevel { kDebug, kInfo, kWarning, kError };

// One sentence without a trailing newline. A Say that comes from Log may be called from any thread.
using Say = std::function<void(LogLevel, std::string_view)>;

}  // namespace weir
