// The optimizers' update rules on one packet of parameters. A rule is chosen once a run and applied as the
// gradient is made.
//
// Arrays laid out alike: w (parameters), s1 and s2 (the rule's state).
#pragma once

#include <cmath>
#include <type_traits>

#include "core/base/simd.h"
#include "core/train/options.h"

namespace fastmlp {

// What one step's update reads and writes; the numbers are those of step t = 1, 2, ..
template <class T>
struct Update {
    T *w, *s1, *s2;
    T l2 = 0;      // added to the gradient of weights: l2 * w
    T shrink = 1;  // weights are multiplied by this first (decoupled weight decay)
    T rate = 0, momentum = 0, epsilon = 0, correction = 1;
    T decay1 = 0, decay2 = 0, rest1 = 0, rest2 = 0;  // rest: 1 - decay, rounded once
    // Where groups of parameters have rates of their own: their factors, and of the step what they multiply.
    const OptimizerOptions* options = nullptr;
    double step_rate = 0, step_decay = 0;

    Update(T* weights, T* state1, T* state2) : w(weights), s1(state1), s2(state2) {}
    // The options are read later on too, where the groups of parameters have rates of their own.
    Update(T* weights, T* state1, T* state2, const OptimizerOptions& o, double learning_rate,
           double weight_decay, double step)
        : Update(weights, state1, state2) {
        step_rate = learning_rate;
        momentum = T(o.momentum);
        decay1 = T(o.decay1);
        decay2 = T(o.decay2);
        rest1 = T(1 - o.decay1);
        rest2 = T(1 - o.decay2);
        epsilon = T(o.epsilon);
        if (o.kind == Optimizer::adam) {
            step_decay = learning_rate * weight_decay;
            const double root = std::sqrt(1 - std::pow(o.decay2, step));
            step_rate = learning_rate / (1 - std::pow(o.decay1, step)) * (o.epsilon_hat ? root : 1);
            correction = T(o.epsilon_hat ? 1 : 1 / root);
        }
        rate = T(step_rate);
        shrink = T(1 - step_decay);
        if (o.rate_factors != RateFactors{}) options = &o;
    }

    // The groups of parameters, a line each.
    Update for_weights(Index inputs) const { return of_group(&RateFactors::weight, fan_in(inputs)); }
    Update for_biases() const { return undecayed(&RateFactors::bias); }
    Update for_tables() const { return of_group(&RateFactors::embedding); }
    Update for_periodic() const { return undecayed(&RateFactors::embedding); }
    Update for_scales() const { return undecayed(&RateFactors::scale); }
    Update for_alphas() const { return undecayed(&RateFactors::alpha); }

private:
    using Factor = double RateFactors::*;

    // Decay knows nothing of fan-in: it acts on the weights alone, whatever their gradient.
    Update of_group(Factor factor, double fan_in = 1) const {
        Update u = *this;
        if (!options) return u;
        u.rate = T(step_rate * options->rate_factors.*factor / fan_in);
        u.shrink = T(1 - step_decay * options->rate_factors.*factor);
        return u;
    }
    // Other parameters than weights are neither penalised nor decayed.
    Update undecayed(Factor factor) const {
        Update u = of_group(factor);
        u.l2 = 0;
        u.shrink = 1;
        return u;
    }
    // With W = V / sqrt(I), a step of V is one of W over sqrt(I), and so is its gradient, which the size of a
    // step of the other rules does not depend on.
    double fan_in(Index inputs) const {
        if (!options || !options->rate_factors.fan_in) return 1;
        const Optimizer kind = options->kind;
        const bool plain =
            kind == Optimizer::sgd || kind == Optimizer::momentum || kind == Optimizer::nesterov;
        return plain ? double(inputs) : std::sqrt(double(inputs));
    }
};

namespace rules {

using namespace Eigen::internal;

// Each rule changes w, s1 and s2 (as many as kStates says) given the gradient g.
struct StoreGradient {  // s1 = g: no optimizer, the whole gradient is wanted
    static constexpr int kStates = 1;
    static constexpr bool kWritesWeights = false;
    template <class T, class P>
    static FASTMLP_INLINE void apply(const Update<T>&, P&, P g, P& s1, P&) {
        s1 = g;
    }
};

struct AddGradient {  // s1 += g: gradients of several shards are wanted together
    static constexpr int kStates = 1;
    static constexpr bool kWritesWeights = false;
    template <class T, class P>
    static FASTMLP_INLINE void apply(const Update<T>&, P&, P g, P& s1, P&) {
        s1 = padd(s1, g);
    }
};

struct Sgd {  // w -= rate g
    static constexpr int kStates = 0;
    static constexpr bool kWritesWeights = true;
    template <class T, class P>
    static FASTMLP_INLINE void apply(const Update<T>& u, P& w, P g, P&, P&) {
        w = pmadd(pset1<P>(-u.rate), g, w);
    }
};

struct Momentum {  // v = momentum v - rate g; w += v (Polyak, 1964)
    static constexpr int kStates = 1;
    static constexpr bool kWritesWeights = true;
    template <class T, class P>
    static FASTMLP_INLINE void apply(const Update<T>& u, P& w, P g, P& v, P&) {
        v = pmadd(pset1<P>(-u.rate), g, pmul(pset1<P>(u.momentum), v));
        w = padd(w, v);
    }
};

struct Nesterov {  // v = momentum v - rate g; w += momentum v - rate g (Sutskever et al., 2013)
    static constexpr int kStates = 1;
    static constexpr bool kWritesWeights = true;
    template <class T, class P>
    static FASTMLP_INLINE void apply(const Update<T>& u, P& w, P g, P& v, P&) {
        const P momentum = pset1<P>(u.momentum), step = pmul(pset1<P>(-u.rate), g);
        v = pmadd(momentum, v, step);
        w = padd(w, pmadd(momentum, v, step));
    }
};

struct RmsProp {  // s = decay2 s + (1 - decay2) g^2; w -= rate g / (sqrt(s) + epsilon) (Tieleman, Hinton,
                  // 2012)
    static constexpr int kStates = 1;
    static constexpr bool kWritesWeights = true;
    template <class T, class P>
    static FASTMLP_INLINE void apply(const Update<T>& u, P& w, P g, P& s, P&) {
        s = pmadd(pset1<P>(u.decay2), s, pmul(pset1<P>(u.rest2), pmul(g, g)));
        w = padd(w, pdiv(pmul(pset1<P>(-u.rate), g), padd(simd::sqrt(s), pset1<P>(u.epsilon))));
    }
};

struct Adagrad {  // s += g^2; w -= rate g / (sqrt(s) + epsilon) (Duchi, Hazan, Singer, 2011)
    static constexpr int kStates = 1;
    static constexpr bool kWritesWeights = true;
    template <class T, class P>
    static FASTMLP_INLINE void apply(const Update<T>& u, P& w, P g, P& s, P&) {
        s = pmadd(g, g, s);
        w = padd(w, pdiv(pmul(pset1<P>(-u.rate), g), padd(simd::sqrt(s), pset1<P>(u.epsilon))));
    }
};

// m = decay1 m + (1 - decay1) g; v = decay2 v + (1 - decay2) g^2; w -= rate m / (sqrt(v) correction +
// epsilon), the bias corrections folded into rate and correction (Kingma, Ba, 2015; AdamW: Loshchilov,
// Hutter, 2019).
struct Adam {
    static constexpr int kStates = 2;
    static constexpr bool kWritesWeights = true;
    template <class T, class P>
    static FASTMLP_INLINE void apply(const Update<T>& u, P& w, P g, P& m, P& v) {
        m = pmadd(pset1<P>(u.decay1), m, pmul(pset1<P>(u.rest1), g));
        v = pmadd(pset1<P>(u.decay2), v, pmul(pset1<P>(u.rest2), pmul(g, g)));
        const P denominator = pmadd(simd::sqrt(v), pset1<P>(u.correction), pset1<P>(u.epsilon));
        w = pmadd(pset1<P>(u.shrink), w, pdiv(pmul(pset1<P>(-u.rate), m), denominator));
    }
};

}  // namespace rules

template <class Rule>
constexpr bool reads_states = !std::is_same_v<Rule, rules::StoreGradient>;

// Applies the rule to a packet of parameters, given their gradient without the l2 term.
template <class Rule, class T>
FASTMLP_INLINE void apply_rule(const Update<T>& u, Index at, Packet<T> g) {
    using namespace Eigen::internal;
    Packet<T> w = simd::load(u.w + at), s1{}, s2{};
    if constexpr (Rule::kStates >= 1 && reads_states<Rule>) s1 = simd::load(u.s1 + at);
    if constexpr (Rule::kStates >= 2) s2 = simd::load(u.s2 + at);
    g = pmadd(simd::set1(u.l2), w, g);
    Rule::apply(u, w, g, s1, s2);
    if constexpr (Rule::kStates >= 1) simd::store(u.s1 + at, s1);
    if constexpr (Rule::kStates >= 2) simd::store(u.s2 + at, s2);
    if constexpr (Rule::kWritesWeights) simd::store(u.w + at, w);
}

// Asks for the line of each array that the rule reads at `at`.
template <class Rule, class T>
FASTMLP_INLINE void prefetch_rule(const Update<T>& u, Index at) {
    using Eigen::internal::prefetch;
    if constexpr (Rule::kWritesWeights) prefetch(u.w + at);
    if constexpr (Rule::kStates >= 1 && reads_states<Rule>) prefetch(u.s1 + at);
    if constexpr (Rule::kStates >= 2) prefetch(u.s2 + at);
}

inline int state_count(Optimizer kind) {
    return kind == Optimizer::sgd ? 0 : kind == Optimizer::adam ? 2 : 1;
}

template <class Visitor>
auto with_rule(Optimizer kind, Visitor visit) {
    switch (kind) {
        case Optimizer::sgd:
            return visit(rules::Sgd{});
        case Optimizer::momentum:
            return visit(rules::Momentum{});
        case Optimizer::nesterov:
            return visit(rules::Nesterov{});
        case Optimizer::rmsprop:
            return visit(rules::RmsProp{});
        case Optimizer::adagrad:
            return visit(rules::Adagrad{});
        case Optimizer::adam:
            break;
    }
    return visit(rules::Adam{});
}

}  // namespace fastmlp
