// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011). The numbers are a function of (seed, counter), the same on every platform and
// thread.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

#include "core/base/types.h"

namespace fastmlp {

// What a number is drawn for; part of the counter, so no two uses share numbers.
enum class Stream : std::uint32_t { init = 0, shuffle = 1, dropout = 2, split = 3, blocks = 4 };

using PhiloxWords = std::array<std::uint32_t, 4>;

inline PhiloxWords philox(std::uint64_t seed, PhiloxWords counter) {
    std::uint32_t key0 = static_cast<std::uint32_t>(seed), key1 = static_cast<std::uint32_t>(seed >> 32);
    auto [c0, c1, c2, c3] = counter;
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c0, p1 = std::uint64_t{0xCD9E8D57} * c2;
        c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ key0;
        c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ key1;
        c1 = static_cast<std::uint32_t>(p1);
        c3 = static_cast<std::uint32_t>(p0);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return {c0, c1, c2, c3};
}

// A sequence of numbers for one (seed, stream, substream).
class RandomSequence {
public:
    RandomSequence(std::uint64_t seed, Stream stream, std::uint32_t substream)
        : seed_(seed), stream_(stream), substream_(substream) {}

    std::uint32_t next32() {
        if (used_ == 4) {
            words_ =
                philox(seed_, {static_cast<std::uint32_t>(block_), static_cast<std::uint32_t>(block_ >> 32),
                               substream_, static_cast<std::uint32_t>(stream_)});
            ++block_;
            used_ = 0;
        }
        return words_[used_++];
    }

    std::uint64_t next64() {
        const std::uint64_t low = next32();
        return low | std::uint64_t{next32()} << 32;
    }

    // Uniform in {0, .., n-1}, unbiased (Lemire, "Fast random integer generation in an interval", 2019).
    std::uint32_t below(std::uint32_t n) {
        std::uint64_t product = std::uint64_t{next32()} * n;
        if (static_cast<std::uint32_t>(product) < n) {
            const std::uint32_t threshold = (0u - n) % n;
            while (static_cast<std::uint32_t>(product) < threshold) product = std::uint64_t{next32()} * n;
        }
        return static_cast<std::uint32_t>(product >> 32);
    }

    // Uniform in (0, 1].
    double uniform() { return (static_cast<double>(next64() >> 11) + 0.5) * 0x1p-53; }

    // Standard normal (Box and Muller, 1958).
    double normal() {
        if (has_spare_) {
            has_spare_ = false;
            return spare_;
        }
        const double radius = std::sqrt(-2 * std::log(uniform())), angle = 6.283185307179586477 * uniform();
        spare_ = radius * std::sin(angle);
        has_spare_ = true;
        return radius * std::cos(angle);
    }

private:
    std::uint64_t seed_, block_ = 0;
    Stream stream_;
    std::uint32_t substream_;
    PhiloxWords words_{};
    int used_ = 4;
    double spare_ = 0;
    bool has_spare_ = false;
};

// order[0 .. n) becomes a random permutation of 0 .. n-1 (Fisher and Yates); stops() is asked now and then.
template <class Integer, class Stops = bool (*)()>
void permutation(
    std::uint64_t seed, Stream stream, std::uint32_t substream, Integer* order, Index n,
    Stops stops = [] { return false; }) {
    constexpr Index kSwapsBetween = 1 << 16;
    RandomSequence random(seed, stream, substream);
    std::iota(order, order + n, Integer(0));
    for (Index i = n - 1; i > 0; --i) {
        std::swap(order[i], order[random.below(static_cast<std::uint32_t>(i + 1))]);
        if (i % kSwapsBetween == 0 && stops()) return;
    }
}

// Inverted dropout (Srivastava et al., 2014): an element becomes 0 with probability p, else it is divided by
// 1 - p.
class Dropout {
public:
    Dropout(std::uint64_t seed, double p)
        : seed_(seed), threshold_(static_cast<std::uint32_t>(p * 4294967296.0)), keep_(1 / (1 - p)) {}

    // Drops elements of the n activations of one row, and of f' beside them.
    template <class T>
    void apply(std::uint64_t step, Index layer, Index row, T* a, T* slope, Index n) const {
        const std::uint32_t stream = static_cast<std::uint32_t>(Stream::dropout) | std::uint32_t(layer) << 8;
        PhiloxWords words{};
        for (Index j = 0; j < n; ++j) {
            const Index word = j % 4;
            if (word == 0)
                words =
                    philox(seed_, {std::uint32_t(j / 4), std::uint32_t(row), std::uint32_t(step), stream});
            const T multiplier = words[std::size_t(word)] < threshold_ ? T(0) : T(keep_);
            a[j] *= multiplier;
            slope[j] *= multiplier;
        }
    }

private:
    std::uint64_t seed_;
    std::uint32_t threshold_;
    double keep_;
};

}  // namespace fastmlp
