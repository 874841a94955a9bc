#include "core/train/many.h"

#include <numeric>
#include <thread>

namespace fastmlp {

namespace {

class ManyRuns {
public:
    ManyRuns(std::vector<RunAmongMany>& runs, const ManyOptions& options,
             const std::function<bool()>& interrupted)
        : runs_(runs), options_(options), ask_(interrupted), monitor_(interrupted, options.max_time) {
        order_.resize(runs.size());
        std::iota(order_.begin(), order_.end(), std::size_t(0));
        std::stable_sort(order_.begin(), order_.end(),
                         [&runs](std::size_t i, std::size_t j) { return runs[i].seconds > runs[j].seconds; });
    }

    void work(const Team& team) {
        if (team.rank == 0) spare_.give(options_.threads - team.size);
        for (std::size_t next; (next = next_++) < order_.size() && !stopped();) {
            train(runs_[order_[next]], team.rank == 0);
            if (options_.done) ++*options_.done;
        }
        spare_.give(1);
        ++idle_;
        // The others may train for a long time yet; the calling thread alone hears of the user's wish to
        // stop.
        while (team.rank == 0 && idle_ < team.size && forks() == forks_) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            monitor_.poll();
        }
    }

private:
    // In a forked child the other threads are missing, and their runs.
    bool stopped() {
        return monitor_.stopped() || monitor_.seconds() >= options_.max_time || forks() != forks_;
    }

    void train(RunAmongMany& run, bool asks) {
        BorrowedThreads borrowed(spare_);
        const auto interrupted = [this, asks] {
            if (asks && ask_ && ask_()) monitor_.interrupt();
            return monitor_.interrupted();
        };
        Monitor monitor(interrupted, std::min(run.max_time, options_.max_time - monitor_.seconds()));
        run.begun = true;
        try {
            if (run.train(monitor, borrowed)) monitor_.interrupt();
        } catch (...) {  // such as too little memory: the other runs go on
            run.error = std::current_exception();
        }
    }

    const unsigned forks_ = forks();
    std::vector<RunAmongMany>& runs_;
    const ManyOptions& options_;
    const std::function<bool()>& ask_;
    Monitor monitor_;  // of all runs
    std::vector<std::size_t> order_;
    std::atomic<std::size_t> next_{0};
    std::atomic<int> idle_{0};
    SpareThreads spare_;
};

}  // namespace

void train_many(std::vector<RunAmongMany>& runs, const ManyOptions& options,
                const std::function<bool()>& interrupted) {
    ManyRuns many(runs, options, interrupted);
    const int threads = int(std::min(std::size_t(options.threads), std::max(runs.size(), std::size_t(1))));
    run_team(threads, nullptr, [&many](const Team& team) { many.work(team); });
}

}  // namespace fastmlp
