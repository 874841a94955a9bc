// The tile product, which the forward, backward and gradient pass share. They differ in where b lies and in
// the epilogue: what is done with the sums of a tile.
//
//     C[M, N] = sum_k a(i, k) b(k, j)     a is read from any strides, b in contiguous rows
//
// C is cut into panels of columns and tiles of rows. The sums of a tile stay in registers over all of K: each
// step of k loads one row of b (V vectors) and multiplies it by R numbers of a. Each element of C is one
// chain of multiply-adds over k = 0 .. K-1, whatever tile it falls into, so its bits depend neither on the
// number of threads nor on the rows around it.
#pragma once

#include "core/base/simd.h"

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

// K rows of b, V vectors wide, `row` elements apart. With `scratch` set the first tile that reads the rows
// copies them there, side by side, for the tiles after it.
template <class T>
struct PanelRows {
    const T* data;
    Index row;
    T* scratch = nullptr;
};

// How many packets a tile of V vectors has; a tile wider than kTileVectors has one row.
template <int V>
constexpr int tile_packets = (V <= kTileVectors ? tile_rows(V) : 1) * V;

// One tile of R rows and V vectors, from row i of the panel on. With kBias row K of the panel is added: it
// holds the biases.
//
// The epilogue takes packet n = r V + v of the tile as epilogue(i + r, v, n, packet). It may also have
//   begin_tile(i, R)              called before the product;
//   end_tile(i, R)                called when it has all packets;
//   has_pending(), apply_pending(n), flush()
//                                 it leaves the packets of a whole tile to be applied one by one, n = 0, 1,
//                                 .., between the multiply-adds of the next whole tile: their loads, roots
//                                 and divisions then overlap with multiply-adds instead of waiting for each
//                                 other.
// P is the packet that sums are made in: Half where b fills only half a vector, else Packet<T>.
template <class P, int R, int V, bool kBias, bool kCopy = false, class T, class Epilogue>
FASTMLP_INLINE void multiply_tile(const Product<T>& p, PanelRows<T> panel, Index i, Epilogue& epilogue) {
    using namespace Eigen::internal;
    constexpr bool kDefers = requires { epilogue.apply_pending(0); };
    constexpr bool kWhole = R == tile_rows(V);
    if constexpr (requires { epilogue.begin_tile(i, R); }) epilogue.begin_tile(i, R);
    if constexpr (kDefers && !kWhole) epilogue.flush();
    P c[R][V];
    for (int v = 0; v < V; ++v) {
        P start = pset1<P>(T(0));
        if constexpr (kBias) start = ploadu<P>(panel.data + p.K * panel.row + v * kLanes<T>);
        if constexpr (kBias && kCopy) pstoreu(panel.scratch + (p.K * V + v) * kLanes<T>, start);
        for (int r = 0; r < R; ++r) c[r][v] = start;
    }
    const Index a_row = p.a_row, a_col = p.a_col;  // in registers, whatever the stores of a copy could change
    const T *a = p.a + i * a_row, *b = panel.data;
    const auto accumulate = [&](Index steps) FASTMLP_INLINE_LAMBDA {
        for (Index k = 0; k < steps; ++k, a += a_col, b += panel.row) {
            P row[V];
            for (int v = 0; v < V; ++v) row[v] = ploadu<P>(b + v * kLanes<T>);
            if constexpr (kCopy) {
                for (int v = 0; v < V; ++v) pstoreu(panel.scratch + v * kLanes<T>, row[v]);
                panel.scratch += V * kLanes<T>;
            }
            for (int r = 0; r < R; ++r) {
                const P x = pset1<P>(a[r * a_row]);
                for (int v = 0; v < V; ++v) c[r][v] = pmadd(x, row[v], c[r][v]);
            }
        }
    };
    if constexpr (kDefers && kWhole) {
        if (epilogue.has_pending()) {
            constexpr Index kPending = tile_packets<V>;
            for (Index n = 0; n < kPending; ++n) {
                epilogue.apply_pending(n);
                accumulate(p.K / kPending);
            }
            accumulate(p.K % kPending);
        } else {
            accumulate(p.K);
        }
    } else {
        accumulate(p.K);
    }
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) epilogue(i + r, v, r * V + v, simd::widen<T>(c[r][v]));
    if constexpr (requires { epilogue.end_tile(i, R); }) epilogue.end_tile(i, R);
}

// The last rows of a panel, fewer than a whole tile has: in tiles of R, R / 2, .., 1 rows.
template <class P, int R, int V, bool kBias, class T, class Epilogue>
void multiply_edge(const Product<T>& p, PanelRows<T> panel, Index i, Epilogue& epilogue) {
    if (p.M - i >= R) {
        multiply_tile<P, R, V, kBias>(p, panel, i, epilogue);
        i += R;
    }
    if constexpr (R > 1) {
        if (i < p.M) multiply_edge<P, R / 2, V, kBias>(p, panel, i, epilogue);
    }
}

// Some tiles of the panel that begins at column j.
template <class P, int V, bool kBias, class T, class Panels, class Epilogues>
void multiply_panel(const Product<T>& p, const Panels& panels, Index j, Range tiles,
                    const Epilogues& epilogues) {
    constexpr int R = tile_rows(V);
    static_assert(R <= 8, "an edge has at most 4 + 2 + 1 rows");
    PanelRows<T> panel = panels.template panel<V>(j, tiles.size());
    auto epilogue = epilogues.template panel<V>(j);
    Index i = tiles.first * R;
    if (panel.scratch && p.M - i >= R) {
        multiply_tile<P, R, V, kBias, true>(p, panel, i, epilogue);
        panel = {panel.scratch, V * kLanes<T>};
        i += R;
    }
    for (; i < std::min(tiles.last * R, p.M); i += R) {
        if (p.M - i >= R)
            multiply_tile<P, R, V, kBias>(p, panel, i, epilogue);
        else
            multiply_edge<P, 4, V, kBias>(p, panel, i, epilogue);
    }
}

// The same, for a panel of so many vectors, at most V.
template <int V, bool kBias, template <class> class Factors, class T, class Panels, class Epilogues>
void multiply_panel_of(Index vectors, const Factors<T>& p, const Panels& panels, Index j, Range tiles,
                       const Epilogues& epilogues) {
    if constexpr (V > 1) {
        if (vectors < V) return multiply_panel_of<V - 1, kBias>(vectors, p, panels, j, tiles, epilogues);
    }
    if constexpr (V == 1) {
        if (p.N - j <= kLanes<T> / 2)
            return multiply_panel<simd::Half<T>, V, kBias>(p, panels, j, tiles, epilogues);
    }
    multiply_panel<Packet<T>, V, kBias>(p, panels, j, tiles, epilogues);
}

// Some tiles of the product's grid. panels.panel<V>(j, tiles) gives the rows of b for V vectors from column j
// on, of which so many tiles will be made; epilogues.panel<V>(j) their epilogue. Compiled once for each kind
// of panel and epilogue: it is not inlined where it is called.
template <bool kBias = false, template <class> class Factors, class T, class Panels, class Epilogues>
FASTMLP_NOINLINE void multiply(const Factors<T>& p, const Panels& panels, Range tiles,
                               const Epilogues& epilogues) {
    using Grid = typename Factors<T>::Grid;
    const Index full = Grid::panel_tiles(p.M, Grid::kColumns);
    for (Index panel = tiles.first / full; tiles.first < tiles.last; ++panel) {
        const Index j = panel * Grid::kColumns, begin = panel * full;
        const Index end = std::min(tiles.last, begin + Grid::panel_tiles(p.M, p.N - j));
        multiply_panel_of<kTileVectors, kBias>(Grid::vectors(p.N - j), p, panels, j,
                                               {tiles.first - begin, end - begin}, epilogues);
        tiles.first = end;
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
