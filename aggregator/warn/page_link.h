// Builds addresses of the page that include what it shows, so that a link in a mail opens what the mail
// reports. docs/reference/page.md documents the form. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

struct PageView {
  std::optional<std::int64_t> from_s{}, to_s{};  // [from, to) in Unix seconds; none: the page chooses
  std::string site{}, host{};                    // "": all
};

// `page_url` is where readers reach the page: "https://ops.example.org/weir/". Names come from logs, so every
// byte that is not a letter, a digit or one of "-._~" is percent-encoded.
[[nodiscard]] std::string page_link(std::string_view page_url, const PageView& view);

}  // namespace weir
