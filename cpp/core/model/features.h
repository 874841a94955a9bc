// The rows that a network learns from or predicts for: features X, dense or sparse, and targets.
#pragma once

#include <functional>
#include <numeric>
#include <optional>
#include <vector>

#include "core/base/types.h"

namespace fastmlp {

// Rows of X: dense, or sparse in CSR (compressed sparse rows).
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

    // Entries that are there, of each element of X.
    double density(Index rows, Index inputs) const {
        return sparse() && rows > 0 ? double(entries(rows)) / double(rows) / double(inputs) : 1;
    }
};

// What each row should give: a class, or O numbers.
template <class T>
struct Targets {
    const std::int32_t* labels = nullptr;  // [n]
    const T* values = nullptr;             // [n, O]
    const T* weights = nullptr;            // [n], all 1 if null
};

// All rows of X and the targets, or some of them.
template <class T>
struct Data {
    Features<T> X;
    Index rows;
    Targets<T> targets;
    const std::uint32_t* order = nullptr;  // [rows], the place of each in X and the targets; null: in order

    Index place(Index i) const { return order ? Index(order[i]) : i; }
    Index entries(Index i) const { return X.from(place(i)).entries(1); }

    // Entries that are there, of each element of the rows.
    double density(Index inputs) const {
        if (!X.sparse() || !order) return X.density(rows, inputs);
        Index total = 0;
        for (Index i = 0; i < rows; ++i) total += entries(i);
        return double(total) / double(rows) / double(inputs);
    }

    // The most entries that any `batch` of the rows have together; nothing where X is dense.
    std::optional<Index> most_entries(Index batch) const {
        if (!X.sparse()) return std::nullopt;
        batch = std::min(batch, rows);
        std::vector<Index> counts;
        for (Index i = 0; i < rows; ++i) counts.push_back(entries(i));
        std::nth_element(counts.begin(), counts.begin() + batch, counts.end(), std::greater<>());
        return std::accumulate(counts.begin(), counts.begin() + batch, Index(0));
    }
};

}  // namespace fastmlp
