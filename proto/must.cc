#include "proto/must.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace weir {
namespace {

MustHandler& handler() {
  static MustHandler current = nullptr;
  return current;
}

}  // namespace

MustHandler set_must_handler(MustHandler fresh) { return std::exchange(handler(), fresh); }

void must_failed(const char* file, int line, const char* sentence) {
  if (handler() != nullptr) handler()(file, line, sentence);
  std::fprintf(stderr, "%s:%d: an invariant is broken: %s\n", file, line, sentence);
  std::abort();
}

}  // namespace weir
