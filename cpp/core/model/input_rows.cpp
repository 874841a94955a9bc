#include "core/model/input_rows.h"

#include "core/base/vector_math.h"

namespace fastmlp {

template <class T>
void periodic_waves(const Periodic& shape, const T* parameters, const T* x, T* waves) {
    using namespace Eigen::internal;
    const PeriodicArrays<const T*> p(shape, parameters);
    const Index n = shape.waves();
    const Packet<T> at = simd::load(x);
    for (Index v = 0; v < n; ++v) simd::store(waves + v * kLanes<T>, simd::set1(p.c[v]));
    for (Index k = 0; k < shape.frequencies; ++k) {
        const Packet<T> cos = vmath::wave(at, simd::set1(p.w[k]), simd::set1(p.b[k])).cos;
        for (Index v = 0; v < n; ++v) {
            T* const sum = waves + v * kLanes<T>;
            simd::store(sum, pmadd(cos, simd::set1(p.V[k * n + v]), simd::load(sum)));
        }
    }
}

template <class T>
void scale_inputs(const T* s, const T* inputs, T* out, Index n, Index width, Index ld) {
    for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < width; ++j) out[i * ld + j] = s[j] * inputs[i * ld + j];
}

template void periodic_waves(const Periodic&, const float*, const float*, float*);
template void periodic_waves(const Periodic&, const double*, const double*, double*);
template void scale_inputs(const float*, const float*, float*, Index, Index, Index);
template void scale_inputs(const double*, const double*, double*, Index, Index, Index);

}  // namespace fastmlp
