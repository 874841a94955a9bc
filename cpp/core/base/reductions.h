// Sums in a fixed order, and the search for a number that is not finite.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/types.h"

namespace fastmlp {

// Sum of f(x_i), in double. Sixteen independent sums are added at the end: the order depends on n alone.
template <class T, class F>
double ordered_sum(const T* x, Index n, F f) {
    constexpr Index kSums = 16;
    double sums[kSums] = {};
    const Index whole = n / kSums * kSums;
    for (Index i = 0; i < whole; i += kSums)
        for (Index j = 0; j < kSums; ++j) sums[j] += f(double(x[i + j]));
    for (Index i = whole; i < n; ++i) sums[i - whole] += f(double(x[i]));
    return std::accumulate(sums, sums + kSums, 0.0);
}

template <class T>
double sum(const T* x, Index n) {
    return ordered_sum(x, n, [](double v) { return v; });
}

template <class T>
double sum_of_squares(const T* x, Index n) {
    return ordered_sum(x, n, [](double v) { return v * v; });
}

// Sum of x_i y_i, in the order of ordered_sum.
inline double dot(const double* x, const double* y, Index n) {
    constexpr Index kSums = 16;
    double sums[kSums] = {};
    const Index whole = n / kSums * kSums;
    for (Index i = 0; i < whole; i += kSums)
        for (Index j = 0; j < kSums; ++j) sums[j] += x[i + j] * y[i + j];
    for (Index i = whole; i < n; ++i) sums[i - whole] += x[i] * y[i];
    return std::accumulate(sums, sums + kSums, 0.0);
}

// The largest |x_i|; a NaN counts for nothing.
inline double largest_magnitude(const double* x, Index n) {
    constexpr Index kParts = 16;
    double largest[kParts] = {};
    const Index whole = n / kParts * kParts;
    for (Index i = 0; i < whole; i += kParts)
        for (Index j = 0; j < kParts; ++j) largest[j] = std::max(largest[j], std::abs(x[i + j]));
    for (Index i = whole; i < n; ++i) largest[i - whole] = std::max(largest[i - whole], std::abs(x[i]));
    return *std::max_element(largest, largest + kParts);
}

// Position of the first NaN or infinity, -1 if all is finite.
template <class T>
Index first_nonfinite(const T* x, Index n) {
    constexpr Index kSums = 256 / Index(sizeof(T)), kBlock = 16 * kSums;  // independent sums become vectors
    const auto look = [x](Index from, Index to) {
        for (Index i = from; i < to; ++i)
            if (!std::isfinite(x[i])) return i;
        return Index(-1);
    };
    if (n <= kSums) return look(0, n);
    for (Index first = 0; first < n; first += kBlock) {
        const Index last = std::min(first + kBlock, n);
        T sums[kSums] = {};
        Index i = first;
        for (; i + kSums <= last; i += kSums)
            for (Index j = 0; j < kSums; ++j) sums[j] += x[i + j] * T(0);  // NaN if x is NaN or infinite
        for (; i < last; ++i) sums[0] += x[i] * T(0);
        T total = 0;
        for (const T part : sums) total += part;
        if (total != 0) return look(first, last);
    }
    return -1;
}

}  // namespace fastmlp
