// L-BFGS: a function of many numbers is minimised along directions -H g, where H estimates the inverse of its
// Hessian. Iterates, tests and limits are those of L-BFGS-B without bounds (Byrd, Lu, Nocedal, Zhu 1995), as
// SciPy has it.
#pragma once

#include <optional>

#include "core/train/inverse_hessian.h"
#include "core/train/line_search.h"
#include "core/train/options.h"

namespace fastmlp {

// All threads of a team call next_point() and take() in turns, and in between find value and gradient at x.
// The bits are the same for any number of threads.
class Lbfgs {
public:
    // Minimises a function of n numbers, from x on. x and the gradient, which the caller writes, stay where
    // they are.
    Lbfgs(double* x, double* gradient, Index n, const LbfgsOptions& options);

    // Moves x to the point where value and gradient are needed next, or finds that there is none.
    void next_point(const Team& team);

    // Takes value and gradient at x.
    void take(const Team& team, double value);

    // An iteration has ended, at x.
    bool at_iterate() const { return state_ == State::iterate; }
    std::optional<LbfgsEnd> end() const { return end_; }

    // Moves x back to where the search began that is under way or has just ended. One thread calls it.
    bool is_searching() const { return state_ == State::searching || state_ == State::failed; }
    void return_to_origin() { std::copy_n(origin_.data(), n_, x_); }

    // Of the last iterate: the value, and the gradient's largest component, by size.
    double value() const { return value_; }
    double largest_component() const { return largest_component_; }
    Index iterations() const { return iterations_; }
    Index evaluations() const { return evaluations_; }

private:
    enum class State { begun, searching, failed, iterate };

    void judge(double value);
    void reach(double value, double largest_component);
    void add_pair();
    void restore(const Team& team);
    void project(const Team& team);
    void search_along_new_direction(const Team& team);
    void begin_search();
    void step(const Team& team);

    double *const x_, *const gradient_;
    const Index n_;
    const LbfgsOptions options_;
    Blocks blocks_;
    InverseHessian inverse_;
    AlignedBuffer<double> origin_, origin_gradient_, direction_;  // of the search under way

    // Written by one thread, read by others behind a barrier.
    State state_ = State::begun;
    std::optional<LbfgsEnd> end_;
    std::optional<LineSearch> search_;
    Index trials_ = 0, iterations_ = 0, evaluations_ = 0;
    double value_ = 0, largest_component_ = 0;
    double origin_slope_ = 0, slope_ = 0;
    bool pair_added_ = false;
};

}  // namespace fastmlp
