// Parametric activations: a = z + alpha (f(z) - z), with an alpha a neuron (He et al., 2015, for f = 0 below
// 0).
#include "core/kernel/passes.h"
#include "core/model/activations.h"

namespace fastmlp {

namespace {

template <class F, class T>
void blend(const ParametricOutput<T>& out, Index rows) {
    using namespace Eigen::internal;
    for (Index i = 0; i < rows; ++i)
        for (Index j = 0; j < out.outputs; j += kLanes<T>) {
            const Index at = i * out.ld + j;
            const Packet<T> z = simd::load(out.a + at), f = F::value(z), gap = psub(f, z);
            const Packet<T> alpha = simd::load(out.alpha + j, std::min(kLanes<T>, out.outputs - j));
            simd::store(out.a + at, pmadd(alpha, gap, z));
            if (!out.slope) continue;
            const Packet<T> one = simd::set1(T(1));
            simd::store(out.slope + at, pmadd(alpha, psub(F::slope(z, f), one), one));
            simd::store(out.partial + at, gap);
        }
}

}  // namespace

template <class T>
BlendRows<T> blend_rows(Activation activation) {
    return with_activation(activation, [](auto f) -> BlendRows<T> { return blend<decltype(f), T>; });
}

template BlendRows<float> blend_rows(Activation);
template BlendRows<double> blend_rows(Activation);

}  // namespace fastmlp
