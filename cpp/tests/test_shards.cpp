// Runs in shards, in one process and in several: threads stand for processes, and swap bytes in memory.
#include <doctest/doctest.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/random.h"
#include "core/model/initialize.h"
#include "core/train/lbfgs_run.h"
#include "core/train/trainer.h"

using namespace fastmlp;

namespace {

constexpr Index kInputs = 5, kOutputs = 3;
constexpr int kShards = 4;

// Where threads that stand for processes leave bytes for each other.
class Mailboxes {
public:
    explicit Mailboxes(int size) : boxes_(std::size_t(size * size)), size_(size) {}

    void send(int from, int to, std::span<const std::byte> bytes) {
        const std::lock_guard lock(mutex_);
        boxes_[std::size_t(from * size_ + to)].emplace_back(bytes.begin(), bytes.end());
        arrived_.notify_all();
    }
    std::vector<std::byte> receive(int from, int to) {
        auto& box = boxes_[std::size_t(from * size_ + to)];
        std::unique_lock lock(mutex_);
        arrived_.wait(lock, [&] { return !box.empty(); });
        std::vector<std::byte> bytes = std::move(box.front());
        box.erase(box.begin());
        return bytes;
    }

private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::vector<std::vector<std::vector<std::byte>>> boxes_;
    int size_;
};

class ThreadExchange : public Exchange {
public:
    ThreadExchange(Mailboxes& mailboxes, int rank, int size, Index swaps = -1)
        : Exchange(rank, size), mailboxes_(mailboxes), swaps_(swaps) {}

protected:
    bool try_swap(int partner, std::span<const std::byte> out, std::span<std::byte> in) override {
        if (swaps_ == 0) return false;
        --swaps_;
        mailboxes_.send(rank(), partner, out);
        const std::vector<std::byte> bytes = mailboxes_.receive(partner, rank());
        REQUIRE(bytes.size() == in.size());
        std::copy(bytes.begin(), bytes.end(), in.begin());
        return true;
    }

private:
    Mailboxes& mailboxes_;
    Index swaps_;  // until one fails
};

// Rows with weights; column 4 may hold codes of an embedding.
template <class T>
struct Problem {
    Index rows;
    std::vector<T> X, values, weights;

    explicit Problem(Index n) : rows(n) {
        RandomSequence random(7, Stream::init, 99);
        for (Index i = 0; i < n; ++i) {
            for (Index j = 0; j + 1 < kInputs; ++j) X.push_back(T(random.normal()));
            X.push_back(T(random.below(3)));
            for (Index j = 0; j < kOutputs; ++j) values.push_back(T(random.normal()));
            weights.push_back(T(random.uniform()));
        }
    }
    Data<T> data(Index first, Index last) const {
        return {{X.data() + first * kInputs, kInputs},
                last - first,
                {nullptr, values.data() + first * kOutputs, weights.data() + first}};
    }
    static Network<T> network(bool all_parts) {
        Architecture a{{kInputs, 40, kOutputs},
                       {Activation::tanh, Activation::identity},
                       Loss::squared_error,
                       {},
                       0.01,
                       {}};
        if (all_parts) a.embeddings = {{4, 3, 2}};
        if (all_parts) a.periodic = {{1, 5, 3}};
        a.input_scale = a.parametric = all_parts;
        Network<T> network(a);
        for (Index l = 0; l < a.layers(); ++l) initialize(network, l, InitKind::normal, 0.4, {1});
        for (Index j = 0; j < Index(network.tables().size()); ++j) initialize_table(network, j, 0.5, {1});
        if (all_parts) initialize_periodic(network, 0, {1});
        return network;
    }
};

std::vector<Index> shard_rows(Index n) {
    std::vector<Index> rows;
    for (Index s = 0; s < kShards; ++s) rows.push_back(n * (s + 1) / kShards - n * s / kShards);
    return rows;
}

// Calls process(rank, exchange) on as many threads as there are processes.
template <class Process>
void on_processes(int size, const Process& process) {
    Mailboxes mailboxes(size);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size; ++rank)
        threads.emplace_back([&, rank] {
            ThreadExchange exchange(mailboxes, rank, size);
            process(rank, size > 1 ? &exchange : nullptr);
        });
    for (std::thread& thread : threads) thread.join();
}

TrainOptions options_of(Index rows, Index validation_rows) {
    TrainOptions o;
    o.epochs = 3;
    o.batch_size = 32;
    o.mean_weight = 0.5;
    o.shard_rows = shard_rows(rows);
    o.validation_shard_rows = shard_rows(validation_rows);
    o.schedule.rate = 0.01;
    return o;
}

// The parameters and records of each process, one behind the other.
template <class T>
std::vector<std::vector<double>> trained(int processes, const TrainOptions& options, bool all_parts) {
    constexpr Index kRows = 90, kHeld = 30;
    const Problem<T> problem(kRows + kHeld);
    std::vector<std::vector<double>> results(std::size_t(processes), std::vector<double>{});
    on_processes(processes, [&](int rank, Exchange* exchange) {
        TrainOptions o = options;
        o.exchange = exchange;
        const int first = rank * kShards / processes, last = (rank + 1) * kShards / processes;
        const Data<T> data = problem.data(kRows * first / kShards, kRows * last / kShards);
        const Data<T> held = problem.data(kRows + kHeld * first / kShards, kRows + kHeld * last / kShards);
        Network<T> network = Problem<T>::network(all_parts);
        std::vector<T> s1(std::size_t(network.parameter_count())), s2(s1), best(s1);
        RunState<T> state{s1.data(), s2.data(), 0, best.data()};
        Callbacks<T> calls;
        calls.on_state = [] { return false; };
        Monitor monitor;
        Trainer<T> trainer(network, data, held, o, &state);
        trainer.run(monitor, calls);
        std::vector<double>& result = results[std::size_t(rank)];
        for (const EpochRecord& r : trainer.records())
            result.insert(result.end(), {r.loss, r.validation_loss, r.validation_score, r.penalty});
        result.insert(result.end(), network.parameters(), network.parameters() + network.parameter_count());
        for (const auto& moment : {s1, s2})  // all of the optimizer's state comes to the first process
            if (rank == 0) result.insert(result.end(), moment.begin(), moment.end());
    });
    return results;
}

}  // namespace

TEST_CASE_TEMPLATE("shards give the same bits on any number of processes and threads", T, float, double) {
    set_exact_threads(true);
    for (const bool clips : {false, true})
        for (const bool all_parts : {false, true}) {
            TrainOptions o = options_of(90, 30);
            o.clip_norm = clips ? 0.5 : 0;
            o.dropout.rate = 0.1;
            const std::vector<double> expected = trained<T>(1, o, all_parts).front();
            REQUIRE(expected.size() > 12);
            for (const int processes : {1, 2, 4}) {
                o.threads = processes < 4 ? 2 : 1;
                const auto results = trained<T>(processes, o, all_parts);
                CHECK(results.front() == expected);
                for (const auto& result : results)
                    CHECK(std::equal(result.begin(), result.end(), expected.begin()));
            }
        }
    set_exact_threads(false);
}

TEST_CASE("L-BFGS on shards gives the same bits on any number of processes") {
    constexpr Index kRows = 90;
    const Problem<double> problem(kRows);
    std::vector<std::vector<double>> results;
    std::mutex mutex;
    for (const int processes : {1, 2, 4})
        on_processes(processes, [&](int rank, Exchange* exchange) {
            TrainOptions o = options_of(kRows, 0);
            o.exchange = exchange;
            const int first = rank * kShards / processes, last = (rank + 1) * kShards / processes;
            Network<double> network = Problem<double>::network(true);
            Monitor monitor;
            minimize(network, problem.data(kRows * first / kShards, kRows * last / kShards), o,
                     {.maxiter = 5}, monitor, {});
            const std::lock_guard lock(mutex);
            results.emplace_back(network.parameters(), network.parameters() + network.parameter_count());
        });
    REQUIRE(results.size() == 7);
    for (const auto& result : results) CHECK(result == results.front());
}

TEST_CASE("a swap that fails ends the run, which keeps finite weights") {
    const Problem<double> problem(90);
    for (const Index swaps : {Index(0), Index(3), Index(40)}) {
        Mailboxes mailboxes(2);
        std::vector<std::thread> processes;
        for (int rank = 0; rank < 2; ++rank)
            processes.emplace_back([&, rank] {
                ThreadExchange exchange(mailboxes, rank, 2, swaps);
                TrainOptions o = options_of(90, 0);
                o.epochs = 1000;
                o.exchange = &exchange;
                Network<double> network = Problem<double>::network(false);
                Monitor monitor;
                Trainer<double> trainer(network, problem.data(rank * 45, rank * 45 + 45), std::nullopt, o);
                CHECK(trainer.run(monitor) == StopReason::interrupted);
                for (Index i = 0; i < network.parameter_count(); ++i)
                    CHECK(std::isfinite(network.parameters()[i]));
            });
        for (std::thread& process : processes) process.join();
    }
}
