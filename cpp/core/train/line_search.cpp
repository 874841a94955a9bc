#include "core/train/line_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fastmlp {

namespace {

// Where a parabola has its minimum: by the values at both points and the slope at one, or by both slopes.
template <class Point>
double parabola_by_value(const Point& from, const Point& to) {
    const double width = to.step - from.step;
    return from.step + from.slope / ((from.value - to.value) / width + from.slope) / 2 * width;
}
template <class Point>
double parabola_by_slopes(const Point& from, const Point& to) {
    return from.step + from.slope / (from.slope - to.slope) * (to.step - from.step);
}

// Where the cubic by values and slopes at both points has its minimum, as a part of the way between them.
struct CubicMinimum {
    double part, root;  // root: 0 where the cubic does not rise to infinity
};
template <class Point>
CubicMinimum cubic_minimum(const Point& from, const Point& to) {
    const double theta = 3 * (to.value - from.value) / (from.step - to.step) + from.slope + to.slope;
    const double scale = std::max({std::abs(theta), std::abs(from.slope), std::abs(to.slope)});
    const double square = theta / scale * (theta / scale) - from.slope / scale * (to.slope / scale);
    const double size = scale * std::sqrt(std::max(square, 0.0)), root = to.step < from.step ? -size : size;
    return {(root - from.slope + theta) / (root - from.slope + root + to.slope), root};
}
template <class Point>
double cubic(const Point& from, const Point& to) {
    return from.step + cubic_minimum(from, to).part * (to.step - from.step);
}

}  // namespace

LineSearch::LineSearch(double value, double slope, double first)
    : value_(value), slope_(slope), best_{0, value, slope}, other_(best_), step_(first), most_(5 * first) {}

bool LineSearch::ends(double value, double slope) {
    // A step where the loss overflows is too long: it bounds the bracket.
    if (!std::isfinite(value) || !std::isfinite(slope)) value = std::numeric_limits<double>::infinity();
    const Point trial{step_, value, slope};
    if (is_last(trial)) return true;

    // Until a step decreases the function enough, steps are chosen for the function less the decrease that is
    // wanted, whose minimum has enough of it.
    const double enough = value_ + step_ * kDecrease * slope_;
    decreased_ = decreased_ || (value <= enough && slope >= 0);
    const double tilt = !decreased_ && value <= best_.value && value > enough ? kDecrease * slope_ : 0;
    best_ = best_.less(tilt);
    other_ = other_.less(tilt);
    step_ = interpolated(trial.less(tilt));
    update_interval(trial.less(tilt));
    best_ = best_.less(-tilt);
    other_ = other_.less(-tilt);
    limit_step();
    return false;
}

bool LineSearch::is_last(const Point& trial) const {
    const double enough = value_ + trial.step * kDecrease * slope_;
    if (trial.value <= enough && std::abs(trial.slope) <= kCurvature * -slope_) return true;
    if (trial.step == kLongest && trial.value <= enough && trial.slope <= kDecrease * slope_) return true;
    return out_of_room(trial.step);
}

bool LineSearch::out_of_room(double step) const {
    return bracketed_ && (step <= least_ || step >= most_ || most_ - least_ <= kNarrow * most_);
}

// Section 4 of the paper: the trial's value is higher, or its slope has another sign, or is flatter, or is
// not.
double LineSearch::interpolated(const Point& trial) const {
    if (trial.value > best_.value) {
        const double by_cubic = cubic(best_, trial), by_value = parabola_by_value(best_, trial);
        const bool nearer = std::abs(by_cubic - best_.step) < std::abs(by_value - best_.step);
        return nearer ? by_cubic : by_cubic + (by_value - by_cubic) / 2;
    }
    if (trial.slope * std::copysign(1.0, best_.slope) < 0) {
        const double by_cubic = cubic(trial, best_), by_slopes = parabola_by_slopes(trial, best_);
        const bool farther = std::abs(by_cubic - trial.step) > std::abs(by_slopes - trial.step);
        return farther ? by_cubic : by_slopes;
    }
    if (std::abs(trial.slope) < std::abs(best_.slope)) return flatter_step(trial);
    if (bracketed_) return cubic(trial, other_);
    return trial.step > best_.step ? most_ : least_;
}

double LineSearch::flatter_step(const Point& trial) const {
    constexpr double kMostOfBracket = 0.66;
    const bool forward = trial.step > best_.step;
    const auto [part, root] = cubic_minimum(trial, best_);
    const double limit = forward ? most_ : least_;
    const double by_cubic = part < 0 && root != 0 ? trial.step + part * (best_.step - trial.step) : limit;
    const double by_slopes = parabola_by_slopes(trial, best_);
    const bool nearer = std::abs(by_cubic - trial.step) < std::abs(by_slopes - trial.step);
    if (!bracketed_) return std::max(std::min(nearer ? by_slopes : by_cubic, most_), least_);
    const double next = nearer ? by_cubic : by_slopes;
    const double farthest = trial.step + kMostOfBracket * (other_.step - trial.step);
    return forward ? std::min(farthest, next) : std::max(farthest, next);
}

void LineSearch::update_interval(const Point& trial) {
    const bool higher = trial.value > best_.value;
    const bool turned = trial.slope * std::copysign(1.0, best_.slope) < 0;
    bracketed_ = bracketed_ || higher || turned;
    if (higher) {
        other_ = trial;
    } else {
        if (turned) other_ = best_;
        best_ = trial;
    }
}

// A bracket must shrink by a third in two trials, and without one steps grow at most fivefold.
void LineSearch::limit_step() {
    constexpr double kShrinks = 0.66;
    const double middle = best_.step + 0.5 * (other_.step - best_.step);
    if (!std::isfinite(step_)) step_ = bracketed_ ? middle : most_;
    if (bracketed_) {
        const double width = std::abs(other_.step - best_.step);
        if (width >= kShrinks * width_before_) step_ = middle;
        width_before_ = width_;
        width_ = width;
        least_ = std::min(best_.step, other_.step);
        most_ = std::max(best_.step, other_.step);
    } else {
        least_ = step_ + 1.1 * (step_ - best_.step);
        most_ = step_ + 4 * (step_ - best_.step);
    }
    step_ = std::clamp(step_, 0.0, kLongest);
    if (out_of_room(step_)) step_ = best_.step;
}

}  // namespace fastmlp
