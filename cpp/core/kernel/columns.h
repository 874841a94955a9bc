// As many rows of a matrix as a packet has lanes, transposed: column j of all of them is then one packet, and
// a sum over each row is a sum of packets, without sums across lanes.
#pragma once

#include "core/base/simd.h"

namespace fastmlp {

// The numbers of the columns of n-wide rows.
template <class T>
constexpr Index columns_size(Index n) {
    return round_up(n, kLanes<T>) * kLanes<T>;
}

// Lane r of columns + j * W becomes element j of row r, 0 for rows that are missing. load(r, j, lanes) gives
// the packet at element j of row r, of which `lanes` count.
template <class T, class Load>
FASTMLP_INLINE void load_columns(Index rows, Index n, T* columns, const Load& load) {
    constexpr Index W = kLanes<T>;
    for (Index j = 0; j < n; j += W) {
        const Index lanes = std::min(W, n - j);
        Eigen::internal::PacketBlock<Packet<T>, W> block;
        if (rows == W)
            for (Index r = 0; r < W; ++r) block.packet[r] = load(r, j, lanes);
        else
            for (Index r = 0; r < W; ++r) block.packet[r] = r < rows ? load(r, j, lanes) : simd::set1(T(0));
        Eigen::internal::ptranspose(block);
        for (Index c = 0; c < lanes; ++c) simd::store(columns + (j + c) * W, block.packet[c]);
    }
}

// The way back: store(r, j, lanes, packet) receives whole packets, with zeros behind the row's end.
template <class T, class Store>
FASTMLP_INLINE void store_rows(Index rows, Index n, const T* columns, const Store& store) {
    constexpr Index W = kLanes<T>;
    for (Index j = 0; j < n; j += W) {
        const Index lanes = std::min(W, n - j);
        Eigen::internal::PacketBlock<Packet<T>, W> block;
        for (Index c = 0; c < W; ++c)
            block.packet[c] = c < lanes ? simd::load(columns + (j + c) * W) : simd::set1(T(0));
        Eigen::internal::ptranspose(block);
        for (Index r = 0; r < rows; ++r) store(r, j, lanes, block.packet[r]);
    }
}

}  // namespace fastmlp
