// Runs that are put together at random: each gives the same bits on any team, from sparse rows and from
// several threads at once. ThreadSanitizer watches.
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "core/base/random.h"
#include "core/model/initialize.h"
#include "core/train/many.h"
#include "core/train/trainer.h"
#include "gradients.h"

using namespace fastmlp;

namespace {

// A network, its rows and the options of a run, all drawn from one number.
template <class T>
struct RandomRun {
    RandomSequence random;
    Architecture architecture;
    Index rows;
    std::vector<T> dense, entries, values, weights;
    std::vector<std::int32_t> columns, labels;
    std::vector<std::int64_t> starts{0};
    TrainOptions options;
    bool validates;

    explicit RandomRun(std::uint64_t number)
        : random(number, Stream::init, 1),
          architecture{.sizes = {}, .activations = {}, .loss = any_of(kLosses), .loss_parameters = {}},
          rows(1 + below(300)) {
        draw_architecture();
        draw_rows();
        draw_options();
        validates = below(2);
    }

    Index below(Index n) { return Index(random.below(std::uint32_t(n))); }
    template <class Table>
    auto any_of(const Table& table) {
        return table[std::size_t(below(Index(table.size())))].second;
    }

    void draw_architecture() {
        Architecture& a = architecture;
        a.sizes.push_back(2 + below(40));
        for (Index layers = below(3); layers > 0; --layers) {
            a.sizes.push_back(1 + below(140));
            const Activation hidden = any_of(kActivations);
            a.activations.push_back(hidden < Activation::softmax ? hidden : Activation::tanh);
        }
        a.sizes.push_back(2 + below(5));
        a.activations.push_back(Activation::identity);
        a.loss_parameters.assign(std::size_t(a.sizes.back()), 0.5);
        a.l2 = below(2) ? 0.01 : 0;
        if (below(3) == 0) a.embeddings = {{below(a.sizes.front()), 1 + below(9), 1 + below(4)}};
        const Index column = below(a.sizes.front());
        const bool coded = !a.embeddings.empty() && a.embeddings.front().column == column;
        if (below(3) == 0 && !coded) a.periodic = {{column, 1 + below(40), 2 + below(9)}};
        a.input_scale = below(4) == 0;
        a.parametric = below(3) == 0;
    }

    void draw_rows() {
        const Index inputs = architecture.sizes.front(), outputs = architecture.sizes.back();
        for (Index i = 0; i < rows; ++i) {
            for (Index j = 0; j < inputs; ++j) {
                T x = below(4) == 0 ? T(random.normal()) : T(0);
                for (const Embedding& e : architecture.embeddings)
                    if (e.column == j) x = T(below(e.codes));
                dense.push_back(x);
                if (x == 0) continue;
                entries.push_back(x);
                columns.push_back(std::int32_t(j));
            }
            starts.push_back(std::int64_t(entries.size()));
            labels.push_back(std::int32_t(below(outputs)));
            weights.push_back(T(below(3)));
            for (Index j = 0; j < outputs; ++j) values.push_back(T(below(2)));
        }
        weights.front() = 1;
    }

    void draw_options() {
        options.epochs = 1 + below(3);
        options.batch_size = 1 + below(rows);
        options.shuffle = below(3) > 0;
        options.seed = std::uint64_t(below(1000));
        options.dropout.rate = below(3) ? 0 : 0.3;
        options.clip_norm = below(3) ? 0 : 0.1;
        options.optimizer.kind = any_of(kOptimizers);
        options.optimizer.momentum = 0.9;
        options.optimizer.normalized = options.optimizer.kind == Optimizer::sgd && below(2);
        options.schedule.rate = 0.01;
        options.patience = below(3) - 1;
        options.restore_best = below(2);
    }

    Data<T> data(bool sparse) const {
        const bool classes =
            architecture.loss == Loss::softmax_cross_entropy || architecture.loss == Loss::hinge;
        Features<T> X{dense.data(), architecture.sizes.front()};
        if (sparse) X = {entries.data(), 0, columns.data(), starts.data()};
        return {
            X, rows, {classes ? labels.data() : nullptr, classes ? nullptr : values.data(), weights.data()}};
    }

    // Everything that a run gives: its numbers, one after the other.
    std::vector<double> result(int threads, bool sparse, bool bfloat16 = false,
                               BorrowedThreads* borrowed = nullptr) const {
        Network<T> network(architecture);
        for (Index l = 0; l < architecture.layers(); ++l) initialize(network, l, InitKind::uniform, 0.3, {1});
        for (std::size_t j = 0; j < architecture.embeddings.size(); ++j)
            initialize_table(network, Index(j), 0.3, {1});
        for (std::size_t j = 0; j < architecture.periodic.size(); ++j)
            initialize_periodic(network, Index(j), {1});
        TrainOptions with_threads = options;
        with_threads.threads = threads;
        with_threads.bfloat16 = bfloat16;
        with_threads.borrowed = borrowed;
        const Data<T> given = data(sparse);
        const std::optional<Data<T>> held_out = validates ? std::optional(given) : std::nullopt;
        Monitor monitor;
        Trainer<T> trainer(network, given, held_out, with_threads);
        std::vector<double> numbers{double(trainer.run(monitor))};
        for (const EpochRecord& record : trainer.records())
            numbers.insert(numbers.end(), {record.loss, record.validation_loss, record.validation_score,
                                           record.accuracy, record.penalty});
        numbers.insert(numbers.end(), network.parameters(), network.parameters() + network.parameter_count());
        std::vector<T> outputs(std::size_t(rows * network.outputs()));
        make_predictor(network)->forward(given.X, rows, outputs.data(), threads, monitor);
        numbers.insert(numbers.end(), outputs.begin(), outputs.end());
        return numbers;
    }
};

#if defined(__SANITIZE_THREAD__)  // GCC
constexpr bool kThreadSanitizer = true;
#elif defined(__has_feature)  // Clang
constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
#else
constexpr bool kThreadSanitizer = false;
#endif

constexpr std::uint64_t kRuns = kThreadSanitizer ? 20 : 40;  // there a run takes many times as long

}  // namespace

TEST_CASE_TEMPLATE("a run drawn at random gives the same bits on any team, from dense and from sparse rows",
                   T, float, double) {
    set_exact_threads(true);
    for (std::uint64_t number = 0; number < kRuns; ++number) {
        CAPTURE(number);
        const RandomRun<T> run(number);
        const std::vector<double> alone = run.result(1, false);
        for (const int threads : {2, 3, 5}) CHECK(same_bits(run.result(threads, false), alone));
        if (!InputBlock(run.architecture).any())
            for (const int threads : {1, 3}) CHECK(same_bits(run.result(threads, true), alone));
    }
    set_exact_threads(false);
}

TEST_CASE("runs that are trained at once give the bits that each gives alone, on threads that others leave") {
    set_exact_threads(true);
    constexpr std::size_t kAtOnce = 7;
    for (const int threads : {1, 2, 3, 9}) {
        CAPTURE(threads);
        std::vector<std::vector<double>> results(kAtOnce);
        std::vector<RunAmongMany> runs;
        for (std::size_t i = 0; i < kAtOnce; ++i)
            runs.push_back({.seconds = double(i % 3),
                            .train = [&results, i, threads](Monitor&, BorrowedThreads& borrowed) {
                                if (i == 3) throw std::bad_alloc();
                                results[i] = RandomRun<float>(i).result(threads, false, false, &borrowed);
                                return false;
                            }});
        std::atomic<Index> done{0};
        train_many(runs, {.threads = threads, .done = &done}, {});
        CHECK(done == Index(kAtOnce));
        for (std::size_t i = 0; i < kAtOnce; ++i) {
            CAPTURE(i);
            CHECK(bool(runs[i].error) == (i == 3));
            if (i != 3) CHECK(same_bits(results[i], RandomRun<float>(i).result(1, false)));
        }
    }
    set_exact_threads(false);
}

TEST_CASE("a run that asks for it ends the others, which have not begun") {
    std::vector<RunAmongMany> runs;
    for (int i = 0; i < 9; ++i)
        runs.push_back({.seconds = 1, .train = [](Monitor&, BorrowedThreads&) { return true; }});
    train_many(runs, {.threads = 1}, {});
    CHECK(runs.front().begun);
    for (std::size_t i = 1; i < runs.size(); ++i) CHECK(!runs[i].begun);
}

#ifdef FASTMLP_BFLOAT16
TEST_CASE("a run in bfloat16 drawn at random gives the same bits on any team") {
    if (!__builtin_cpu_supports("avx512bf16")) return;
    set_exact_threads(true);
    for (std::uint64_t number = 0; number < kRuns; ++number) {
        CAPTURE(number);
        const RandomRun<float> run(number);
        const std::vector<double> alone = run.result(1, false, true);
        for (const int threads : {2, 3, 5}) CHECK(same_bits(run.result(threads, false, true), alone));
    }
    set_exact_threads(false);
}
#endif

TEST_CASE("runs on several threads at once give the bits that each gives alone") {
    set_exact_threads(true);
    std::vector<std::thread> callers;
    std::vector<int> same(4);
    for (std::size_t caller = 0; caller < same.size(); ++caller)
        callers.emplace_back([caller, &same] {
            const RandomRun<float> run(100 + caller);
            same[caller] = same_bits(run.result(2, false), run.result(1, false));
        });
    for (std::thread& caller : callers) caller.join();
    for (const int one : same) CHECK(one);
    set_exact_threads(false);
}

TEST_CASE("one predictor answers several threads at once") {
    set_exact_threads(true);
    Network<float> network(Architecture{
        {5, 70, 3}, {Activation::tanh, Activation::identity}, Loss::softmax_cross_entropy, {}, 0, {}});
    for (Index l = 0; l < 2; ++l) initialize(network, l, InitKind::normal, 0.3, {1});
    const std::vector<float> X(5 * 400, 0.25f);
    const auto predictor = make_predictor(network);
    std::vector<std::vector<float>> outputs(4, std::vector<float>(3 * 400));
    std::vector<std::thread> callers;
    for (std::size_t caller = 0; caller < outputs.size(); ++caller)
        callers.emplace_back([&, caller] {
            Monitor monitor;
            float* const out = outputs[caller].data();
            for (int i = 0; i < 5; ++i) {
                predictor->forward({X.data(), 5}, 400, out, 1 + int(caller % 3), monitor);
                predictor->forward_few(X.data(), 2, out);
            }
        });
    for (std::thread& caller : callers) caller.join();
    for (const std::vector<float>& one : outputs) CHECK(same_bits(one, outputs.front()));
    set_exact_threads(false);
}
