// Vectors in blocks, whose bounds depend on their length alone.
#pragma once

#include <vector>

#include "core/base/parallel.h"

namespace fastmlp {

class Blocks {
public:
    // Of vectors of n numbers, with room for so many sums of each block.
    Blocks(Index n, Index sums)
        : n_(n), count_(ceil_div(n, kBlock)), width_(sums), sums_(std::size_t(count_ * sums)) {}

    // Calls work(first, n, sums) for this thread's blocks, to which it may write sums, and waits for the
    // other threads.
    template <class Work>
    void each(const Team& team, const Work& work) {
        const Range mine = team.part(count_);
        for (Index block = mine.first; block < mine.last; ++block) {
            const Index first = block * kBlock;
            work(first, std::min(kBlock, n_ - first), sums_.data() + block * width_);
        }
        team.barrier();
    }

    // A sum over all blocks, in their order, or what else combines their numbers.
    double total(Index sum) const {
        return combined(sum, [](double a, double b) { return a + b; });
    }
    template <class Combine>
    double combined(Index sum, const Combine& combine) const {
        double result = 0;
        for (Index block = 0; block < count_; ++block)
            result = combine(result, sums_[std::size_t(block * width_ + sum)]);
        return result;
    }

private:
    static constexpr Index kBlock = 1024;  // numbers: several vectors of a block lie in the first-level cache

    Index n_, count_, width_;
    std::vector<double> sums_;  // [count, width]
};

}  // namespace fastmlp
