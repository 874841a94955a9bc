#include "sparse.h"

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
      shares_(std::size_t(threads)) {}

// A counting sort, which keeps the order of the batch. next[f] counts the entries of feature f, then says
// where its next one goes, and ends where those of feature f + 1 begin.
template <class T>
void TransposedBatch<T>::build(const Team& team, const SparseRows<T>& batch, Index rows) {
    if (!batch.order && batch.X.starts == sorted_) return;
    const Features<T>& X = batch.X;
    const Index first = team.share(inputs_, team.rank), last = team.share(inputs_, team.rank + 1);
    std::int64_t* const next = starts_.data() + 1;
    const auto each_entry = [&](const auto& work) {
        const auto in_rows = [&](Index begin, Index end) {
            for (Index i = begin; i < end; ++i) {
                const Features<T> row = batch[i];
                prefetch(batch[std::min(i + 4, end - 1)]);
                const std::int32_t* const stop = X.columns + row.starts[1];
                const std::int32_t* column = std::lower_bound(X.columns + row.starts[0], stop, first);
                for (; column < stop && *column < last; ++column) work(i, *column, column - X.columns);
            }
        };
        team.each(0, rows, in_rows, std::max<Index>(kEntriesPerPoll / (longest_row() + 1), 1));
    };

    std::fill(next + first, next + last, 0);
    each_entry([&](Index, Index feature, Index) { ++next[feature]; });
    shares_[std::size_t(team.rank)] = std::accumulate(next + first, next + last, Index(0));
    team.barrier();
    if (team.rank == 0) sorted_ = batch.order ? nullptr : X.starts;
    std::int64_t at = std::accumulate(shares_.begin(), shares_.begin() + team.rank, Index(0));
    for (Index feature = first; feature < last; ++feature) at += std::exchange(next[feature], at);
    assert(at <= values_.size());
    // Whoever was interrupted while counting does not come here, so nobody else's entries are overwritten.
    each_entry([&](Index i, Index feature, Index entry) {
        const std::int64_t to = next[feature]++;
        values_.data()[to] = X.values[entry];
        rows_.data()[to] = std::int32_t(i);
    });
}

template class TransposedBatch<float>;
template class TransposedBatch<double>;

}  // namespace fastmlp
