// Elementary functions on packets, accurate to a few ulp over the whole range; NaN in, NaN out.
#pragma once

#include <cmath>
#include <limits>

#include "simd.h"

namespace fastmlp::vmath {

using namespace Eigen::internal;

template <class P>
using Scalar = typename unpacket_traits<P>::type;

template <class P>
FASTMLP_INLINE P constant(double x) {
    return pset1<P>(Scalar<P>(x));
}

// Below the smallest normal number the result is 0: subnormals would slow every product behind it.
template <class P>
FASTMLP_INLINE P exp(P x) {
    constexpr double lowest = (std::numeric_limits<Scalar<P>>::min_exponent - 1) * 0.6931471805599453;
    return simd::select(pcmp_lt(x, constant<P>(lowest)), pzero(x), pexp(x));
}

// log(1 + x) for 0 <= x <= 1; the quotient x / ((1 + x) - 1) undoes the rounding of 1 + x (Kahan).
template <class P>
FASTMLP_INLINE P log1p(P x) {
    const P one = constant<P>(1), w = padd(one, x), d = psub(w, one);
    return simd::select(pcmp_eq(d, pzero(x)), x, pdiv(pmul(plog(w), x), d));
}

// exp(x) - 1 for x <= 0, by the same trick.
template <class P>
FASTMLP_INLINE P expm1(P x) {
    const P one = constant<P>(1), u = vmath::exp(x), d = psub(u, one);
    const P ratio = pdiv(pmul(d, x), plog(u));
    const P result = simd::select(pcmp_eq(d, constant<P>(-1)), d, ratio);
    return simd::select(pcmp_eq(u, one), x, result);
}

// 1 / (1 + exp(-x)), without overflow on either side.
template <class P>
FASTMLP_INLINE P sigmoid(P x) {
    const P one = constant<P>(1), e = vmath::exp(pnegate(pabs(x))), r = pdiv(one, padd(one, e));
    return simd::select(pcmp_lt(x, pzero(x)), pmul(e, r), r);
}

// Rational approximation near 0, exp elsewhere (Moshier, Cephes: tanh.c).
template <class P>
FASTMLP_INLINE P tanh(P x) {
    const P one = constant<P>(1), s = pabs(x), z = pmul(x, x);
    P p = pmadd(constant<P>(-9.64399179425052238628e-1), z, constant<P>(-9.92877231001918586564e1));
    p = pmadd(p, z, constant<P>(-1.61468768441708447952e3));
    P q = padd(z, constant<P>(1.12811678491632931402e2));
    q = pmadd(q, z, constant<P>(2.23548839060100448583e3));
    q = pmadd(q, z, constant<P>(4.84406305325125486048e3));
    const P near_zero = pmadd(pmul(x, z), pdiv(p, q), x);
    const P e = vmath::exp(padd(s, s));
    const P far = psub(one, pdiv(constant<P>(2), padd(e, one)));
    const P signed_far = por(far, pand(x, constant<P>(-0.0)));
    return simd::select(pcmp_lt(s, constant<P>(0.625)), near_zero, signed_far);
}

// Phi(x), the normal distribution function, by erfc for the digits of the lower tail. There erfc is so steep
// that the rounding of -x / sqrt(2) must be made good: d log erfc(t) / dt is about -2t.
inline double normal_cdf(double x) {
    constexpr double high = 0.70710678118654752440, low = -4.8336466567264567e-17;
    const double t = -x * high, rounding = std::fma(-x, high, -t) - x * low;
    return 0.5 * std::erfc(t) * (t > 1 ? 1 - 2 * t * rounding : 1);
}

template <class P>
FASTMLP_NOINLINE P normal_cdf(P x) {
    using T = Scalar<P>;
    T lane[unpacket_traits<P>::size];
    pstoreu(lane, x);
    for (T& v : lane) v = T(normal_cdf(double(v)));
    return ploadu<P>(lane);
}

// phi(x), the normal density.
template <class P>
FASTMLP_INLINE P normal_pdf(P x) {
    return pmul(constant<P>(0.39894228040143267794), vmath::exp(pmul(constant<P>(-0.5), pmul(x, x))));
}

}  // namespace fastmlp::vmath
