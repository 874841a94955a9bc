// Loss functions: the value and delta = dLoss/dz of a block of rows in one pass.
//
// B rows, O outputs. For softmax_cross_entropy, binary_cross_entropy and poisson the network's outputs are
// the pre-activations z (logits), and the formulas below stay finite for any finite z. For the others they
// are the activations a; the caller then multiplies dLoss/da by f' to get delta.
#pragma once

#include <cassert>

#include "core/base/vector_math.h"
#include "core/kernel/columns.h"
#include "core/model/architecture.h"
#include "core/model/features.h"

namespace fastmlp {

// A batch of outputs, and where its targets are.
template <class T>
struct LossBatch {
    Targets<T> targets;
    const std::uint32_t* order = nullptr;  // row of the data for each row of the batch; null: first_row + i
    Index first_row = 0;
    const T* output;  // [B, ld]: z or a, readable one packet past each row
    T* delta;         // [B, ld]: receives dLoss/dz, or dLoss/da; null when only the value is wanted
    Index ld, outputs;
    const T* parameters;  // [outputs]: delta of huber, q of quantile, how much a cross-entropy is smoothed
    double scale;         // 1 / what the sum of the weighted losses is divided by
    double* losses;       // [B]: receives w_i loss_i
    T* scratch;           // this thread's loss_scratch(outputs) numbers

    Index data_row(Index i) const { return order ? Index(order[i]) : first_row + i; }
};

template <class T>
constexpr Index loss_scratch(Index outputs) {
    return 2 * columns_size<T>(outputs);
}

// As many rows of a batch as a packet has lanes, in columns: their outputs z (or a), targets and weights.
template <class T>
class LossBlock {
public:
    static constexpr Index W = kLanes<T>;

    LossBlock(const LossBatch<T>& batch, Index first, Index last)
        : batch_(batch), first_(first), rows_(std::min(W, last - first)) {
        for (Index r = 0; r < W; ++r) {
            data_row_[r] = batch.data_row(first + std::min(r, rows_ - 1));
            const T w = batch.targets.weights ? batch.targets.weights[data_row_[r]] : T(1);
            weight_[r] = r < rows_ ? w : T(0);
            scale_[r] = T(double(weight_[r]) * batch.scale);
        }
        load_columns(rows_, batch.outputs, batch.scratch, [&](Index r, Index j, Index) {
            return simd::load(batch.output + (first + r) * batch.ld + j);
        });
        if (!batch.targets.values) return;
        load_columns(rows_, batch.outputs, targets(), [&](Index r, Index j, Index lanes) {
            return simd::load(batch.targets.values + data_row_[r] * batch.outputs + j, lanes);
        });
    }

    Index rows() const { return rows_; }
    Packet<T> output(Index j) const { return simd::load(batch_.scratch + j * W); }
    Packet<T> target(Index j) const { return simd::load(targets() + j * W); }
    Packet<T> scale() const { return simd::load(scale_); }
    void set_output(Index j, Packet<T> x) { simd::store(batch_.scratch + j * W, x); }

    Index label(Index r) const {
        const Index label = batch_.targets.labels[data_row_[r]];
        assert(label >= 0 && label < batch_.outputs);
        return label;
    }
    T* delta(Index r) const { return batch_.delta + (first_ + r) * batch_.ld; }
    T scale_of(Index r) const { return scale_[r]; }

    Packet<T> labels() const {
        T labels[W] = {};
        for (Index r = 0; r < rows_; ++r) labels[r] = T(label(r));
        return simd::load(labels);
    }
    // Each row's output for its label.
    Packet<T> output_of_label() const {
        T outputs[W] = {};
        for (Index r = 0; r < rows_; ++r) outputs[r] = batch_.output[(first_ + r) * batch_.ld + label(r)];
        return simd::load(outputs);
    }

    // What set_output() left becomes the rows of `slope`.
    void store_deltas() const {
        store_rows(rows_, batch_.outputs, batch_.scratch,
                   [&](Index r, Index j, Index, Packet<T> x) { simd::store(delta(r) + j, x); });
    }

    void store_losses(Packet<T> losses) const {
        T loss[W];
        simd::store(loss, losses);
        for (Index r = 0; r < rows_; ++r) batch_.losses[first_ + r] = double(weight_[r]) * double(loss[r]);
    }

private:
    T* targets() const { return batch_.scratch + columns_size<T>(batch_.outputs); }

    const LossBatch<T>& batch_;
    Index first_, rows_;
    Index data_row_[W];
    T weight_[W], scale_[W];
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

// The same for a smoothed target y' = (1 - c) y + c / 2.
struct SmoothedBinaryCrossEntropy {
    template <class P>
    static FASTMLP_INLINE P smoothed(P y, P c) {
        return pmadd(psub(constant<P>(1), c), y, pmul(constant<P>(0.5), c));
    }
    template <class P>
    static FASTMLP_INLINE P value(P z, P y, P c) {
        return BinaryCrossEntropy::value(z, smoothed(y, c), c);
    }
    template <class P>
    static FASTMLP_INLINE P slope(P z, P y, P c) {
        return BinaryCrossEntropy::slope(z, smoothed(y, c), c);
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

// One block of rows for a loss that acts on each output by itself; c is its parameter.
template <class L, class T>
void elementwise(const LossBatch<T>& batch, LossBlock<T> block) {
    const Packet<T> scale = block.scale();
    Packet<T> sum = simd::set1(T(0));
    for (Index j = 0; j < batch.outputs; ++j) {
        const Packet<T> p = block.output(j), y = block.target(j), c = simd::set1(batch.parameters[j]);
        sum = padd(sum, L::value(p, y, c));
        if (batch.delta) block.set_output(j, pmul(scale, L::slope(p, y, c)));
    }
    if (batch.delta) block.store_deltas();
    block.store_losses(sum);
}

// loss = sum_j q_j (log sum exp z - z_j); delta = softmax(z) - q, where q is one-hot or a row of
// probabilities. Smoothed by c, q becomes (1 - c) q + c / O (Szegedy et al., 2016).
template <bool smooths, class T>
void softmax_cross_entropy(const LossBatch<T>& batch, LossBlock<T> block) {
    const Index n = batch.outputs;
    const bool labels = batch.targets.labels;
    const T smoothing = smooths ? batch.parameters[0] : T(0), kept = 1 - smoothing;
    const Packet<T> of_each = simd::set1(smoothing / T(n));
    Packet<T> max = block.output(0), sum = simd::set1(T(0)), q_sum = sum, below = sum, below_of_each = sum;
    for (Index j = 1; j < n; ++j) max = pmax(block.output(j), max);
    for (Index j = 0; j < n; ++j) {
        const Packet<T> z = psub(block.output(j), max), e = vmath::exp(z);
        sum = padd(sum, e);
        if (!labels) {
            q_sum = padd(q_sum, block.target(j));
            below = pmadd(block.target(j), z, below);
        }
        if constexpr (smooths) below_of_each = pmadd(of_each, z, below_of_each);
        block.set_output(j, e);
    }
    if (labels) {
        q_sum = simd::set1(T(1));
        below = psub(block.output_of_label(), max);
    }
    if constexpr (smooths) {
        q_sum = labels ? q_sum : pmadd(simd::set1(kept), q_sum, simd::set1(smoothing));
        below = pmadd(simd::set1(kept), below, below_of_each);
    }
    block.store_losses(psub(pmul(q_sum, plog(sum)), below));
    if (!batch.delta) return;

    const Packet<T> factor = pdiv(pmul(q_sum, block.scale()), sum);  // NaN where a logit is NaN or infinite
    for (Index j = 0; j < n; ++j) {
        Packet<T> p = pmul(block.output(j), factor);
        if constexpr (smooths) p = psub(p, pmul(block.scale(), of_each));
        const auto q = [&] { return smooths ? pmul(simd::set1(kept), block.target(j)) : block.target(j); };
        block.set_output(j, labels ? p : psub(p, pmul(block.scale(), q())));
    }
    block.store_deltas();
    for (Index r = 0; labels && r < block.rows(); ++r)
        block.delta(r)[block.label(r)] -= smooths ? kept * block.scale_of(r) : block.scale_of(r);
}

// sum over j != y of max(0, a_j - a_y + 1) (Weston, Watkins, 1999).
template <class T>
void hinge(const LossBatch<T>& batch, LossBlock<T> block) {
    const Packet<T> zero = simd::set1(T(0)), one = simd::set1(T(1));
    const Packet<T> labels = block.labels(), at_label = block.output_of_label();
    Packet<T> sum = zero, violations = zero;
    for (Index j = 0; j < batch.outputs; ++j) {
        const Packet<T> margin = padd(psub(block.output(j), at_label), one);
        const Packet<T> left_out = por(pcmp_le(margin, zero), pcmp_eq(labels, simd::set1(T(j))));
        const Packet<T> counts = pandnot(one, left_out);  // a NaN counts
        sum = padd(sum, pmul(counts, margin));
        violations = padd(violations, counts);
        block.set_output(j, pmul(counts, block.scale()));
    }
    block.store_losses(sum);
    if (!batch.delta) return;
    block.store_deltas();
    T count[kLanes<T>];
    simd::store(count, violations);
    for (Index r = 0; r < block.rows(); ++r) block.delta(r)[block.label(r)] = -count[r] * block.scale_of(r);
}

template <auto block, class T>
void in_blocks(const LossBatch<T>& batch, Index first, Index last) {
    for (Index i = first; i < last; i += kLanes<T>) block(batch, LossBlock<T>(batch, i, last));
}

}  // namespace losses

// Rows [first, last) of the batch: fills `losses`, and `delta` when it is set.
template <class T>
using LossFunction = void (*)(const LossBatch<T>&, Index first, Index last);

template <class T>
LossFunction<T> loss_function(const Architecture& architecture) {
    using namespace losses;
    const std::vector<double>& numbers = architecture.loss_parameters;
    const bool smooths = !numbers.empty() && numbers.front() > 0;  // the labels, where there are some
    switch (architecture.loss) {
        case Loss::softmax_cross_entropy:
            return smooths ? in_blocks<softmax_cross_entropy<true, T>, T>
                           : in_blocks<softmax_cross_entropy<false, T>, T>;
        case Loss::binary_cross_entropy:
            return smooths ? in_blocks<elementwise<SmoothedBinaryCrossEntropy, T>, T>
                           : in_blocks<elementwise<BinaryCrossEntropy, T>, T>;
        case Loss::absolute_error:
            return in_blocks<elementwise<AbsoluteError, T>, T>;
        case Loss::huber:
            return in_blocks<elementwise<Huber, T>, T>;
        case Loss::quantile:
            return in_blocks<elementwise<Quantile, T>, T>;
        case Loss::poisson:
            return in_blocks<elementwise<Poisson, T>, T>;
        case Loss::hinge:
            return in_blocks<hinge<T>, T>;
        case Loss::squared_error:
            break;
    }
    return in_blocks<elementwise<SquaredError, T>, T>;
}

// softmax(z) in place, on rows in columns.
template <class T>
void softmax_columns(T* columns, Index n) {
    using namespace Eigen::internal;
    constexpr Index W = kLanes<T>;
    Packet<T> max = simd::load(columns), sum = simd::set1(T(0));
    for (Index j = 1; j < n; ++j) max = pmax(simd::load(columns + j * W), max);
    for (Index j = 0; j < n; ++j) {
        const Packet<T> e = vmath::exp(psub(simd::load(columns + j * W), max));
        sum = padd(sum, e);
        simd::store(columns + j * W, e);
    }
    for (Index j = 0; j < n; ++j) simd::store(columns + j * W, pdiv(simd::load(columns + j * W), sum));
}

}  // namespace fastmlp
