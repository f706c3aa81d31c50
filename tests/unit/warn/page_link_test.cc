#include "aggregator/warn/page_link.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(PageLink, CarriesTheRangeTheSiteAndTheHost) {
  EXPECT_EQ(page_link("https://ops.example.org/weir/", {1'763'899'500, 1'763'903'100, "a.example", "web1"}),
            "https://ops.example.org/weir/"
            "?from=2025-11-23T12:05:00Z&to=2025-11-23T13:05:00Z&site=a.example&host=web1");
  EXPECT_EQ(page_link("http://127.0.0.1:8080/", {}), "http://127.0.0.1:8080/");
}

TEST(PageLink, TheAddressMayLackItsLastSlashOrHaveAQuery) {
  EXPECT_EQ(page_link("https://ops.example.org/weir", {.site = "a"}), "https://ops.example.org/weir/?site=a");
  EXPECT_EQ(page_link("https://ops.example.org/?tenant=1", {.site = "a"}),
            "https://ops.example.org/?tenant=1&site=a");
}

TEST(PageLink, NamesOfStrangersStayValues) {
  EXPECT_EQ(page_link("http://w/", {.site = "a&from=0#x y\n\xc3\xa9"}),
            "http://w/?site=a%26from%3D0%23x%20y%0A%C3%A9");
}

}  // namespace
}  // namespace weir
