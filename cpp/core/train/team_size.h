// How many threads a run is given: as many as it may have, fewer while something else needs their processors.
#pragma once

#include "core/base/parallel.h"

namespace fastmlp {

// Time is cut into windows of some milliseconds. When threads wait long for the slowest of them, the next
// window is a trial with one thread less; whichever number did more rows a second stays. Later trials with
// more threads show whether the processors are free again, and now and then half of the threads are tried,
// whatever they do. Results do not depend on the number of threads. Rank 0 alone calls this.
class TeamSize {
public:
    explicit TeamSize(int most) : TeamSize(most, most) {}
    TeamSize(int most, int threads) : most_(most), available_(most), threads_(threads) {}

    // For steps of so many floating-point operations, and at most `limit` threads. Begins with what the last
    // run knew, if that is less than a second ago and it could have as many threads: short runs, one after
    // another, learn as one long run does. Else begins with as many threads as there are processors that
    // nobody uses. A run among others begins with one, and takes those that it can borrow.
    static TeamSize resume(double step_flops, int limit, BorrowedThreads* borrowed = nullptr);
    void end() const;

    int most() const { return most_; }  // that it may ever have
    int threads() const { return threads_; }

    // A team of threads() threads begins, or goes on with, the steps.
    void begin(const Team& team);

    // The team has done a step on so many rows; true when it is to go on with another number of threads.
    bool end_step(const Team& team, Index rows);

    // What follows from a window in which the team did `rate` rows a second and stood idle for a part of its
    // time, 0 to 1.
    void end_window(double rate, double idle);

private:
    bool takes_more();

    int most_, available_, threads_;
    BorrowedThreads* borrowed_ = nullptr;
    double step_flops_ = 0;
    Monitor::Clock::time_point last_;  // step's end
    double waited_ = 0;                // until then
    struct Window {
        double seconds = 0, idle = 0;
        Index rows = 0;
    } window_;

    // Trials of another number of threads, each a window long.
    static constexpr int kSoon = 2, kLate = 256;  // windows
    struct Trials {
        int after = kSoon, windows = 0;  // since the last one; the wait is doubled by each that failed
        bool due() const { return windows > after; }
    } shrink_trials_, grow_trials_;
    int windows_since_trial_ = 0;  // since the last routine trial, with half of the threads
    bool trial_ = false, routine_ = false;
    int threads_before_ = 0;
    double rate_before_ = 0;
};

}  // namespace fastmlp
