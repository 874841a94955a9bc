// The tile product of factors rounded to bfloat16, whose sums are float32. A processor with AVX512_BF16
// multiplies two such pairs in the time of one multiply-add of float32; so numbers lie in pairs along k:
//
//     C[M, N] = sum_k a(i, k) b(k, j)     k = 1, 0, 3, 2, 5, 4, ..
//
// The product of two bfloat16 is exact in float32, and each addition is rounded to float32, to nearest, even
// in the middle, as a multiply-add rounds it. The upper number of a pair is added first. Numbers, products
// and sums too small for a normal float32 count as 0 (vdpbf16ps in Intel's manual, volume 2).
//
// It is the overload of multiply_panel (tile.h) for such factors; grid and epilogues are those of float32.
#pragma once

#include "core/kernel/panels.h"

// Functions with this mark may use AVX512_BF16 in a library that is compiled for AVX-512. It is not defined
// where the compiler cannot mark them; there, as on other instruction sets, float32 is all there is.
#if defined(EIGEN_VECTORIZE_AVX512) && defined(__GNUC__) && !defined(_MSC_VER)
#define FASTMLP_BFLOAT16 __attribute__((target("avx512bf16")))
#endif

namespace fastmlp {

#ifdef FASTMLP_BFLOAT16
template <class T>
inline constexpr bool kHasBfloat16 = std::is_same_v<T, float>;
#else
template <class T>
inline constexpr bool kHasBfloat16 = false;
#endif

// Two numbers in bfloat16: the one at even k below the one at odd k, which is 0 behind the last k.
using Pair = std::uint32_t;

template <class T>
struct PairProduct {
    using Grid = TileGrid<T>;

    const Pair* a;  // of the pair k: a[i * a_row + k * a_col]
    Index a_row, a_col;
    Index M, N, pairs;
};

// A panel of b: its pairs, row by row, and the biases in float32, if any.
struct PairPanel {
    const Pair* b;
    const float* biases;
};

#ifdef FASTMLP_BFLOAT16

namespace bfloat16 {

using Pairs = __m512i;  // of 16 columns

FASTMLP_BFLOAT16 FASTMLP_INLINE Pairs load(const Pair* p) { return _mm512_loadu_si512(p); }
FASTMLP_BFLOAT16 FASTMLP_INLINE void store(Pair* p, Pairs x) { _mm512_storeu_si512(p, x); }

// sums + a b for each column, of which Half has 8.
FASTMLP_BFLOAT16 FASTMLP_INLINE Packet<float> add_product(Packet<float> sums, Pair a, const Pair* b) {
    return _mm512_dpbf16_ps(sums, __m512bh(_mm512_set1_epi32(int(a))), __m512bh(load(b)));
}
FASTMLP_BFLOAT16 FASTMLP_INLINE simd::Half<float> add_product(simd::Half<float> sums, Pair a, const Pair* b) {
    const __m256i row = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b));
    return _mm256_dpbf16_ps(sums, __m256bh(_mm256_set1_epi32(int(a))), __m256bh(row));
}

// 16 numbers below 16 others, rounded to nearest, even in the middle.
FASTMLP_BFLOAT16 FASTMLP_INLINE Pairs round(Packet<float> below, Packet<float> above) {
    return Pairs(_mm512_cvtne2ps_pbh(above, below));
}

// Of two rows of 32 numbers the pairs of the first 16 columns, and those of the rest.
FASTMLP_BFLOAT16 FASTMLP_INLINE Pairs interleave(Pairs even, Pairs odd, bool rest) {
    alignas(64) static constexpr std::int16_t kFrom[2][32] = {
        {0, 32, 1, 33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39,
         8, 40, 9, 41, 10, 42, 11, 43, 12, 44, 13, 45, 14, 46, 15, 47},
        {16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53, 22, 54, 23, 55,
         24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63}};
    return _mm512_permutex2var_epi16(even, _mm512_load_si512(kFrom[rest]), odd);
}

// Two rows of 16 numbers in pairs.
FASTMLP_BFLOAT16 FASTMLP_INLINE Pairs pairs_of_rows(Packet<float> even, Packet<float> odd) {
    const Pairs rows = round(even, odd);
    return interleave(rows, _mm512_shuffle_i64x2(rows, rows, 0x4e), false);
}

// c += some pairs of k of a tile's product.
template <int R, int V, class P>
FASTMLP_BFLOAT16 FASTMLP_INLINE void accumulate(P (&c)[R][V], Index steps, const Pair*& a, Index a_row,
                                                Index a_col, const Pair*& b) {
    for (Index k = 0; k < steps; ++k, a += a_col, b += V * kLanes<float>)
        for (int r = 0; r < R; ++r)
            for (int v = 0; v < V; ++v) c[r][v] = add_product(c[r][v], a[r * a_row], b + v * kLanes<float>);
}

// One tile: multiply_tile of tile.h, in pairs.
template <class P, int R, int V, bool kBias, class Epilogue>
FASTMLP_BFLOAT16 FASTMLP_INLINE void multiply_tile(const PairProduct<float>& p, const PairPanel& panel,
                                                   Index i, Epilogue& epilogue) {
    using namespace Eigen::internal;
    constexpr bool kDefers = requires { epilogue.apply_pending(0); };
    constexpr bool kWhole = R == tile_rows(V);
    if constexpr (kDefers && !kWhole) epilogue.flush();
    P c[R][V];
    for (int v = 0; v < V; ++v) {
        P start = pset1<P>(0.0f);
        if constexpr (kBias) start = ploadu<P>(panel.biases + v * kLanes<float>);
        for (int r = 0; r < R; ++r) c[r][v] = start;
    }
    const Index a_row = p.a_row, a_col = p.a_col;
    const Pair *a = p.a + i * a_row, *b = panel.b;
    if constexpr (kDefers && kWhole) {
        constexpr Index kPending = tile_packets<V>;
        const bool pending = epilogue.has_pending();
        for (Index n = 0; pending && n < kPending; ++n) {
            epilogue.apply_pending(n);
            accumulate<R, V>(c, p.pairs / kPending, a, a_row, a_col, b);
        }
        accumulate<R, V>(c, pending ? p.pairs % kPending : p.pairs, a, a_row, a_col, b);
    } else {
        accumulate<R, V>(c, p.pairs, a, a_row, a_col, b);
    }
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) epilogue(i + r, v, r * V + v, simd::widen<float>(c[r][v]));
    if constexpr (requires { epilogue.end_tile(i, R); }) epilogue.end_tile(i, R);
}

template <class P, int R, int V, bool kBias, class Epilogue>
FASTMLP_BFLOAT16 void multiply_edge(const PairProduct<float>& p, const PairPanel& panel, Index i,
                                    Epilogue& epilogue) {
    if (p.M - i >= R) {
        multiply_tile<P, R, V, kBias>(p, panel, i, epilogue);
        i += R;
    }
    if constexpr (R > 1) {
        if (i < p.M) multiply_edge<P, R / 2, V, kBias>(p, panel, i, epilogue);
    }
}

}  // namespace bfloat16

template <class P, int V, bool kBias, class Panels, class Epilogues>
FASTMLP_BFLOAT16 void multiply_panel(const PairProduct<float>& p, const Panels& panels, Index j, Range tiles,
                                     const Epilogues& epilogues) {
    constexpr int R = tile_rows(V);
    const PairPanel panel = panels.template panel<V>(j);
    auto epilogue = epilogues.template panel<V>(j);
    for (Index i = tiles.first * R; i < std::min(tiles.last * R, p.M); i += R) {
        if (p.M - i >= R)
            bfloat16::multiply_tile<P, R, V, kBias>(p, panel, i, epilogue);
        else
            bfloat16::multiply_edge<P, 4, V, kBias>(p, panel, i, epilogue);
    }
}

#endif  // FASTMLP_BFLOAT16

}  // namespace fastmlp
