// Where the second factor of a product in bfloat16 lies: it is rounded from float32, a panel at a time, into
// this thread's scratch memory. And the copies of activations and deltas that its first factor is.
#pragma once

#include "core/kernel/bfloat16.h"

namespace fastmlp {

// The pairs of a panel of b with K rows. (A panel that is transposed is written in whole vectors.)
constexpr Index pair_panel_size(Index K) {
    return round_up(K, 2 * kLanes<float>) / 2 * TileGrid<float>::kColumns;
}

// W with b behind its last row, I + 1 rows.
template <class T>
struct WeightPairs {
    const T* parameters;
    LayerPanels<T> layer;
    Pair* scratch;

    template <int V>
    PairPanel panel(Index j) const;
};

// W^T[O, I].
template <class T>
struct TransposedPairs {
    const T* parameters;
    LayerPanels<T> layer;
    Pair* scratch;

    template <int V>
    PairPanel panel(Index j) const;
};

// The K rows of a matrix, `ld` elements apart.
template <class T>
struct MatrixPairs {
    const T* data;
    Index ld, K;
    Pair* scratch;

    template <int V>
    PairPanel panel(Index j) const;
};

// A matrix rounded: its rows in pairs of columns, and its columns in pairs of rows, 2 i and 2 i + 1. What is
// missing in a pair is 0.
struct PairCopies {
    Pair* rows = nullptr;  // [B, row_ld]
    Index row_ld = 0;
    Pair* columns = nullptr;  // [ceil(B / 2), column_ld], may be null
    Index column_ld = 0;
};

// Rounds some rows, of which the first is even, of a matrix of B rows; the last is odd unless it is row B
// - 1.
template <class T>
void round_rows(const T* x, Index ld, Index width, Range rows, const PairCopies& copies);

#ifdef FASTMLP_BFLOAT16

namespace bfloat16 {

// K rows, `ld` elements apart, in pairs of rows side by side: [ceil(K / 2), V vectors].
template <int V>
FASTMLP_BFLOAT16 void pair_rows(const float* b, Index ld, Index K, Pair* out) {
    for (Index k = 0; k < K; k += 2, b += 2 * ld)
        for (int v = 0; v < V; ++v, out += kLanes<float>) {
            const float* even = b + v * kLanes<float>;
            const Packet<float> odd = k + 1 < K ? simd::load(even + ld) : simd::set1(0.0f);
            store(out, pairs_of_rows(simd::load(even), odd));
        }
}

// Up to 16 rows of 32 numbers, `ld` elements apart, of which the last 16 count where `wide` says so: their
// pairs, transposed. Rows that are missing count as 0.
FASTMLP_BFLOAT16 FASTMLP_INLINE void transpose_pairs(const float* in, Index ld, Index rows, bool wide,
                                                     Pair* out, Index ld_out) {
    constexpr Index W = kLanes<float>;
    Eigen::internal::PacketBlock<Packet<float>, W> block;
    for (Index r = 0; r < W; ++r) {
        const bool there = r < rows;
        const Packet<float> below = there ? simd::load(in + r * ld) : simd::set1(0.0f);
        const Packet<float> above = there && wide ? simd::load(in + r * ld + W) : simd::set1(0.0f);
        block.packet[r] = _mm512_castsi512_ps(round(below, above));
    }
    Eigen::internal::ptranspose(block);
    for (Index r = 0; r < W; ++r) store(out + r * ld_out, _mm512_castps_si512(block.packet[r]));
}

// W^T[O, V vectors of columns] of a layer in panels, in pairs of outputs.
template <int V>
FASTMLP_BFLOAT16 void pair_transposed(const float* parameters, const LayerPanels<float>& layer, Index j,
                                      Pair* out) {
    constexpr Index W = kLanes<float>;
    for (Index p = 0; p < layer.count(); ++p, out += layer.kColumns / 2 * V * W) {
        const Index width = layer.width(p);
        const float* in = parameters + layer.weights(p) + j * width;
        for (Index v = 0; v < V; ++v)
            for (Index o = 0; o < width; o += 2 * W)
                transpose_pairs(in + v * W * width + o, width, layer.inputs - j - v * W, o + W < width,
                                out + o / 2 * V * W + v * W, V * W);
    }
}

}  // namespace bfloat16

template <class T>
template <int V>
PairPanel WeightPairs<T>::panel(Index j) const {
    const Index p = j / layer.kColumns, width = layer.width(p);
    bfloat16::pair_rows<V>(parameters + layer.weights(p), width, layer.inputs, scratch);
    return {scratch, parameters + layer.biases(p)};
}

template <class T>
template <int V>
PairPanel TransposedPairs<T>::panel(Index j) const {
    bfloat16::pair_transposed<V>(parameters, layer, j, scratch);
    return {scratch, nullptr};
}

template <class T>
template <int V>
PairPanel MatrixPairs<T>::panel(Index j) const {
    bfloat16::pair_rows<V>(data + j, ld, K, scratch);
    return {scratch, nullptr};
}

#endif  // FASTMLP_BFLOAT16

}  // namespace fastmlp
