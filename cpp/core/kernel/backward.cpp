// The backward pass on tiles: delta_prev[B, I] = (delta[B, O] W^T[O, I]) f'(z_prev).
#include "core/kernel/passes.h"
#include "core/model/activations.h"

namespace fastmlp {

namespace {

template <class F, class T>
FASTMLP_INLINE Packet<T> slope_at(const BackwardOutput<T>& out, Index at) {
    if (out.slope) return simd::load(out.slope + at);
    const Packet<T> a = simd::load(out.a + at);
    return F::slope(a, a);
}

// f' on each packet of dLoss/da while it is in a register.
template <class F, class T>
struct MultiplySlopeInRegisters {
    BackwardOutput<T> out;

    template <int V>
    MultiplySlopeInRegisters panel(Index j) const {
        return {{out.a + j, out.slope ? out.slope + j : nullptr, out.delta + j, out.ld}};
    }
    FASTMLP_INLINE void operator()(Index i, int v, int, Packet<T> d) const {
        const Index at = i * out.ld + v * kLanes<T>;
        simd::store(out.delta + at, Eigen::internal::pmul(d, slope_at<F>(out, at)));
    }
};

// f' on a tile d[rows, vectors] in memory.
template <class F, class T>
void multiply_slope_tile(const BackwardOutput<T>& out, Index at, int rows, int vectors, const Packet<T>* d) {
    for (int r = 0; r < rows; ++r, at += out.ld)
        for (int v = 0; v < vectors; ++v, ++d) {
            const Index here = at + v * kLanes<T>;
            simd::store(out.delta + here, Eigen::internal::pmul(*d, slope_at<F>(out, here)));
        }
}

template <class T>
struct MultiplySlopeTile {
    using MultiplySlope = void (*)(const BackwardOutput<T>&, Index at, int rows, int vectors,
                                   const Packet<T>* d);
    BackwardOutput<T> out;
    MultiplySlope multiply_slope;

    template <int V>
    struct Panel {
        BackwardOutput<T> out;
        MultiplySlope multiply_slope;
        Packet<T> d[tile_packets<V>];

        FASTMLP_INLINE void operator()(Index, int, int n, Packet<T> x) { d[n] = x; }
        FASTMLP_INLINE void end_tile(Index i, int rows) { multiply_slope(out, i * out.ld, rows, V, d); }
    };
    template <int V>
    Panel<V> panel(Index j) const {
        return {{out.a + j, out.slope ? out.slope + j : nullptr, out.delta + j, out.ld}, multiply_slope, {}};
    }
};

template <class F, class T>
auto epilogue(const BackwardOutput<T>& out) {
    using namespace activations;
    if constexpr (std::is_same_v<F, Identity> || std::is_same_v<F, Relu> || std::is_same_v<F, Tanh>)
        return MultiplySlopeInRegisters<F, T>{out};
    else
        return MultiplySlopeTile<T>{out, multiply_slope_tile<F, T>};
}

template <class F, class T>
void tiles_of(const Product<T>& p, const TransposedPanels<T>& weights, const BackwardOutput<T>& out,
              Range tiles) {
    multiply(p, weights, tiles, epilogue<F>(out));
}

template <class F, class T>
void pair_tiles(const PairProduct<T>& p, const TransposedPairs<T>& weights, const BackwardOutput<T>& out,
                Range tiles) {
    multiply(p, weights, tiles, epilogue<F>(out));
}

template <class F, class T>
void multiply_slope(const T* a, const T* slope, T* d, Index n) {
    const BackwardOutput<T> in{a, slope, nullptr, 0};
    for (Index at = 0; at < n; at += kLanes<T>)
        simd::store(d + at, Eigen::internal::pmul(simd::load(d + at), slope_at<F>(in, at)));
}

}  // namespace

template <class T>
BackwardTiles<T> backward_tiles(Activation activation) {
    return with_activation(activation, [](auto f) -> BackwardTiles<T> { return tiles_of<decltype(f), T>; });
}

template <class T>
SlopeProduct<T> slope_product(Activation activation) {
    return with_activation(activation,
                           [](auto f) -> SlopeProduct<T> { return multiply_slope<decltype(f), T>; });
}

template <class T>
PairBackwardTiles<T> pair_backward_tiles(Activation activation) {
    if constexpr (kHasBfloat16<T>)
        return with_activation(activation,
                               [](auto f) -> PairBackwardTiles<T> { return pair_tiles<decltype(f), T>; });
    else
        return nullptr;
}

template BackwardTiles<float> backward_tiles(Activation);
template BackwardTiles<double> backward_tiles(Activation);
template PairBackwardTiles<float> pair_backward_tiles(Activation);
template PairBackwardTiles<double> pair_backward_tiles(Activation);
template SlopeProduct<float> slope_product(Activation);
template SlopeProduct<double> slope_product(Activation);

}  // namespace fastmlp
