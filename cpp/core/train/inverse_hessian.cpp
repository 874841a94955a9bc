#include "core/train/inverse_hessian.h"

#include "core/base/simd.h"

namespace fastmlp {

namespace {

// Products of s and y with y' and g, all of n numbers, in this order: s y', y y', s g, y g.
void four_dots(const double* s, const double* y, const double* newest, const double* g, Index n,
               double* dots) {
    using simd::load;
    constexpr Index W = kLanes<double>, kChains = 2;  // of multiply-adds that do not wait for each other
    Packet<double> sums[4][kChains];
    for (auto& chains : sums)
        for (Packet<double>& sum : chains) sum = simd::set1(0.0);
    const auto add = [&](Index i, Index chain, Index lanes) FASTMLP_INLINE_LAMBDA {
        const Packet<double> si = load(s + i, lanes), yi = load(y + i, lanes), ni = load(newest + i, lanes),
                             gi = load(g + i, lanes);
        sums[0][chain] = Eigen::internal::pmadd(si, ni, sums[0][chain]);
        sums[1][chain] = Eigen::internal::pmadd(yi, ni, sums[1][chain]);
        sums[2][chain] = Eigen::internal::pmadd(si, gi, sums[2][chain]);
        sums[3][chain] = Eigen::internal::pmadd(yi, gi, sums[3][chain]);
    };
    Index i = 0;
    for (; i + kChains * W <= n; i += kChains * W)
        for (Index chain = 0; chain < kChains; ++chain) add(i + chain * W, chain, W);
    for (; i < n; i += W) add(i, 0, std::min(W, n - i));
    for (Index k = 0; k < 4; ++k)
        dots[k] = Eigen::internal::predux(Eigen::internal::padd(sums[k][0], sums[k][1]));
}

}  // namespace

InverseHessian::InverseHessian(Index n, Index history)
    : n_(n),
      history_(history),
      steps_(history * n),
      changes_(history * n),
      r_{*this, std::vector<double>(std::size_t(history * history))},
      yy_{*this, std::vector<double>(std::size_t(history * history))},
      sg_(std::size_t(history)),
      yg_(std::size_t(history)),
      p_(std::size_t(history)),
      q_(std::size_t(history)) {}

void InverseHessian::add(double curvature) {
    if (pairs_ < history_)
        ++pairs_;
    else
        oldest_ = (oldest_ + 1) % history_;
    curvature_ = curvature;
    is_new_ = true;
}

void InverseHessian::project(const double* gradient, Index first, Index n, double* sums) const {
    const double* const newest = newest_change() + first;
    for (Index k = 0; k < pairs_; ++k) {
        const Index at = slot(k) * n_ + first;
        four_dots(steps_.data() + at, changes_.data() + at, newest, gradient + first, n, sums + k * kSums);
    }
}

void InverseHessian::read_sums(const Blocks& blocks) {
    const Index newest = pairs_ - 1;
    for (Index k = 0; k < pairs_; ++k) {
        if (is_new_) {
            r_(k, newest) = k == newest ? curvature_ : blocks.total(k * kSums);
            yy_(k, newest) = yy_(newest, k) = blocks.total(k * kSums + 1);
        }
        sg_[std::size_t(k)] = blocks.total(k * kSums + 2);
        yg_[std::size_t(k)] = blocks.total(k * kSums + 3);
    }
    if (is_new_) gamma_ = curvature_ / yy_(newest, newest);
    is_new_ = false;
}

void InverseHessian::solve(const Blocks& blocks) {
    read_sums(blocks);
    for (Index i = pairs_ - 1; i >= 0; --i) {
        double rest = sg_[std::size_t(i)];
        for (Index j = i + 1; j < pairs_; ++j) rest -= r_(i, j) * p_[std::size_t(j)];
        p_[std::size_t(i)] = rest / r_(i, i);
    }
    for (Index i = 0; i < pairs_; ++i) {
        double yyp = 0;
        for (Index j = 0; j < pairs_; ++j) yyp += yy_(i, j) * p_[std::size_t(j)];
        double rest = r_(i, i) * p_[std::size_t(i)] + gamma_ * (yyp - yg_[std::size_t(i)]);
        for (Index j = 0; j < i; ++j) rest -= r_(j, i) * q_[std::size_t(j)];
        q_[std::size_t(i)] = rest / r_(i, i);
    }
}

void InverseHessian::descend(const double* gradient, Index first, Index n, double* direction) const {
    const double* const g = gradient + first;
    double* const d = direction + first;
    const double gamma = pairs_ > 0 ? gamma_ : 1;
    for (Index i = 0; i < n; ++i) d[i] = -gamma * g[i];
    for (Index k = 0; k < pairs_; ++k) {
        const double *const s = steps_.data() + slot(k) * n_ + first, *const y = changes_.data() +
                                                                                 slot(k) * n_ + first;
        const double of_step = -q_[std::size_t(k)], of_change = gamma * p_[std::size_t(k)];
        for (Index i = 0; i < n; ++i) d[i] += of_step * s[i] + of_change * y[i];
    }
}

}  // namespace fastmlp
