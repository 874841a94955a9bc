// L-BFGS on functions whose minimum is known. Counts are those of SciPy 1.17.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "core/train/lbfgs.h"

using namespace fastmlp;

namespace {

// Writes the gradient at x, returns the value.
using Function = std::function<double(const std::vector<double>& x, double* gradient)>;

struct Found {
    std::vector<double> x;
    std::optional<LbfgsEnd> end;
    double value, largest_component;
    Index iterations, evaluations;
};

Found minimized(const Function& f, std::vector<double> x, const LbfgsOptions& options, int threads = 1) {
    std::vector<double> gradient(x.size());
    Lbfgs lbfgs(x.data(), gradient.data(), Index(x.size()), options);
    double value = 0;
    run_team(threads, nullptr, [&](const Team& team) {
        while (lbfgs.next_point(team), !lbfgs.end()) {
            if (team.rank == 0) value = f(x, gradient.data());
            team.barrier();
            lbfgs.take(team, value);
        }
    });
    return {
        x, lbfgs.end(), lbfgs.value(), lbfgs.largest_component(), lbfgs.iterations(), lbfgs.evaluations()};
}

// Of pairs of numbers, each a valley of its own.
double rosenbrock(const std::vector<double>& x, double* gradient) {
    double value = 0;
    for (std::size_t i = 0; i < x.size(); i += 2) {
        const double a = x[i], b = x[i + 1], across = b - a * a;
        value += 100 * across * across + (1 - a) * (1 - a);
        gradient[i] = -400 * a * across - 2 * (1 - a);
        gradient[i + 1] = 200 * across;
    }
    return value;
}

std::vector<double> starts(std::size_t n) {
    std::vector<double> x(n, 1.0);
    for (std::size_t i = 0; i < n; i += 2) x[i] = -1.2;
    return x;
}

}  // namespace

TEST_CASE("L-BFGS goes the way of SciPy's through Rosenbrock's valley") {
    for (const std::size_t n : {2, 10}) {
        const Found found = minimized(rosenbrock, starts(n), {.ftol = 0});
        CHECK(found.end == LbfgsEnd::gradient);
        CHECK(found.iterations == 37);
        CHECK(found.evaluations == 45);
        CHECK(found.largest_component <= 1e-5);
        for (const double x : found.x) CHECK(x == doctest::Approx(1).epsilon(1e-6));
    }
}

TEST_CASE("L-BFGS has the same bits on any number of threads") {
    std::vector<double> start = starts(7000);
    for (std::size_t i = 0; i < start.size(); ++i) start[i] += 0.1 * std::sin(double(i));
    const Found one = minimized(rosenbrock, start, {.maxiter = 60});
    CHECK(one.iterations > 30);
    for (const int threads : {2, 4}) {
        const Found several = minimized(rosenbrock, start, {.maxiter = 60}, threads);
        CHECK(several.x == one.x);
        CHECK(several.value == one.value);
        CHECK(several.evaluations == one.evaluations);
    }
}

TEST_CASE("L-BFGS ends at its limits, after the iteration under way") {
    CHECK(minimized(rosenbrock, starts(2), {.maxiter = 4}).end == LbfgsEnd::iterations);
    CHECK(minimized(rosenbrock, starts(2), {.maxiter = 4}).iterations == 4);
    const Found few = minimized(rosenbrock, starts(2), {.maxfun = 7});
    CHECK(few.end == LbfgsEnd::evaluations);
    CHECK(few.evaluations > 7);
    CHECK(minimized(rosenbrock, starts(2), {.ftol = 0.5}).end == LbfgsEnd::decrease);
    CHECK(minimized(rosenbrock, {1, 1}, {}).iterations == 0);
}

TEST_CASE("L-BFGS shortens a step whose value overflows") {
    // There SciPy ends, and calls it a minimum.
    const Function f = [](const std::vector<double>& x, double* gradient) {
        gradient[0] = -1 + 0.01 / (1 - x[0]);
        return -x[0] - 0.01 * std::log(1 - x[0]);  // infinite at 1, not a number beyond
    };
    for (const double start : {0.0, -0.5, 0.5}) {
        const Found found = minimized(f, {start}, {});
        CHECK((found.end == LbfgsEnd::gradient || found.end == LbfgsEnd::decrease));
        CHECK(found.x[0] == doctest::Approx(0.99).epsilon(1e-5));
    }
}

TEST_CASE("L-BFGS says where no step lowers the value, and goes back to the last iterate") {
    const Function misleading = [](const std::vector<double>& x, double* gradient) {
        gradient[0] = -1;  // which is wrong
        return std::abs(x[0] - 3);
    };
    const Found found = minimized(misleading, {3}, {});
    CHECK(found.end == LbfgsEnd::abnormal);
    CHECK(found.x[0] == 3);
    CHECK(found.value == 0);
    CHECK(found.evaluations == 21);
}

TEST_CASE("L-BFGS does not begin where value or gradient is not a number") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const Function f = [](const std::vector<double>&, double* gradient) { return gradient[0] = nan; };
    const Found found = minimized(f, {1}, {});
    CHECK(found.end == LbfgsEnd::abnormal);
    CHECK(std::isnan(found.value));
    CHECK(found.x[0] == 1);
}
