// A multilayer perceptron: its shapes, its one flat parameter buffer, and the tile work of each pass.
#pragma once

#include <vector>

#include "activations.h"
#include "kernel.h"
#include "losses.h"
#include "optimizers.h"
#include "random.h"

namespace fastmlp {

struct Architecture {
    std::vector<Index> sizes;             // I, hidden widths, O
    std::vector<Activation> activations;  // one a layer, the last is the output activation
    Loss loss = Loss::squared_error;
    double loss_parameter = 0;  // delta of huber, q of quantile
    double l2 = 0;

    Index layers() const { return Index(sizes.size()) - 1; }
};

struct Layer {
    Index inputs, outputs;  // W is [inputs, outputs]
    Activation activation;
    Index weights, biases;  // where W and b begin in the flat buffer
};

enum class InitKind { zeros, normal, uniform };
inline constexpr std::array<std::pair<std::string_view, InitKind>, 3> kInitKinds{{
    {"zeros", InitKind::zeros},
    {"normal", InitKind::normal},
    {"uniform", InitKind::uniform},
}};

// W0, b0, W1, b1, .. end to end in one aligned array; gradients and optimizer state are laid out alike.
template <class T>
class Network {
public:
    explicit Network(Architecture architecture) : architecture_(std::move(architecture)) {
        Index offset = 0;
        for (Index l = 0; l < architecture_.layers(); ++l) {
            const auto at = std::size_t(l);
            const Index I = architecture_.sizes[at], O = architecture_.sizes[at + 1];
            // Losses that take logits bring the output activation with them; the layer itself stays at z.
            const bool logits = l + 1 == architecture_.layers() && takes_logits(architecture_.loss);
            const Activation activation = logits ? Activation::identity : architecture_.activations[at];
            layers_.push_back({I, O, activation, offset, offset + I * O});
            offset += I * O + O;
        }
        parameters_ = AlignedBuffer<T>(offset);
    }

    const Architecture& architecture() const { return architecture_; }
    const std::vector<Layer>& layers() const { return layers_; }
    const Layer& output_layer() const { return layers_.back(); }
    T* parameters() const { return parameters_.data(); }
    Index parameter_count() const { return parameters_.size(); }
    Index inputs() const { return layers_.front().inputs; }
    Index outputs() const { return layers_.back().outputs; }
    Index widest() const { return *std::max_element(architecture_.sizes.begin(), architecture_.sizes.end()); }

    // Multiply-adds count twice; forward, backward and gradient products cost the same.
    double forward_flops(Index rows) const { return 2.0 * double(rows) * double(parameter_count()); }
    double training_flops(Index rows) const { return 3 * forward_flops(rows); }

    // Fills W of one layer with std * normal or scale * (2u - 1) numbers, row by row; b with zeros.
    void initialize(Index layer, InitKind kind, double scale, std::uint64_t seed) {
        const Layer& shape = layers_[std::size_t(layer)];
        RandomSequence random(seed, Stream::init, std::uint32_t(layer));
        T* W = parameters() + shape.weights;
        T* b = parameters() + shape.biases;
        for (Index i = 0; i < shape.inputs * shape.outputs; ++i) {
            if (kind == InitKind::zeros) W[i] = 0;
            if (kind == InitKind::normal) W[i] = T(scale * random.normal());
            if (kind == InitKind::uniform) W[i] = T(scale * (2 * random.uniform() - 1));
        }
        std::fill(b, b + shape.outputs, T(0));
    }

private:
    Architecture architecture_;
    std::vector<Layer> layers_;
    AlignedBuffer<T> parameters_;
};

// The tile work of the three passes: tiles [first, last) of a product, with the epilogue of the pass.

template <class T>
struct ForwardOutput {
    const T* bias;
    T *a, *slope;  // [B, ld]; slope (f') is null when the backward pass finds it from a
    Index ld;
};

// A[B, O] = f(A_prev[B, I] W[I, O] + b)
template <class F, class T>
void forward_tiles(const Product<T>& p, const ForwardOutput<T>& out, Index first, Index last) {
    multiply(p, first, last, [&](Index i, Index j, Packet<T> c) {
        const Packet<T> z = Eigen::internal::padd(c, simd::load(out.bias + j)), a = F::value(z);
        simd::store(out.a + i * out.ld + j, a);
        if (out.slope) simd::store(out.slope + i * out.ld + j, F::slope(z, a));
    });
}

template <class T>
struct BackwardOutput {
    const T *a, *slope;  // of the layer below, [B, ld]; slope as the forward pass kept it, or null
    T* delta;            // [B, ld]
    Index ld;
};

// delta_prev[B, I] = (delta[B, O] W^T[O, I]) f'(z_prev)
template <class F, class T>
void backward_tiles(const Product<T>& p, const BackwardOutput<T>& out, Index first, Index last) {
    multiply(p, first, last, [&](Index i, Index j, Packet<T> c) {
        const Index at = i * out.ld + j;
        const Packet<T> a = simd::load(out.a + at);
        const Packet<T> slope = out.slope ? simd::load(out.slope + at) : F::slope(a, a);
        simd::store(out.delta + at, Eigen::internal::pmul(c, slope));
    });
}

// dW[I, O] = A_prev^T[I, B] delta[B, O], given to the update rule; parameter (i, j) lies at base + i O + j.
template <class Rule, class T>
void gradient_tiles(const Product<T>& p, const Update<T>& u, Index base, Index first, Index last) {
    multiply(p, first, last, [&](Index i, Index j, Packet<T> c) {
        update<Rule>(u, base + i * p.N + j, c, std::min(kLanes<T>, p.N - j));
    });
}

// The same for gradients that lie in memory: scale * sum of `parts` arrays, elements [first, last) behind
// base.
template <class Rule, class T>
void gradient_sum(const T* parts, Index count, Index stride, T scale, const Update<T>& u, Index base,
                  Index first, Index last) {
    for (Index e = first; e < last; e += kLanes<T>) {
        const Index lanes = std::min(kLanes<T>, last - e);
        Packet<T> g = simd::load(parts + e, lanes);
        for (Index part = 1; part < count; ++part)
            g = Eigen::internal::padd(g, simd::load(parts + part * stride + e, lanes));
        update<Rule>(u, base + e, Eigen::internal::pmul(g, simd::set1(scale)), lanes);
    }
}

// d *= f', n elements (a multiple of the packet): from dLoss/da to delta at the output.
template <class F, class T>
void multiply_slope(const T* a, const T* slope, T* d, Index n) {
    for (Index e = 0; e < n; e += kLanes<T>) {
        const Packet<T> ae = simd::load(a + e), s = slope ? simd::load(slope + e) : F::slope(ae, ae);
        simd::store(d + e, Eigen::internal::pmul(simd::load(d + e), s));
    }
}

template <class T>
using SlopeWork = void (*)(const T* a, const T* slope, T* d, Index n);
template <class T>
using ForwardTiles = void (*)(const Product<T>&, const ForwardOutput<T>&, Index first, Index last);
template <class T>
using BackwardTiles = void (*)(const Product<T>&, const BackwardOutput<T>&, Index first, Index last);

// What is done with gradients, chosen once a run: an optimizer's update, or storing them.
template <class T>
struct GradientWork {
    void (*tiles)(const Product<T>&, const Update<T>&, Index base, Index first, Index last);
    void (*sum)(const T*, Index, Index, T, const Update<T>&, Index base, Index first, Index last);

    template <class Rule>
    static GradientWork of(Rule) {
        return {gradient_tiles<Rule, T>, gradient_sum<Rule, T>};
    }
};

template <class T>
ForwardTiles<T> forward_work(Activation name) {
    return with_activation(name, [](auto f) -> ForwardTiles<T> { return forward_tiles<decltype(f), T>; });
}
template <class T>
BackwardTiles<T> backward_work(Activation name) {
    return with_activation(name, [](auto f) -> BackwardTiles<T> { return backward_tiles<decltype(f), T>; });
}
template <class T>
SlopeWork<T> slope_work(Activation name) {
    return with_activation(name, [](auto f) -> SlopeWork<T> { return multiply_slope<decltype(f), T>; });
}

}  // namespace fastmlp
