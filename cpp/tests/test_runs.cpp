// Embeddings, rows in windows, and runs that go on from others; the sanitizers watch.
#include <doctest/doctest.h>

#include <vector>

#include "core/base/random.h"
#include "core/model/initialize.h"
#include "core/train/trainer.h"
#include "gradients.h"

using namespace fastmlp;

namespace {

constexpr Index kInputs = 5, kOutputs = 3;

// Columns 1 and 4 hold codes.
template <class T>
struct Problem {
    Network<T> network;
    std::vector<T> X;
    std::vector<std::int32_t> labels;

    explicit Problem(Index rows, bool all_parts = true) : network(architecture(all_parts)) {
        RandomSequence random(7, Stream::init, 99);
        for (Index l = 0; l < network.architecture().layers(); ++l)
            initialize(network, l, InitKind::normal, 0.4, {1});
        for (Index j = 0; j < Index(network.tables().size()); ++j) initialize_table(network, j, 0.5, {1});
        if (all_parts) initialize_periodic(network, 0, {1});
        for (Index i = 0; i < rows; ++i) {
            for (Index j = 0; j < kInputs; ++j) X.push_back(T(random.normal()));
            X[std::size_t(i * kInputs + 1)] = T(random.below(11));
            X[std::size_t(i * kInputs + 4)] = T(random.below(3));
            labels.push_back(std::int32_t(random.below(kOutputs)));
        }
    }

    static Architecture architecture(bool all_parts) {
        Architecture a{{kInputs, 6, kOutputs},
                       {Activation::tanh, Activation::identity},
                       Loss::softmax_cross_entropy,
                       {},
                       0.01,
                       {}};
        if (!all_parts) return a;
        a.embeddings = {{4, 3, 2}, {1, 11, 3}};
        a.periodic = {{2, 5, 3}};
        a.input_scale = a.parametric = true;
        return a;
    }
    Index rows() const { return Index(labels.size()); }
    Data<T> data(Index first = 0, Index count = -1) const {
        return {{X.data() + first * kInputs, kInputs},
                count < 0 ? rows() : count,
                {labels.data() + first, nullptr, nullptr}};
    }
    std::vector<T> parameters() const {
        return {network.parameters(), network.parameters() + network.parameter_count()};
    }
};

template <class T>
std::pair<double, std::vector<T>> loss_and_gradient(const Problem<T>& problem, int threads) {
    const Data<T> data = problem.data();
    return loss_and_gradient(problem.network, data.X, data.targets, data.rows, threads);
}

TrainOptions options(Index epochs) {
    TrainOptions o;
    o.epochs = epochs;
    o.batch_size = 16;
    o.schedule.rate = 0.02;
    o.threads = 2;
    return o;
}

template <class T>
std::vector<T> trained(const TrainOptions& o, const Callbacks<T>& calls = {}, Index window = 0) {
    Problem<T> problem(100);
    Monitor monitor;
    Data<T> data = problem.data();
    if (window > 0) data = {{nullptr, kInputs}, window, {}};
    Trainer<T> trainer(problem.network, data, std::nullopt, o);
    CHECK(trainer.run(monitor, calls) == StopReason::epochs);
    return problem.parameters();
}

}  // namespace

TEST_CASE("the gradient of all parts is the slope of the loss, also where a tall batch is cut into parts") {
    for (const Index rows : {Index(9), Index(24000)}) {
        Problem<double> problem(rows);
        const std::vector<double> gradient = loss_and_gradient(problem, 1).second;
        check_slopes(
            problem.network, gradient, [&] { return loss_and_gradient(problem, 1).first; }, rows > 9 ? 7 : 1);
    }
}

TEST_CASE_TEMPLATE("all parts give the same bits on any number of threads", T, float, double) {
    set_exact_threads(true);
    const Problem<T> problem(3000);
    const auto expected = loss_and_gradient(problem, 1);
    for (const int threads : {2, 3, 5}) {
        const auto got = loss_and_gradient(problem, threads);
        CHECK(got.first == expected.first);
        CHECK(same_bits(got.second, expected.second));
    }
    for (const bool whole_gradient : {false, true}) {
        TrainOptions o = options(2);
        if (whole_gradient) o.clip_norm = 0.1;
        o.threads = 1;
        const std::vector<T> alone = trained<T>(o);
        o.threads = 3;
        CHECK(same_bits(trained<T>(o), alone));
    }
    set_exact_threads(false);
}

TEST_CASE("plain columns come first, then periodic ones, then each table's row") {
    const Problem<double> problem(1);
    const InputWeights<double> weights = flat_weights(problem.network).inputs;
    const std::vector<const double*>& tables = weights.tables;
    const double x[] = {10, 7, 0.7, 13, 2};
    std::vector<double> inputs(10);
    const auto row = [&](Index) { return x; };
    write_inputs(problem.network.input_block(), weights, 0, 1, row, inputs.data(), 10);
    std::vector<double> expected{10, 13, 0.7};
    const Periodic& shape = problem.network.architecture().periodic.front();
    const PeriodicArrays<const double*> p(shape, weights.periodic.front());
    for (Index v = 0; v < shape.waves(); ++v) {
        double wave = p.c[v];
        for (Index k = 0; k < shape.frequencies; ++k)
            wave +=
                std::cos(2 * 3.14159265358979323846 * x[2] * p.w[k] + p.b[k]) * p.V[k * shape.waves() + v];
        const double got = inputs[expected.size()];
        CHECK(got == doctest::Approx(wave).epsilon(1e-12));
        expected.push_back(got);
    }
    expected.insert(expected.end(), tables[0] + 2 * 2, tables[0] + 3 * 2);
    expected.insert(expected.end(), tables[1] + 7 * 3, tables[1] + 8 * 3);
    CHECK(inputs == expected);
}

TEST_CASE("what is no code is found") {
    Problem<float> problem(4);
    CHECK(problem.network.first_unknown_code(problem.X.data(), 4) == -1);
    for (const float wrong : {-1.f, 11.f, 0.5f, std::nanf(""), 1e30f}) {
        problem.X[11] = wrong;
        CHECK(problem.network.first_unknown_code(problem.X.data(), 4) == 11);
    }
}

TEST_CASE("codes that change during a run stand for codes of the table") {
    Problem<float> problem(100);
    Callbacks<float> calls;
    calls.on_epoch = [&](const EpochRecord&) {
        for (const float wrong : {-1.f, 11.f, std::nanf(""), 1e30f})
            problem.X[std::size_t(wrong > 0 ? 11 : 1)] = wrong;
        return CallbackResult{};
    };
    Monitor monitor;
    Trainer<float> trainer(problem.network, problem.data(), problem.data(), options(3));
    CHECK(trainer.run(monitor, calls) == StopReason::epochs);
}

TEST_CASE_TEMPLATE("rows in windows in their order train as rows in memory", T, float, double) {
    TrainOptions o = options(3);
    o.shuffle = false;
    const std::vector<T> in_memory = trained<T>(o);
    const Problem<T> source(100);
    Index first = 0;
    Callbacks<T> calls;
    calls.next_window = [&]() -> std::optional<Data<T>> {
        const Index begin = first, count = std::min<Index>(32, 100 - begin);
        first = begin + count == 100 ? 0 : begin + count;
        return source.data(begin, count);
    };
    o.shard_rows = {100};
    o.window_rows = 32;
    CHECK(same_bits(trained<T>(o, calls, 32), in_memory));
}

TEST_CASE("a window that does not come ends the run with the best weights so far") {
    TrainOptions o = options(3);
    o.shard_rows = {100};
    o.window_rows = 50;
    Problem<double> problem(100);
    const std::vector<double> before = problem.parameters();
    Index windows = 0;
    Callbacks<double> calls;
    calls.next_window = [&]() -> std::optional<Data<double>> {
        if (++windows > 1) return std::nullopt;
        return problem.data(0, 50);
    };
    Monitor monitor;
    Trainer<double> trainer(problem.network, {{nullptr, kInputs}, 50, {}}, std::nullopt, o);
    CHECK(trainer.run(monitor, calls) == StopReason::interrupted);
    CHECK(trainer.records().empty());
    CHECK(same_bits(problem.parameters(), before));
}

TEST_CASE_TEMPLATE("a run that goes on is the run that was not stopped", T, float, double) {
    for (const bool plateau : {false, true}) {
        TrainOptions o = options(6);
        o.patience = 6;
        o.dropout.rate = 0.2;
        if (plateau) {
            o.schedule = {.kind = Schedule::reduce_on_plateau, .rate = 0.1, .factor = 0.5};
            o.schedule.threshold = 0.5;
        }
        const std::vector<T> whole = trained<T>(o);

        Problem<T> problem(100);
        const std::size_t size = std::size_t(problem.network.parameter_count());
        std::vector<T> s1(size), s2(size), best(size), weights(size);
        RunState<T> state{s1.data(), s2.data(), 0, best.data()};
        for (const Index stop : {Index(2), Index(6)}) {
            TrainOptions part = o;
            part.first_epoch = state.epoch;
            part.state_every = 10;  // and after the last epoch
            Callbacks<T> calls;
            calls.on_epoch = [&](const EpochRecord& record) {
                CallbackResult result;
                if (record.epoch == stop && stop < 6) result.stop = StopReason::callback;
                return result;
            };
            calls.on_state = [&] {
                weights = problem.parameters();
                return false;
            };
            Monitor monitor;
            Trainer<T> trainer(problem.network, problem.data(), std::nullopt, part, &state);
            trainer.run(monitor, calls);
            CHECK(state.epoch == stop);
            if (stop < 6) std::copy(weights.begin(), weights.end(), problem.network.parameters());
        }
        CHECK(same_bits(problem.parameters(), whole));
    }
}
