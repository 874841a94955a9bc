// The number of threads follows what the processors can give.
#include <doctest/doctest.h>

#include "core/train/team_size.h"

using fastmlp::TeamSize;

namespace {

// Windows of a machine on which n threads are as fast as rate(n) says, idle as idle(n) says.
template <class Rate, class Idle>
void run(TeamSize& size, int windows, Rate rate, Idle idle) {
    for (int i = 0; i < windows; ++i) size.end_window(rate(size.threads()), idle(size.threads()));
}

constexpr auto grows = [](int n) { return 100.0 * n; };
constexpr auto never_idle = [](int) { return 0.0; };

}  // namespace

TEST_CASE("all threads stay while they are worth it") {
    TeamSize size(8);
    int others = 0;
    for (int i = 0; i < 2000; ++i) {
        size.end_window(grows(size.threads()), 0);
        others += size.threads() != 8;
    }
    CHECK(others <= 2000 / 256);
    CHECK(size.threads() == 8);
}

TEST_CASE("a thread that holds up the others is left out, and comes back when its processor is free") {
    TeamSize size(2);
    const auto crowded = [](int n) { return n == 2 ? 60.0 : 100.0; };
    const auto idle = [](int n) { return n == 2 ? 0.35 : 0.0; };
    run(size, 4, crowded, idle);
    CHECK(size.threads() == 1);
    int trials = 0;
    for (int i = 0; i < 2000; ++i) {
        size.end_window(crowded(size.threads()), idle(size.threads()));
        trials += size.threads() == 2;
    }
    CHECK(trials >= 2000 / 300);
    CHECK(trials <= 2000 / 150);
    run(size, 300, grows, never_idle);
    CHECK(size.threads() == 2);
}

TEST_CASE("a processor that is taken for a moment is soon used again") {
    TeamSize size(2);
    run(size, 3000, grows, never_idle);
    run(size, 4, [](int n) { return n == 2 ? 60.0 : 100.0; }, [](int n) { return n == 2 ? 0.35 : 0.0; });
    CHECK(size.threads() == 1);
    run(size, 5, grows, never_idle);
    CHECK(size.threads() == 2);
}

TEST_CASE("as many threads are left out as are in the way") {
    TeamSize size(8);
    const auto crowded = [](int n) { return n > 5 ? 100.0 - n : 20.0 * n; };
    const auto idle = [](int n) { return n > 5 ? 0.3 : 0.0; };
    run(size, 20, crowded, idle);
    CHECK(size.threads() == 5);
}

TEST_CASE("threads that make the run slower without a wait are found out") {
    TeamSize size(4);
    run(size, 600, [](int n) { return 100.0 / n; }, never_idle);
    CHECK(size.threads() == 1);
}

TEST_CASE("idle threads stay when fewer are slower") {
    TeamSize size(2);
    run(size, 1000, grows, [](int n) { return n == 2 ? 0.3 : 0.0; });
    CHECK(size.threads() == 2);
}

TEST_CASE("runs of the same steps, one soon after another, learn as one run does") {
    constexpr double kFlops = 1e9;
    TeamSize first(4);
    run(first, 600, [](int n) { return 100.0 / n; }, never_idle);
    CHECK(first.threads() == 1);
    first.begin({});
    first.end();
    TeamSize second = TeamSize::resume(kFlops, 4);  // of other steps: what the first one was trying is over
    CHECK(second.threads() == 1);
    run(second, 3, grows, never_idle);
    const int tried = second.threads();
    second.begin({});
    second.end();
    CHECK(TeamSize::resume(kFlops, 4).threads() == tried);
    const int most = TeamSize::resume(kFlops, 3).threads();  // another limit: as many as are free
    CHECK(most >= 1);
    CHECK(most <= 3);
}
