#include "proto/source_id.h"

#include <xxhash.h>

#include <array>
#include <memory>

namespace weir {
namespace {

bool digits(std::string_view text) {
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return !text.empty();
}

// "20261123" or "2026-11-23", and nothing that is only eight or ten digits.
bool is_date(std::string_view text) {
  if (text.size() == 8 && digits(text)) {
    const int month = (text[4] - '0') * 10 + (text[5] - '0');
    const int day = (text[6] - '0') * 10 + (text[7] - '0');
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
  }
  return text.size() == 10 && text[4] == '-' && text[7] == '-' && digits(text.substr(0, 4)) &&
         digits(text.substr(5, 2)) && digits(text.substr(8, 2));
}

// How many bytes of a rotation suffix `name` ends with; 0: none. Never the whole name.
std::size_t suffix_bytes(std::string_view name) {
  for (const std::string_view ending : {".gz", ".zst", ".bz2"}) {
    if (name.size() > ending.size() && name.ends_with(ending)) return ending.size();
  }
  const auto tail = [&](std::size_t bytes) { return name.substr(name.size() - bytes); };
  // ".1" to ".9999"
  const auto dot = name.rfind('.');
  if (dot != std::string_view::npos && dot > 0) {
    const auto rest = name.substr(dot + 1);
    if (rest.size() <= 4 && digits(rest)) return rest.size() + 1;
  }
  // logrotate's dateext, with hour, number or epoch.
  for (const std::size_t bytes : {11U, 9U}) {
    if (name.size() > bytes && (tail(bytes)[0] == '-' || (bytes == 11 && tail(bytes)[0] == '.')) &&
        is_date(tail(bytes - 1))) {
      return bytes;
    }
  }
  if (name.size() > 11 && tail(11)[0] == '-' && digits(tail(10))) return 11;  // -EPOCH, -YYYYMMDDHH
  const auto dash = name.rfind('-');
  if (dash != std::string_view::npos && dash >= 10) {
    const auto number = name.substr(dash + 1);
    const auto before = name.substr(0, dash);
    if (number.size() <= 4 && digits(number) && before.size() > 9 && before[before.size() - 9] == '-' &&
        is_date(before.substr(before.size() - 8))) {
      return number.size() + 1 + 9;  // -YYYYMMDD-N
    }
  }
  return 0;
}

}  // namespace

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
  if (id.empty()) id.low = 1;  // "empty" means "no id yet"
  return id;
}

std::string log_family(std::string_view path) {
  const auto slash = path.rfind('/');
  const auto name_begin = slash == std::string_view::npos ? 0 : slash + 1;
  auto name = path.substr(name_begin);
  for (auto bytes = suffix_bytes(name); bytes > 0; bytes = suffix_bytes(name)) name.remove_suffix(bytes);
  return std::string(path.substr(0, name_begin)) + std::string(name);
}

}  // namespace weir
