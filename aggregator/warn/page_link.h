// The address of the page with what it shows: a link in a mail opens what the mail is about.
// The form is documented in docs/reference/page.md. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

struct PageView {
  std::optional<std::int64_t> from_s{}, to_s{};  // [from, to), Unix seconds; none: the page chooses
  std::string site{}, host{};                    // "": all
};

// `page_url` is where readers reach the page: "https://ops.example.org/weir/". Names come from logs:
// every byte of them that is not a letter, a digit or one of "-._~" is percent-encoded.
[[nodiscard]] std::string page_link(std::string_view page_url, const PageView& view);

}  // namespace weir
