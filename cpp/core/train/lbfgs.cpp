#include "core/train/lbfgs.h"

#include <cmath>
#include <limits>
#include <utility>

#include "core/base/reductions.h"

namespace fastmlp {

namespace {

constexpr Index kMostTrials = 20;  // of a search

// Sums of a block in take().
constexpr Index kSlope = 0, kSquare = 1, kLargest = 2;

// An iteration adds one pair, so there is no need of room for more.
LbfgsOptions with_room_for_pairs(LbfgsOptions options) {
    options.maxcor = std::min(options.maxcor, std::max<Index>(options.maxiter, 1));
    return options;
}

}  // namespace

Lbfgs::Lbfgs(double* x, double* gradient, Index n, const LbfgsOptions& options)
    : x_(x),
      gradient_(gradient),
      n_(n),
      options_(with_room_for_pairs(options)),
      blocks_(n, std::max<Index>(options_.maxcor * InverseHessian::kSums, 3)),
      inverse_(n, options_.maxcor),
      origin_(n),
      origin_gradient_(n),
      direction_(n) {}

void Lbfgs::take(const Team& team, double value) {
    blocks_.each(team, [&](Index first, Index n, double* sums) {
        const double* const g = gradient_ + first;
        sums[kSlope] = dot(g, direction_.data() + first, n);
        sums[kSquare] = sum_of_squares(g, n);
        sums[kLargest] = largest_magnitude(g, n);
    });
    if (team.rank == 0) judge(value);
    team.barrier();
}

void Lbfgs::judge(double value) {
    ++evaluations_;
    slope_ = blocks_.total(kSlope);
    const double largest = blocks_.combined(kLargest, [](double a, double b) { return std::max(a, b); });
    const bool is_number = !std::isnan(blocks_.total(kSquare));
    const double largest_component = is_number ? largest : std::numeric_limits<double>::quiet_NaN();
    if (state_ == State::begun || search_->ends(value, slope_))
        reach(value, largest_component);
    else if (++trials_ == kMostTrials)
        state_ = State::failed;
}

// x is the next iterate, or the first point. The tests come in the order of SciPy's.
void Lbfgs::reach(double value, double largest_component) {
    const bool is_first = state_ == State::begun;
    const double before = std::exchange(value_, value);
    largest_component_ = largest_component;
    state_ = State::iterate;
    if (!is_first) ++iterations_;
    if (!std::isfinite(value))
        end_ = LbfgsEnd::abnormal;
    else if (!is_first && iterations_ >= options_.maxiter)
        end_ = LbfgsEnd::iterations;
    else if (!is_first && evaluations_ > options_.maxfun)
        end_ = LbfgsEnd::evaluations;
    else if (largest_component <= options_.gtol)
        end_ = LbfgsEnd::gradient;
    else if (!is_first &&
             before - value <= options_.ftol * std::max({std::abs(before), std::abs(value), 1.0}))
        end_ = LbfgsEnd::decrease;
    else if (!is_first)
        add_pair();
}

// Where the slope has hardly changed, the function bends too little to learn from the step.
void Lbfgs::add_pair() {
    const double change = slope_ - origin_slope_;
    pair_added_ = change > std::numeric_limits<double>::epsilon() * -origin_slope_;
    if (pair_added_) inverse_.add(change * search_->step());
}

void Lbfgs::next_point(const Team& team) {
    switch (state_) {
        case State::begun:
            return;
        case State::searching:
            return step(team);
        case State::failed:
            restore(team);
            break;
        case State::iterate:
            if (inverse_.pairs() > 0) project(team);
    }
    if (!end_) search_along_new_direction(team);
}

// After a search that found no step, the direction of steepest descent is tried; there is nothing else after
// that.
void Lbfgs::restore(const Team& team) {
    blocks_.each(team, [&](Index first, Index n, double*) {
        std::copy_n(origin_.data() + first, n, x_ + first);
        std::copy_n(origin_gradient_.data() + first, n, gradient_ + first);
    });
    if (team.rank == 0) {
        if (inverse_.pairs() == 0) end_ = LbfgsEnd::abnormal;
        inverse_.forget();
    }
    team.barrier();
}

// The new pair is written where its products with the others are made.
void Lbfgs::project(const Team& team) {
    const double step = search_->step();
    double *const s = inverse_.newest_step(), *const y = inverse_.newest_change();
    blocks_.each(team, [&](Index first, Index n, double* sums) {
        if (pair_added_)
            for (Index i = first; i < first + n; ++i) {
                s[i] = step * direction_.data()[i];
                y[i] = gradient_[i] - origin_gradient_.data()[i];
            }
        inverse_.project(gradient_, first, n, sums);
    });
    if (team.rank == 0) inverse_.solve(blocks_);
    team.barrier();
}

void Lbfgs::search_along_new_direction(const Team& team) {
    do {
        blocks_.each(team, [&](Index first, Index n, double* sums) {
            std::copy_n(x_ + first, n, origin_.data() + first);
            std::copy_n(gradient_ + first, n, origin_gradient_.data() + first);
            inverse_.descend(gradient_, first, n, direction_.data());
            sums[kSlope] = dot(gradient_ + first, direction_.data() + first, n);
        });
        if (team.rank == 0) begin_search();
        team.barrier();
    } while (!end_ && state_ != State::searching);
    if (!end_) step(team);
}

// A direction that does not lead downhill, by rounding, is as good as a search that failed.
void Lbfgs::begin_search() {
    const double slope = blocks_.total(kSlope);
    if (slope < 0) {
        const double first = iterations_ == 0 ? std::min(1 / std::sqrt(-slope), LineSearch::kLongest) : 1;
        search_.emplace(value_, slope, first);
        origin_slope_ = slope;
        trials_ = 0;
        state_ = State::searching;
        return;
    }
    if (inverse_.pairs() == 0) end_ = LbfgsEnd::abnormal;
    inverse_.forget();
}

void Lbfgs::step(const Team& team) {
    const double step = search_->step();
    blocks_.each(team, [&](Index first, Index n, double*) {
        for (Index i = first; i < first + n; ++i) x_[i] = step * direction_.data()[i] + origin_.data()[i];
    });
}

}  // namespace fastmlp
