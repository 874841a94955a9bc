// Sparse features: the same numbers as dense ones, on any team, and interrupts; the sanitizers watch.
#include <doctest/doctest.h>

#include <cstring>

#include "core/base/random.h"
#include "core/model/initialize.h"
#include "core/train/trainer.h"

using namespace fastmlp;

namespace {

// The same rows twice, one element in `every` of them not zero; some rows and columns are empty.
template <class T>
struct Examples {
    std::vector<T> dense, values;
    std::vector<std::int32_t> columns, labels;
    std::vector<std::int64_t> starts{0};
    Index inputs;

    Examples(Index rows, Index width, std::uint32_t every) : dense(std::size_t(rows * width)), inputs(width) {
        RandomSequence random(5, Stream::init, 7);
        for (Index i = 0; i < rows; ++i) {
            for (Index j = 0; j < width; ++j) {
                if (random.below(every) != 0 || i % 7 == 3 || j % 11 == 5) continue;
                columns.push_back(std::int32_t(j));
                values.push_back(dense[std::size_t(i * width + j)] = T(random.normal()));
            }
            starts.push_back(std::int64_t(values.size()));
            labels.push_back(std::int32_t(random.below(3)));
        }
    }
    Data<T> data(bool sparse) const {
        Features<T> X{dense.data(), inputs};
        if (sparse) X = {values.data(), 0, columns.data(), starts.data()};
        return {X, Index(labels.size()), {labels.data()}};
    }
};

template <class T>
Network<T> network(const std::vector<Index>& sizes) {
    Architecture architecture;
    architecture.sizes = sizes;
    architecture.activations.assign(sizes.size() - 1, Activation::tanh);
    architecture.loss = Loss::softmax_cross_entropy;
    Network<T> made(std::move(architecture));
    for (Index l = 0; l < made.architecture().layers(); ++l) initialize(made, l, InitKind::normal, 0.3, {1});
    return made;
}

template <class T>
std::vector<T> trained(const Examples<T>& rows, const std::vector<Index>& sizes, TrainOptions options,
                       bool sparse) {
    Network<T> made = network<T>(sizes);
    Monitor monitor;
    Trainer<T> trainer(made, rows.data(sparse), rows.data(sparse), options);
    CHECK(trainer.run(monitor) == StopReason::epochs);
    return {made.parameters(), made.parameters() + made.parameter_count()};
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

}  // namespace

TEST_CASE_TEMPLATE("sparse rows train to the bits of dense ones, on any team", T, float, double) {
    set_exact_threads(true);
    const Examples<T> rows(150, 90, 8);
    for (const auto& optimizer : kOptimizers)
        for (const std::vector<Index>& hidden :
             {std::vector<Index>{}, std::vector<Index>{5}, std::vector<Index>{101, 9}})
            for (const bool clipped : {false, true}) {
                CAPTURE(optimizer.first);
                CAPTURE(hidden.size());
                std::vector<Index> sizes{90};
                sizes.insert(sizes.end(), hidden.begin(), hidden.end());
                sizes.push_back(3);
                TrainOptions options;
                options.epochs = 2;
                options.batch_size = 40;
                options.clip_norm = clipped ? 0.1 : 0;
                options.optimizer.kind = optimizer.second;
                options.schedule.rate = 0.01;
                const std::vector<T> dense = trained(rows, sizes, options, false);
                for (const int threads : {1, 2, 5}) {
                    options.threads = threads;
                    CHECK(same_bits(dense, trained(rows, sizes, options, true)));
                }
            }
    set_exact_threads(false);
}

TEST_CASE_TEMPLATE("batches without entries, and of one row, are transposed", T, float, double) {
    Examples<T> rows(20, 6, 3);
    for (const Index empty : {Index(0), Index(1)}) {
        if (empty) {
            rows.starts.assign(rows.starts.size(), 0);
            rows.dense.assign(rows.dense.size(), 0);
        }
        for (const Index batch_size : {Index(1), Index(20)}) {
            TrainOptions options;
            options.epochs = 2;
            options.batch_size = batch_size;
            CHECK(
                same_bits(trained(rows, {6, 4, 3}, options, true), trained(rows, {6, 4, 3}, options, false)));
        }
    }
}

TEST_CASE_TEMPLATE("a transposed batch holds every entry once, in the order of the batch", T, float, double) {
    const Examples<T> rows(60, 33, 4);
    const Features<T> X = rows.data(true).X;
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < 25; ++i) order.push_back((i * 17 + 5) % 60);
    for (const int threads : {1, 2, 3, 40}) {
        TransposedBatch<T> batch(33, *Data<T>{X, 60, {}}.most_entries(25), threads);
        run_team(threads, nullptr, [&](const Team& team) { batch.sort(team, {X, order.data()}, 25); });
        const Features<T> columns = batch.features().X;
        Index entry = 0;
        for (Index j = 0; j < 33; ++j) {
            CHECK(columns.starts[j] == entry);
            for (Index i = 0; i < 25; ++i) {
                const T value = rows.dense[order[std::size_t(i)] * 33 + std::size_t(j)];
                if (value == 0) continue;
                CHECK(columns.columns[entry] == i);
                CHECK(columns.values[entry++] == value);
            }
        }
        CHECK(columns.starts[33] == entry);
    }
}

TEST_CASE("an interrupt inside a long step on sparse rows leaves the weights as they were") {
    set_exact_threads(true);
    const Examples<double> rows(40000, 64, 4);
    for (const int threads : {1, 2, 4}) {
        Network<double> made = network<double>({64, 300, 300, 3});
        const std::vector<double> before(made.parameters(), made.parameters() + made.parameter_count());
        TrainOptions options;
        options.batch_size = 40000;
        options.threads = threads;
        options.restore_best = false;
        Monitor monitor([] { return true; });
        Trainer<double> trainer(made, rows.data(true), std::nullopt, options);
        CHECK(trainer.run(monitor) == StopReason::interrupted);
        CHECK(same_bits(before, {made.parameters(), made.parameters() + made.parameter_count()}));
    }
    set_exact_threads(false);
}

TEST_CASE_TEMPLATE("a sparse row's outputs do not depend on the rows around it", T, float, double) {
    const Examples<T> rows(200, 70, 6);
    const Network<T> made = network<T>({70, 50, 3});
    const Features<T> X = rows.data(true).X;
    std::vector<T> all(600), dense(600), one(3);
    Monitor monitor;
    const auto predictor = make_predictor(made);
    predictor->forward(X, 200, all.data(), 2, monitor);
    predictor->forward(rows.data(false).X, 200, dense.data(), 2, monitor);
    CHECK(same_bits(all, dense));
    for (Index i = 0; i < 200; ++i) {
        predictor->forward(X.from(i), 1, one.data(), 1, monitor);
        CHECK(std::memcmp(one.data(), all.data() + i * 3, 3 * sizeof(T)) == 0);
        predictor->forward_few(rows.dense.data() + i * 70, 1, one.data());
        CHECK(std::memcmp(one.data(), all.data() + i * 3, 3 * sizeof(T)) == 0);
    }
}
