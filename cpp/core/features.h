// Rows of X: dense, or sparse in CSR (compressed sparse rows).
#pragma once

#include <functional>
#include <numeric>
#include <optional>
#include <vector>

#include "types.h"

namespace fastmlp {

template <class T>
struct Features {
    const T* values;
    Index ld = 0;                           // dense: elements from row to row
    const std::int32_t* columns = nullptr;  // sparse: the column of each value, increasing along a row
    const std::int64_t* starts = nullptr;   // sparse: where the values of each row begin, and the last end

    bool sparse() const { return starts != nullptr; }
    Features from(Index row) const {
        return sparse() ? Features{values, ld, columns, starts + row} : Features{values + row * ld, ld};
    }
    Index entries(Index rows) const { return Index(starts[rows] - starts[0]); }

    // The share of the elements that are there.
    double density(Index rows, Index inputs) const {
        return sparse() && rows > 0 ? double(entries(rows)) / double(rows) / double(inputs) : 1;
    }
};

// The most entries that any `batch` of the rows have together; nothing where X is dense.
template <class T>
std::optional<Index> most_entries(const Features<T>& X, Index rows, Index batch) {
    if (!X.sparse()) return std::nullopt;
    std::vector<Index> counts;
    for (Index i = 0; i < rows; ++i) counts.push_back(X.from(i).entries(1));
    std::nth_element(counts.begin(), counts.begin() + batch, counts.end(), std::greater<>());
    return std::accumulate(counts.begin(), counts.begin() + batch, Index(0));
}

}  // namespace fastmlp
