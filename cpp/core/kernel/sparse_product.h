// The product with a sparse first factor: rows of features, X W, or of their transpose, X^T delta.
#pragma once

#include "core/kernel/tile.h"
#include "core/model/features.h"

namespace fastmlp {

// Rows of a sparse tile, which is only a unit of work: one row at a time is in registers.
constexpr int sparse_tile_rows(int vectors) { return 12 / vectors; }

// Rows of sparse features: the first ones of X, or those in the order given.
template <class T>
struct SparseRows {
    Features<T> X;
    const std::uint32_t* order = nullptr;

    Features<T> operator[](Index i) const { return X.from(order ? Index(order[i]) : i); }
};

//     C[M, N] = sum_k a(i, k) b(k, j)     over the entries of row i of a
//
// With kBias row K of b is added. Each element of C is one chain of multiply-adds in the order of the
// columns. The
// dense product has the same chain with the zeros in it; for finite numbers these add nothing, and the bits
// are the same.
template <class T>
struct SparseProduct {
    using Grid = TileGrid<T, sparse_tile_rows>;

    SparseRows<T> a;
    Index M, N, K;
};

// Some tiles of the panel that begins at column j: the overload of multiply_panel (tile.h) for sparse
// products.
template <class P, int V, bool kBias, class T, class Panels, class Epilogues>
void multiply_panel(const SparseProduct<T>& p, const Panels& panels, Index j, Range tiles,
                    const Epilogues& epilogues) {
    using namespace Eigen::internal;
    constexpr Index R = sparse_tile_rows(V);
    const PanelRows<T> panel = panels.template panel<V>(j, tiles.size());
    auto epilogue = epilogues.template panel<V>(j);
    for (Index i = tiles.first * R; i < std::min(tiles.last * R, p.M); ++i) {
        P c[V];
        for (int v = 0; v < V; ++v)
            c[v] = kBias ? ploadu<P>(panel.data + p.K * panel.row + v * kLanes<T>) : pset1<P>(T(0));
        const Features<T> row = p.a[i];
        for (Index e = row.starts[0]; e < row.starts[1]; ++e) {
            const T* b = panel.data + row.columns[e] * panel.row;
            const P x = pset1<P>(row.values[e]);
            for (int v = 0; v < V; ++v) c[v] = pmadd(x, ploadu<P>(b + v * kLanes<T>), c[v]);
        }
        for (int v = 0; v < V; ++v) epilogue(i, v, v, simd::widen<T>(c[v]));
        if constexpr (requires { epilogue.end_tile(i, 1); }) epilogue.end_tile(i, 1);
    }
}

}  // namespace fastmlp
