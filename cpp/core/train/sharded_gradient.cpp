#include "core/train/sharded_gradient.h"

#include <numeric>

namespace fastmlp {

template <class T>
ShardedGradient<T>::ShardedGradient(const PanelLayout<T>& layout, const Shards& shards, NormLimit limit)
    : layout_(layout), shards_(shards), limit_(limit), parts_{{0, shards.count()}} {
    const int pending = std::max(int(std::bit_width(unsigned(shards.own()))) - 1, 1);
    for (int i = 0; i < pending; ++i) sums_.emplace_back(layout.size());
    const Exchange* const exchange = shards.exchange();
    for (int distance = 1; exchange && distance < exchange->size(); distance *= 2) {
        const auto [first, last] = parts_.back();
        const Index middle = (first + last) / 2;
        parts_.push_back(exchange->rank() & distance ? Range{middle, last} : Range{first, middle});
    }
    if (parts_.size() > 1) received_ = AlignedBuffer<T>(numbers(parts_[1]).size());
    if (limit.any()) squares_.resize(std::size_t(ceil_div(slice().size(), kTask) + shards.own()));
}

// Of what two partners had together, the half that this process gives away.
template <class T>
Range ShardedGradient<T>::other_half(std::size_t level) const {
    const Range both = parts_[level], kept = parts_[level + 1];
    return kept.first == both.first ? Range{kept.last, both.last} : Range{both.first, kept.first};
}

// A shard without rows in this step: the same as if it had a gradient of zeros.
template <class T>
void ShardedGradient<T>::add_nothing(const Team& team, T* sum, bool adds) const {
    const Range mine = team.part(layout_.size());
    for (Index i = mine.first; i < mine.last; ++i) sum[i] = adds ? sum[i] + T(0) : T(0);
}

// After the second shard of a pair: where two sums of equally many shards are there, they are added.
template <class T>
void ShardedGradient<T>::merge(const Team& team, int shard) {
    const Range mine = team.part(layout_.size());
    auto last = std::size_t(std::popcount(unsigned(shard) & ~1u));
    for (int merges = std::countr_one(unsigned(shard)) - 1; merges > 0; --merges, --last) {
        T* const sum = sums_[last - 1].data();
        const T* const added = sums_[last].data();
        for (Index i = mine.first; i < mine.last; ++i) sum[i] += added[i];
        team.barrier();  // the next shard's gradient may take the place of what was added
    }
}

template <class T>
bool ShardedGradient<T>::swap(const Team& team, int partner, const T* out, Index n_out, T* in, Index n_in) {
    if (team.rank == 0)
        swapped_ = shards_.exchange()->swap(partner, std::as_bytes(std::span(out, std::size_t(n_out))),
                                            std::as_writable_bytes(std::span(in, std::size_t(n_in))));
    team.barrier();
    return swapped_;
}

template <class T>
bool ShardedGradient<T>::add_processes(const Team& team) {
    team.barrier();  // the sum of the own shards is there
    for (std::size_t level = 0; level + 1 < parts_.size(); ++level) {
        const Range kept = numbers(parts_[level + 1]), given = numbers(other_half(level));
        if (!swap(team, partner(level), data() + given.first, given.size(), received_.data(), kept.size()))
            return false;
        const Range mine = team.part(kept.size());
        T* const sum = data() + kept.first;
        for (Index i = mine.first; i < mine.last; ++i) sum[i] += received_.data()[i];
        team.barrier();
    }
    return true;
}

template <class T>
bool ShardedGradient<T>::gather(const Team& team, T* array) {
    for (std::size_t level = parts_.size() - 1; level-- > 0;) {
        team.barrier();  // all threads have written their part of the slice, and know of the swap before
        const Range mine = numbers(parts_[level + 1]), missing = numbers(other_half(level));
        if (!swap(team, partner(level), array + mine.first, mine.size(), array + missing.first,
                  missing.size()))
            return false;
    }
    return true;
}

template <class T>
void ShardedGradient<T>::apply(const Team& team, Update<T> update, const GradientTiles<T>& tiles) {
    if (limit_.any()) {
        add_penalty(team, update.w, update.l2);
        update.l2 = 0;
        team.barrier();  // the slice has its penalty
        sum_squares(team);
    }
    update.w += slice().first;
    apply_stored(team, layout_, data(), T(scale_), update, tiles, slice());
}

template <class T>
void ShardedGradient<T>::add_penalty(const Team& team, T* parameters, T l2) {
    if (l2 == 0) return;
    Update<T> store(parameters + slice().first, data() + slice().first, nullptr);
    store.l2 = l2;
    apply_stored(team, layout_, data(), T(1), store, store_gradient_tiles<T>(), slice());
}

// Slice by slice, however many of them this process has.
template <class T>
void ShardedGradient<T>::sum_squares(const Team& team) {
    const Range slices = parts_.back();
    std::vector<double> totals;
    Index done = 0;
    for (Index slice = slices.first; slice < slices.last; ++slice) {
        const Index first_number = begin(slice), size = begin(slice + 1) - first_number;
        const Index tasks = ceil_div(size, kTask);
        team.deal(tasks, [&](Index first, Index last) {
            for (Index task = first; task < last; ++task)
                squares_[std::size_t(done + task)] = sum_of_squares(data() + first_number + task * kTask,
                                                                    std::min(kTask, size - task * kTask));
        });
        done += tasks;
    }
    team.barrier();
    if (team.rank == 0) {
        const double* next = squares_.data();
        for (Index slice = slices.first; slice < slices.last; ++slice) {
            const Index tasks = ceil_div(begin(slice + 1) - begin(slice), kTask);
            totals.push_back(std::accumulate(next, next + tasks, 0.0));
            next += tasks;
        }
        scale_ = limit_.scale(shards_.total_of_slices(totals));
    }
    team.barrier();  // the scale is there
}

template class ShardedGradient<float>;
template class ShardedGradient<double>;

}  // namespace fastmlp
