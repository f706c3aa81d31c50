#include "proto/source_id.h"

#include <xxhash.h>

#include <array>
#include <memory>

namespace weir {
std::string SourceId::bytes() const {
  std::string out(16, '\0');
  for (unsigned i = 0; i < 8; ++i) {
    out[i] = static_cast<char>(high >> (56 - 8 * i));
    out[8 + i] = static_cast<char>(low >> (56 - 8 * i));
  }
  return out;
}

std::string SourceId::hex() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(32);
  for (const char c : bytes()) {
    out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
    out.push_back(kDigits[static_cast<unsigned char>(c) & 15U]);
  }
  return out;
}

Result<SourceId> SourceId::from_bytes(std::string_view bytes) {
  if (bytes.size() != 16)
    return fail(Code::kCorrupt, "a source id has 16 bytes, not " + std::to_string(bytes.size()));
  SourceId id;
  for (unsigned i = 0; i < 8; ++i) {
    id.high = id.high << 8 | static_cast<unsigned char>(bytes[i]);
    id.low = id.low << 8 | static_cast<unsigned char>(bytes[8 + i]);
  }
  return id;
}

Result<SourceId> SourceId::from_hex(std::string_view text) {
  if (text.size() != 32)
    return fail(Code::kInvalid, "a source id has 32 hex digits, not " + std::to_string(text.size()));
  SourceId id;
  for (std::size_t i = 0; i < 32; ++i) {
    const char c = text[i];
    std::uint64_t digit = 0;
    if (c >= '0' && c <= '9') {
      digit = static_cast<std::uint64_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<std::uint64_t>(c - 'a' + 10);
    } else {
      return fail(Code::kInvalid,
                  "a source id is lower-case hex; character " + std::to_string(i + 1) + " is not");
    }
    auto& half = i < 16 ? id.high : id.low;
    half = half << 4 | digit;
  }
  return id;
}

SourceId make_source_id(std::string_view agent_id, std::string_view family, std::string_view first_line,
                        std::string_view salt) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  XXH3_128bits_reset(state.get());
  for (const auto part : {agent_id, family, first_line.substr(0, kFirstLineHashBytes), salt}) {
    std::array<unsigned char, 8> length{};
    for (unsigned i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(part.size() >> (8 * i));
    XXH3_128bits_update(state.get(), length.data(), length.size());
    XXH3_128bits_update(state.get(), part.data(), part.size());
  }
  const auto hash = XXH3_128bits_digest(state.get());
  SourceId id{hash.high64, hash.low64};
  if (id.empty()) id.low = 1;  // an empty id means "no id yet"
  return id;
}

}  // namespace weir
