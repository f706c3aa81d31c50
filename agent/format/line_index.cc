#include "agent/format/line_index.h"

#include <algorithm>

#ifdef __x86_64__
#include <immintrin.h>
#endif

namespace weir {
namespace {

using Wanted = std::array<char, LineIndex::kSlots>;
using Bits = std::array<LineIndex::Words, LineIndex::kSlots>;
constexpr std::size_t kBlock = LineIndex::kBlock;

RareBytes read_plain(const char* line, std::size_t size, const Wanted& wanted, Bits& bits) {
  RareBytes out;
  for (std::size_t slot = 0; slot < wanted.size(); ++slot) {
    for (std::size_t block = 0; block * kBlock < size; ++block) bits[slot][block] = 0;
    for (std::size_t i = 0; i < size; ++i)
      bits[slot][i / kBlock] |= std::uint64_t{line[i] == wanted[slot]} << i % kBlock;
  }
  for (std::size_t i = 0; i < size; ++i) {
    out.nul |= line[i] == '\0';
    out.backslash |= line[i] == '\\';
  }
  return out;
}

#ifdef __x86_64__

// The next three functions do the same with increasingly wide registers. An incomplete last block is read as
// the last 64 bytes of the line, and the bits that the previous block already holds are shifted out. A line
// contains a NUL if its smallest byte is zero. It contains a backslash if its smallest byte is zero after
// each byte is XORed with a backslash.

RareBytes read_sse2(const char* line, std::size_t size, const Wanted& wanted, Bits& bits) {
  const __m128i first = _mm_set1_epi8(wanted[0]);
  const __m128i second = _mm_set1_epi8(wanted[1]);
  const __m128i slash = _mm_set1_epi8('\\');
  __m128i least = _mm_set1_epi8(-1);
  __m128i least_slash = least;
  for (std::size_t block = 0; block * kBlock < size; ++block) {
    const std::size_t begin = std::min(block * kBlock, size - kBlock);
    const auto known = block * kBlock - begin;
    std::uint64_t of_first = 0;
    std::uint64_t of_second = 0;
    for (unsigned part = 0; part < kBlock; part += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(line + begin + part));
      least = _mm_min_epu8(least, bytes);
      least_slash = _mm_min_epu8(least_slash, _mm_xor_si128(bytes, slash));
      of_first |= static_cast<std::uint64_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, first))) << part;
      of_second |= static_cast<std::uint64_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, second))) << part;
    }
    bits[0][block] = of_first >> known;
    bits[1][block] = of_second >> known;
  }
  const __m128i zero = _mm_setzero_si128();
  return {.nul = _mm_movemask_epi8(_mm_cmpeq_epi8(least, zero)) != 0,
          .backslash = _mm_movemask_epi8(_mm_cmpeq_epi8(least_slash, zero)) != 0};
}

std::uint64_t joined(int low, int high) {
  return static_cast<std::uint32_t>(low) | std::uint64_t{static_cast<std::uint32_t>(high)} << 32U;
}

__attribute__((target("avx2"))) RareBytes read_avx2(const char* line, std::size_t size, const Wanted& wanted,
                                                    Bits& bits) {
  const __m256i first = _mm256_set1_epi8(wanted[0]);
  const __m256i second = _mm256_set1_epi8(wanted[1]);
  const __m256i slash = _mm256_set1_epi8('\\');
  __m256i least = _mm256_set1_epi8(-1);
  __m256i least_slash = least;
  for (std::size_t block = 0; block * kBlock < size; ++block) {
    const std::size_t begin = std::min(block * kBlock, size - kBlock);
    const auto known = block * kBlock - begin;
    const __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(line + begin));
    const __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(line + begin + 32));
    least = _mm256_min_epu8(least, _mm256_min_epu8(low, high));
    least_slash = _mm256_min_epu8(
        least_slash, _mm256_min_epu8(_mm256_xor_si256(low, slash), _mm256_xor_si256(high, slash)));
    bits[0][block] = joined(_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, first)),
                            _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, first))) >>
                     known;
    bits[1][block] = joined(_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, second)),
                            _mm256_movemask_epi8(_mm256_cmpeq_epi8(high, second))) >>
                     known;
  }
  const __m256i zero = _mm256_setzero_si256();
  return {.nul = _mm256_movemask_epi8(_mm256_cmpeq_epi8(least, zero)) != 0,
          .backslash = _mm256_movemask_epi8(_mm256_cmpeq_epi8(least_slash, zero)) != 0};
}

__attribute__((target("avx512bw"))) RareBytes read_avx512(const char* line, std::size_t size,
                                                          const Wanted& wanted, Bits& bits) {
  const __m512i first = _mm512_set1_epi8(wanted[0]);
  const __m512i second = _mm512_set1_epi8(wanted[1]);
  const __m512i slash = _mm512_set1_epi8('\\');
  __m512i least = _mm512_set1_epi8(-1);
  __m512i least_slash = least;
  for (std::size_t block = 0; block * kBlock < size; ++block) {
    const std::size_t begin = std::min(block * kBlock, size - kBlock);
    const auto known = block * kBlock - begin;
    const __m512i bytes = _mm512_loadu_si512(line + begin);
    least = _mm512_min_epu8(least, bytes);
    least_slash = _mm512_min_epu8(least_slash, _mm512_xor_si512(bytes, slash));
    bits[0][block] = _mm512_cmpeq_epi8_mask(bytes, first) >> known;
    bits[1][block] = _mm512_cmpeq_epi8_mask(bytes, second) >> known;
  }
  return {.nul = _mm512_testn_epi8_mask(least, least) != 0,
          .backslash = _mm512_testn_epi8_mask(least_slash, least_slash) != 0};
}

#endif

}  // namespace

std::array<NamedReader, 4> line_readers() {
#ifdef __x86_64__
  return {{{"plain", read_plain},
           {"sse2", read_sse2},
           {"avx2", __builtin_cpu_supports("avx2") != 0 ? read_avx2 : nullptr},
           {"avx512bw", __builtin_cpu_supports("avx512bw") != 0 ? read_avx512 : nullptr}}};
#else
  return {{{"plain", read_plain}, {"sse2", nullptr}, {"avx2", nullptr}, {"avx512bw", nullptr}}};
#endif
}

LineIndex::LineIndex(const std::array<char, kSlots>& wanted) : reader_(read_plain), wanted_(wanted) {
  for (const auto& [name, reader] : line_readers()) {
    if (reader != nullptr) reader_ = reader;
  }
}

}  // namespace weir
