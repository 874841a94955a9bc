// An ensemble: the weighted mean of its networks and their deviation, on any team; the sanitizers watch.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "core/base/random.h"
#include "core/model/ensemble_predictor.h"
#include "core/model/inference.h"
#include "core/model/initialize.h"

using namespace fastmlp;

namespace {

constexpr Index kRows = 211, kInputs = 7, kOutputs = 3;  // more than two blocks, the last one not full

template <class T>
Network<T> network(const std::vector<Index>& hidden, std::uint64_t seed) {
    Architecture architecture;
    architecture.sizes = {kInputs};
    architecture.sizes.insert(architecture.sizes.end(), hidden.begin(), hidden.end());
    architecture.sizes.push_back(kOutputs);
    architecture.activations.assign(hidden.size() + 1, Activation::tanh);
    architecture.loss = Loss::softmax_cross_entropy;
    Network<T> made(std::move(architecture));
    for (Index l = 0; l < made.architecture().layers(); ++l)
        initialize(made, l, InitKind::normal, 0.4, {seed});
    return made;
}

// Networks of both types and of other widths, and the rows that they read.
struct Case {
    std::vector<Network<float>> singles;
    std::vector<Network<double>> doubles;
    std::vector<float> X32;
    std::vector<double> X64;
    std::vector<double> weights{1, 3, 0.5, 2};

    Case() {
        singles.push_back(network<float>({5, 40}, 1));
        singles.push_back(network<float>({}, 2));
        doubles.push_back(network<double>({70}, 3));
        doubles.push_back(network<double>({3, 3, 3}, 4));
        RandomSequence random(5, Stream::init, 9);
        for (Index i = 0; i < kRows * kInputs; ++i) {
            X32.push_back(float(random.normal()));
            X64.push_back(double(X32.back()));
        }
    }

    std::vector<AnyFeatures> X() const {
        return {Features<float>{X32.data(), kInputs}, Features<double>{X64.data(), kInputs}};
    }
    std::vector<Member> members(bool in_units) const {
        std::vector<Member> all;
        for (std::size_t m = 0; m < 4; ++m) {
            const AnyNetwork of = m < 2 ? AnyNetwork(&singles[m]) : AnyNetwork(&doubles[m - 2]);
            all.push_back({of, m < 2 ? 0 : 1, weights[m], {}, {}});
            if (in_units) {
                all.back().scale = {double(m + 1), 2, 1000};
                all.back().shift = {0, double(m), 1e6};
            }
        }
        return all;
    }

    // Outputs of network m, as they go into the mean.
    std::vector<double> outputs(std::size_t m, bool in_units) const {
        std::vector<double> all(kRows * kOutputs);
        Monitor monitor;
        if (m < 2) {
            std::vector<float> out(all.size());
            make_predictor(singles[m])->forward({X32.data(), kInputs}, kRows, out.data(), 1, monitor);
            all.assign(out.begin(), out.end());
        } else {
            make_predictor(doubles[m - 2])->forward({X64.data(), kInputs}, kRows, all.data(), 1, monitor);
        }
        const Member member = members(in_units)[m];
        for (std::size_t i = 0; in_units && i < all.size(); ++i)
            all[i] = all[i] * member.scale[i % kOutputs] + member.shift[i % kOutputs];
        return all;
    }
};

struct Result {
    std::vector<double> mean = std::vector<double>(kRows * kOutputs), deviation = mean;
};

Result predicted(const Case& all, bool in_units, int threads) {
    Result result;
    Monitor monitor;
    make_ensemble<double>(all.members(in_units))
        ->moments(all.X(), kRows, result.mean.data(), result.deviation.data(), threads, monitor);
    return result;
}

}  // namespace

TEST_CASE("the mean and the deviation are those of the networks, in units or not") {
    const Case all;
    for (const bool in_units : {false, true}) {
        const Result result = predicted(all, in_units, 1);
        std::vector<std::vector<double>> outputs;
        for (std::size_t m = 0; m < 4; ++m) outputs.push_back(all.outputs(m, in_units));
        for (std::size_t i = 0; i < result.mean.size(); ++i) {
            double mean = 0, squares = 0;
            for (std::size_t m = 0; m < 4; ++m) mean += all.weights[m] * outputs[m][i] / 6.5;
            for (std::size_t m = 0; m < 4; ++m)
                squares += all.weights[m] * std::pow(outputs[m][i] - mean, 2) / 6.5;
            CHECK(result.mean[i] == doctest::Approx(mean).epsilon(1e-13));
            CHECK(result.deviation[i] == doctest::Approx(std::sqrt(squares)).epsilon(1e-6));
        }
    }
}

TEST_CASE("an ensemble has the same bits on any team, and for any part of the rows") {
    const Case all;
    set_exact_threads(true);
    const Result one = predicted(all, true, 1);
    for (const int threads : {2, 3, 5}) {
        const Result several = predicted(all, true, threads);
        CHECK(std::memcmp(several.mean.data(), one.mean.data(), one.mean.size() * 8) == 0);
        CHECK(std::memcmp(several.deviation.data(), one.deviation.data(), one.mean.size() * 8) == 0);
    }
    set_exact_threads(false);

    std::vector<Member> singles = all.members(false);
    singles.resize(2);
    const auto ensemble = make_ensemble<float>(singles);
    std::vector<float> together(kRows * kOutputs), alone(kOutputs);
    Monitor monitor;
    ensemble->forward({all.X32.data(), kInputs}, kRows, together.data(), 2, monitor);
    for (const Index row : {Index(0), Index(95), Index(96), kRows - 1}) {
        ensemble->forward_few(all.X32.data() + row * kInputs, 1, alone.data());
        CHECK(std::memcmp(alone.data(), together.data() + row * kOutputs, kOutputs * sizeof(float)) == 0);
    }
}

TEST_CASE("equal networks give the bits of one") {
    const Case all;
    std::vector<Member> equal(5, all.members(false)[0]);
    for (std::size_t m = 0; m < equal.size(); ++m) equal[m].weight = 0.1 + double(m);
    std::vector<float> one(kRows * kOutputs), mean(one.size()), deviation(one.size(), 1);
    Monitor monitor;
    make_predictor(all.singles[0])->forward({all.X32.data(), kInputs}, kRows, one.data(), 1, monitor);
    make_ensemble<float>(equal)->moments(all.X(), kRows, mean.data(), deviation.data(), 1, monitor);
    CHECK(std::memcmp(one.data(), mean.data(), one.size() * sizeof(float)) == 0);
    for (const float d : deviation) CHECK(d == 0);
}
