// The forward pass on tiles: A[B, O] = f(A_prev[B, I] W[I, O] + b).
#include "core/kernel/passes.h"
#include "core/model/activations.h"

namespace fastmlp {

namespace {

// f on each packet of z while it is in a register.
template <class F, class T>
struct ActivateInRegisters {
    ForwardOutput<T> out;

    template <int V>
    ActivateInRegisters panel(Index j) const {
        return {{out.a + j, out.slope ? out.slope + j : nullptr, out.ld}};
    }
    FASTMLP_INLINE void operator()(Index i, int v, int, Packet<T> z) const {
        const Index at = i * out.ld + v * kLanes<T>;
        const Packet<T> a = F::value(z);
        simd::store(out.a + at, a);
        if (out.slope) simd::store(out.slope + at, F::slope(z, a));
    }
};

// f on a tile z[rows, vectors] in memory.
template <class F, class T>
void activate_tile(const ForwardOutput<T>& out, Index at, int rows, int vectors, const Packet<T>* z) {
    for (int r = 0; r < rows; ++r, at += out.ld)
        for (int v = 0; v < vectors; ++v, ++z) {
            const Packet<T> a = F::value(*z);
            simd::store(out.a + at + v * kLanes<T>, a);
            if (out.slope) simd::store(out.slope + at + v * kLanes<T>, F::slope(*z, a));
        }
}

template <class T>
struct ActivateTile {
    using Activate = void (*)(const ForwardOutput<T>&, Index at, int rows, int vectors, const Packet<T>* z);
    ForwardOutput<T> out;
    Activate activate;

    template <int V>
    struct Panel {
        ForwardOutput<T> out;
        Activate activate;
        Packet<T> z[tile_packets<V>];

        FASTMLP_INLINE void operator()(Index, int, int n, Packet<T> x) { z[n] = x; }
        FASTMLP_INLINE void end_tile(Index i, int rows) { activate(out, i * out.ld, rows, V, z); }
    };
    template <int V>
    Panel<V> panel(Index j) const {
        return {{out.a + j, out.slope ? out.slope + j : nullptr, out.ld}, activate, {}};
    }
};

template <class F, class T>
auto epilogue(const ForwardOutput<T>& out) {
    using namespace activations;
    if constexpr (std::is_same_v<F, Identity> || std::is_same_v<F, Relu> || std::is_same_v<F, Tanh>)
        return ActivateInRegisters<F, T>{out};
    else
        return ActivateTile<T>{out, activate_tile<F, T>};
}

template <class T, class Epilogue>
FASTMLP_NOINLINE void multiply_one_row(const Product<T>& p, const WeightPanels<T>& weights,
                                       const Epilogue& e) {
    multiply_row<kRowVectors, true>(p, {weights.data, weights.row}, 0, e);
}

template <class F, class T>
void dense_tiles(const Product<T>& p, const WeightPanels<T>& weights, const ForwardOutput<T>& out,
                 Range tiles) {
    if (p.M == 1 && weights.row != 0)  // one task, whatever the number of its tiles
        return multiply_one_row(p, weights, epilogue<F>(out));
    multiply<true>(p, weights, tiles, epilogue<F>(out));
}

template <class F, class T>
void sparse_tiles(const SparseProduct<T>& p, const WeightPanels<T>& weights, const ForwardOutput<T>& out,
                  Range tiles) {
    multiply<true>(p, weights, tiles, epilogue<F>(out));
}

template <class F, class T>
void pair_tiles(const PairProduct<T>& p, const WeightPairs<T>& weights, const ForwardOutput<T>& out,
                Range tiles) {
    multiply<true>(p, weights, tiles, epilogue<F>(out));
}

}  // namespace

template <class T>
ForwardTiles<T> forward_tiles(Activation activation) {
    return with_activation(activation, [](auto f) -> ForwardTiles<T> { return dense_tiles<decltype(f), T>; });
}

template <class T>
SparseForwardTiles<T> sparse_forward_tiles(Activation activation) {
    return with_activation(activation,
                           [](auto f) -> SparseForwardTiles<T> { return sparse_tiles<decltype(f), T>; });
}

template <class T>
PairForwardTiles<T> pair_forward_tiles(Activation activation) {
    if constexpr (kHasBfloat16<T>)
        return with_activation(activation,
                               [](auto f) -> PairForwardTiles<T> { return pair_tiles<decltype(f), T>; });
    else
        return nullptr;
}

template ForwardTiles<float> forward_tiles(Activation);
template ForwardTiles<double> forward_tiles(Activation);
template SparseForwardTiles<float> sparse_forward_tiles(Activation);
template SparseForwardTiles<double> sparse_forward_tiles(Activation);
template PairForwardTiles<float> pair_forward_tiles(Activation);
template PairForwardTiles<double> pair_forward_tiles(Activation);

}  // namespace fastmlp
