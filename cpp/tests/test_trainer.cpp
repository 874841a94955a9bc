// Gradients, threads, interrupts and divergence in the core itself; the sanitizers watch.
#include <doctest/doctest.h>

#include <numeric>
#include <vector>

#include "core/base/random.h"
#include "core/model/initialize.h"
#include "core/train/trainer.h"
#include "gradients.h"

using namespace fastmlp;

namespace {

struct Problem {
    Index rows;
    std::vector<Index> sizes;
    Activation hidden = Activation::tanh;
    Loss loss = Loss::softmax_cross_entropy;
    double l2 = 0.01;
};

template <class T>
struct Made {
    Network<T> network;
    std::vector<T> X;
    std::vector<std::int32_t> labels;
    std::vector<T> values;

    explicit Made(const Problem& p) : network(architecture(p)) {
        RandomSequence random(11, Stream::init, 99);
        for (Index l = 0; l < network.architecture().layers(); ++l)
            initialize(network, l, InitKind::normal, 0.4, {1});
        for (Index i = 0; i < p.rows * p.sizes.front(); ++i) X.push_back(T(random.normal()));
        const auto O = static_cast<std::uint32_t>(p.sizes.back());
        for (Index i = 0; i < p.rows; ++i) labels.push_back(static_cast<std::int32_t>(random.below(O)));
        for (Index i = 0; i < p.rows * p.sizes.back(); ++i) values.push_back(T(random.uniform()));
    }

    static Architecture architecture(const Problem& p) {
        Architecture a{p.sizes, std::vector<Activation>(p.sizes.size() - 1, p.hidden), p.loss,
                       std::vector<double>(std::size_t(p.sizes.back()), 0.5), p.l2};
        a.activations.back() = Activation::identity;
        return a;
    }
    Data<T> data() const {
        const bool classes = network.architecture().loss == Loss::softmax_cross_entropy ||
                             network.architecture().loss == Loss::hinge;
        const Targets<T> targets{classes ? labels.data() : nullptr, classes ? nullptr : values.data(),
                                 nullptr};
        return {{X.data(), network.inputs()}, Index(X.size()) / network.inputs(), targets};
    }
    std::vector<T> parameters() const {
        return {network.parameters(), network.parameters() + network.parameter_count()};
    }
};

template <class T>
std::pair<double, std::vector<T>> loss_and_gradient(const Made<T>& made, int threads) {
    const Data<T> data = made.data();
    return loss_and_gradient(made.network, data.X, data.targets, data.rows, threads);
}

template <class T>
std::vector<T> trained(const Problem& problem, const TrainOptions& options) {
    Made<T> made(problem), held_out(problem);
    Monitor monitor;
    Trainer<T> trainer(made.network, made.data(), held_out.data(), options);
    CHECK(trainer.run(monitor) == StopReason::epochs);
    CHECK(Index(trainer.records().size()) == options.epochs);
    return made.parameters();
}

}  // namespace

TEST_CASE("the gradient is the slope of the loss, for every loss, and where a tall batch is cut into parts") {
    for (const auto& named : kLosses)
        for (const Index rows : {Index(7), Index(24000)}) {
            const Loss loss = named.second;
            CAPTURE(named.first);
            CAPTURE(rows);
            if (rows > 7 && loss != Loss::squared_error) continue;  // parts are the same for all
            Made<double> made(Problem{rows, {3, 5, 4}, Activation::gelu, loss});
            const auto [value, gradient] = loss_and_gradient(made, 1);
            check_slopes(made.network, gradient, [&] { return loss_and_gradient(made, 1).first; });
        }
}

TEST_CASE_TEMPLATE("loss and gradient have the same bits on any team", T, float, double) {
    for (const Index rows : {Index(33), Index(5000)}) {
        const Made<T> made(Problem{rows, {4, 33, 17, 3}});
        const auto [loss, gradient] = loss_and_gradient(made, 1);
        for (const int threads : {2, 3, 4, 8}) {
            const auto [other_loss, other_gradient] = loss_and_gradient(made, threads);
            CHECK(loss == other_loss);
            CHECK(same_bits(gradient, other_gradient));
        }
    }
}

TEST_CASE_TEMPLATE("training has the same bits on any team, with every optimizer", T, float, double) {
    set_exact_threads(true);
    for (const auto& optimizer : kOptimizers)
        for (const bool clipped : {false, true}) {
            CAPTURE(optimizer.first);
            TrainOptions options;
            options.epochs = 3;
            options.batch_size = 50;
            options.dropout.rate = 0.2;
            options.clip_norm = clipped ? 0.1 : 0;
            options.optimizer.kind = optimizer.second;
            options.optimizer.momentum = 0.9;
            options.schedule.rate = 0.01;
            const Problem problem{170, {5, 40, 9, 3}};
            const std::vector<T> one = trained<T>(problem, options);
            for (const int threads : {2, 3, 4, 8}) {
                options.threads = threads;
                CHECK(same_bits(one, trained<T>(problem, options)));
            }
        }
    set_exact_threads(false);
}

// One weight and one bias from zero, squared errors: rows (1, 2) and (3, -1) with weights 1 and 3, one a
// batch.
TEST_CASE_TEMPLATE(
    "a batch divides its weighted losses by its rows and the mean weight, or by its own weights", T, float,
    double) {
    const T x[] = {1, 3}, y[] = {2, -1}, weights[] = {1, 3};
    for (const double mean_weight : {2.0, 0.0}) {
        CAPTURE(mean_weight);
        Network<T> network(Architecture{{1, 1}, {Activation::identity}, Loss::squared_error, {}, 0, {}});
        TrainOptions options;
        options.epochs = 1;
        options.batch_size = 1;
        options.shuffle = false;
        options.restore_best = false;
        options.mean_weight = mean_weight;
        options.optimizer.kind = Optimizer::sgd;
        options.schedule.rate = 0.1;
        Monitor monitor;
        Trainer<T> trainer(network, {{x, 1}, 2, {nullptr, y, weights}}, std::nullopt, options);
        CHECK(trainer.run(monitor) == StopReason::epochs);
        double w = 0, b = 0, loss = 0;
        for (const int i : {0, 1}) {
            const double factor = mean_weight > 0 ? double(weights[i]) / mean_weight : 1;
            const double error = w * double(x[i]) + b - double(y[i]);
            loss += factor * error * error / 2 / 2;  // half the square; the mean of two batches
            w -= 0.1 * factor * error * double(x[i]);
            b -= 0.1 * factor * error;
        }
        CHECK(double(network.parameters()[0]) == doctest::Approx(w).epsilon(1e-6));
        CHECK(double(network.parameters()[1]) == doctest::Approx(b).epsilon(1e-6));
        CHECK(trainer.records().front().loss == doctest::Approx(loss).epsilon(1e-6));
    }
}

TEST_CASE(
    "with the mean weight, the loss of an epoch is that of all rows, however they are cut into batches") {
    const Problem problem{170, {5, 9, 3}};
    std::vector<double> weights;
    for (std::size_t i = 0; i < 170; ++i) weights.push_back(i % 10 == 0 ? 49 : double(i % 3));
    const double mean = std::accumulate(weights.begin(), weights.end(), 0.0) / 170;
    const auto loss_of_epoch = [&](Index batch_size) {
        Made<double> made(problem);
        Data<double> data = made.data();
        data.targets.weights = weights.data();
        TrainOptions options;
        options.epochs = 1;
        options.batch_size = batch_size;
        options.mean_weight = mean;
        options.optimizer.kind = Optimizer::sgd;
        options.schedule.rate = 0;  // the network stays as it is
        Monitor monitor;
        Trainer<double> trainer(made.network, data, std::nullopt, options);
        CHECK(trainer.run(monitor) == StopReason::epochs);
        return trainer.records().front().loss;
    };
    const double whole = loss_of_epoch(170);
    for (const Index batch_size : {1, 10, 64, 169}) {
        CAPTURE(batch_size);
        CHECK(loss_of_epoch(batch_size) == doctest::Approx(whole).epsilon(1e-12));
    }
}

TEST_CASE("an interrupt inside a long step leaves the weights as they were") {
    set_exact_threads(true);
    for (const int threads : {1, 2}) {
        Made<double> made(Problem{40000, {64, 300, 300, 3}});
        const std::vector<double> before = made.parameters();
        TrainOptions options;
        options.batch_size = 40000;
        options.threads = threads;
        options.restore_best = false;
        Monitor monitor([] { return true; });
        Trainer<double> trainer(made.network, made.data(), std::nullopt, options);
        CHECK(trainer.run(monitor) == StopReason::interrupted);
        CHECK(trainer.records().empty());
        CHECK(same_bits(before, made.parameters()));
    }
    set_exact_threads(false);
}

TEST_CASE("a run that diverges ends with finite weights") {
    for (const bool restore_best : {false, true}) {
        Made<float> made(Problem{60, {4, 20, 2}, Activation::relu, Loss::squared_error});
        TrainOptions options;
        options.batch_size = 20;
        options.optimizer.kind = Optimizer::sgd;
        options.schedule.rate = 1e6;
        options.restore_best = restore_best;
        Monitor monitor;
        Trainer<float> trainer(made.network, made.data(), std::nullopt, options);
        CHECK(trainer.run(monitor) == StopReason::diverged);
        for (const float w : made.parameters()) CHECK(std::isfinite(w));
    }
}

TEST_CASE("every task is dealt once, and small work gets one thread") {
    for (const int size : {1, 2, 3, 8})
        for (const Index tasks : {Index(0), Index(1), Index(5), Index(64)}) {
            std::vector<int> done(static_cast<std::size_t>(tasks));
            for (int rank = 0; rank < size; ++rank)
                Team{rank, size}.deal(tasks, [&](Index first, Index last) {
                    for (Index task = first; task < last; ++task) ++done[static_cast<std::size_t>(task)];
                });
            for (const int times : done) CHECK(times == 1);
        }
    CHECK(worth_threads(1e3, 8) == 1);
    CHECK(worth_threads(1e12, 8) == 8);
    CHECK(worth_threads(1e12, 1) == 1);
}

TEST_CASE_TEMPLATE("a row's outputs do not depend on the rows around it", T, float, double) {
    const Made<T> made(Problem{200, {7, 50, 3}});
    const Data<T> data = made.data();
    std::vector<T> all(600), one(3);
    Monitor monitor;
    const auto predictor = make_predictor(made.network);
    predictor->forward(data.X, 200, all.data(), 2, monitor);
    for (Index i = 0; i < 200; ++i) {
        predictor->forward(data.X.from(i), 1, one.data(), 1, monitor);
        CHECK(std::memcmp(one.data(), all.data() + i * 3, 3 * sizeof(T)) == 0);
    }
}
