// The page's files, embedded by cmake/web.cmake. Nothing is read from disk at run time.
#pragma once

#include <cstddef>
#include <span>

namespace weir {

struct Asset {
  const char* path;  // in the URL
  const char* content_type;
  const unsigned char* bytes;
  std::size_t size;
};
[[nodiscard]] std::span<const Asset> assets();

}  // namespace weir
