#include "parallel.h"

#include <algorithm>

#ifdef _OPENMP
#include <omp.h>
#endif
#ifndef _WIN32
#include <pthread.h>
#endif

namespace fastmlp {

namespace {

// Below this much work a second thread costs more in barriers than it saves.
constexpr double kFlopsPerThread = 2e6;

std::atomic<bool> exact_threads{false};
std::atomic<bool> had_team{false}, orphaned{false};

void after_fork_in_child() { orphaned = had_team.load(); }

void watch_forks() {
#ifndef _WIN32
    static const int once = pthread_atfork(nullptr, nullptr, after_fork_in_child);
    static_cast<void>(once);
#endif
}

}  // namespace

Monitor::Monitor(std::function<bool()> interrupted, double max_seconds)
    : ask_(std::move(interrupted)),
      start_(Clock::now()),
      next_(start_ + kInterval),
      max_seconds_(max_seconds) {}

void Monitor::poll() {
    const Clock::time_point now = Clock::now();
    if (std::chrono::duration<double>(now - start_).count() >= max_seconds_) timed_out_ = true;
    if (now < next_) return;
    if (ask_ && !interrupted() && ask_()) interrupted_ = true;
    next_ = Clock::now() + kInterval;
}

void Team::barrier() const {
#ifdef _OPENMP
    if (size > 1) {
#pragma omp barrier
    }
#endif
}

void run_team(int threads, Monitor* monitor, const std::function<void(const Team&)>& body) {
#ifdef _OPENMP
    if (threads > 1) {
        watch_forks();
        had_team = true;
#pragma omp parallel num_threads(threads)
        body(Team{omp_get_thread_num(), omp_get_num_threads(), monitor});
        return;
    }
#endif
    body(Team{0, 1, monitor});
}

int worth_threads(double flops, int limit) {
    if (orphaned || limit <= 1) return 1;
    if (exact_threads) return limit;
    return static_cast<int>(std::clamp(flops / kFlopsPerThread, 1.0, static_cast<double>(limit)));
}

void set_exact_threads(bool exact) { exact_threads = exact; }

}  // namespace fastmlp
