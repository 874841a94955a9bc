// Philox4x32-10, a counter-based generator (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). The words are a function of (seed, counter), the same on every platform and thread.
#pragma once

#include <array>
#include <cstdint>
#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace fastmlp {

using PhiloxWords = std::array<std::uint32_t, 4>;

inline constexpr int kPhiloxRounds = 10;
inline constexpr std::uint32_t kPhiloxFactors[2] = {0xD2511F53, 0xCD9E8D57},
                               kPhiloxKeySteps[2] = {0x9E3779B9, 0xBB67AE85};

inline PhiloxWords philox(std::uint64_t seed, PhiloxWords counter) {
    std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
    auto [c0, c1, c2, c3] = counter;
    for (int round = 0; round < kPhiloxRounds; ++round) {
        const std::uint64_t p0 = std::uint64_t{kPhiloxFactors[0]} * c0,
                            p1 = std::uint64_t{kPhiloxFactors[1]} * c2;
        c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ key0;
        c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ key1;
        c1 = static_cast<std::uint32_t>(p1);
        c3 = static_cast<std::uint32_t>(p0);
        key0 += kPhiloxKeySteps[0];
        key1 += kPhiloxKeySteps[1];
    }
    return {c0, c1, c2, c3};
}

// The words of eight counters in a row, whose lower half is block, block + 1, ..
inline constexpr int kPhiloxBlocks = 8;
using PhiloxBlocks = std::array<std::uint32_t, 4 * kPhiloxBlocks>;

#ifdef __AVX2__

// In vectors of four counters, whose words lie in the lower halves of 64 bits each. (Compilers do not find
// the multiplication of those halves by themselves: this takes less than half of the time.)
inline void philox_blocks(std::uint64_t seed, std::uint64_t block, std::uint32_t c2, std::uint32_t c3,
                          PhiloxBlocks& words) {
    constexpr int kVectors = kPhiloxBlocks / 4;
    const auto all = [](std::uint32_t word) { return _mm256_set1_epi64x(std::int64_t{word}); };
    const auto upper = [](__m256i x) { return _mm256_srli_epi64(x, 32); };
    __m256i w0[kVectors], w1[kVectors], w2[kVectors], w3[kVectors];
    for (int v = 0; v < kVectors; ++v) {
        w0[v] = _mm256_add_epi64(_mm256_set1_epi64x(static_cast<std::int64_t>(block)),
                                 _mm256_set_epi64x(4 * v + 3, 4 * v + 2, 4 * v + 1, 4 * v));
        w1[v] = upper(w0[v]);
        w2[v] = all(c2);
        w3[v] = all(c3);
    }
    std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < kPhiloxRounds; ++round) {
        for (int v = 0; v < kVectors; ++v) {
            const __m256i p0 = _mm256_mul_epu32(all(kPhiloxFactors[0]), w0[v]),
                          p1 = _mm256_mul_epu32(all(kPhiloxFactors[1]), w2[v]);
            w0[v] = _mm256_xor_si256(_mm256_xor_si256(upper(p1), w1[v]), all(key0));
            w2[v] = _mm256_xor_si256(_mm256_xor_si256(upper(p0), w3[v]), all(key1));
            w1[v] = p1;
            w3[v] = p0;
        }
        key0 += kPhiloxKeySteps[0];
        key1 += kPhiloxKeySteps[1];
    }
    for (int v = 0; v < kVectors; ++v) {
        const auto pairs = [](__m256i low, __m256i high) {
            return _mm256_blend_epi32(low, _mm256_slli_epi64(high, 32), 0xAA);
        };
        const __m256i first = pairs(w0[v], w1[v]), second = pairs(w2[v], w3[v]);
        const __m256i even = _mm256_unpacklo_epi64(first, second),  // the words of counters 0 and 2
            odd = _mm256_unpackhi_epi64(first, second);             // and of 1 and 3
        auto* out = reinterpret_cast<__m256i*>(words.data() + 16 * v);
        _mm256_storeu_si256(out, _mm256_permute2x128_si256(even, odd, 0x20));
        _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(even, odd, 0x31));
    }
}

#else

inline void philox_blocks(std::uint64_t seed, std::uint64_t block, std::uint32_t c2, std::uint32_t c3,
                          PhiloxBlocks& words) {
    for (std::uint32_t* out = words.data(); out != words.data() + words.size(); out += 4, ++block) {
        const PhiloxWords of_one = philox(
            seed, {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), c2, c3});
        for (int i = 0; i < 4; ++i) out[i] = of_one[std::size_t(i)];
    }
}

#endif

}  // namespace fastmlp
