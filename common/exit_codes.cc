#include "common/exit_codes.h"

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "common/text.h"

namespace weir {

void print_error(const char* program, const Error& error) {
  std::string text = fmt::format("{}: {}\n", program, visible(error.what, true));
  if (!error.hint.empty()) text += fmt::format("  {}\n", visible(error.hint, true));
  // A single write, so that the output of two programs does not interleave.
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace weir
