// The forward pass on tiles.
#include "activations.h"
#include "passes.h"

namespace fastmlp {

namespace {

template <class F, class T>
struct Activate {
    ForwardOutput<T> out;

    template <int V>
    Activate panel(Index j) const {
        return {{out.a + j, out.slope ? out.slope + j : nullptr, out.ld}};
    }
    FASTMLP_INLINE void operator()(Index i, int v, int, Packet<T> z) const {
        const Index at = i * out.ld + v * kLanes<T>;
        const Packet<T> a = F::value(z);
        simd::store(out.a + at, a);
        if (out.slope) simd::store(out.slope + at, F::slope(z, a));
    }
};

template <class F, class T>
void forward_tiles(const Product<T>& p, const WeightPanels<T>& weights, const ForwardOutput<T>& out,
                   Index first, Index last) {
    if (p.M == 1 && weights.row != 0)  // one task, whatever the number of its tiles
        return multiply_row<kRowVectors, true>(p, {weights.data, weights.row}, 0, Activate<F, T>{out});
    multiply<true>(p, weights, first, last, Activate<F, T>{out});
}

template <class F, class T>
void sparse_forward_tiles(const SparseProduct<T>& p, const WeightPanels<T>& weights,
                          const ForwardOutput<T>& out, Index first, Index last) {
    multiply<true>(p, weights, first, last, Activate<F, T>{out});
}

}  // namespace

template <class T>
ForwardTiles<T> forward_work(Activation activation) {
    return with_activation(activation,
                           [](auto f) -> ForwardTiles<T> { return forward_tiles<decltype(f), T>; });
}

template <class T>
SparseForwardTiles<T> sparse_forward_work(Activation activation) {
    return with_activation(
        activation, [](auto f) -> SparseForwardTiles<T> { return sparse_forward_tiles<decltype(f), T>; });
}

template ForwardTiles<float> forward_work(Activation);
template ForwardTiles<double> forward_work(Activation);
template SparseForwardTiles<float> sparse_forward_work(Activation);
template SparseForwardTiles<double> sparse_forward_work(Activation);

}  // namespace fastmlp
