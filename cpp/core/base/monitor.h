// The clock and the user's wish to stop, watched during a long computation.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>

namespace fastmlp {

// Rank 0 of a team polls; any thread may ask whether to stop.
class Monitor {
public:
    using Clock = std::chrono::steady_clock;

    // `interrupted` is asked every 25 to 100 ms, on the thread that started the computation: the less often,
    // the longer its answer takes (another thread may hold a lock that it needs). It may be empty: then only
    // the clock is watched.
    explicit Monitor(std::function<bool()> interrupted = {}, double max_seconds = 1e18)
        : ask_(std::move(interrupted)),
          start_(Clock::now()),
          next_(start_ + kShortest),
          max_seconds_(max_seconds) {}

    void poll() {
        const Clock::time_point now = Clock::now();
        if (std::chrono::duration<double>(now - start_).count() >= max_seconds_) timed_out_ = true;
        if (now < next_) return;
        if (ask_ && !interrupted() && ask_()) interrupted_ = true;
        const Clock::time_point answered = Clock::now();
        next_ = answered +
                std::clamp<Clock::duration>(kIntervalOfAnswers * (answered - now), kShortest, kLongest);
    }
    // As if the user had wished to stop.
    void interrupt() { interrupted_ = true; }
    bool stopped() const { return interrupted() || timed_out(); }
    bool interrupted() const { return interrupted_.load(std::memory_order_relaxed); }
    bool timed_out() const { return timed_out_.load(std::memory_order_relaxed); }
    double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

private:
    static constexpr std::chrono::milliseconds kShortest{25}, kLongest{100};
    static constexpr int kIntervalOfAnswers = 20;  // an interval is so many times as long as an answer takes

    std::function<bool()> ask_;
    Clock::time_point start_, next_;
    double max_seconds_;
    std::atomic<bool> interrupted_{false}, timed_out_{false};
};

}  // namespace fastmlp
