// One vector register of T, through Eigen's packets, for the instruction set that this library is compiled
// for.
#pragma once

#include <Eigen/Core>
#include <cmath>

#include "core/base/types.h"

namespace fastmlp {

template <class T>
using Packet = typename Eigen::internal::packet_traits<T>::type;

template <class T>
inline constexpr Index kLanes = Eigen::internal::unpacket_traits<Packet<T>>::size;

// The shape of a tile, R rows x V vectors: its sums, one row of b and one number of a fit into the registers,
// and edges have at most 7 rows. kTileVectors is the largest V, tile_rows(V) the R beside it, kRowVectors the
// V of a tile of one row. kDefersUpdates: a tile is large enough for the update of the one before it to hide
// between its multiply-adds.
#if defined(EIGEN_VECTORIZE_AVX512) || defined(EIGEN_VECTORIZE_NEON)
inline constexpr int kTileVectors = 4, kRowVectors = 16;
inline constexpr bool kDefersUpdates = true;
constexpr int tile_rows(int vectors) { return vectors == 4 ? 6 : 8; }
#elif defined(EIGEN_VECTORIZE_AVX)
inline constexpr int kTileVectors = 3, kRowVectors = 8;
inline constexpr bool kDefersUpdates = false;
constexpr int tile_rows(int vectors) { return vectors == 3 ? 4 : vectors == 2 ? 6 : 8; }
#else
inline constexpr int kTileVectors = 2, kRowVectors = 8;
inline constexpr bool kDefersUpdates = false;
constexpr int tile_rows(int vectors) { return vectors == 2 ? 4 : 8; }
#endif

namespace simd {

template <class T>
FASTMLP_INLINE Packet<T> set1(T x) {
    return Eigen::internal::pset1<Packet<T>>(x);
}
template <class T>
FASTMLP_INLINE Packet<T> load(const T* p) {
    return Eigen::internal::ploadu<Packet<T>>(p);
}
template <class T>
FASTMLP_INLINE void store(T* p, Packet<T> x) {
    Eigen::internal::pstoreu(p, x);
}

// The first `lanes` elements only; memory behind them is neither read nor written.
template <class T>
FASTMLP_INLINE Packet<T> load(const T* p, Index lanes) {
    if (lanes >= kLanes<T>) return load(p);
    T padded[kLanes<T>] = {};
    for (Index i = 0; i < lanes; ++i) padded[i] = p[i];
    return load(padded);
}
template <class T>
FASTMLP_INLINE void store(T* p, Packet<T> x, Index lanes) {
    if (lanes >= kLanes<T>) return store(p, x);
    T padded[kLanes<T>];
    store(padded, x);
    for (Index i = 0; i < lanes; ++i) p[i] = padded[i];
}

#if defined(EIGEN_VECTORIZE_AVX512)
FASTMLP_INLINE __mmask16 first_lanes(Index lanes) {
    return lanes >= 16 ? __mmask16(0xffff) : __mmask16((1u << lanes) - 1);
}
template <>
FASTMLP_INLINE Packet<float> load(const float* p, Index lanes) {
    return _mm512_maskz_loadu_ps(first_lanes(lanes), p);
}
template <>
FASTMLP_INLINE Packet<double> load(const double* p, Index lanes) {
    return _mm512_maskz_loadu_pd(__mmask8(first_lanes(lanes)), p);
}
template <>
FASTMLP_INLINE void store(float* p, Packet<float> x, Index lanes) {
    _mm512_mask_storeu_ps(p, first_lanes(lanes), x);
}
template <>
FASTMLP_INLINE void store(double* p, Packet<double> x, Index lanes) {
    _mm512_mask_storeu_pd(p, __mmask8(first_lanes(lanes)), x);
}
#endif

// Sums over columns that fill only half a vector are made in packets of type Half and then widened with
// zeros: some processors with AVX-512 do twice as many multiply-adds a cycle on half vectors. Elsewhere Half
// is the whole vector, as nothing would be gained.
template <class T>
FASTMLP_INLINE Packet<T> widen(Packet<T> x) {
    return x;
}
#if defined(EIGEN_VECTORIZE_AVX512)
template <class T>
using Half = typename Eigen::internal::unpacket_traits<Packet<T>>::half;
template <class T>
FASTMLP_INLINE Packet<T> widen(Half<T> x) {
    if constexpr (sizeof(T) == 4)
        return _mm512_zextps256_ps512(x);
    else
        return _mm512_zextpd256_pd512(x);
}
#else
template <class T>
using Half = Packet<T>;
#endif

// The square root, correctly rounded. Eigen's psqrt is an estimate on some instruction sets, so its bits
// would differ between them.
template <class P>
FASTMLP_INLINE P sqrt(P x) {
    return Eigen::internal::psqrt(x);
}
#if defined(EIGEN_VECTORIZE_AVX512)
template <>
FASTMLP_INLINE Packet<float> sqrt(Packet<float> x) {
    return _mm512_sqrt_ps(x);
}
template <>
FASTMLP_INLINE Packet<double> sqrt(Packet<double> x) {
    return _mm512_sqrt_pd(x);
}
#elif defined(EIGEN_VECTORIZE_AVX)
template <>
FASTMLP_INLINE Packet<float> sqrt(Packet<float> x) {
    return _mm256_sqrt_ps(x);
}
#elif defined(EIGEN_VECTORIZE_SSE)
template <>
FASTMLP_INLINE Packet<float> sqrt(Packet<float> x) {
    return _mm_sqrt_ps(x);
}
#endif

template <class P>
FASTMLP_INLINE P select(P mask, P yes, P no) {
    return Eigen::internal::pselect(mask, yes, no);
}

}  // namespace simd
}  // namespace fastmlp
