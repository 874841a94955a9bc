// Threads: the only place that calls OpenMP, or starts threads of its own where there is none. What a task
// computes depends on its number alone, never on the thread that does it, so results do not depend on the
// number of threads.
#pragma once

#include <atomic>
#include <functional>

#include "core/base/monitor.h"
#include "core/base/types.h"

namespace fastmlp {

// How many times this process and its ancestors were forked since watch_forks() was called.
unsigned forks();

// From now on forked children are known. Called once, when the core is loaded.
void watch_forks();

// Where the threads of a team wait for each other. A waiting thread spins briefly, then yields its processor
// again and again, so that a teammate whose processor is shared with another process gets its turn. At last
// it sleeps for moments: Linux may have woken a teammate on the very processor that the waiting thread keeps,
// and moves it only some milliseconds later.
class Barrier {
public:
    // Waits for all threads of a team of `size`, which is the same at every call. Throws TeamFailed once any
    // thread of the team has called fail(), and in a child that was forked since the team began: the other
    // threads are the parent's.
    void wait(int size);

    // Releases everybody, now and at every later wait: this thread will not come to the barrier any more.
    void fail();

    // Seconds that all threads together have waited beyond their short spins.
    double waited() const { return double(waited_.load(std::memory_order_relaxed)) * 1e-9; }

private:
    const unsigned forks_ = forks();
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<unsigned> generation_{0};
    std::atomic<bool> failed_{false};
    alignas(64) std::atomic<std::int64_t> waited_{0};  // ns
};

// One thread's view of the team that works together inside a parallel region.
struct Team {
    int rank = 0, size = 1;
    Monitor* monitor = nullptr;  // if set: polled between tasks; after an interrupt the rest is dropped
    Barrier* shared = nullptr;

    void barrier() const {
        if (size > 1) shared->wait(size);
    }

    // Of n things, those of one thread: as many as of any other, to within one, and in order of the ranks.
    Range part(Index n, int of_rank) const { return {n * of_rank / size, n * (of_rank + 1) / size}; }
    Range part(Index n) const { return part(n, rank); }

    // Calls work(first, last) for the tasks of a range; a monitor is polled every `grain` tasks.
    template <class Work>
    void each(Range tasks, Work work, Index grain = 1) const {
        if (!monitor) {
            if (tasks.first < tasks.last) work(tasks.first, tasks.last);
            return;
        }
        for (Index task = tasks.first; task < tasks.last && !monitor->interrupted(); task += grain) {
            work(task, std::min(task + grain, tasks.last));
            if (rank == 0) monitor->poll();
        }
    }

    // The same for this thread's part of `tasks` tasks.
    template <class Work>
    void deal(Index tasks, Work work, Index grain = 1) const {
        each(part(tasks), work, grain);
    }
};

// Calls body(team) on `threads` threads, on the calling thread alone if threads is 1; on fewer where the
// system starts no more. An exception on any of them ends the team; it is thrown again here, on the calling
// thread.
//
// A child that is forked by the body's callbacks has the calling thread alone. It computes what needs no
// team; else this throws std::runtime_error in the child.
void run_team(int threads, Monitor* monitor, const std::function<void(const Team&)>& body);

// Threads that runs which are trained at once have left over. A run borrows them for as long as it goes on.
class SpareThreads {
public:
    void give(int threads) { free_.fetch_add(threads, std::memory_order_relaxed); }
    void run_begins() { ++runs_; }
    void run_ends() { --runs_; }

    bool any() const { return free_.load(std::memory_order_relaxed) > 0; }

    // At most `most` of them, and no more than the share of one run. Returns how many.
    int take(int most);

private:
    std::atomic<int> free_{0}, runs_{0};
};

// What one run has borrowed; it goes back when the run ends.
class BorrowedThreads {
public:
    explicit BorrowedThreads(SpareThreads& from) : from_(from) { from_.run_begins(); }
    BorrowedThreads(const BorrowedThreads&) = delete;
    BorrowedThreads& operator=(const BorrowedThreads&) = delete;
    ~BorrowedThreads() {
        from_.run_ends();
        from_.give(taken_);
    }
    bool more() const { return from_.any(); }
    int take(int most) {
        const int taken = from_.take(most);
        taken_ += taken;
        return taken;
    }

private:
    SpareThreads& from_;
    int taken_ = 0;
};

// Below this much work a second thread costs more in barriers than it saves.
inline constexpr double kFlopsPerThread = 2e6;

// How many threads a step or a prediction of so many floating-point operations is worth, at most `limit`; 1
// in a forked child, where the threads of the parent's OpenMP teams are gone.
int worth_threads(double flops, int limit);

// The most threads that the OpenMP runtime gives by default: OMP_NUM_THREADS, or what was set for this thread
// since, by threadpoolctl for example. Without OpenMP the number of processors.
int openmp_threads();

// How many processors OpenMP binds its threads to, by OMP_PROC_BIND, OMP_PLACES or GOMP_CPU_AFFINITY; 0 where
// it does not bind them. (The calling thread may be bound to one of them.)
int openmp_processors();

// How many processors of the machine nobody uses at this moment but the calling thread; `unknown` where the
// system does not tell.
int free_processors(int unknown);

// Tests of reproducibility switch the judgement off, to run exactly as many threads as they ask for.
void set_exact_threads(bool exact);
bool exact_threads();

}  // namespace fastmlp
