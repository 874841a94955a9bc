// Activation functions f and their derivatives f', one struct each, on packets.
//
// value(z) is f(z). slope(z, a) is f'(z), with a = f(z) at hand. Where kSlopeFromOutput is true f' needs a
// alone, and the backward pass works it out from the activations; otherwise the forward pass keeps f'(z) in
// an array.
#pragma once

#include "core/base/vector_math.h"
#include "core/model/architecture.h"

namespace fastmlp {

namespace activations {

using namespace Eigen::internal;
using vmath::constant;

struct Identity {
    static constexpr bool kSlopeFromOutput = true;
    template <class P>
    static FASTMLP_INLINE P value(P z) {
        return z;
    }
    template <class P>
    static FASTMLP_INLINE P slope(P, P) {
        return constant<P>(1);
    }
};

struct Relu {  // max(0, z); f'(0) = 0
    static constexpr bool kSlopeFromOutput = true;
    template <class P>
    static FASTMLP_INLINE P value(P z) {
        return pmax(z, pzero(z));  // in this order a NaN stays
    }
    template <class P>
    static FASTMLP_INLINE P slope(P, P a) {
        return simd::select(pcmp_lt(pzero(a), a), constant<P>(1), pzero(a));
    }
};

struct LeakyRelu {  // z > 0 ? z : 0.01 z
    static constexpr bool kSlopeFromOutput = true;
    static constexpr double kSlope = 0.01;
    template <class P>
    static FASTMLP_INLINE P value(P z) {
        return simd::select(pcmp_lt(pzero(z), z), z, pmul(z, constant<P>(kSlope)));
    }
    template <class P>
    static FASTMLP_INLINE P slope(P, P a) {
        return simd::select(pcmp_lt(pzero(a), a), constant<P>(1), constant<P>(kSlope));
    }
};

struct Elu {  // z > 0 ? z : exp(z) - 1
    static constexpr bool kSlopeFromOutput = true;
    template <class P>
    static FASTMLP_NOINLINE P value(P z) {
        return simd::select(pcmp_lt(pzero(z), z), z, vmath::expm1(z));
    }
    template <class P>
    static FASTMLP_INLINE P slope(P, P a) {
        return simd::select(pcmp_lt(pzero(a), a), constant<P>(1), padd(a, constant<P>(1)));
    }
};

struct Selu {  // lambda (z > 0 ? z : alpha (exp(z) - 1)); f'(0) = lambda alpha
    static constexpr bool kSlopeFromOutput = true;
    static constexpr double kLambda = 1.0507009873554804934193349852946;
    static constexpr double kLambdaAlpha = kLambda * 1.6732632423543772848170429916717;
    template <class P>
    static FASTMLP_NOINLINE P value(P z) {
        const P below = pmul(vmath::expm1(z), constant<P>(kLambdaAlpha));
        return simd::select(pcmp_lt(pzero(z), z), pmul(z, constant<P>(kLambda)), below);
    }
    template <class P>
    static FASTMLP_INLINE P slope(P, P a) {
        const P below = padd(a, constant<P>(kLambdaAlpha));
        return simd::select(pcmp_lt(pzero(a), a), constant<P>(kLambda), below);
    }
};

struct Gelu {  // z Phi(z); f' = Phi(z) + z phi(z)
    static constexpr bool kSlopeFromOutput = false;
    template <class P>
    static FASTMLP_NOINLINE P value(P z) {
        return pmul(z, vmath::normal_cdf(z));
    }
    template <class P>
    static FASTMLP_NOINLINE P slope(P z, P) {
        return pmadd(z, vmath::normal_pdf(z), vmath::normal_cdf(z));
    }
};

struct Silu {  // z s(z), s the sigmoid; f' = s (1 + z (1 - s))
    static constexpr bool kSlopeFromOutput = false;
    template <class P>
    static FASTMLP_NOINLINE P value(P z) {
        return pmul(z, vmath::sigmoid(z));
    }
    template <class P>
    static FASTMLP_NOINLINE P slope(P z, P) {
        const P one = constant<P>(1), s = vmath::sigmoid(z);
        return pmul(s, pmadd(z, psub(one, s), one));
    }
};

// z t, t = tanh(log(1 + exp(z))); f' = t + z s (1 - t^2), s the sigmoid. With e = exp(-|z|), t is a quotient
// of sums of positive terms: e (e + 2) / (e (e + 2) + 2) for z < 0, (1 + 2 e) / (1 + 2 e + 2 e^2) otherwise.
struct Mish {
    static constexpr bool kSlopeFromOutput = false;
    template <class P>
    struct Quotient {
        P e, numerator, denominator;
    };
    template <class P>
    static FASTMLP_INLINE Quotient<P> tanh_of_softplus(P z) {
        const P one = constant<P>(1), two = constant<P>(2), e = vmath::exp(pnegate(pabs(z)));
        const P below = pmul(e, padd(e, two)), above = padd(one, padd(e, e));
        const auto negative = pcmp_lt(z, pzero(z));
        return {e, simd::select(negative, below, above),
                simd::select(negative, padd(below, two), pmadd(pmul(two, e), e, above))};
    }
    template <class P>
    static FASTMLP_NOINLINE P value(P z) {
        const Quotient<P> t = tanh_of_softplus(z);
        return pmul(z, pdiv(t.numerator, t.denominator));
    }
    // s (1 - t^2) = 4 (1 + e) (e for z < 0, else e^2) / denominator^2
    template <class P>
    static FASTMLP_NOINLINE P slope(P z, P) {
        const Quotient<P> t = tanh_of_softplus(z);
        const P falling = simd::select(pcmp_lt(z, pzero(z)), t.e, pmul(t.e, t.e));
        const P rise = pmul(pmul(constant<P>(4), falling), padd(constant<P>(1), t.e));
        return pdiv(pmadd(z, pdiv(rise, t.denominator), t.numerator), t.denominator);
    }
};

struct Softplus {  // log(1 + exp(z)); f' = sigmoid(z)
    static constexpr bool kSlopeFromOutput = false;
    template <class P>
    static FASTMLP_NOINLINE P value(P z) {
        return padd(pmax(z, pzero(z)), vmath::log1p(vmath::exp(pnegate(pabs(z)))));
    }
    template <class P>
    static FASTMLP_NOINLINE P slope(P z, P) {
        return vmath::sigmoid(z);
    }
};

struct Tanh {  // f' = 1 - a^2
    static constexpr bool kSlopeFromOutput = true;
    template <class P>
    static FASTMLP_NOINLINE P value(P z) {
        return vmath::tanh(z);
    }
    template <class P>
    static FASTMLP_INLINE P slope(P, P a) {
        return psub(constant<P>(1), pmul(a, a));
    }
};

struct Sigmoid {  // f' = a (1 - a)
    static constexpr bool kSlopeFromOutput = true;
    template <class P>
    static FASTMLP_NOINLINE P value(P z) {
        return vmath::sigmoid(z);
    }
    template <class P>
    static FASTMLP_INLINE P slope(P, P a) {
        return pmul(a, psub(constant<P>(1), a));
    }
};

}  // namespace activations

// Calls visit(activations::F{}) with the functions of an activation.
template <class Visitor>
auto with_activation(Activation name, Visitor visit) {
    switch (name) {
#define FASTMLP_CASE(name, functions) \
    case Activation::name:            \
        return visit(activations::functions{});
        FASTMLP_ACTIVATIONS(FASTMLP_CASE)
#undef FASTMLP_CASE
    }
    return visit(activations::Identity{});
}

inline bool slope_from_output(Activation name) {
    return with_activation(name, [](auto f) { return decltype(f)::kSlopeFromOutput; });
}

}  // namespace fastmlp
