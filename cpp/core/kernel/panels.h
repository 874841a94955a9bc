// Where the second factor of a product lies: weights in the flat buffer or in panels, their transpose, rows
// of a matrix.
//
// While a network trains its parameters lie in panels. A layer's W[I, O] with its biases [O] as one more row
// is a matrix [I + 1, O]. It is cut into panels of columns one tile wide; each is stored as [I + 1, width],
// one behind the other, filled up with zeros to whole vectors. The products then read the weights, and the
// updates write them, as one stream.
#pragma once

#include <vector>

#include "core/kernel/tile.h"

namespace fastmlp {

template <class T>
struct LayerPanels {
    static constexpr Index kColumns = TileGrid<T>::kColumns;

    Index offset, inputs, outputs;

    Index count() const { return ceil_div(outputs, kColumns); }
    Index width(Index panel) const {
        return std::min(kColumns, round_up(outputs - panel * kColumns, kLanes<T>));
    }
    Index weights(Index panel) const { return offset + panel * (inputs + 1) * kColumns; }
    Index biases(Index panel) const { return weights(panel) + inputs * width(panel); }
    Index size() const { return (inputs + 1) * round_up(outputs, kLanes<T>); }
};

// The numbers of a panel of b with K rows.
template <class T>
constexpr Index panel_size(Index K) {
    return round_up(K, kLanes<T>) * TileGrid<T>::kColumns;
}

// W with b behind its last row, I + 1 rows: in the flat buffer, where the next row is O elements on, or in
// panels.
template <class T>
struct WeightPanels {
    const T* data;
    Index panel_stride;
    Index row;             // elements from row to row; 0: the panel's width
    T* scratch = nullptr;  // for copies of panels of the flat buffer, panel_size(I + 1); may be null

    template <int V>
    PanelRows<T> panel(Index j, Index tiles) const {
        const T* begin = data + j / TileGrid<T>::kColumns * panel_stride;
        if (row == 0) return {begin, V * kLanes<T>};
        constexpr Index kWorthACopy = 3;  // tiles that read the panel
        return {begin, row, tiles < kWorthACopy ? nullptr : scratch};
    }
};

// W^T[O, I] of a layer in panels, transposed a panel at a time into this thread's scratch memory.
template <class T>
struct TransposedPanels {
    const T* parameters;
    LayerPanels<T> layer;
    T* scratch;

    template <int V>
    PanelRows<T> panel(Index j, Index) const {
        constexpr Index W = kLanes<T>;
        for (Index p = 0; p < layer.count(); ++p) {
            const Index width = layer.width(p);
            const T* in = parameters + layer.weights(p) + j * width;
            T* out = scratch + p * layer.kColumns * V * W;
            for (Index v = 0; v < V; ++v)
                for (Index o = 0; o < width; o += W)
                    transpose(in + v * W * width + o, width, layer.inputs - j - v * W,
                              out + o * V * W + v * W, V * W);
        }
        return {scratch, V * W};
    }

private:
    // One packet each way; rows that are missing count as 0.
    static FASTMLP_INLINE void transpose(const T* in, Index ld_in, Index rows, T* out, Index ld_out) {
        constexpr Index W = kLanes<T>;
        Eigen::internal::PacketBlock<Packet<T>, W> block;
        if (rows >= W)
            for (Index r = 0; r < W; ++r) block.packet[r] = simd::load(in + r * ld_in);
        else
            for (Index r = 0; r < W; ++r)
                block.packet[r] = r < rows ? simd::load(in + r * ld_in) : simd::set1(T(0));
        Eigen::internal::ptranspose(block);
        for (Index r = 0; r < W; ++r) simd::store(out + r * ld_out, block.packet[r]);
    }
};

// The K rows of a matrix, `ld` elements apart.
template <class T>
struct MatrixPanels {
    const T* data;
    Index ld, K;
    T* scratch;  // for a copy of a panel

    // Whether so many tiles are worth a copy of their panel: it must fit into the cache.
    static constexpr Index kMostRows = 4096;
    static bool copies(Index tiles, Index K) { return tiles >= 64 && K <= kMostRows; }

    template <int V>
    PanelRows<T> panel(Index j, Index tiles) const {
        return {data + j, ld, copies(tiles, K) ? scratch : nullptr};
    }
};

}  // namespace fastmlp
