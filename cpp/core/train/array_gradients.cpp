#include "core/train/array_gradients.h"

#include "core/base/vector_math.h"

namespace fastmlp {

using namespace Eigen::internal;

template <class T>
void column_sums(const Team& team, MatrixView<T> terms, Range rows, Index columns, T* sums) {
    const Range mine = team.part(ceil_div(columns, kLanes<T>));
    for (Index at = mine.first * kLanes<T>; at < mine.last * kLanes<T>; at += kLanes<T>) {
        Packet<T> sum = simd::set1(T(0));
        for (Index i = rows.first; i < rows.last; ++i)
            sum = padd(sum, simd::load(terms.data + i * terms.ld + at));
        simd::store(sums + at, sum);
    }
}

template <class T>
PeriodicGradient<T>::PeriodicGradient(const PeriodicColumn& column, const T* parameters, Index first)
    : column_(column),
      first_(first),
      frequencies_(std::min(kLanes<T>, column.frequencies - first)),
      w_(simd::load(parameters + first, frequencies_)),
      b_(simd::load(parameters + column.frequencies + first, frequencies_)),
      dw_(simd::set1(T(0))),
      db_(dw_) {
    const PeriodicArrays<const T*> p(column, parameters);
    const Index waves = column.waves();
    for (Index v = 0; v < waves; ++v) {
        T lanes[kLanes<T>] = {};
        for (Index k = 0; k < frequencies_; ++k) lanes[k] = p.V[(first + k) * waves + v];
        V_[v] = simd::load(lanes);
        dV_[v] = simd::set1(T(0));
    }
}

template <class T>
void PeriodicGradient<T>::add(T x, const T* d) {
    const Packet<T> at = simd::set1(x);
    const auto wave = vmath::wave(at, w_, b_);
    Packet<T> dcos = simd::set1(T(0));
    for (Index v = 0; v < column_.waves(); ++v) {
        const Packet<T> dv = simd::set1(d[v]);
        dcos = pmadd(dv, V_[v], dcos);
        dV_[v] = pmadd(dv, wave.cos, dV_[v]);
        dc_[v] += d[v];
    }
    const Packet<T> minus_du = pmul(wave.sin, dcos);
    db_ = psub(db_, minus_du);
    dw_ = pmadd(pmul(at, simd::set1(T(-6.283185307179586476925))), minus_du, dw_);
}

template <class T>
void PeriodicGradient<T>::write(T* gradient) const {
    const PeriodicArrays<T*> to(column_, gradient);
    const Index waves = column_.waves();
    simd::store(to.w + first_, dw_, frequencies_);
    simd::store(to.b + first_, db_, frequencies_);
    for (Index v = 0; v < waves; ++v) {
        T lanes[kLanes<T>];
        simd::store(lanes, dV_[v]);
        for (Index k = 0; k < frequencies_; ++k) to.V[(first_ + k) * waves + v] = lanes[k];
        if (first_ == 0) to.c[v] = dc_[v];
    }
}

template void column_sums(const Team&, MatrixView<float>, Range, Index, float*);
template void column_sums(const Team&, MatrixView<double>, Range, Index, double*);
template class PeriodicGradient<float>;
template class PeriodicGradient<double>;

}  // namespace fastmlp
