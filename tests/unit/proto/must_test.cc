#include "proto/must.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace weir {
namespace {

TEST(MustTest, AConditionThatHoldsDoesNothing) { MUST(1 + 1 == 2, "sums are right"); }

#ifdef WEIR_MUST
TEST(MustDeathTest, ABrokenInvariantPrintsItsPlaceAndItsSentence) {
  EXPECT_DEATH(MUST(1 + 1 == 3, "sums are right"),
               "must_test.cc:[0-9]+: an invariant is broken: sums are right");
}

TEST(MustTest, AHandlerMayThrow) {
  auto* const before =
      set_must_handler([](const char*, int, const char* sentence) { throw std::logic_error(sentence); });
  EXPECT_THROW(MUST(false, "never"), std::logic_error);
  set_must_handler(before);
}
#endif

}  // namespace
}  // namespace weir
