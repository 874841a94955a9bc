// Threads: the only place that knows OpenMP. Work is dealt by task number alone, so results never depend on
// the team.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>

#include "types.h"

namespace fastmlp {

// Watches the clock and the user during a long computation. Rank 0 polls; anyone may ask stopped().
class Monitor {
public:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds kInterval{25};

    // `interrupted` is asked at most once per interval, on the thread that started the computation; may be
    // empty.
    explicit Monitor(std::function<bool()> interrupted = {}, double max_seconds = 1e18);

    void poll();
    bool stopped() const { return interrupted() || timed_out_.load(std::memory_order_relaxed); }
    bool interrupted() const { return interrupted_.load(std::memory_order_relaxed); }
    double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

private:
    std::function<bool()> ask_;
    Clock::time_point start_, next_;
    double max_seconds_;
    std::atomic<bool> interrupted_{false}, timed_out_{false};
};

// Where the threads of a team wait for each other. Nobody sleeps: after a short spin the waiters yield, so
// that a teammate whose core is shared with another process gets its turn and finds the others ready.
class Barrier {
public:
    explicit Barrier(int size) : size_(size) {}
    void wait();

    // Seconds that all threads together have waited beyond their short spins.
    double waited() const { return double(waited_.load(std::memory_order_relaxed)) * 1e-9; }

private:
    const int size_;
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<unsigned> generation_{0};
    alignas(64) std::atomic<std::int64_t> waited_{0};  // ns
};

// One thread's view of the team that works together inside a parallel region.
struct Team {
    int rank = 0, size = 1;
    Monitor* monitor =
        nullptr;  // when set, it is polled between tasks; after an interrupt the rest is dropped
    Barrier* shared = nullptr;

    void barrier() const {
        if (size > 1) shared->wait();
    }

    // Where this thread's contiguous share of n things begins; it ends where that of rank + 1 begins.
    Index share(Index n, int of_rank) const { return n * of_rank / size; }

    // Calls work(first, last) for tasks [begin, end); a monitor is polled every `grain` tasks.
    template <class Work>
    void each(Index begin, Index end, Work work, Index grain = 1) const {
        if (!monitor) {
            if (begin < end) work(begin, end);
            return;
        }
        for (Index task = begin; task < end && !monitor->interrupted(); task += grain) {
            work(task, std::min(task + grain, end));
            if (rank == 0) monitor->poll();
        }
    }

    // The same for this thread's share of `tasks` tasks.
    template <class Work>
    void deal(Index tasks, Work work, Index grain = 1) const {
        each(share(tasks, rank), share(tasks, rank + 1), work, grain);
    }
};

// Calls body(team) on `threads` threads, on the calling thread alone if threads is 1.
void run_team(int threads, Monitor* monitor, const std::function<void(const Team&)>& body);

// Below this much work a second thread costs more in barriers than it saves.
inline constexpr double kFlopsPerThread = 2e6;

// How many threads `flops` floating-point operations between two barriers' worth of work are worth, at most
// `limit`; 1 in a forked child, where the threads of the parent's OpenMP teams are gone.
int worth_threads(double flops, int limit);

// The most threads that the OpenMP runtime gives by default: OMP_NUM_THREADS, or what was set for this thread
// since, by threadpoolctl for example.
int openmp_threads();

// From now on forked children are known. Called once, when the module is loaded.
void watch_forks();

// Tests of reproducibility switch the judgement off, to run exactly as many threads as they ask for.
void set_exact_threads(bool exact);
bool exact_threads();

}  // namespace fastmlp
