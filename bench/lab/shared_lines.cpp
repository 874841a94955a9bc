// What it costs two threads to hand lines of memory back and forth: one writes 237 lines, the other reads
// them.
//
//     cmake -S . -B build -DFASTMLP_PYTHON=OFF -DFASTMLP_BUILD_LAB=ON && cmake --build build
//     build/lab_shared_lines_v4
//
// AMD EPYC (Zen 4), a virtual machine whose two processors are moved about, ns a line:
//
//     on one core's two threads 1.4 to write, 1.3 to read; on cores that share a third-level cache 9 and 1.7;
//     on cores that do not, 34 and 6
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

namespace {

constexpr int kLines = 237, kFloats = 16 * kLines, kTurns = 3000;
alignas(4096) volatile float lines[kFloats];
std::atomic<int> turn{0};

// Nanoseconds a line of work(turn), which waits for every second turn, from `first` on.
template <class Work>
double measure(int first, Work work) {
    using Clock = std::chrono::steady_clock;
    std::vector<double> ns;
    for (int n = first; n < kTurns; n += 2) {
        while (turn.load(std::memory_order_acquire) != n) {
        }
        const auto start = Clock::now();
        work(n);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        ns.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kLines);
        turn.store(n + 1, std::memory_order_release);
    }
    std::nth_element(ns.begin(), ns.begin() + ns.size() / 2, ns.end());
    return ns[ns.size() / 2];
}

}  // namespace

int main() {
    double write = 0, read = 0;
    std::thread writer([&] {
        write = measure(0, [](int n) {
            for (int i = 0; i < kFloats; i += 16) lines[i] = float(n);
        });
    });
    float sum = 0;
    read = measure(1, [&](int) {
        for (int i = 0; i < kFloats; i += 16) sum += lines[i];
    });
    writer.join();
    std::printf("write %.1f ns a line, read %.1f ns (%g)\n", write, read, double(sum));
}
