// Products with a sparse first factor: of the features, X W, and of their transpose, X^T delta.
#pragma once

#include "features.h"
#include "kernel.h"
#include "parallel.h"

namespace fastmlp {

// Rows of a sparse tile: tiles of any width have the same number of vectors.
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
// columns, the same one as of the dense product but for the zeros, which add nothing.
template <class T>
struct SparseProduct {
    using Grid = TileGrid<T, sparse_tile_rows>;

    SparseRows<T> a;
    Index M, N, K;
};

// Tiles [first, last) of the panel that begins at column j: multiply() finds them as those of dense products.
template <class P, int V, bool kBias, class T, class Panels, class Epilogues>
void multiply_panel(const SparseProduct<T>& p, const Panels& panels, Index j, Index first, Index last,
                    const Epilogues& epilogues) {
    using namespace Eigen::internal;
    constexpr Index R = sparse_tile_rows(V);
    const PanelRows<T> panel = panels.template panel<V>(j, last - first);
    auto epilogue = epilogues.template panel<V>(j);
    for (Index i = first * R; i < std::min(last * R, p.M); ++i) {
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
    }
}

// The entries of a batch, feature by feature: X^T in CSR, whose columns are the rows of the batch.
template <class T>
class TransposedBatch {
public:
    TransposedBatch(Index inputs, Index most_entries, int threads);

    // Sorts the entries of a batch of so many rows, each thread of the team those of its features; a batch
    // without an order that comes again, as the full one does, is sorted already. A barrier must stand before
    // what follows.
    void build(const Team& team, const SparseRows<T>& batch, Index rows);

    SparseRows<T> features() const { return {{values_.data(), 0, rows_.data(), starts_.data()}}; }

    // An upper bound to the entries of a row of any batch.
    Index longest_row() const { return std::min(inputs_, values_.size()); }

private:
    const Index inputs_;
    AlignedBuffer<T> values_;
    AlignedBuffer<std::int32_t> rows_;
    AlignedBuffer<std::int64_t> starts_;
    std::vector<Index> shares_;             // entries of each thread's features
    const std::int64_t* sorted_ = nullptr;  // the batch without an order, by its first row
};

extern template class TransposedBatch<float>;
extern template class TransposedBatch<double>;

}  // namespace fastmlp
