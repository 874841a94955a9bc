#include "core/train/transposed_batch.h"

#include <cassert>

namespace fastmlp {

namespace {

// Entries between two looks at the monitor.
constexpr Index kEntriesPerPoll = 1'000'000;

// Rows lie anywhere in memory: they are called for ahead of their turn.
template <class T>
void prefetch(const Features<T>& row) {
    constexpr Index kLine = 64 / Index(sizeof(std::int32_t));
    for (Index entry = row.starts[0]; entry < row.starts[1]; entry += kLine) {
        Eigen::internal::prefetch(row.columns + entry);
        Eigen::internal::prefetch(row.values + entry);
    }
}

}  // namespace

template <class T>
TransposedBatch<T>::TransposedBatch(Index inputs, Index most_entries, int threads)
    : inputs_(inputs),
      values_(most_entries),
      rows_(most_entries),
      starts_(inputs + 1),
      thread_entries_(std::size_t(threads)) {}

// Calls work(row of the batch, feature, where the entry lies in X) for the entries of some features, row by
// row.
template <class T>
template <class Work>
void TransposedBatch<T>::each_entry(const Team& team, const SparseRows<T>& batch, Index rows, Range features,
                                    const Work& work) const {
    const std::int32_t* const columns = batch.X.columns;
    const auto in_rows = [&](Index first, Index last) {
        for (Index i = first; i < last; ++i) {
            const Features<T> row = batch[i];
            prefetch(batch[std::min(i + 4, last - 1)]);
            const std::int32_t* const end = columns + row.starts[1];
            const std::int32_t* column = std::lower_bound(columns + row.starts[0], end, features.first);
            for (; column < end && *column < features.last; ++column) work(i, *column, column - columns);
        }
    };
    team.each({0, rows}, in_rows, std::max<Index>(kEntriesPerPoll / (longest_row() + 1), 1));
}

// A counting sort, which keeps the order of the batch. Each thread sorts the entries of its part of the
// features: it counts them, waits for the counts of the threads before it, which say where its entries begin,
// and places them.
template <class T>
void TransposedBatch<T>::sort(const Team& team, const SparseRows<T>& batch, Index rows) {
    if (!batch.order && batch.X.starts == sorted_) return;
    const Range features = team.part(inputs_);
    // next[f] is first the number of entries of feature f, then where its next one goes. In the end that is
    // where the entries of feature f + 1 begin, as it should be: next[f] is starts_[f + 1], and starts_[0]
    // stays 0.
    std::int64_t* const next = starts_.data() + 1;
    std::fill(next + features.first, next + features.last, 0);
    each_entry(team, batch, rows, features, [&](Index, Index feature, Index) { ++next[feature]; });
    thread_entries_[std::size_t(team.rank)] =
        std::accumulate(next + features.first, next + features.last, Index(0));
    team.barrier();

    if (team.rank == 0) sorted_ = nullptr;
    std::int64_t at = std::accumulate(thread_entries_.begin(), thread_entries_.begin() + team.rank, Index(0));
    for (Index feature = features.first; feature < features.last; ++feature)
        at += std::exchange(next[feature], at);
    assert(at <= values_.size());
    // After an interrupt some entries may not have been counted, but then none is placed here either.
    each_entry(team, batch, rows, features, [&](Index i, Index feature, Index entry) {
        const std::int64_t to = next[feature]++;
        values_.data()[to] = batch.X.values[entry];
        rows_.data()[to] = std::int32_t(i);
    });
    const bool whole = !team.monitor || !team.monitor->interrupted();
    if (team.rank == 0 && !batch.order && whole) sorted_ = batch.X.starts;
}

template class TransposedBatch<float>;
template class TransposedBatch<double>;

}  // namespace fastmlp
