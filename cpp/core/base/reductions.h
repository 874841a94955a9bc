// Sums in a fixed order, and the search for a number that is not finite.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/types.h"

namespace fastmlp {

// Combines term(0), .., term(n - 1) and 0, in double. Sixteen independent results are combined at the end:
// the order depends on n alone.
template <class Term, class Combine>
double in_fixed_order(Index n, Term term, Combine combine) {
    constexpr Index kParts = 16;
    double parts[kParts] = {};
    const Index whole = n / kParts * kParts;
    for (Index i = 0; i < whole; i += kParts)
        for (Index j = 0; j < kParts; ++j) parts[j] = combine(parts[j], term(i + j));
    for (Index i = whole; i < n; ++i) parts[i - whole] = combine(parts[i - whole], term(i));
    return std::accumulate(parts, parts + kParts, 0.0, combine);
}

template <class Term>
double ordered_sum(Index n, Term term) {
    return in_fixed_order(n, term, [](double a, double b) { return a + b; });
}

template <class T>
double sum(const T* x, Index n) {
    return ordered_sum(n, [x](Index i) { return double(x[i]); });
}

template <class T>
double sum_of_squares(const T* x, Index n) {
    return ordered_sum(n, [x](Index i) { return double(x[i]) * double(x[i]); });
}

// Sum of x_i y_i.
inline double dot(const double* x, const double* y, Index n) {
    return ordered_sum(n, [x, y](Index i) { return x[i] * y[i]; });
}

// The largest |x_i|; a NaN counts for nothing.
inline double largest_magnitude(const double* x, Index n) {
    return in_fixed_order(
        n, [x](Index i) { return std::abs(x[i]); }, [](double a, double b) { return std::max(a, b); });
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
