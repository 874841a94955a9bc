// Work on large arrays, on at most `threads` threads.
#pragma once

#include <atomic>

#include "core/base/parallel.h"
#include "core/base/reductions.h"

namespace fastmlp {

// Operations that take as long as a byte that is read, or that is copied.
inline constexpr double kReadFlops = 4, kCopyFlops = 8;

// Position of the first NaN or infinity, -1 if all is finite.
template <class T>
Index first_nonfinite_on(const T* x, Index n, int threads) {
    std::atomic<Index> first = n;
    run_team(worth_threads(kReadFlops * double(sizeof(T)) * double(n), threads), nullptr,
             [&](const Team& team) {
                 const Range mine = team.part(n);
                 const Index at = first_nonfinite(x + mine.first, mine.size());
                 Index so_far = first;
                 while (at >= 0 && mine.first + at < so_far &&
                        !first.compare_exchange_weak(so_far, mine.first + at)) {
                 }
             });
    return first == n ? -1 : first.load();
}

template <class T>
void copy_on(const T* from, Index n, T* to, int threads) {
    run_team(worth_threads(kCopyFlops * double(sizeof(T)) * double(n), threads), nullptr,
             [&](const Team& team) {
                 const Range mine = team.part(n);
                 std::copy_n(from + mine.first, mine.size(), to + mine.first);
             });
}

}  // namespace fastmlp
