// The line search of Moré and Thuente (1994), Line search algorithms with guaranteed sufficient decrease. For
// a function of a step whose slope at step 0 is negative it looks for a step with
//
//     f(step) <= f(0) + kDecrease step f'(0)   and   |f'(step)| <= kCurvature |f'(0)|
//
// with the constants of L-BFGS-B.
#pragma once

namespace fastmlp {

class LineSearch {
public:
    static constexpr double kLongest = 1e10;  // step

    // The function at step 0, and the first step to try, in (0, kLongest].
    LineSearch(double value, double slope, double first);

    // Where the function is to be found out next; at the end, the step that was found.
    double step() const { return step_; }

    // Takes the function at step(). True at the end: the step is as wanted, or rounding hides a better one.
    bool ends(double value, double slope);

private:
    static constexpr double kDecrease = 1e-3, kCurvature = 0.9, kNarrow = 0.1;

    struct Point {
        double step, value, slope;
        Point less(double tilt) const { return {step, value - step * tilt, slope - tilt}; }
    };

    bool is_last(const Point& trial) const;
    bool out_of_room(double step) const;
    double interpolated(const Point& trial) const;
    double flatter_step(const Point& trial) const;
    void update_interval(const Point& trial);
    void limit_step();

    const double value_, slope_;      // at step 0
    Point best_, other_;              // the lowest so far; once bracketed, a minimum lies between the two
    double step_, least_ = 0, most_;  // the next step, and its limits
    double width_ = kLongest, width_before_ = 2 * kLongest;  // of the bracket
    bool bracketed_ = false;
    bool decreased_ = false;  // a step decreased the function enough, and there it rises
};

}  // namespace fastmlp
