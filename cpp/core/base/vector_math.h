// Elementary functions on packets, accurate to a few ulp over the whole range; NaN in, NaN out.
#pragma once

#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>

#include "core/base/simd.h"

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

// erfc(t) exp(t^2) = polynomial(y) / (1 + 2 t) with y = (t - k) / (t + k) for t >= 0, after Schonfelder
// ("Chebyshev expansions for the error and related functions", Math. Comp. 32, 1978). Coefficients from y^0
// on, interpolated in the Chebyshev nodes to a relative error of 8e-9 (float) and 6e-18.
template <class T>
struct Erfcx;
template <>
struct Erfcx<float> {
    static constexpr double k = 2.5;
    static constexpr double c[] = {1.26483818,      -0.1223567694,   -0.09902423965,  0.157630376,
                                   -0.1029705553,   0.0327554827,    0.0009468088732, -0.004358277227,
                                   0.0004632798436, 0.0005834769349, -6.389437193e-5, -6.471063822e-5};
};
template <>
struct Erfcx<double> {
    static constexpr double k = 3.75;
    static constexpr double c[] = {
        1.2375126308378275819,      -0.14024059858554696191,    0.0035854154854637749642,
        0.082276738490145159123,    -0.10880393014171785779,    0.092304321160378767141,
        -0.058693398590212367225,   0.028362277418940664799,    -0.0097465795525042429682,
        0.0017556258530017257945,   0.0002937136342850081257,   -0.00029015408097952713049,
        0.000051649211390702852084, 0.000022384240314224437742, -0.000011444412439171723684,
        -9.7356190151826521112e-7,  1.7520579701663192783e-6,   -5.7215972559911241193e-8,
        -2.5910696877966722516e-7,  2.3261913276697613443e-8,   3.896545254898706799e-8,
        -3.7435680336350358911e-9,  -5.2842869796318965365e-9,  3.1103107198400118275e-10,
        4.4349590700105186746e-10};
};

// Phi(x) = erfc(-x / sqrt(2)) / 2, the normal distribution function, to the last digits of its lower tail:
// there exp(-x^2 / 2) is so steep that x is split into a head whose square is exact and the rest.
template <class P>
FASTMLP_NOINLINE P normal_cdf(P x) {
    using T = Scalar<P>;
    constexpr double split = sizeof(T) == 4 ? 4097.0 : 134217729.0;  // 2^12 + 1, 2^27 + 1 (Veltkamp)
    const P one = constant<P>(1), half = constant<P>(0.5);
    const P s = pmin(pabs(x), constant<P>(40)), t = pmul(s, constant<P>(0.70710678118654752440));
    const P c = pmul(s, constant<P>(split)), head = psub(c, psub(c, s)), rest = psub(s, head);
    const P y = pdiv(psub(t, constant<P>(Erfcx<T>::k)), padd(t, constant<P>(Erfcx<T>::k)));
    P p = constant<P>(std::end(Erfcx<T>::c)[-1]);
    for (std::size_t i = std::size(Erfcx<T>::c) - 1; i-- > 0;) p = pmadd(p, y, constant<P>(Erfcx<T>::c[i]));
    const P head_tail = pmul(pmul(half, pdiv(p, padd(one, padd(t, t)))),
                             vmath::exp(pmul(pmul(head, head), constant<P>(-0.5))));
    const P d = pmul(pmul(padd(s, head), rest), constant<P>(-0.5));  // at most 0.05: four terms of exp(d) - 1
    P e = pmadd(d, constant<P>(1.0 / 24), constant<P>(1.0 / 6));
    e = pmadd(pmadd(e, d, half), pmul(d, d), d);
    const P tail = pmadd(head_tail, e, head_tail);
    return simd::select(pcmp_lt(x, pzero(x)), tail, psub(one, tail));
}

// phi(x), the normal density.
template <class P>
FASTMLP_INLINE P normal_pdf(P x) {
    return pmul(constant<P>(0.39894228040143267794), vmath::exp(pmul(constant<P>(-0.5), pmul(x, x))));
}

// The nearest whole number.
template <class P>
FASTMLP_INLINE P round(P x) {
    constexpr int digits = std::numeric_limits<Scalar<P>>::digits;
    const P whole = constant<P>(double(std::int64_t{1} << (digits - 1)));  // from here on all numbers are
    const P s = pabs(x), nearest = psub(padd(s, whole), whole);
    return por(simd::select(pcmp_lt(s, whole), nearest, s), pand(x, constant<P>(-0.0)));
}

// 2 pi to the power n over n!, without its sign in the series of cosine and sine.
constexpr double turn_coefficient(int n) {
    double c = 1;
    for (int i = 1; i <= n; ++i) c *= 6.283185307179586476925 / i;
    return c;
}

// cos(2 pi r) and sin(2 pi r) for |r| <= 1/4, by their series: x^n / n! with x up to pi/2.
template <int First, class P>
FASTMLP_INLINE P turn_series(P square) {
    constexpr int last = First + (sizeof(Scalar<P>) == 4 ? 12 : 20);
    P sum = constant<P>((last - First) / 2 % 2 ? -turn_coefficient(last) : turn_coefficient(last));
    for (int n = last - 2; n >= First; n -= 2) {
        const double c = turn_coefficient(n);
        sum = pmadd(sum, square, constant<P>((n - First) / 2 % 2 ? -c : c));
    }
    return sum;
}

template <class P>
struct Wave {
    P cos, sin;
};

// cos(2 pi x w + b) and its sine. Whole turns are taken off x w before anything else is done, which is exact:
// so the error is that of the product x w, however large it is, and a few ulp of 1.
template <class P>
FASTMLP_INLINE Wave<P> wave(P x, P w, P b) {
    const P turns = pmul(x, w), shift = pmul(b, constant<P>(0.15915494309189533577));
    const P t = padd(psub(turns, vmath::round(turns)), psub(shift, vmath::round(shift)));
    const P halves = vmath::round(padd(t, t));  // -2 .. 2
    const P r = pmadd(halves, constant<P>(-0.5), t), square = pmul(r, r);
    const P half = pmul(halves, constant<P>(0.5)), odd = pabs(psub(half, vmath::round(half)));  // 1/2 or 0
    const P sign = pmadd(odd, constant<P>(-4), constant<P>(1));
    return {pmul(sign, turn_series<0>(square)), pmul(pmul(sign, r), turn_series<1>(square))};
}

}  // namespace fastmlp::vmath
