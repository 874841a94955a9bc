// The backward pass on tiles.
#include "activations.h"
#include "passes.h"

namespace fastmlp {

namespace {

template <class F, class T>
struct MultiplySlope {
    BackwardOutput<T> out;

    template <int V>
    MultiplySlope panel(Index j) const {
        return {{out.a + j, out.slope ? out.slope + j : nullptr, out.delta + j, out.ld}};
    }
    FASTMLP_INLINE void operator()(Index i, int v, int, Packet<T> c) const {
        const Index at = i * out.ld + v * kLanes<T>;
        const Packet<T> a = simd::load(out.a + at);
        const Packet<T> slope = out.slope ? simd::load(out.slope + at) : F::slope(a, a);
        simd::store(out.delta + at, Eigen::internal::pmul(c, slope));
    }
};

template <class F, class T>
void backward_tiles(const Product<T>& p, const TransposedPanels<T>& weights, const BackwardOutput<T>& out,
                    Index first, Index last) {
    multiply(p, weights, first, last, MultiplySlope<F, T>{out});
}

template <class F, class T>
void multiply_slope(const T* a, const T* slope, T* d, Index n) {
    for (Index e = 0; e < n; e += kLanes<T>) {
        const Packet<T> ae = simd::load(a + e), s = slope ? simd::load(slope + e) : F::slope(ae, ae);
        simd::store(d + e, Eigen::internal::pmul(simd::load(d + e), s));
    }
}

}  // namespace

template <class T>
BackwardTiles<T> backward_work(Activation activation) {
    return with_activation(activation,
                           [](auto f) -> BackwardTiles<T> { return backward_tiles<decltype(f), T>; });
}

template <class T>
SlopeWork<T> slope_work(Activation activation) {
    return with_activation(activation, [](auto f) -> SlopeWork<T> { return multiply_slope<decltype(f), T>; });
}

template BackwardTiles<float> backward_work(Activation);
template BackwardTiles<double> backward_work(Activation);
template SlopeWork<float> slope_work(Activation);
template SlopeWork<double> slope_work(Activation);

}  // namespace fastmlp
