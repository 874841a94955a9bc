// Teams: how they end when a thread of theirs throws.
#include <doctest/doctest.h>

#include <new>
#include <stdexcept>

#include "core/base/parallel.h"
#include "core/train/schedules.h"

using namespace fastmlp;

TEST_CASE("an exception on any thread ends the team and is thrown to the caller") {
    for (const int threads : {1, 2, 3, 8})
        for (int thrower = 0; thrower < threads; ++thrower) {
            CAPTURE(threads);
            CAPTURE(thrower);
            const auto body = [&](const Team& team) {
                if (team.rank == thrower % team.size) throw std::bad_alloc();
                for (int i = 0; i < 3; ++i) team.barrier();  // where the others would wait for ever
            };
            CHECK_THROWS_AS(run_team(threads, nullptr, body), std::bad_alloc);
        }
}

TEST_CASE("of several exceptions one is thrown") {
    CHECK_THROWS_WITH_AS(run_team(4, nullptr, [](const Team&) { throw std::runtime_error("all fail"); }),
                         "all fail", std::runtime_error);
}

TEST_CASE("after a team that failed another one works") {
    CHECK_THROWS(run_team(2, nullptr, [](const Team&) { throw std::bad_alloc(); }));
    std::atomic<int> calls{0};
    run_team(2, nullptr, [&](const Team& team) {
        team.barrier();
        ++calls;
    });
    CHECK(calls >= 1);
}

TEST_CASE("a plateau schedule takes a loss that is not a number for a bad epoch, and goes on comparing") {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    Scheduled rate({.kind = Schedule::reduce_on_plateau, .rate = 1, .factor = 0.5, .patience = 1}, 1, 100);
    rate.epoch_ended(nan);
    for (const double loss : {4.0, 3.0, 2.0, 1.0}) {
        rate.epoch_ended(loss);
        CHECK(rate.at(0) == 1);
    }
    rate.epoch_ended(nan);
    rate.epoch_ended(nan);
    CHECK(rate.at(0) == 0.5);
}
