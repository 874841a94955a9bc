// The entries of a batch of sparse rows, sorted by feature: X^T in CSR, whose columns are the rows of the
// batch.
#pragma once

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/kernel/sparse_product.h"

namespace fastmlp {

template <class T>
class TransposedBatch {
public:
    TransposedBatch(Index inputs, Index most_entries, int threads);

    // Sorts the entries of a batch of so many rows; every thread of the team calls it, and a barrier must
    // stand before what follows. The full batch comes again and again without an order: it is sorted once.
    void sort(const Team& team, const SparseRows<T>& batch, Index rows);

    SparseRows<T> features() const { return {{values_.data(), 0, rows_.data(), starts_.data()}}; }

    // An upper bound to the entries of a row of any batch.
    Index longest_row() const { return std::min(inputs_, values_.size()); }

private:
    template <class Work>
    void each_entry(const Team& team, const SparseRows<T>& batch, Index rows, Range features,
                    const Work& work) const;

    const Index inputs_;
    AlignedBuffer<T> values_;
    AlignedBuffer<std::int32_t> rows_;
    AlignedBuffer<std::int64_t> starts_;
    std::vector<Index> thread_entries_;     // of each thread's features
    const std::int64_t* sorted_ = nullptr;  // the batch without an order that is sorted, by its first row
};

extern template class TransposedBatch<float>;
extern template class TransposedBatch<double>;

}  // namespace fastmlp
