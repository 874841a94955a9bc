// Random numbers and orders of rows. They are a function of (seed, stream, substream) and of their place in
// the sequence, the same on every platform and thread.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

#include "core/base/philox.h"
#include "core/base/types.h"

namespace fastmlp {

// What a number is drawn for; part of the counter, so no two uses share numbers.
enum class Stream : std::uint32_t { init = 0, shuffle = 1, dropout = 2, split = 3, blocks = 4 };

// Uniform in (0, 1], of 53 of the bits.
inline double uniform_of(std::uint32_t low, std::uint32_t high) {
    // Exact: the upper 32 and the lower 21 of the 53 bits.
    const double bits = static_cast<double>(high) * 0x1p21 + static_cast<double>(low >> 11);
    return (bits + 0.5) * 0x1p-53;
}

// A sequence of numbers for one (seed, stream, substream), from its word 4 * block on.
class RandomSequence {
public:
    RandomSequence(std::uint64_t seed, Stream stream, std::uint32_t substream, std::uint64_t block = 0)
        : seed_(seed), block_(block), stream_(stream), substream_(substream) {}

    std::uint32_t next32() {
        if (used_ == words_.size()) {
            philox_blocks(seed_, block_, substream_, static_cast<std::uint32_t>(stream_), words_);
            block_ += kPhiloxBlocks;
            used_ = 0;
        }
        return words_[used_++];
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
    double uniform() {
        const std::uint32_t low = next32();
        return uniform_of(low, next32());
    }

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
    std::uint64_t seed_, block_;
    Stream stream_;
    std::uint32_t substream_;
    PhiloxBlocks words_{};
    std::size_t used_ = words_.size();
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

    // Drops elements of the n activations of one row, and of arrays beside them, such as f'.
    template <class T, class... Arrays>
    void apply(std::uint64_t step, Index layer, Index row, Index n, T* a, Arrays*... beside) const {
        const std::uint32_t stream = static_cast<std::uint32_t>(Stream::dropout) | std::uint32_t(layer) << 8;
        PhiloxBlocks words;
        for (Index first = 0; first < n; first += Index(words.size())) {
            philox_blocks(seed_, std::uint64_t(row) << 32 | std::uint64_t(first / 4), std::uint32_t(step),
                          stream, words);
            const Index size = std::min(Index(words.size()), n - first);
            for (Index j = 0; j < size; ++j) {
                const T multiplier = words[std::size_t(j)] < threshold_ ? T(0) : T(keep_);
                a[first + j] *= multiplier;
                ((beside[first + j] *= multiplier), ...);
            }
        }
    }

private:
    std::uint64_t seed_;
    std::uint32_t threshold_;
    double keep_;
};

}  // namespace fastmlp
