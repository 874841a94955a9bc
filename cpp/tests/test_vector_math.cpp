// The elementary functions and activations: digits, limits, NaN, and memory at the edge.
#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "core/model/activations.h"

using namespace fastmlp;

namespace {

template <class T, class F>
T apply(F f, T x) {
    T lanes[kLanes<T>];
    simd::store(lanes, f(simd::set1(x)));
    for (Index i = 1; i < kLanes<T>; ++i)
        CHECK((lanes[i] == lanes[0] || (std::isnan(lanes[i]) && std::isnan(lanes[0]))));
    return lanes[0];
}

// The largest error of f in units of the last place of the exact value, over [low, high].
template <class T, class F, class Exact>
double worst_ulp(F f, Exact exact, double low, double high) {
    double worst = 0;
    constexpr int kPoints = 20000;
    for (int i = 0; i <= kPoints; ++i) {
        const T x = T(low + (high - low) * i / kPoints);
        const long double want = exact(static_cast<long double>(x));
        const long double ulp = std::max<long double>(std::abs(want), std::numeric_limits<T>::min()) *
                                static_cast<long double>(std::numeric_limits<T>::epsilon());
        worst = std::max(worst, double(std::abs(static_cast<long double>(apply<T>(f, x)) - want) / ulp));
    }
    return worst;
}

}  // namespace

TEST_CASE_TEMPLATE("elementary functions are within a few ulp", T, float, double) {
    const double bottom = std::is_same_v<T, float> ? -87 : -708;
    const double top = -bottom;
    CHECK(worst_ulp<T>([](auto x) { return vmath::exp(x); }, [](auto x) { return std::exp(x); }, bottom,
                       top) < 3);
    CHECK(worst_ulp<T>([](auto x) { return vmath::log1p(x); }, [](auto x) { return std::log1p(x); }, 0, 1) <
          4);
    CHECK(worst_ulp<T>([](auto x) { return vmath::expm1(x); }, [](auto x) { return std::expm1(x); }, -20, 0) <
          6);
    CHECK(worst_ulp<T>([](auto x) { return vmath::expm1(x); }, [](auto x) { return std::expm1(x); }, -1e-3,
                       0) < 6);
    CHECK(worst_ulp<T>([](auto x) { return vmath::tanh(x); }, [](auto x) { return std::tanh(x); }, -10, 10) <
          4);
    CHECK(worst_ulp<T>([](auto x) { return vmath::tanh(x); }, [](auto x) { return std::tanh(x); }, -1e-3,
                       1e-3) < 3);
    const auto logistic = [](long double x) { return 1 / (1 + std::exp(-x)); };
    CHECK(worst_ulp<T>([](auto x) { return vmath::sigmoid(x); }, logistic, bottom + 1, 40) < 4);
    const auto phi = [](long double x) { return std::erfc(-x / std::sqrt(2.0L)) / 2; };
    CHECK(worst_ulp<T>([](auto x) { return vmath::normal_cdf(x); }, phi, -12, 6) < 4);
}

TEST_CASE_TEMPLATE("selu and mish are within a few ulp, and so are their slopes", T, float, double) {
    using activations::Mish;
    using activations::Selu;
    const double bottom = std::is_same_v<T, float> ? -80 : -700;
    const long double lambda = 1.0507009873554804934193349852946L, alpha = 1.6732632423543772848170429916717L;
    const auto selu = [=](long double z) { return lambda * (z > 0 ? z : alpha * std::expm1(z)); };
    const auto mish = [](long double z) { return z * std::tanh(std::log1p(std::exp(z))); };
    const auto slope = [](long double z) {
        const long double t = std::tanh(std::log1p(std::exp(z))), s = 1 / (1 + std::exp(-z));
        return t + z * s * (1 - t) * (1 + t);
    };
    CHECK(worst_ulp<T>([](auto z) { return Selu::value(z); }, selu, -20, 20) < 8);
    CHECK(worst_ulp<T>([](auto z) { return Selu::value(z); }, selu, -1e-3, 1e-3) < 8);
    CHECK(worst_ulp<T>([](auto z) { return Mish::value(z); }, mish, bottom, 0) < 8);
    CHECK(worst_ulp<T>([](auto z) { return Mish::value(z); }, mish, -1e-3, 40) < 8);
    CHECK(worst_ulp<T>([](auto z) { return Mish::slope(z, z); }, slope, bottom, -2) < 16);
    CHECK(worst_ulp<T>([](auto z) { return Mish::slope(z, z); }, slope, -0.5, 10) < 8);
    const auto selu_slope = [=](long double z) { return z > 0 ? lambda : lambda * alpha * std::exp(z); };
    CHECK(worst_ulp<T>([](auto z) { return Selu::slope(z, Selu::value(z)); }, selu_slope, -1, 3) < 8);
    CHECK(apply<T>([](auto z) { return Selu::slope(z, Selu::value(z)); }, T(0)) == T(Selu::kLambdaAlpha));
}

TEST_CASE_TEMPLATE("far out, functions reach their limits", T, float, double) {
    constexpr T far = T(1e4);
    CHECK(apply<T>([](auto x) { return vmath::exp(x); }, -far) == 0);
    CHECK(apply<T>([](auto x) { return vmath::sigmoid(x); }, far) == 1);
    CHECK(apply<T>([](auto x) { return vmath::sigmoid(x); }, -far) == 0);
    CHECK(apply<T>([](auto x) { return vmath::tanh(x); }, far) == 1);
    CHECK(apply<T>([](auto x) { return vmath::tanh(x); }, -far) == -1);
    CHECK(apply<T>([](auto z) { return activations::Softplus::value(z); }, far) == far);
    CHECK(apply<T>([](auto z) { return activations::Softplus::value(z); }, -far) == 0);
    CHECK(apply<T>([](auto z) { return activations::Gelu::value(z); }, far) == far);
    CHECK(apply<T>([](auto z) { return activations::Elu::value(z); }, -far) == -1);
    CHECK(apply<T>([](auto z) { return activations::Selu::value(z); }, -far) ==
          -T(activations::Selu::kLambdaAlpha));
    CHECK(apply<T>([](auto z) { return activations::Mish::value(z); }, far) == far);
    CHECK(apply<T>([](auto z) { return activations::Mish::value(z); }, -far) == 0);
    CHECK(apply<T>([](auto z) { return activations::Mish::slope(z, z); }, far) == 1);
    CHECK(apply<T>([](auto z) { return activations::Mish::slope(z, z); }, -far) == 0);
}

TEST_CASE_TEMPLATE("waves are right to a few ulp of 1 at any number of turns", T, float, double) {
    constexpr long double pi = 3.14159265358979323846L;
    for (const T w : {T(0.25), T(1), T(4096)})  // products of powers of two are exact
        for (Index i = -400; i < 400; ++i) {
            const T x = T(i) * T(0.37), b = T(i) / 9;
            const long double turns = static_cast<long double>(x) * w;
            const long double u = 2 * pi * (turns - std::round(turns)) + b;
            const auto cos = [&](auto p) { return vmath::wave(p, simd::set1(w), simd::set1(b)).cos; };
            const auto sin = [&](auto p) { return vmath::wave(p, simd::set1(w), simd::set1(b)).sin; };
            const long double bound = std::numeric_limits<T>::epsilon() * (4 + std::abs(b));
            CHECK(std::abs(apply<T>(cos, x) - std::cos(u)) < bound);
            CHECK(std::abs(apply<T>(sin, x) - std::sin(u)) < bound);
        }
}

TEST_CASE_TEMPLATE("a NaN stays a NaN in every activation", T, float, double) {
    constexpr T nan = std::numeric_limits<T>::quiet_NaN();
    for (const auto& activation : kActivations) {
        CAPTURE(activation.first);
        with_activation(activation.second, [&](auto f) {
            using F = decltype(f);
            CHECK(std::isnan(apply<T>([](auto z) { return F::value(z); }, nan)));
        });
    }
}

TEST_CASE_TEMPLATE("partial loads and stores keep to their lanes", T, float, double) {
    for (Index lanes = 1; lanes <= kLanes<T>; ++lanes) {
        CAPTURE(lanes);
        const auto size = static_cast<std::size_t>(lanes);
        const std::unique_ptr<T[]> in(new T[size]),
            out(new T[size]);  // exactly so long: sanitizers watch the edge
        for (std::size_t i = 0; i < size; ++i) in[i] = T(i + 1);
        const Packet<T> x = simd::load(in.get(), lanes);
        simd::store(out.get(), x, lanes);
        T all[kLanes<T>];
        simd::store(all, x);
        for (Index i = 0; i < kLanes<T>; ++i) CHECK(all[i] == (i < lanes ? T(i + 1) : T(0)));
        for (std::size_t i = 0; i < size; ++i) CHECK(out[i] == in[i]);
    }
}
