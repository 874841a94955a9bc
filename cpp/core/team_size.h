// How many threads a run is given: as many as it may have, fewer while something else needs their processors.
#pragma once

#include "parallel.h"

namespace fastmlp {

// A team whose threads wait long for the slowest of them may do better without it: a trial of some
// milliseconds with one thread less shows it, and later trials with more whether the processors are free
// again. Half of the threads are tried now and then, whatever they do. Results do not depend on it. Rank 0
// alone calls this.
class TeamSize {
public:
    explicit TeamSize(int most) : most_(most), threads_(most) {}

    // As another run left off not long ago, if it had as many threads at most.
    static TeamSize resume(int most);
    void end() const;

    int most() const { return most_; }
    int threads() const { return threads_; }

    // A team of threads() threads begins, or goes on with, the steps.
    void begin(const Team& team);

    // The team has done a step on so many rows; true when it is to go on with another number of threads.
    bool end_step(const Team& team, Index rows);

    // What follows from a window in which the team did `rate` rows a second and stood idle for a share of its
    // time.
    void end_window(double rate, double idle);

private:
    int most_, threads_;
    Monitor::Clock::time_point last_;  // step's end
    double waited_ = 0;                // until then
    struct Window {
        double seconds = 0, idle = 0;
        Index rows = 0;
    } window_;

    // Trials of another number of threads, each a window long: fewer, more, or half of them as a matter of
    // routine.
    static constexpr int kSoon = 2, kLate = 256;  // windows
    struct Trials {
        int after = kSoon, windows = 0;  // since the last one; the wait is doubled by each that failed
        bool due() const { return windows > after; }
    } fewer_, more_;
    int unquestioned_ = 0;  // windows since the last routine trial
    bool trial_ = false, routine_ = false;
    int threads_before_ = 0;
    double rate_before_ = 0;
};

}  // namespace fastmlp
