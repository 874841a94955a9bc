// The gradients of the parameters besides W and b: tables, periodic columns, scales, alphas. Each is a sum
// over the rows in their order; threads have numbers of their own, so that the bits are the same on any
// number of them.
#pragma once

#include <algorithm>

#include "core/base/parallel.h"
#include "core/model/input_rows.h"

namespace fastmlp {

// A matrix with `ld` elements from row to row.
template <class T>
struct MatrixView {
    const T* data;
    Index ld;
};

// Sums of some rows of a matrix, whose rows and sums may be read and written up to a whole vector: of what
// every row adds to scales and alphas.
template <class T>
void column_sums(const Team& team, MatrixView<T> terms, Range rows, Index columns, T* sums);

// dE[code] = sum of delta_0 over the rows that have the code. row(i) is a row of X.
template <class T, class Row>
void table_gradient(const Team& team, const Table& table, MatrixView<T> delta, Range rows, Row row, T* sums) {
    const Range codes = team.part(table.codes);
    std::fill(sums + codes.first * table.width, sums + codes.last * table.width, T(0));
    for (Index i = rows.first; i < rows.last; ++i) {
        const Index code = code_of(table, row(i));
        if (code < codes.first || code >= codes.last) continue;
        const T* d = delta.data + i * delta.ld + table.input;
        for (Index j = 0; j < table.width; ++j) sums[code * table.width + j] += d[j];
    }
}

// Of kLanes frequencies of a periodic column, from `first` on: what rows add to their gradients. With
// u = 2 pi x w + b, wave = cos(u) V + c and d = dLoss/dwave:
//     dV = cos(u)^T d,  dc = sum of d,  du = -sin(u) (d V^T),  db = sum of du,  dw = sum of 2 pi x du
template <class T>
class PeriodicGradient {
public:
    PeriodicGradient(const PeriodicColumn& column, const T* parameters, Index first);
    void add(T x, const T* d);
    void write(T* gradient) const;

private:
    const PeriodicColumn& column_;
    const Index first_, frequencies_;
    const Packet<T> w_, b_;
    Packet<T> dw_, db_, V_[kMostWaves], dV_[kMostWaves];
    T dc_[kMostWaves] = {};
};

template <class T, class Row>
void periodic_gradient(const Team& team, const PeriodicColumn& column, const T* parameters,
                       MatrixView<T> delta, Range rows, Row row, T* gradient) {
    team.deal(ceil_div(column.frequencies, kLanes<T>), [&](Index begin, Index end) {
        for (Index task = begin; task < end; ++task) {
            PeriodicGradient<T> sums(column, parameters, task * kLanes<T>);
            for (Index i = rows.first; i < rows.last; ++i)
                sums.add(row(i)[column.column], delta.data + i * delta.ld + column.input + 1);
            sums.write(gradient);
        }
    });
}

extern template void column_sums(const Team&, MatrixView<float>, Range, Index, float*);
extern template void column_sums(const Team&, MatrixView<double>, Range, Index, double*);
extern template class PeriodicGradient<float>;
extern template class PeriodicGradient<double>;

}  // namespace fastmlp
