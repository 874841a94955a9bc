// Rows as Python hands them over, and as the core reads them.
#pragma once

#include <variant>

#include "bindings.h"

namespace fastmlp {

// X: a matrix, or the values, columns and starts of one in CSR.
template <class T>
using SparseArrays = std::tuple<Array<T>, Array<std::int32_t>, Array<std::int64_t>>;
template <class T>
using FeatureArrays = std::variant<Array<T>, SparseArrays<T>>;

// The features, and the number of rows.
template <class T>
std::pair<Features<T>, Index> features(const FeatureArrays<T>& X) {
    if (const auto* dense = std::get_if<Array<T>>(&X))
        return {{dense->data(), dense->shape(1)}, dense->shape(0)};
    const auto& [values, columns, starts] = std::get<SparseArrays<T>>(X);
    return {{values.data(), 0, columns.data(), starts.data()}, starts.size() - 1};
}

// Rows of X with their targets: labels or values, and weights; all of them, or those of an index.
template <class T>
struct DataArrays {
    using Tuple = std::tuple<FeatureArrays<T>, std::optional<Array<std::int32_t>>, std::optional<Array<T>>,
                             std::optional<Array<T>>, std::optional<Array<std::uint32_t>>>;

    FeatureArrays<T> X;
    std::optional<Array<std::int32_t>> labels;
    std::optional<Array<T>> values, weights;
    std::optional<Array<std::uint32_t>> index = std::nullopt;

    Data<T> data() const {
        Targets<T> targets;
        if (labels) targets.labels = labels->data();
        if (values) targets.values = values->data();
        if (weights) targets.weights = weights->data();
        const auto [matrix, n] = features(X);
        if (index) return {matrix, index->size(), targets, index->data()};
        return {matrix, n, targets};
    }
};

}  // namespace fastmlp
