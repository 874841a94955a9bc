// What this machine gives: the FMA peak (chains of multiply-adds that stay in registers, on every thread),
// and how far apart two of its processors are (the time a line of memory takes from one to the other and
// back). Prints GFLOP/s and ns. Usage: probe float|double threads
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif

template <class T>
double chains(std::atomic<int>& ready, int threads, double seconds) {
    typedef T Vector __attribute__((vector_size(kBytes)));
    constexpr int kChains = 10, kBlock = 10000;
    constexpr double kFlopsPerBlock = 2.0 * kChains * kBlock * (kBytes / sizeof(T));
    Vector a = Vector{} + T(0.999), b = Vector{} + T(0.001);
    __asm__ volatile("" : "+v"(a), "+v"(b));
    ++ready;
    while (ready < threads) {
    }
    const auto start = std::chrono::steady_clock::now();
    double best = 1e9, spent = 0;
    for (auto last = start; spent < seconds;) {
        Vector c[kChains];
        for (int j = 0; j < kChains; ++j) c[j] = Vector{} + T(j);  // equal chains would be made one
        for (int i = 0; i < kBlock; ++i)
#pragma GCC unroll 10
            for (int j = 0; j < kChains; ++j) c[j] = c[j] * a + b;
        for (Vector& x : c) __asm__ volatile("" : : "m"(x));  // so that nothing is left out
        const auto now = std::chrono::steady_clock::now();
        best = std::min(best, std::chrono::duration<double>(now - last).count());
        spent = std::chrono::duration<double>(now - start).count();
        last = now;
    }
    return kFlopsPerBlock / best / 1e9;
}

double round_trip() {
    using Clock = std::chrono::steady_clock;
    constexpr int kTrips = 2000, kBatch = 100;
    alignas(128) std::atomic<int> ping{0};
    alignas(128) std::atomic<int> pong{0};
    std::thread other([&] {
        for (int n = 1; n <= kTrips; ++n) {
            while (ping.load(std::memory_order_acquire) < n) {
            }
            pong.store(n, std::memory_order_release);
        }
    });
    std::vector<double> batches;
    for (int n = 0; n < kTrips;) {
        const auto start = Clock::now();
        for (const int end = n + kBatch; n < end;) {
            ping.store(++n, std::memory_order_release);
            while (pong.load(std::memory_order_acquire) < n) {
            }
        }
        batches.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kBatch);
    }
    other.join();
    std::nth_element(batches.begin(), batches.begin() + batches.size() / 2, batches.end());
    return batches[batches.size() / 2];
}

int main(int argc, char** argv) {
    const bool wide = argc > 1 && !std::strcmp(argv[1], "double");
    const int threads = argc > 2 ? std::atoi(argv[2]) : 1;
    std::vector<double> rates(threads);
    std::vector<std::thread> team;
    std::atomic<int> ready{0};
    for (double& rate : rates)
        team.emplace_back([&] {
            rate = wide ? chains<double>(ready, threads, 0.05) : chains<float>(ready, threads, 0.05);
        });
    double total = 0;
    for (std::thread& thread : team) thread.join();
    for (const double rate : rates) total += rate;
    std::printf("%.2f %.0f\n", total, threads > 1 ? round_trip() : 0.0);
}
