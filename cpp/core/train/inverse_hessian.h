// The estimate of an inverse Hessian by the last few pairs of a step s and the change y of the gradient along
// it, without the matrix, in the compact form of Byrd, Nocedal and Schnabel (1994), Representations of
// quasi-Newton matrices and their use in limited memory methods:
//
//     H g = gamma g + S q - gamma Y p,   p = R^-1 S'g,   q = R^-T (D p + gamma (Y'Y p - Y'g))
//
// S and Y hold the pairs in columns, the oldest first, R is the upper triangle of S'Y, D its diagonal, and
// gamma is s'y / y'y of the newest pair. It is the direction of the two-loop recursion, but needs two passes
// over the pairs instead of one for each of them.
#pragma once

#include <vector>

#include "core/base/memory.h"
#include "core/train/blocks.h"

namespace fastmlp {

class InverseHessian {
public:
    // Of a function of n numbers, by at most `history` pairs.
    InverseHessian(Index n, Index history);

    Index pairs() const { return pairs_; }
    void forget() { pairs_ = 0; }

    // A new pair, in place of the oldest where there are as many as may be; s and y are to be written next.
    // curvature: s'y.
    void add(double curvature);
    double* newest_step() const { return steps_.data() + slot(pairs_ - 1) * n_; }
    double* newest_change() const { return changes_.data() + slot(pairs_ - 1) * n_; }

    // In a block of n numbers: the products of the pairs with the gradient and with the newest y.
    static constexpr Index kSums = 4;  // of each pair
    void project(const double* gradient, Index first, Index n, double* sums) const;

    // p and q, from the sums of all blocks.
    void solve(const Blocks& blocks);

    // In a block: -H g.
    void descend(const double* gradient, Index first, Index n, double* direction) const;

private:
    Index slot(Index pair) const { return (oldest_ + pair) % history_; }  // pair 0 is the oldest
    void read_sums(const Blocks& blocks);

    // A matrix of numbers of pairs, which stay where they are when the oldest pair goes.
    struct OfPairs {
        const InverseHessian& of;
        std::vector<double> numbers;
        double& operator()(Index i, Index j) {
            return numbers[std::size_t(of.slot(i) * of.history_ + of.slot(j))];
        }
    };

    const Index n_, history_;
    Index pairs_ = 0, oldest_ = 0;
    bool is_new_ = false;  // the newest pair's products with the others are not known yet
    double curvature_ = 0, gamma_ = 1;
    AlignedBuffer<double> steps_, changes_;  // S', Y' [history, n]
    OfPairs r_, yy_;
    std::vector<double> sg_, yg_, p_, q_;  // [pairs]
};

}  // namespace fastmlp
