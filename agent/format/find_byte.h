// An inline byte search. Values in a log line are a few bytes long, so a call to memchr costs more than the
// search.
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <cstddef>

namespace weir {

// Returns `end` if the byte is not in [at, end).
[[nodiscard]] inline const char* find_byte(const char* at, const char* end, char wanted) {
#ifdef __SSE2__
  const __m128i all = _mm_set1_epi8(wanted);
  const auto found_at = [&](const char* place) {
    const __m128i found = _mm_cmpeq_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(place)), all);
    return static_cast<unsigned>(_mm_movemask_epi8(found));
  };
  if (end - at >= 16) {
    for (; end - at >= 16; at += 16) {
      if (const auto mask = found_at(at); mask != 0) return at + __builtin_ctz(mask);
    }
    // The remaining bytes, read together with some that are known not to match.
    const auto mask = found_at(end - 16);
    return mask != 0 ? end - 16 + __builtin_ctz(mask) : end;
  }
#endif
  while (at < end && *at != wanted) ++at;
  return at;
}

struct RareBytes {
  bool nul = false, backslash = false;
};

// Which rare bytes occur in [at, end). One pass over a line answers this for all its values.
[[nodiscard]] inline RareBytes rare_bytes(const char* at, const char* end) {
  RareBytes out;
#ifdef __SSE2__
  const __m128i slash = _mm_set1_epi8('\\');
  __m128i slashes = _mm_setzero_si128();
  __m128i nuls = _mm_setzero_si128();
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    slashes = _mm_or_si128(slashes, _mm_cmpeq_epi8(bytes, slash));
    nuls = _mm_or_si128(nuls, _mm_cmpeq_epi8(bytes, _mm_setzero_si128()));
  }
  out = {.nul = _mm_movemask_epi8(nuls) != 0, .backslash = _mm_movemask_epi8(slashes) != 0};
#endif
  for (; at < end; ++at) {
    out.nul |= *at == '\0';
    out.backslash |= *at == '\\';
  }
  return out;
}

}  // namespace weir
