// A fuzzer's bytes as choices. Once they are used up, every further choice is the first one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::testing {

class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

  // 0 <= result < `below`. Takes no more bytes than it needs.
  std::uint64_t operator()(std::uint64_t below) {
    std::uint64_t value = 0;
    for (std::uint64_t range = below - 1; range > 0 && !left_.empty(); range >>= 8) {
      value = value << 8 | static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
    }
    return value % below;
  }

  [[nodiscard]] std::string_view rest() const { return left_; }
  [[nodiscard]] bool empty() const { return left_.empty(); }

 private:
  std::string_view left_;
};

}  // namespace weir::testing
