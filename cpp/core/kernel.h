// The fused tile kernel: one product serves the forward, backward and gradient passes; what differs is where
// b comes from and the epilogue.
//
//     C[M, N] = sum_k a(i, k) b(k, j)     a broadcast from any strides, b read in contiguous rows
//
// Each element of C is one chain of multiply-adds over k = 0 .. K-1, whatever tile it falls into, so its bits
// depend neither on the number of threads nor on the rows around it.
#pragma once

#include "simd.h"

namespace fastmlp {

// The columns of C lie in panels one tile wide, the last one narrower; the rows of a panel in tiles. Tiles
// are numbered panel by panel, so that neighbours share their panel of b.
template <class T, auto kRows = tile_rows>
struct TileGrid {
    static constexpr Index kColumns = kTileVectors * kLanes<T>;

    static Index vectors(Index columns) {
        return std::min<Index>(kTileVectors, ceil_div(columns, kLanes<T>));
    }
    static Index panel_tiles(Index M, Index columns) { return ceil_div(M, kRows(int(vectors(columns)))); }
    static Index tiles(Index M, Index N) {
        const Index rest = N % kColumns;
        return N / kColumns * panel_tiles(M, kColumns) + (rest ? panel_tiles(M, rest) : 0);
    }
};

template <class T>
struct Product {
    using Grid = TileGrid<T>;

    const T* a;  // a(i, k) = a[i * a_row + k * a_col]
    Index a_row, a_col;
    Index M, N, K;
};

// K rows of b, V vectors wide, `row` elements apart. The first tile that reads them leaves a copy in `room`,
// if any, where they lie side by side for the others.
template <class T>
struct PanelRows {
    const T* data;
    Index row;
    T* room = nullptr;
};

// One tile of R rows and V vectors, from row i of the panel on. With kBias row K of the panel is added. The
// epilogue is called as epilogue(i, v, packet) while the packet is in a register. An epilogue that has work
// left over from the tile before does it piece by piece, epilogue.ride(0) .. epilogue.ride(rides - 1),
// between the multiply-adds of this one, whose latency hides behind them. P is the packet that sums are made
// in: it may be half a vector, where b is no wider.
template <class P, int R, int V, bool kBias, bool kCopy = false, class T, class Epilogue>
FASTMLP_INLINE void multiply_tile(const Product<T>& p, PanelRows<T> panel, Index i, Epilogue& epilogue) {
    using namespace Eigen::internal;
    P c[R][V];
    for (int v = 0; v < V; ++v) {
        P start = pset1<P>(T(0));
        if constexpr (kBias) start = ploadu<P>(panel.data + p.K * panel.row + v * kLanes<T>);
        if constexpr (kBias && kCopy) pstoreu(panel.room + (p.K * V + v) * kLanes<T>, start);
        for (int r = 0; r < R; ++r) c[r][v] = start;
    }
    const T *a = p.a + i * p.a_row, *b = panel.data;
    const auto accumulate = [&](Index steps) FASTMLP_INLINE_LAMBDA {
        for (Index k = 0; k < steps; ++k, a += p.a_col, b += panel.row) {
            P row[V];
            for (int v = 0; v < V; ++v) row[v] = ploadu<P>(b + v * kLanes<T>);
            if constexpr (kCopy) {
                for (int v = 0; v < V; ++v) pstoreu(panel.room + v * kLanes<T>, row[v]);
                panel.room += V * kLanes<T>;
            }
            for (int r = 0; r < R; ++r) {
                const P x = pset1<P>(a[r * p.a_row]);
                for (int v = 0; v < V; ++v) c[r][v] = pmadd(x, row[v], c[r][v]);
            }
        }
    };
    if constexpr (requires { epilogue.ride(0); }) {
        // What waits is a whole tile: only the last of a panel is not.
        constexpr Index kRides = tile_rows(V) * V;
        if (epilogue.waits()) {
            for (Index ride = 0; ride < kRides; ++ride) {
                epilogue.ride(ride);
                accumulate(p.K / kRides);
            }
            accumulate(p.K % kRides);
        } else {
            accumulate(p.K);
        }
    } else {
        accumulate(p.K);
    }
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) epilogue(i + r, v, r * V + v, simd::widen<T>(c[r][v]));
    if constexpr (requires { epilogue.ride(0); }) epilogue.end_tile(i, R);
}

// The last tile of a panel, by its number of rows.
template <class P, int R, int V, bool kBias, class T, class Epilogue>
void multiply_edge(const Product<T>& p, PanelRows<T> panel, Index i, Epilogue& epilogue) {
    if constexpr (R > 1) {
        if (p.M - i < R) return multiply_edge<P, R - 1, V, kBias>(p, panel, i, epilogue);
    }
    multiply_tile<P, R, V, kBias>(p, panel, i, epilogue);
}

// Tiles [first, last) of the panel that begins at column j.
template <class P, int V, bool kBias, class T, class Panels, class Epilogues>
void multiply_panel(const Product<T>& p, const Panels& panels, Index j, Index first, Index last,
                    const Epilogues& epilogues) {
    constexpr int R = tile_rows(V);
    PanelRows<T> panel = panels.template panel<V>(j, last - first);
    auto epilogue = epilogues.template panel<V>(j);
    Index i = first * R;
    if (panel.room && p.M - i >= R) {
        multiply_tile<P, R, V, kBias, true>(p, panel, i, epilogue);
        panel = {panel.room, V * kLanes<T>};
        i += R;
    }
    for (; i < std::min(last * R, p.M); i += R) {
        if (p.M - i >= R)
            multiply_tile<P, R, V, kBias>(p, panel, i, epilogue);
        else
            multiply_edge<P, R - 1, V, kBias>(p, panel, i, epilogue);
    }
}

template <int V, bool kBias, template <class> class Factors, class T, class Panels, class Epilogues>
void multiply_panel_of(Index vectors, const Factors<T>& p, const Panels& panels, Index j, Index first,
                       Index last, const Epilogues& epilogues) {
    if constexpr (V > 1) {
        if (vectors < V)
            return multiply_panel_of<V - 1, kBias>(vectors, p, panels, j, first, last, epilogues);
    }
    if constexpr (V == 1) {
        if (p.N - j <= kLanes<T> / 2)
            return multiply_panel<simd::Half<T>, V, kBias>(p, panels, j, first, last, epilogues);
    }
    multiply_panel<Packet<T>, V, kBias>(p, panels, j, first, last, epilogues);
}

// Tiles [first, last) of the product's grid. panels.panel<V>(j, tiles) gives the rows of b for V vectors
// from column j on, of which so many tiles will be made; epilogues.panel<V>(j) their epilogue.
template <bool kBias = false, template <class> class Factors, class T, class Panels, class Epilogues>
void multiply(const Factors<T>& p, const Panels& panels, Index first, Index last,
              const Epilogues& epilogues) {
    using Grid = typename Factors<T>::Grid;
    const Index full = Grid::panel_tiles(p.M, Grid::kColumns);
    for (Index panel = first / full; first < last; ++panel) {
        const Index j = panel * Grid::kColumns, begin = panel * full;
        const Index end = std::min(last, begin + Grid::panel_tiles(p.M, p.N - j));
        multiply_panel_of<kTileVectors, kBias>(Grid::vectors(p.N - j), p, panels, j, first - begin,
                                               end - begin, epilogues);
        first = end;
    }
}

// A product of one row, V vectors at a time and the rest in halves: b is used once, so it is read in runs as
// long as the registers allow.
template <int V, bool kBias, class T, class Epilogues>
void multiply_row(const Product<T>& p, PanelRows<T> b, Index j, const Epilogues& epilogues) {
    for (; ceil_div(p.N - j, kLanes<T>) >= V; j += V * kLanes<T>) {
        auto epilogue = epilogues.template panel<V>(j);
        multiply_tile<Packet<T>, 1, V, kBias>(p, {b.data + j, b.row}, 0, epilogue);
    }
    if constexpr (V > 1) {
        if (j < p.N) multiply_row<V / 2, kBias>(p, b, j, epilogues);
    }
}

}  // namespace fastmlp
