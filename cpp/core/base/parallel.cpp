#include "core/base/parallel.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <thread>

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif
#ifndef _WIN32
#include <pthread.h>
#endif

namespace fastmlp {

namespace {

std::atomic<bool> exact{false}, forked{false};

// Thrown at a barrier that another thread of the team will not reach.
struct TeamFailed {};

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

}  // namespace

void Barrier::wait() {
    constexpr int kSpins = 4000;
    const unsigned generation = generation_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size_) {
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
            while (!released()) std::this_thread::yield();
            waited_ += std::chrono::nanoseconds(Monitor::Clock::now() - start).count();
        }
    }
    if (failed_.load(std::memory_order_relaxed)) throw TeamFailed();
}

void Barrier::fail() { failed_ = true; }

void run_team(int threads, Monitor* monitor, const std::function<void(const Team&)>& body) {
#ifdef _OPENMP
    if (threads > 1) {
        std::optional<Barrier> barrier;
        std::exception_ptr error;
        std::atomic<bool> has_error{false};
#pragma omp parallel num_threads(threads)
        {
            // The runtime may give fewer threads than asked for.
#pragma omp single
            barrier.emplace(omp_get_num_threads());
            // An exception that left the region would end the process.
            try {
                body(Team{omp_get_thread_num(), omp_get_num_threads(), monitor, &*barrier});
            } catch (const TeamFailed&) {  // another thread's exception is the one to report
            } catch (...) {
                if (!has_error.exchange(true)) error = std::current_exception();
                barrier->fail();
            }
        }
        if (error) std::rethrow_exception(error);
        return;
    }
#endif
    body(Team{0, 1, monitor});
}

int worth_threads(double flops, int limit) {
    if (forked || limit <= 1) return 1;
    if (exact) return limit;
    return static_cast<int>(std::clamp(flops / kFlopsPerThread, 1.0, static_cast<double>(limit)));
}

int openmp_threads() {
#ifdef _OPENMP
    return omp_get_max_threads();
#else
    return 1;
#endif
}

void watch_forks() {
#ifndef _WIN32
    pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif
}

void set_exact_threads(bool on) { exact = on; }
bool exact_threads() { return exact; }

}  // namespace fastmlp
