#include "core/base/parallel.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif
#ifdef __linux__
#include <sched.h>
#endif
#ifndef _WIN32
#include <pthread.h>
#include <unistd.h>
#endif

namespace fastmlp {

namespace {

std::atomic<bool> exact{false};
std::atomic<unsigned> forks_so_far{0};

// Thrown at a barrier that another thread of the team will not reach.
struct TeamFailed {};

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Leaves the processor to others for a moment. The shortest sleep of Windows takes milliseconds.
void nap() {
#ifdef _WIN32
    std::this_thread::yield();
#else
    std::this_thread::sleep_for(std::chrono::microseconds(20));
#endif
}

// Threads that are started together, as many of them as the system starts.
class NewThreads {
public:
    // Starts threads 1 .. size - 1, which call work(rank, size) after begin(); the caller is thread 0.
    template <class Work>
    NewThreads(int size, const Work& work) {
        try {
            threads_.reserve(std::size_t(size));
            for (int rank = 1; rank < size; ++rank)
                threads_.emplace_back([this, rank, work] {
                    while (!begun_.load(std::memory_order_acquire)) std::this_thread::yield();
                    work(rank, this->size());
                });
        } catch (const std::exception&) {  // no more threads, or no more memory for their stacks
        }
    }
    NewThreads(const NewThreads&) = delete;
    NewThreads& operator=(const NewThreads&) = delete;
    ~NewThreads() {
        begin();
        for (std::thread& thread : threads_) thread.join();
    }
    int size() const { return int(threads_.size()) + 1; }
    void begin() { begun_.store(true, std::memory_order_release); }

private:
    std::vector<std::thread> threads_;
    std::atomic<bool> begun_{false};
};

// The processors that a team's threads begin on. Linux may wake a thread on the processor of the thread that
// woke it, although others are free, and moves it only some milliseconds later; until then both are slower
// than one alone. So a thread that begins where a teammate is moves itself, and may be moved again
// afterwards.
class Processors {
public:
    void enter() {
#ifdef __linux__
        const int here = sched_getcpu();
        if (here < 0 || here >= CPU_SETSIZE || take(here)) return;
        cpu_set_t allowed;
        if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
        // The number after this one is tried last: it is often another thread of the same core.
        for (int i = 2; i <= CPU_SETSIZE + 1; ++i) {
            const int there = (here + i) % CPU_SETSIZE;
            if (!CPU_ISSET(there, &allowed) || !take(there)) continue;
            cpu_set_t only;
            CPU_ZERO(&only);
            CPU_SET(there, &only);
            if (sched_setaffinity(0, sizeof only, &only) == 0) sched_setaffinity(0, sizeof allowed, &allowed);
            return;
        }
#endif
    }

private:
#ifdef __linux__
    // Whether nobody has taken it yet.
    bool take(int processor) {
        const std::uint64_t bit = std::uint64_t{1} << processor % 64;
        return (taken_[std::size_t(processor / 64)].fetch_or(bit, std::memory_order_relaxed) & bit) == 0;
    }
    std::array<std::atomic<std::uint64_t>, CPU_SETSIZE / 64> taken_{};
#endif
};

// What the threads of a team share.
class SharedRun {
public:
    SharedRun(Monitor* monitor, const std::function<void(const Team&)>& body)
        : monitor_(monitor), body_(body) {
        processors_.enter();
    }

    // An exception that left the team's region would end the process.
    void work(int rank, int size) noexcept {
        if (rank > 0) processors_.enter();
        try {
            body_(Team{rank, size, monitor_, &barrier_});
        } catch (const TeamFailed&) {  // another thread's exception is the one to report
        } catch (...) {
            if (!has_error_.exchange(true)) error_ = std::current_exception();
            barrier_.fail();
        }
    }

    void rethrow() const {
        if (error_) std::rethrow_exception(error_);
    }

private:
    Monitor* const monitor_;
    const std::function<void(const Team&)>& body_;
    Processors processors_;
    Barrier barrier_;
    std::exception_ptr error_;
    std::atomic<bool> has_error_{false};
};

#ifdef _OPENMP

// How many threads the runtime can be asked for. GCC's ends the process when it cannot start a thread, so
// those that it does not have yet are started and ended here first. It keeps the threads of this thread's
// last team.
int startable(int threads) {
    if (omp_get_level() > 0) return NewThreads(threads, [](int, int) {}).size();  // keeps none of these
    thread_local int kept = 1;
    if (threads > kept) threads = NewThreads(threads - kept + 1, [](int, int) {}).size() + kept - 1;
    return kept = threads;
}

// A team inside a team, for a run among several: the runtime starts it only if so many levels are allowed.
class AllowedLevels {
public:
    AllowedLevels() : before_(omp_get_max_active_levels()) {
        if (omp_get_active_level() >= before_) omp_set_max_active_levels(omp_get_active_level() + 1);
    }
    AllowedLevels(const AllowedLevels&) = delete;
    AllowedLevels& operator=(const AllowedLevels&) = delete;
    ~AllowedLevels() { omp_set_max_active_levels(before_); }

private:
    const int before_;
};

void run_omp_region(int threads, SharedRun& run) {
#ifndef _WIN32
    const unsigned before = forks();
    std::jmp_buf outside;
    if (setjmp(outside) != 0) return;
#endif
#pragma omp parallel num_threads(threads)
    {
        // The runtime may give fewer threads than asked for.
        run.work(omp_get_thread_num(), omp_get_num_threads());
#ifndef _WIN32
        // In a forked child the end of the region would wait for the parent's threads for ever. Nothing that
        // needs a destructor lies between here and there. (Only what the caller's thread calls may fork and
        // come back here in the child.)
        if (forks() != before) std::longjmp(outside, 1);
#endif
    }
}

void run_region(int threads, SharedRun& run) {
    const AllowedLevels levels;
    run_omp_region(startable(threads), run);
}

#else

void run_region(int threads, SharedRun& run) {
    const unsigned before = forks();
    auto others = std::make_unique<NewThreads>(threads, [&run](int rank, int size) { run.work(rank, size); });
    others->begin();
    run.work(0, others->size());
    if (forks() != before) static_cast<void>(others.release());  // a forked child has no threads to join
}

#endif

}  // namespace

void Barrier::wait(int size) {
    constexpr int kSpins = 4000;
    constexpr std::chrono::microseconds kYields{20};
    if (forks() != forks_) throw TeamFailed();
    const unsigned generation = generation_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size) {
        arrived_.store(0, std::memory_order_relaxed);
        generation_.store(generation + 1, std::memory_order_release);
    } else {
        const auto released = [&] {
            return generation_.load(std::memory_order_acquire) != generation ||
                   failed_.load(std::memory_order_relaxed);
        };
        int spins = 0;
        while (spins < kSpins && !released()) {
            pause();
            ++spins;
        }
        if (spins == kSpins) {
            const Monitor::Clock::time_point start = Monitor::Clock::now();
            std::chrono::nanoseconds waited{0};
            for (; !released(); waited = Monitor::Clock::now() - start)
                if (waited < kYields)
                    std::this_thread::yield();
                else
                    nap();
            waited_ += waited.count();
        }
    }
    if (failed_.load(std::memory_order_relaxed)) throw TeamFailed();
}

void Barrier::fail() { failed_ = true; }

int SpareThreads::take(int most) {
    int free = free_.load(std::memory_order_relaxed), taken;
    do {
        taken = std::min(most, int(ceil_div(free, std::max(runs_.load(std::memory_order_relaxed), 1))));
        if (taken <= 0) return 0;
    } while (!free_.compare_exchange_weak(free, free - taken, std::memory_order_relaxed));
    return taken;
}

void run_team(int threads, Monitor* monitor, const std::function<void(const Team&)>& body) {
    const unsigned before = forks();
    if (threads <= 1 || before > 0) {
        body(Team{0, 1, monitor});
        return;
    }
    SharedRun run(monitor, body);
    run_region(threads, run);
    run.rethrow();
    if (forks() != before)
        throw std::runtime_error(
            "the process was forked while fastmlp computed on several threads, which the child "
            "does not have; begin the computation again in the child, or do it with threads=1");
}

int worth_threads(double flops, int limit) {
    if (forks() > 0 || limit <= 1) return 1;
    if (exact) return limit;
    return static_cast<int>(std::clamp(flops / kFlopsPerThread, 1.0, static_cast<double>(limit)));
}

int openmp_threads() {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return int(std::max(std::thread::hardware_concurrency(), 1u));
#endif
}

int openmp_processors() {
#if defined(_OPENMP) && _OPENMP >= 201511
    if (omp_get_proc_bind() == omp_proc_bind_false) return 0;
    std::vector<int> processors;
    for (int place = 0; place < omp_get_num_places(); ++place) {
        const std::size_t known = processors.size();
        processors.resize(known + std::size_t(omp_get_place_num_procs(place)));
        omp_get_place_proc_ids(place, processors.data() + known);
    }
    std::sort(processors.begin(), processors.end());
    return int(std::unique(processors.begin(), processors.end()) - processors.begin());
#else
    return 0;
#endif
}

int free_processors(int unknown) {
#ifdef __linux__
    // Its fourth number is how many threads of all processes run or want to, this one among them.
    std::FILE* const file = std::fopen("/proc/loadavg", "r");
    if (!file) return unknown;
    int running = 0;
    const bool read = std::fscanf(file, "%*s %*s %*s %d", &running) == 1;
    std::fclose(file);
    if (read) return int(sysconf(_SC_NPROCESSORS_ONLN)) - running + 1;
#endif
    return unknown;
}

unsigned forks() { return forks_so_far.load(std::memory_order_relaxed); }

void watch_forks() {
#ifndef _WIN32
    pthread_atfork(nullptr, nullptr, [] { ++forks_so_far; });
#endif
}

void set_exact_threads(bool on) { exact = on; }
bool exact_threads() { return exact; }

}  // namespace fastmlp
