// The generator against the published vectors, and the permutations and masks made of it.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "core/base/parallel.h"
#include "core/base/random.h"
#include "core/model/initialize.h"

using namespace fastmlp;

TEST_CASE("Philox4x32-10 gives the known answers of its authors") {
    CHECK(philox(0, {0, 0, 0, 0}) == PhiloxWords{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(philox(~std::uint64_t{0}, {~0u, ~0u, ~0u, ~0u}) ==
          PhiloxWords{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(philox(0x299f31d0a4093822, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}) ==
          PhiloxWords{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("blocks side by side have the words of each") {
    const std::uint64_t seed = 0x299f31d0a4093822, first = 0xfffffffc;  // the counter carries
    PhiloxBlocks words;
    philox_blocks(seed, first, 0x13198a2e, 0x03707344, words);
    for (std::uint64_t i = 0; i < kPhiloxBlocks; ++i) {
        const std::uint64_t block = first + i;
        const PhiloxWords one =
            philox(seed, {std::uint32_t(block), std::uint32_t(block >> 32), 0x13198a2e, 0x03707344});
        CHECK(std::equal(one.begin(), one.end(), words.begin() + 4 * std::ptrdiff_t(i)));
    }
}

TEST_CASE("initial weights are one sequence of numbers on any number of threads") {
    Network<float> network({{301, 407}, {Activation::relu}});
    set_exact_threads(true);
    for (const InitKind kind : {InitKind::uniform, InitKind::normal})
        for (const int threads : {1, 3}) {
            initialize(network, 0, kind, 0.1, {.seed = 8, .threads = threads});
            RandomSequence random(8, Stream::init, 0);
            for (Index i = 0; i < 301 * 407; ++i) {
                const double x = kind == InitKind::normal ? random.normal() : 2 * random.uniform() - 1;
                REQUIRE(network.parameters()[i] == float(0.1 * x));
            }
        }
    set_exact_threads(false);
}

TEST_CASE("a permutation holds every row once, and depends on seed, stream and substream") {
    std::vector<std::uint32_t> order(1000), other(1000);
    permutation(3, Stream::shuffle, 0, order.data(), 1000);
    permutation(3, Stream::shuffle, 1, other.data(), 1000);
    CHECK(order != other);
    permutation(4, Stream::shuffle, 0, other.data(), 1000);
    CHECK(order != other);
    permutation(3, Stream::split, 0, other.data(), 1000);
    CHECK(order != other);
    std::sort(order.begin(), order.end());
    for (std::uint32_t i = 0; i < 1000; ++i) CHECK(order[i] == i);
}

TEST_CASE("below(n) rejects what would favour small numbers") {
    // With n just above 2^31, half of all draws must be drawn again; without rejection the even share would
    // be off.
    const std::uint32_t n = 0x80000001;
    RandomSequence random(1, Stream::init, 0), words(1, Stream::init, 0);
    int used = 0;
    for (int i = 0; i < 1000; ++i) {
        const std::uint32_t got = random.below(n);
        REQUIRE(got < n);
        std::uint64_t product = 0;
        do {
            product = std::uint64_t{words.next32()} * n;
            ++used;
        } while (static_cast<std::uint32_t>(product) < (0u - n) % n);
        REQUIRE(got == static_cast<std::uint32_t>(product >> 32));
    }
    CHECK(used > 1800);
}

TEST_CASE("uniform and normal numbers have their moments") {
    RandomSequence random(5, Stream::init, 0);
    const int n = 100000;
    double sum = 0, squares = 0, uniform = 0;
    for (int i = 0; i < n; ++i) {
        const double x = random.normal();
        sum += x;
        squares += x * x;
        uniform += random.uniform();
    }
    CHECK(std::abs(sum / n) < 0.02);
    CHECK(std::abs(squares / n - 1) < 0.03);
    CHECK(std::abs(uniform / n - 0.5) < 0.01);
}

TEST_CASE("dropout keeps the mean and its mask does not depend on the order of rows") {
    const Dropout dropout(9, 0.25);
    std::vector<double> a(4001, 1.0), slope(4001, 2.0), again(4001, 1.0), unused(4001, 0.0);
    dropout.apply(3, 1, 7, 4001, a.data(), slope.data());
    dropout.apply(3, 1, 6, 4001, unused.data(), unused.data());
    dropout.apply(3, 1, 7, 4001, again.data(), unused.data());
    CHECK(a == again);
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        CHECK((a[i] == 0 || a[i] == doctest::Approx(1 / 0.75)));
        CHECK(slope[i] == 2 * a[i]);
        sum += a[i];
    }
    CHECK(sum / 4001 == doctest::Approx(1).epsilon(0.05));
}
