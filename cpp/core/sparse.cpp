#include "sparse.h"

#include <cassert>

namespace fastmlp {

namespace {

// Entries between two looks at the monitor.
constexpr Index kEntriesPerPoll = 1'000'000;

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
void TransposedBatch<T>::build(const Team& team, const Features<T>& X, const std::uint32_t* order,
                               Index rows) {
    const Index first = team.share(inputs_, team.rank), last = team.share(inputs_, team.rank + 1);
    std::int64_t* const next = starts_.data() + 1;
    const auto each_entry = [&](const auto& work) {
        const auto in_rows = [&](Index begin, Index end) {
            for (Index i = begin; i < end; ++i) {
                const Features<T> row = X.from(order ? Index(order[i]) : i);
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
