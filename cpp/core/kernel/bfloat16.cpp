#include "core/kernel/bfloat16_panels.h"

namespace fastmlp {

#ifdef FASTMLP_BFLOAT16

namespace {

// Two rows, the second of which may be null.
FASTMLP_BFLOAT16 void round_two_rows(const float* even, const float* odd, Index width, Pair* even_out,
                                     Pair* odd_out, Pair* columns) {
    constexpr Index W = kLanes<float>;
    using bfloat16::Pairs;
    for (Index j = 0; j < width; j += 2 * W) {
        const Index rest = width - j - W;
        const auto row = [&](const float* x) {
            return std::pair(simd::load(x + j, rest + W),
                             rest > 0 ? simd::load(x + j + W, rest) : simd::set1(0.0f));
        };
        const auto [below, above] = row(even);
        const Pairs pairs = bfloat16::round(below, above);
        bfloat16::store(even_out + j / 2, pairs);
        Pairs odd_pairs = _mm512_setzero_si512();
        if (odd) {
            const auto [odd_below, odd_above] = row(odd);
            odd_pairs = bfloat16::round(odd_below, odd_above);
            bfloat16::store(odd_out + j / 2, odd_pairs);
        }
        if (!columns) continue;
        bfloat16::store(columns + j, bfloat16::interleave(pairs, odd_pairs, false));
        if (rest > 0) bfloat16::store(columns + j + W, bfloat16::interleave(pairs, odd_pairs, true));
    }
}

}  // namespace

#endif

template <class T>
void round_rows(const T* x, Index ld, Index width, Range rows, const PairCopies& copies) {
    if constexpr (kHasBfloat16<T>)
        for (Index i = rows.first; i < rows.last; i += 2) {
            const T* const row = x + i * ld;
            Pair* const out = copies.rows + i * copies.row_ld;
            round_two_rows(row, i + 1 < rows.last ? row + ld : nullptr, width, out, out + copies.row_ld,
                           copies.columns ? copies.columns + i / 2 * copies.column_ld : nullptr);
        }
}

template void round_rows(const float*, Index, Index, Range, const PairCopies&);
template void round_rows(const double*, Index, Index, Range, const PairCopies&);

}  // namespace fastmlp
