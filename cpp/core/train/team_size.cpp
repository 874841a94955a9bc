#include "core/train/team_size.h"

#include <mutex>
#include <utility>

namespace fastmlp {

namespace {

std::mutex last_run_mutex;
TeamSize last_run(1);

double waited(const Team& team) { return team.shared ? team.shared->waited() : 0; }

}  // namespace

TeamSize TeamSize::resume(double step_flops, int limit, BorrowedThreads* borrowed) {
    constexpr std::chrono::seconds kRecent{1};
    const int most = worth_threads(step_flops, limit);
    if (borrowed) {
        TeamSize team_size(most, 1);
        team_size.available_ = 1;
        team_size.borrowed_ = borrowed;
        return team_size;
    }
    if (most == 1 || exact_threads()) return TeamSize(most);
    const std::lock_guard lock(last_run_mutex);
    const bool recent = last_run.most_ == most && Monitor::Clock::now() - last_run.last_ < kRecent;
    TeamSize team_size = recent ? last_run : TeamSize(most, std::clamp(free_processors(most), 1, most));
    if (std::exchange(team_size.step_flops_, step_flops) == step_flops) return team_size;
    if (std::exchange(team_size.trial_, false)) team_size.threads_ = team_size.threads_before_;
    team_size.window_ = {};
    constexpr int kThisRun = 32;  // its steps may be worth more threads
    team_size.grow_trials_.after = std::min(team_size.grow_trials_.after, kThisRun);
    return team_size;
}

void TeamSize::end() const {
    if (most_ == 1 || borrowed_ || forks() > 0)
        return;  // the parent may have held the lock when this process was forked
    const std::lock_guard lock(last_run_mutex);
    last_run = *this;
}

void TeamSize::begin(const Team& team) {
    last_ = Monitor::Clock::now();
    waited_ = waited(team);
}

bool TeamSize::takes_more() {
    if (!borrowed_ || available_ == most_ || !borrowed_->more()) return false;
    const int taken = borrowed_->take(most_ - available_);
    available_ += taken;
    threads_ = available_;
    window_ = {};
    trial_ = false;
    return taken > 0;
}

bool TeamSize::end_step(const Team& team, Index rows) {
    constexpr double kWindow = 0.004;
    if (most_ == 1) return false;
    if (takes_more()) return true;
    if (available_ == 1 || exact_threads()) return false;
    const Monitor::Clock::time_point now = Monitor::Clock::now();
    window_.seconds += std::chrono::duration<double>(now - std::exchange(last_, now)).count();
    const double so_far = waited(team);
    window_.idle += so_far - std::exchange(waited_, so_far);
    window_.rows += rows;
    if (window_.seconds < kWindow) return false;
    const auto [seconds, idle, done] = std::exchange(window_, {});
    const int threads = threads_;
    end_window(double(done) / seconds, idle / (seconds * threads));
    return threads_ != threads;
}

// With all n threads at work a step takes 1/n, with one thread less 1/(n - 1) of the time that one thread
// needs. When the slowest thread makes it take as long as that, the other n - 1 are idle for (n - 1) / n^2 of
// the team's time.
void TeamSize::end_window(double rate, double idle) {
    const double n = threads_, worth_a_trial = 0.8 * (n - 1) / (n * n);
    ++shrink_trials_.windows;
    ++grow_trials_.windows;
    ++windows_since_trial_;
    const auto start_trial = [&](int threads, bool routine) {
        trial_ = true;
        routine_ = routine;
        rate_before_ = rate;
        threads_before_ = std::exchange(threads_, threads);
    };
    if (std::exchange(trial_, false)) {
        Trials& tried = threads_ < threads_before_ ? shrink_trials_ : grow_trials_;
        tried.windows = 0;
        if (rate < rate_before_) {
            threads_ = threads_before_;
            if (!routine_) tried.after = std::min(2 * tried.after, kLate);
        } else {
            tried.after = kSoon;
            shrink_trials_.windows = grow_trials_.windows = 0;
        }
    } else if (threads_ > 1 && idle > worth_a_trial && shrink_trials_.due()) {
        start_trial(threads_ - 1, false);
    } else if (threads_ < available_ && grow_trials_.due()) {
        start_trial(std::min(2 * threads_, available_), false);
    } else if (threads_ > 1 && windows_since_trial_ > kLate) {
        windows_since_trial_ = 0;
        start_trial(threads_ / 2, true);
    }
}

}  // namespace fastmlp
