// The gradient of a step whose rows lie in several shards, and the update that follows it.
//
// Each shard's gradient is made as that of a batch; they are added in the tree of base/shards.h. Where there
// are several processes, each adds the gradients of its own shards first. Then they halve their sums again
// and again (recursive halving): a process keeps one half of what it has and swaps the other half with a
// partner, the nearest first. In the end each has a slice of the whole gradient, updates that slice of the
// parameters with its slice of the optimizer's state, and all gather the parameters by the same swaps
// backwards (Thakur, Rabenseifner, Gropp, 2005).
#pragma once

#include <bit>

#include "core/base/shards.h"
#include "core/train/step.h"
#include "core/train/whole_gradient.h"

namespace fastmlp {

template <class T>
class ShardedGradient {
public:
    ShardedGradient(const PanelLayout<T>& layout, const Shards& shards, NormLimit limit = {});

    // The parameters that this process updates. The optimizer's state has these alone.
    Range slice() const { return numbers(parts_.back()); }
    T* data() const { return sums_.front().data(); }

    // Takes a batch through the network and back, and adds the gradients of its shards, without a penalty, to
    // those before: of one of the own shards, 0, 1, .., or of several from `first` on. On rank 0
    // record(shard, rows) is called once their losses are known. Every thread of the team calls this and what
    // follows.
    template <class Record>
    void add_shards(const Team& team, Backprop<T>& backprop, const Batch<T>& batch, int first, Drop drop,
                    const Record& record);

    // After the last own shard: adds what the other processes have, each for its slice. False after a
    // failure of the exchange.
    bool add_processes(const Team& team);

    // Hands the slice to the rule, clipped if it is to be. `update` has the parameters, and state of the
    // slice.
    void apply(const Team& team, Update<T> update, const GradientTiles<T>& tiles);

    // Adds l2 times the weights to the slice.
    void add_penalty(const Team& team, T* parameters, T l2);

    // Completes an array that is laid out as the parameters by the slices of the other processes. False
    // after a failure of the exchange.
    bool gather(const Team& team, T* array);

private:
    static constexpr Index kUnit = 64,
                           kTask = 4096;  // numbers: of slices multiples, and of a task of squares

    // Where a slice begins.
    Index begin(Index slice) const {
        const Index size = layout_.size();
        return slice == shards_.count() ? size : size * slice / shards_.count() / kUnit * kUnit;
    }
    Range numbers(Range slices) const { return {begin(slices.first), begin(slices.last)}; }
    int partner(std::size_t level) const { return shards_.exchange()->rank() ^ (1 << level); }
    Range other_half(std::size_t level) const;
    bool swap(const Team& team, int partner, const T* out, Index n_out, T* in, Index n_in);
    void add_nothing(const Team& team, T* sum, bool adds) const;
    void merge(const Team& team, int shard);
    void sum_squares(const Team& team);

    const PanelLayout<T>& layout_;
    const Shards shards_;
    const NormLimit limit_;
    std::vector<Range> parts_;  // slices: all, the half that is kept after the first swap, and so on
    // Sums of the own shards that are still to be added to others, the earliest first; the last one is of one
    // shard or two.
    std::vector<AlignedBuffer<T>> sums_;
    AlignedBuffer<T> received_;
    std::vector<double> squares_;  // of the slice, one a task

    // Written by rank 0, read by others behind a barrier.
    bool swapped_ = true;
    double scale_ = 1;
};

// Of shards 0 and 1 the second one's gradient is added to the stored one as it is made, and so of any pair.
template <class T>
template <class Record>
void ShardedGradient<T>::add_shards(const Team& team, Backprop<T>& backprop, const Batch<T>& batch, int first,
                                    Drop drop, const Record& record) {
    if (batch.rows > 0) backprop.passes(team, batch, drop);
    team.barrier();  // the losses and deltas of all rows are there
    int shard = first;
    const Range all{0, batch.rows};
    for (const Range& rows : batch.shards.empty() ? std::span(&all, 1) : batch.shards) {
        const bool adds = shard % 2 == 1;
        T* const sum = sums_[std::size_t(std::popcount(unsigned(shard) & ~1u))].data();
        const auto tiles = adds ? add_gradient_tiles<T>() : store_gradient_tiles<T>();
        if (team.rank == 0) record(shard, rows);
        if (rows.size() > 0)
            backprop.gradients(team, batch, rows, Update<T>(backprop.parameters(), sum, nullptr), tiles);
        else
            add_nothing(team, sum, adds);
        team.barrier();  // the gradient is there
        if (adds) merge(team, shard);
        ++shard;
    }
}

extern template class ShardedGradient<float>;
extern template class ShardedGradient<double>;

}  // namespace fastmlp
