// The fused tile kernel: one product serves the forward, backward and gradient passes; only the epilogue
// differs.
//
//   C[M, N] = sum_k a(i, k) b(k, j)     a broadcast from any strides, b read in contiguous rows
//
// Each element of C is one chain of multiply-adds over k = 0 .. K-1, whatever tile it falls into, so its bits
// depend neither on the number of threads nor on the rows around it.
#pragma once

#include <algorithm>

#include "simd.h"

namespace fastmlp {

template <class T>
struct Product {
    const T* a;  // a(i, k) = a[i * a_row + k * a_col]
    Index a_row, a_col;
    const T* b;  // b(k, j) = b[k * b_row + j]; readable one packet past its end
    Index b_row;
    Index M, N, K;
};

// Tiles are numbered panel by panel (a panel is one tile wide), so that neighbours share their panel of b.
template <class T>
struct TileGrid {
    static constexpr Index kRows = kTileRows, kColumns = kTileVectors * kLanes<T>;

    TileGrid(Index M, Index N) : row_tiles(ceil_div(M, kRows)), tiles(row_tiles * ceil_div(N, kColumns)) {}
    Index row(Index tile) const { return tile % row_tiles * kRows; }
    Index column(Index tile) const { return tile / row_tiles * kColumns; }

    Index row_tiles, tiles;
};

// One tile of R rows and V vectors at (i, j). The epilogue is called as epilogue(i, j, packet) for each
// vector while it is in a register; lanes at and beyond column N hold garbage that it must not let out.
template <int R, int V, class T, class Epilogue>
FASTMLP_INLINE void multiply_tile(const Product<T>& p, Index i, Index j, const Epilogue& epilogue) {
    using namespace Eigen::internal;
    Packet<T> c[R][V];
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) c[r][v] = simd::set1(T(0));

    const T* a = p.a + i * p.a_row;
    const T* b = p.b + j;
    for (Index k = 0; k < p.K; ++k, a += p.a_col, b += p.b_row) {
        Packet<T> row[V];
        for (int v = 0; v < V; ++v) row[v] = simd::load(b + v * kLanes<T>);
        for (int r = 0; r < R; ++r) {
            const Packet<T> x = simd::set1(a[r * p.a_row]);
            for (int v = 0; v < V; ++v) c[r][v] = pmadd(x, row[v], c[r][v]);
        }
    }
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) epilogue(i + r, j + v * kLanes<T>, c[r][v]);
}

// Tiles at the lower and right edge, by their number of rows and vectors.
template <int R, int V, class T, class Epilogue>
void multiply_edge(const Product<T>& p, Index i, Index j, Index rows, Index vectors,
                   const Epilogue& epilogue) {
    if constexpr (R > 1) {
        if (rows < R) return multiply_edge<R - 1, V>(p, i, j, rows, vectors, epilogue);
    }
    if constexpr (V > 1) {
        if (vectors < V) return multiply_edge<R, V - 1>(p, i, j, rows, vectors, epilogue);
    }
    multiply_tile<R, V>(p, i, j, epilogue);
}

// Tiles [first, last) of the product's TileGrid.
template <class T, class Epilogue>
void multiply(const Product<T>& p, Index first, Index last, const Epilogue& epilogue) {
    const TileGrid<T> grid(p.M, p.N);
    for (Index tile = first; tile < last; ++tile) {
        const Index i = grid.row(tile), j = grid.column(tile);
        const Index rows = std::min<Index>(kTileRows, p.M - i);
        const Index vectors = std::min<Index>(kTileVectors, ceil_div(p.N - j, kLanes<T>));
        if (rows == kTileRows && vectors == kTileVectors)
            multiply_tile<kTileRows, kTileVectors>(p, i, j, epilogue);
        else
            multiply_edge<kTileRows, kTileVectors>(p, i, j, rows, vectors, epilogue);
    }
}

}  // namespace fastmlp
