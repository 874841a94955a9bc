// The first layer's inputs of some rows of X.
#pragma once

#include <algorithm>

#include "core/base/simd.h"
#include "core/model/inputs.h"

namespace fastmlp {

// The code of a row x of X. Codes were checked before a run, but X is the user's memory, which may change
// meanwhile: whatever stands there, the code is one of the table's.
template <class T>
Index code_of(const Table& table, const T* x) {
    const T code = x[table.column];
    return code >= 0 && code < T(table.codes) ? Index(code) : 0;
}

// Of kLanes numbers x: the waves cos(2 pi x w + b) V + c, [waves, kLanes].
template <class T>
void periodic_waves(const Periodic& shape, const T* parameters, const T* x, T* waves);

inline constexpr Index kMostWaves = 127;  // of a column

// Writes the inputs, without their scales, of rows first .. last, which row(i) finds, from `out` [rows, ld]
// on.
template <class T, class Row>
void write_inputs(const InputBlock& block, const InputWeights<T>& weights, Index first, Index last, Row row,
                  T* out, Index ld) {
    const auto write = [&](Index i) {
        const T* const x = row(i);
        T* inputs = out + (i - first) * ld;
        for (const Index column : block.plain_columns()) *inputs++ = x[column];
        for (std::size_t j = 0; j < block.tables().size(); ++j) {
            const Table& table = block.tables()[j];
            std::copy_n(weights.tables[j] + code_of(table, x) * table.width, table.width,
                        out + (i - first) * ld + table.input);
        }
    };
    for (Index i = first; i < last; ++i) write(i);
    for (std::size_t j = 0; j < block.periodic().size(); ++j) {
        const PeriodicColumn& column = block.periodic()[j];
        T x[kLanes<T>] = {}, waves[kMostWaves * kLanes<T>];
        for (Index i = first; i < last; i += kLanes<T>) {
            const Index rows = std::min(kLanes<T>, last - i);
            for (Index r = 0; r < rows; ++r) x[r] = row(i + r)[column.column];
            periodic_waves(column, weights.periodic[j], x, waves);
            for (Index r = 0; r < rows; ++r) {
                T* inputs = out + (i - first + r) * ld + column.input;
                *inputs++ = x[r];
                for (Index v = 0; v < column.waves(); ++v) *inputs++ = waves[v * kLanes<T> + r];
            }
        }
    }
}

// out = s * inputs, n rows of `width` numbers; both may be one array.
template <class T>
void scale_inputs(const T* s, const T* inputs, T* out, Index n, Index width, Index ld);

extern template void periodic_waves(const Periodic&, const float*, const float*, float*);
extern template void periodic_waves(const Periodic&, const double*, const double*, double*);
extern template void scale_inputs(const float*, const float*, float*, Index, Index, Index);
extern template void scale_inputs(const double*, const double*, double*, Index, Index, Index);

}  // namespace fastmlp
