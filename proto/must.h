// Invariants: what our own code guarantees whatever the input. Never use MUST to check input: that returns an
// Error.
//
//   MUST(bytes_ == sum, "the bytes in flight are the sum of what is in flight");
//
// Checked where WEIR_MUST is defined (a CMake option, set by every preset except release and bench).
// Elsewhere the condition is still compiled, so that it cannot rot, but not evaluated.
#pragma once

namespace weir {

// Prints the place and the sentence to stderr and aborts, unless a handler is set and throws.
[[noreturn]] void must_failed(const char* file, int line, const char* sentence);

// Called before must_failed() aborts. The simulation sets a handler that throws, so that it can print the
// seed and the actions. Thread: set it before other threads start. Returns the previous handler.
using MustHandler = void (*)(const char* file, int line, const char* sentence);
MustHandler set_must_handler(MustHandler handler);

}  // namespace weir

#ifdef WEIR_MUST
#define MUST(condition, sentence) \
  ((condition) ? static_cast<void>(0) : ::weir::must_failed(__FILE__, __LINE__, sentence))
#else
#define MUST(condition, sentence) static_cast<void>(sizeof((condition) ? 1 : 0))
#endif
