// Loss functions: value and delta = dLoss/dz of a block of rows in one pass.
//
// B rows, O outputs. For softmax_cross_entropy, binary_cross_entropy and poisson the network's outputs are
// the pre-activations z (logits) and the formulas below stay finite for any finite z; for the others they are
// the activations a, and the caller turns dLoss/da into delta with f'.
#pragma once

#include <cassert>
#include <numeric>

#include "vector_math.h"

namespace fastmlp {

// True where the loss works on z and its output activation is applied at prediction only.
constexpr bool takes_logits(Loss loss) {
    return loss == Loss::softmax_cross_entropy || loss == Loss::binary_cross_entropy || loss == Loss::poisson;
}

// What a row should give: a class, or O numbers. Rows of X, y and the weights are found through `order`.
template <class T>
struct Targets {
    const std::int32_t* labels = nullptr;
    const T* values = nullptr;   // [n, O]
    const T* weights = nullptr;  // [n], all 1 if null
};

template <class T>
struct LossBatch {
    Targets<T> targets;
    const std::uint32_t* order = nullptr;  // row of the data for each row of the batch; null: first_row + i
    Index first_row = 0;
    const T* output;  // [B, ld]: z or a, readable one packet past each row
    T* slope;         // [B, ld]: receives dLoss/dz or dLoss/da; null when only the value is wanted
    Index ld, outputs;
    T parameter;   // delta of huber, q of quantile
    double scale;  // 1 / sum of the weights of the batch

    Index data_row(Index i) const { return order ? Index(order[i]) : first_row + i; }
};

namespace losses {

using namespace Eigen::internal;
using vmath::constant;

// Elementwise losses: value(p, y) and slope(p, y) for prediction p and target y; c is the parameter.
struct BinaryCrossEntropy {  // max(z, 0) - z y + log(1 + exp(-|z|)); slope s(z) - y
    template <class P>
    static FASTMLP_INLINE P value(P z, P y, P) {
        const P tail = vmath::log1p(vmath::exp(pnegate(pabs(z))));
        return padd(psub(pmax(z, pzero(z)), pmul(z, y)), tail);
    }
    template <class P>
    static FASTMLP_INLINE P slope(P z, P y, P) {
        return psub(vmath::sigmoid(z), y);
    }
};

struct SquaredError {  // (a - y)^2 / 2
    template <class P>
    static FASTMLP_INLINE P value(P a, P y, P) {
        const P r = psub(a, y);
        return pmul(constant<P>(0.5), pmul(r, r));
    }
    template <class P>
    static FASTMLP_INLINE P slope(P a, P y, P) {
        return psub(a, y);
    }
};

// sign(r) * c, 0 at 0, NaN for NaN.
template <class P>
FASTMLP_INLINE P signed_constant(P r, P below, P above) {
    const P at_zero = pmul(r, pzero(r));
    return simd::select(pcmp_lt(pzero(r), r), above, simd::select(pcmp_lt(r, pzero(r)), below, at_zero));
}

struct AbsoluteError {  // |a - y|; slope 0 at 0
    template <class P>
    static FASTMLP_INLINE P value(P a, P y, P) {
        return pabs(psub(a, y));
    }
    template <class P>
    static FASTMLP_INLINE P slope(P a, P y, P) {
        return signed_constant(psub(a, y), constant<P>(-1), constant<P>(1));
    }
};

struct Huber {  // r^2 / 2 within |r| <= c, else c (|r| - c / 2) (Huber, 1964)
    template <class P>
    static FASTMLP_INLINE P value(P a, P y, P c) {
        const P r = pabs(psub(a, y)), inside = pmul(constant<P>(0.5), pmul(r, r));
        const P outside = pmul(c, psub(r, pmul(constant<P>(0.5), c)));
        return simd::select(pcmp_lt(c, r), outside, inside);
    }
    template <class P>
    static FASTMLP_INLINE P slope(P a, P y, P c) {
        const P r = psub(a, y);
        return simd::select(pcmp_lt(c, pabs(r)), signed_constant(r, pnegate(c), c), r);
    }
};

struct Quantile {  // c (y - a) if y > a else (1 - c) (a - y) (Koenker, Bassett, 1978)
    template <class P>
    static FASTMLP_INLINE P value(P a, P y, P c) {
        const P r = psub(a, y);
        return simd::select(pcmp_lt(r, pzero(r)), pnegate(pmul(c, r)), pmul(psub(constant<P>(1), c), r));
    }
    template <class P>
    static FASTMLP_INLINE P slope(P a, P y, P c) {
        return signed_constant(psub(a, y), pnegate(c), psub(constant<P>(1), c));
    }
};

struct Poisson {  // exp(z) - y z
    template <class P>
    static FASTMLP_INLINE P value(P z, P y, P) {
        return psub(vmath::exp(z), pmul(y, z));
    }
    template <class P>
    static FASTMLP_INLINE P slope(P z, P y, P) {
        return psub(vmath::exp(z), y);
    }
};

template <class T>
T weight(const LossBatch<T>& batch, Index data_row) {
    return batch.targets.weights ? batch.targets.weights[data_row] : T(1);
}

// Sum over rows [first, last) of w_i loss_i for a loss that acts on each output by itself.
template <class L, class T>
double elementwise(const LossBatch<T>& batch, Index first, Index last) {
    const Packet<T> c = simd::set1(batch.parameter);
    double total = 0;
    for (Index i = first; i < last; ++i) {
        const Index row = batch.data_row(i);
        const T* p = batch.output + i * batch.ld;
        const T* y = batch.targets.values + row * batch.outputs;
        const T w = weight(batch, row);
        const Packet<T> scale = simd::set1(T(double(w) * batch.scale));
        Packet<T> sum = simd::set1(T(0));
        for (Index j = 0; j < batch.outputs; j += kLanes<T>) {
            const Index lanes = std::min(kLanes<T>, batch.outputs - j);
            const Packet<T> pj = simd::load(p + j), yj = simd::load(y + j, lanes);
            sum = padd(sum, simd::keep_lanes(L::value(pj, yj, c), lanes, T(0)));
            if (batch.slope) {
                const Packet<T> slope = pmul(scale, L::slope(pj, yj, c));
                simd::store(batch.slope + i * batch.ld + j, simd::keep_lanes(slope, lanes, T(0)));
            }
        }
        total += double(w) * double(predux(sum));
    }
    return total;
}

// The largest logit and sum_j exp(z_j - max): what the softmax of one row is made of.
template <class T>
struct SoftmaxRow {
    T max, sum;

    SoftmaxRow(const T* z, Index n) {
        constexpr T lowest = -std::numeric_limits<T>::infinity();
        Packet<T> m = simd::set1(lowest), s = simd::set1(T(0));
        for (Index j = 0; j < n; j += kLanes<T>)
            m = pmax(simd::keep_lanes(simd::load(z + j), n - j, lowest), m);
        max = predux_max(m);
        for (Index j = 0; j < n; j += kLanes<T>)
            s = padd(s,
                     vmath::exp(psub(simd::keep_lanes(simd::load(z + j), n - j, lowest), simd::set1(max))));
        sum = predux(s);  // NaN where a logit is NaN or infinite
    }

    Packet<T> probability(Packet<T> z) const {
        return pdiv(vmath::exp(psub(z, simd::set1(max))), simd::set1(sum));
    }
};

// loss = sum_j q_j (log sum exp z - z_j); delta = softmax(z) - q, where q is one-hot or a row of
// probabilities.
template <class T>
double softmax_cross_entropy(const LossBatch<T>& batch, Index first, Index last) {
    double total = 0;
    for (Index i = first; i < last; ++i) {
        const Index row = batch.data_row(i), n = batch.outputs;
        const T* z = batch.output + i * batch.ld;
        const SoftmaxRow<T> softmax(z, n);
        const double log_sum = std::log(double(softmax.sum)), max = double(softmax.max);
        const T w = weight(batch, row), scale = T(double(w) * batch.scale);
        const T* q = batch.targets.values ? batch.targets.values + row * n : nullptr;
        const Index label = q ? -1 : batch.targets.labels[row];
        assert(q || (label >= 0 && label < n));
        double loss = q ? 0 : log_sum + (max - double(z[label]));
        for (Index j = 0; q && j < n; ++j) loss += double(q[j]) * (log_sum + (max - double(z[j])));
        total += double(w) * loss;
        if (!batch.slope) continue;
        T* delta = batch.slope + i * batch.ld;
        T q_sum = 1;
        if (q) q_sum = std::accumulate(q, q + n, T(0));
        for (Index j = 0; j < n; j += kLanes<T>) {
            Packet<T> d = pmul(simd::set1(q_sum), softmax.probability(simd::load(z + j)));
            if (q) d = psub(d, simd::load(q + j, std::min(kLanes<T>, n - j)));
            simd::store(delta + j, simd::keep_lanes(pmul(simd::set1(scale), d), n - j, T(0)));
        }
        if (!q) delta[label] -= scale;
    }
    return total;
}

// sum over j != y of max(0, a_j - a_y + 1) (Weston, Watkins, 1999).
template <class T>
double hinge(const LossBatch<T>& batch, Index first, Index last) {
    double total = 0;
    for (Index i = first; i < last; ++i) {
        const Index row = batch.data_row(i), label = batch.targets.labels[row];
        assert(label >= 0 && label < batch.outputs);
        const T* a = batch.output + i * batch.ld;
        const T w = weight(batch, row), scale = T(double(w) * batch.scale);
        double loss = 0;
        Index violations = 0;
        for (Index j = 0; j < batch.outputs; ++j) {
            const T margin = a[j] - a[label] + T(1);
            const bool counts = j != label && !(margin <= 0);  // a NaN counts
            if (counts) loss += double(margin);
            violations += counts;
            if (batch.slope) batch.slope[i * batch.ld + j] = counts ? scale : T(0);
        }
        if (batch.slope) batch.slope[i * batch.ld + label] = -T(violations) * scale;
        total += double(w) * loss;
    }
    return total;
}

}  // namespace losses

// Sum over rows [first, last) of the batch of w_i loss_i; fills `slope` when it is set.
template <class T>
using LossFunction = double (*)(const LossBatch<T>&, Index first, Index last);

template <class T>
LossFunction<T> loss_function(Loss loss) {
    switch (loss) {
        case Loss::softmax_cross_entropy:
            return losses::softmax_cross_entropy<T>;
        case Loss::binary_cross_entropy:
            return losses::elementwise<losses::BinaryCrossEntropy, T>;
        case Loss::absolute_error:
            return losses::elementwise<losses::AbsoluteError, T>;
        case Loss::huber:
            return losses::elementwise<losses::Huber, T>;
        case Loss::quantile:
            return losses::elementwise<losses::Quantile, T>;
        case Loss::poisson:
            return losses::elementwise<losses::Poisson, T>;
        case Loss::hinge:
            return losses::hinge<T>;
        case Loss::squared_error:
            break;
    }
    return losses::elementwise<losses::SquaredError, T>;
}

}  // namespace fastmlp
