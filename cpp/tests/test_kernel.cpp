// The tile kernel against a naive product, at every edge, with every kind of stride and from every kind of
// panel.
#include <doctest/doctest.h>

#include <bit>
#include <vector>

#include "core/base/random.h"
#include "core/kernel/bfloat16_panels.h"
#include "core/model/initialize.h"
#include "core/model/layout.h"

using namespace fastmlp;

namespace {

template <class T>
AlignedBuffer<T> random_numbers(Index n, std::uint32_t stream) {
    AlignedBuffer<T> x(n);
    RandomSequence random(7, Stream::init, stream);
    for (Index i = 0; i < n; ++i) x.data()[i] = T(random.normal());
    return x;
}

template <class T>
struct Store {
    T* c;
    Index N, column = 0;

    template <int V>
    Store panel(Index j) const {
        return {c, N, j};
    }
    void operator()(Index i, int v, int, Packet<T> x) const {
        const Index j = column + v * kLanes<T>;
        simd::store(c + i * N + j, x, std::min(kLanes<T>, N - j));
    }
};

template <bool kBias, class T, class Panels>
std::vector<T> product_of(const Product<T>& p, const Panels& panels) {
    std::vector<T> c(static_cast<std::size_t>(p.M * p.N));
    multiply<kBias>(p, panels, {0, TileGrid<T>::tiles(p.M, p.N)}, Store<T>{c.data(), p.N});
    return c;
}

template <class T, class B>
void check_product(const Product<T>& p, const std::vector<T>& c, const B& b, const T* bias = nullptr) {
    for (Index i = 0; i < p.M; ++i)
        for (Index j = 0; j < p.N; ++j) {
            double want = bias ? double(bias[j]) : 0, size = std::abs(want);
            for (Index k = 0; k < p.K; ++k) {
                const double term = double(p.a[i * p.a_row + k * p.a_col]) * double(b(k, j));
                want += term;
                size += std::abs(term);
            }
            const double got = double(c[static_cast<std::size_t>(i * p.N + j)]);
            REQUIRE(std::abs(got - want) <= double(p.K + 1) * std::numeric_limits<T>::epsilon() * size);
        }
}

template <class T>
std::vector<Index> widths() {
    constexpr Index W = kLanes<T>, C = TileGrid<T>::kColumns;
    return {1, 3, W, W + 1, 2 * W, 2 * W + 1, C - 1, C, C + 1, 2 * C + W, 150};
}

}  // namespace

TEST_CASE_TEMPLATE("the product is right at every edge of the tile grid", T, float, double) {
    const AlignedBuffer<T> a = random_numbers<T>(40 * 40, 0), b = random_numbers<T>(41 * 200, 1);
    for (Index M = 1; M <= 17; ++M)
        for (const Index N : widths<T>())
            for (const Index K : {1, 2, 17, 40}) {
                const auto at = [&](Index k, Index j) { return b.data()[k * N + j]; };
                // Rows of a, then its transpose, as the gradient reads it.
                const Product<T> rows{a.data(), 40, 1, M, N, K}, columns{a.data(), 1, 40, M, N, K};
                const WeightPanels<T> flat{b.data(), TileGrid<T>::kColumns, N};
                check_product(rows, product_of<false>(rows, flat), at);
                check_product(columns, product_of<false>(columns, flat), at);
                check_product(rows, product_of<true>(rows, flat), at, b.data() + K * N);
            }
}

TEST_CASE_TEMPLATE("weights in panels, their transpose and copied rows are the same matrix", T, float,
                   double) {
    const AlignedBuffer<T> a = random_numbers<T>(90 * 150, 0), scratch(panel_size<T>(150));
    for (const Index I : widths<T>())
        for (const Index O : widths<T>()) {
            const Architecture architecture{{I, O}, {Activation::identity}};
            Network<T> network(architecture);
            initialize(network, 0, InitKind::normal, 1, {3});
            const T* W = network.parameters();
            const PanelLayout<T> layout(network);
            const AlignedBuffer<T> panels(layout.size());
            layout.pack(W, panels.data());
            AlignedBuffer<T> back(network.parameter_count());
            layout.unpack(panels.data(), back.data());
            REQUIRE(std::equal(W, W + network.parameter_count(), back.data()));

            const Product<T> forward{a.data(), 150, 1, 9, O, I}, backward{a.data(), 150, 1, 9, I, O};
            check_product(
                forward, product_of<true>(forward, layout.weights(0, panels.data())),
                [&](Index k, Index j) { return W[k * O + j]; }, W + I * O);
            check_product(backward,
                          product_of<false>(
                              backward, TransposedPanels<T>{panels.data(), layout.layer(0), scratch.data()}),
                          [&](Index k, Index j) { return W[j * O + k]; });
        }
    for (const Index ld : {150, 160}) {  // enough tiles for a copy
        const Product<T> p{a.data(), 1, 90, 90, 100, 37};
        const AlignedBuffer<T> b = random_numbers<T>(37 * ld, 2);
        check_product(p, product_of<false>(p, MatrixPanels<T>{b.data(), ld, 37, scratch.data()}),
                      [&](Index k, Index j) { return b.data()[k * ld + j]; });
    }
}

TEST_CASE_TEMPLATE("an element's bits do not depend on the rows and columns around it", T, float, double) {
    const Index K = 37, N = 2 * TileGrid<T>::kColumns + 3, M = 20;
    const AlignedBuffer<T> a = random_numbers<T>(M * K, 0), b = random_numbers<T>((K + 1) * N, 1);
    const auto product = [&](Index i, Index rows, Index first) {
        const Product<T> p{a.data() + i * K, K, 1, rows, N - first, K};
        return product_of<false>(p, WeightPanels<T>{b.data() + first, TileGrid<T>::kColumns, N});
    };
    const std::vector<T> all = product(0, M, 0);
    for (Index i = 0; i < M; ++i)
        for (Index first = 0; first < N; first += 5) {
            const std::vector<T> some =
                product(i, 1, first);  // one row, from a column on: other tiles, other lanes
            for (Index j = first; j < N; ++j)
                REQUIRE(some[static_cast<std::size_t>(j - first)] ==
                        all[static_cast<std::size_t>(i * N + j)]);
        }
}

#ifdef FASTMLP_BFLOAT16

namespace {

float rounded(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    return std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u);
}

// Each element must be the chain over k = 1, 0, 3, 2, ..; a(i, k) and b(k, j) are in float32.
template <bool kBias, class Panels, class A, class B>
void check_pairs(const PairProduct<float>& p, Index K, const Panels& panels, const A& a, const B& b,
                 const float* bias = nullptr) {
    std::vector<float> c(static_cast<std::size_t>(p.M * p.N));
    multiply<kBias>(p, panels, {0, TileGrid<float>::tiles(p.M, p.N)}, Store<float>{c.data(), p.N});
    for (Index i = 0; i < p.M; ++i)
        for (Index j = 0; j < p.N; ++j) {
            float want = bias ? bias[j] : 0;
            for (Index n = 0; n < round_up(K, 2); ++n)
                if (const Index k = n ^ 1; k < K) want += rounded(a(i, k)) * rounded(b(k, j));
            REQUIRE(c[static_cast<std::size_t>(i * p.N + j)] == want);
        }
}

}  // namespace

TEST_CASE("in bfloat16 the product of rounded rows and columns with every kind of panel is one chain") {
    if (!__builtin_cpu_supports("avx512bf16")) return;
    constexpr Index B = 13;
    const AlignedBuffer<float> a = random_numbers<float>(B * 150, 0), b = random_numbers<float>(B * 160, 1);
    const AlignedBuffer<Pair> rows(B * 96), columns((B + 1) / 2 * 160), scratch(pair_panel_size(150));
    const PairCopies copies{rows.data(), 96, columns.data(), 160};
    const auto of_a = [&](Index i, Index k) { return a.data()[i * 150 + k]; };
    for (const Index I : widths<float>())
        for (const Index O : widths<float>()) {
            Network<float> network(Architecture{{I, O}, {Activation::identity}});
            initialize(network, 0, InitKind::normal, 1, {3});
            const float* W = network.parameters();
            const PanelLayout<float> layout(network);
            const AlignedBuffer<float> panels(layout.size());
            layout.pack(W, panels.data());

            round_rows(a.data(), 150, I, {0, B}, copies);
            check_pairs<true>(
                {rows.data(), 96, 1, B, O, ceil_div(I, 2)}, I,
                WeightPairs<float>{panels.data(), layout.layer(0), scratch.data()}, of_a,
                [&](Index k, Index j) { return W[k * O + j]; }, W + I * O);
            check_pairs<false>(
                {columns.data(), 1, 160, I, O, ceil_div(B, 2)}, B,
                MatrixPairs<float>{b.data(), 160, B, scratch.data()},
                [&](Index i, Index k) { return of_a(k, i); },
                [&](Index k, Index j) { return b.data()[k * 160 + j]; });
            round_rows(a.data(), 150, O, {0, B}, copies);
            check_pairs<false>({rows.data(), 96, 1, B, I, ceil_div(O, 2)}, O,
                               TransposedPairs<float>{panels.data(), layout.layer(0), scratch.data()}, of_a,
                               [&](Index k, Index j) { return W[j * O + k]; });
        }
}

#endif
