// What the products of a step in bfloat16 read: activations and deltas of the batch, rounded and in pairs.
// Everything else of the step stays in float32: sums, activations, losses, weights and their updates.
//
// clang-format off
//     forward   z_l[B, O] = a_{l-1} W_l             a in pairs of columns; W is rounded panel by panel
//     backward  dA_{l-1}[B, I] = delta_l W_l^T      delta in pairs of columns; W^T likewise
//     gradient  dW_l[I, O] = a_{l-1}^T delta_l      a in pairs of rows; delta likewise
// clang-format on
#pragma once

#include <vector>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/kernel/passes.h"
#include "core/model/network.h"

namespace fastmlp {

template <class T>
class RoundedBatch {
public:
    RoundedBatch(const Network<T>& network, Index max_rows, int threads);

    // Rounds some rows, of which the first is even, of a_l or delta_l.
    void round_activations(const Team& team, Range rows, Index l, const T* a, Index ld) const {
        round(team, rows, l, a, ld, a_[std::size_t(l)]);
    }
    void round_deltas(const Team& team, Range rows, Index l, const T* delta, Index ld) const {
        round(team, rows, l, delta, ld, delta_[std::size_t(l)]);
    }

    // The products of layer l = 1 .. L for some rows; those of the gradient begin at an even one.
    PairProduct<T> forward(Index l, Range rows) const {
        return product(a_[std::size_t(l - 1)], rows, width(l), width(l - 1));
    }
    PairProduct<T> backward(Index l, Range rows) const {
        return product(delta_[std::size_t(l)], rows, width(l - 1), width(l));
    }
    PairProduct<T> gradient(Index l, Range rows) const {
        const PairCopies& a = a_[std::size_t(l - 1)];
        return {a.columns + rows.first / 2 * a.column_ld,
                1,
                a.column_ld,
                width(l - 1),
                width(l),
                ceil_div(rows.size(), 2)};
    }

    PairForwardTiles<T> forward_tiles(Index l) const { return forward_[std::size_t(l - 1)]; }
    PairBackwardTiles<T> backward_tiles(Index l) const { return backward_[std::size_t(l - 1)]; }
    Pair* scratch(int rank) const { return scratch_[std::size_t(rank)]; }  // a panel of b

private:
    void round(const Team& team, Range rows, Index l, const T* x, Index ld, const PairCopies& copies) const {
        constexpr Index kRowsPerPoll = 256;  // an even number
        const auto some = [&](Index first, Index last) {
            round_rows(x, ld, width(l), {first, last}, copies);
        };
        team.each(rows, some, kRowsPerPoll);
    }
    Index width(Index l) const { return widths_[std::size_t(l)]; }
    static PairProduct<T> product(const PairCopies& a, Range rows, Index N, Index K) {
        return {a.rows + rows.first * a.row_ld, a.row_ld, 1, rows.size(), N, ceil_div(K, 2)};
    }

    std::vector<Index> widths_;  // of layer 0 .. L, where layer 0 is the input
    Arena<Pair> arena_;          // of the arrays below
    std::vector<PairCopies> a_, delta_;
    std::vector<Pair*> scratch_;
    std::vector<PairForwardTiles<T>> forward_;
    std::vector<PairBackwardTiles<T>> backward_;
};

extern template class RoundedBatch<float>;
extern template class RoundedBatch<double>;

}  // namespace fastmlp
