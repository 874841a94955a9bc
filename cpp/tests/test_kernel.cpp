// The tile kernel against a naive product, at every edge and with every kind of stride.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <vector>

#include "core/kernel.h"
#include "core/random.h"

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
std::vector<T> product_of(const Product<T>& p) {
    std::vector<T> c(static_cast<std::size_t>(p.M * p.N));
    const Index tiles = TileGrid<T>(p.M, p.N).tiles;
    multiply(p, 0, tiles, [&](Index i, Index j, Packet<T> x) {
        simd::store(c.data() + i * p.N + j, x, std::min(kLanes<T>, p.N - j));
    });
    return c;
}

}  // namespace

TEST_CASE_TEMPLATE("the product is right at every edge of the tile grid", T, float, double) {
    const AlignedBuffer<T> a = random_numbers<T>(40 * 40, 0), b = random_numbers<T>(40 * 200, 1);
    const std::vector<Index> columns{1,
                                     3,
                                     kLanes<T> - 1 + (kLanes<T> == 1),
                                     kLanes<T>,
                                     kLanes<T> + 1,
                                     TileGrid<T>::kColumns,
                                     TileGrid<T>::kColumns + 1,
                                     150};
    for (Index M = 1; M <= 2 * kTileRows + 1; ++M)
        for (const Index N : columns)
            for (const Index K : {1, 2, 17, 40}) {
                // Rows of a, then its transpose, as the gradient reads it.
                for (const auto& [row, column] : {std::pair<Index, Index>{40, 1}, {1, 40}}) {
                    const Product<T> p{a.data(), row, column, b.data(), N, M, N, K};
                    const std::vector<T> c = product_of(p);
                    for (Index i = 0; i < M; ++i)
                        for (Index j = 0; j < N; ++j) {
                            double want = 0, size = 0;
                            for (Index k = 0; k < K; ++k) {
                                const double term =
                                    double(p.a[i * row + k * column]) * double(p.b[k * N + j]);
                                want += term;
                                size += std::abs(term);
                            }
                            const double got = double(c[static_cast<std::size_t>(i * N + j)]);
                            REQUIRE(std::abs(got - want) <=
                                    double(K) * std::numeric_limits<T>::epsilon() * size);
                        }
                }
            }
}

TEST_CASE_TEMPLATE("an element's bits do not depend on the rows and columns around it", T, float, double) {
    const Index K = 37, N = 2 * TileGrid<T>::kColumns + 3, M = 3 * kTileRows + 2;
    const AlignedBuffer<T> a = random_numbers<T>(M * K, 0), b = random_numbers<T>(K * N, 1);
    const std::vector<T> all = product_of(Product<T>{a.data(), K, 1, b.data(), N, M, N, K});
    for (Index i = 0; i < M; ++i)
        for (Index first = 0; first < N; first += 5) {
            // One row, from column `first` on: other tiles, other lanes.
            const std::vector<T> some =
                product_of(Product<T>{a.data() + i * K, K, 1, b.data() + first, N, 1, N - first, K});
            for (Index j = first; j < N; ++j)
                REQUIRE(some[static_cast<std::size_t>(j - first)] ==
                        all[static_cast<std::size_t>(i * N + j)]);
        }
}
