#include "common/exposition.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Exposition, WritesFamiliesAndTheirSamples) {
  Exposition out("weir_test_");
  out.counter("lines_total", "Lines.", 18446744073709551615ULL);
  out.gauge("up", "1: it is up.", 0.5);
  out.family("gap_bytes", "gauge", "Gaps.");
  out.sample("gap_bytes", {{"cause", "a"}, {"path", "/x"}}, 7);
  EXPECT_EQ(out.take(),
            "# HELP weir_test_lines_total Lines.\n# TYPE weir_test_lines_total counter\n"
            "weir_test_lines_total 18446744073709551615\n"
            "# HELP weir_test_up 1: it is up.\n# TYPE weir_test_up gauge\nweir_test_up 0.5\n"
            "# HELP weir_test_gap_bytes Gaps.\n# TYPE weir_test_gap_bytes gauge\n"
            "weir_test_gap_bytes{cause=\"a\",path=\"/x\"} 7\n");
}

TEST(Exposition, ALabelCannotBreakOutOfItsLine) {
  Exposition out("");
  out.sample("x", {{"path", "a\"} 1\n\\\xE2\x80\xAE\xFF"}}, 1);
  EXPECT_EQ(out.take(), "x{path=\"a\\\"} 1\\\\x0a\\\\\\\\u202e\\\\xff\"} 1\n");
}

}  // namespace
}  // namespace weir
