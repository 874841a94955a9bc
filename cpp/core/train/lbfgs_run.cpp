#include "core/train/lbfgs_run.h"

#include "core/train/lbfgs.h"
#include "core/train/step.h"
#include "core/train/team_size.h"

namespace fastmlp {

namespace {

class LbfgsRun {
public:
    LbfgsRun(Network<double>& network, const Data<double>& data, const TrainOptions& options,
             const LbfgsOptions& lbfgs, const Callbacks<double>& callbacks)
        : network_(network),
          options_(options),
          largest_parameter_(lbfgs.largest_parameter),
          on_epoch_(callbacks.on_epoch),
          team_size_(TeamSize::resume(network.training_flops(data.rows, data.density(network.inputs())),
                                      options.threads, options.borrowed)),
          backprop_(network, data.rows,
                    {.gather = data.order != nullptr,
                     .threads = team_size_.most(),
                     .entries = data.most_entries(data.rows)}),
          batch_{.X = data.X, .targets = data.targets, .order = data.order, .rows = data.rows, .divisor = 0},
          gradient_(backprop_.layout().size()),
          lbfgs_(backprop_.parameters(), gradient_.data(), gradient_.size(), lbfgs) {
        batch_.divisor = batch_.weight_sum();
    }

    LbfgsResult run(Monitor& monitor) {
        while (!reason_ && !lbfgs_.end()) {
            const std::size_t recorded = records_.size();
            run_team(team_size_.threads(), &monitor, [&](const Team& team) { steps(team); });
            if (on_epoch_ && records_.size() > recorded && !reason_) call_back();
        }
        team_size_.end();
        if (lbfgs_.is_searching()) lbfgs_.return_to_origin();
        backprop_.layout().unpack(backprop_.parameters(), network_.parameters());
        return {{std::move(records_), reason_.value_or(StopReason::epochs)},
                lbfgs_.end(),
                lbfgs_.value(),
                lbfgs_.largest_component(),
                lbfgs_.evaluations()};
    }

private:
    // In one parallel region, on every thread of the team: from point to point until the run ends, a callback
    // is due, or another number of threads.
    void steps(const Team& team) {
        Team unwatched = team;  // vectors are done in a moment
        unwatched.monitor = nullptr;
        if (team.rank == 0) team_size_.begin(team);
        do {
            lbfgs_.next_point(unwatched);
            if (lbfgs_.end()) return;
            const double loss = loss_and_gradient(team);
            if (team.rank == 0 && team.monitor->interrupted()) reason_ = StopReason::interrupted;
            team.barrier();  // the whole gradient is there, or is not wanted any more
            if (reason_) return;
            lbfgs_.take(unwatched, loss);
            if (team.rank == 0) end_step(team);
            team.barrier();
        } while (!leave_region_);
    }

    double loss_and_gradient(const Team& team) {
        Update<double> store(backprop_.parameters(), gradient_.data(), nullptr);
        store.l2 = network_.architecture().l2;
        double loss = 0;
        backprop_.step(team, batch_, 0, store_gradient_tiles<double>(), nullptr, [&](double of_batch) {
            loss = of_batch;
            return std::optional(store);
        });
        return loss;
    }

    void end_step(const Team& team) {
        leave_region_ = team_size_.end_step(team, batch_.rows);
        team.monitor->poll();
        const bool is_new = lbfgs_.at_iterate() && lbfgs_.iterations() > Index(records_.size());
        if (is_new) record_iteration(*team.monitor);
        if (!reason_ && team.monitor->interrupted()) reason_ = StopReason::interrupted;
        leave_region_ = leave_region_ || (is_new && on_epoch_) || reason_ || lbfgs_.end();
    }

    void record_iteration(const Monitor& monitor) {
        if (!parameters_fit()) {
            lbfgs_.return_to_origin();
            reason_ = StopReason::diverged;
            return;
        }
        constexpr double nan = std::numeric_limits<double>::quiet_NaN();
        records_.push_back({.epoch = lbfgs_.iterations(),
                            .loss = lbfgs_.value(),
                            .learning_rate = 1,
                            .seconds = monitor.seconds(),
                            .validation_loss = nan,
                            .validation_score = nan,
                            .accuracy = nan,
                            .penalty = backprop_.penalty(batch_)});
        if (!on_epoch_) reason_ = enough();
    }

    bool parameters_fit() const {
        const double* const x = backprop_.parameters();
        const Index n = gradient_.size();
        return first_nonfinite(x, n) < 0 && largest_magnitude(x, n) < largest_parameter_;
    }

    void call_back() {
        backprop_.layout().unpack(backprop_.parameters(), network_.parameters());
        reason_ = on_epoch_(records_.back()).stop;
        if (!reason_) reason_ = enough();
    }

    // Whether the iterations so far are all that was asked for.
    std::optional<StopReason> enough() const {
        if (records_.back().loss <= options_.loss_target) return StopReason::loss_target;
        if (records_.back().seconds >= options_.max_time) return StopReason::max_time;
        return std::nullopt;
    }

    Network<double>& network_;
    const TrainOptions options_;
    const double largest_parameter_;
    const std::function<CallbackResult(const EpochRecord&)> on_epoch_;
    TeamSize team_size_;
    Backprop<double> backprop_;
    Batch<double> batch_;
    AlignedBuffer<double> gradient_;  // in panels, as the parameters
    Lbfgs lbfgs_;

    // Written by rank 0, read by others behind a barrier.
    std::optional<StopReason> reason_;
    bool leave_region_ = false;
    std::vector<EpochRecord> records_;
};

}  // namespace

LbfgsResult minimize(Network<double>& network, const Data<double>& data, const TrainOptions& options,
                     const LbfgsOptions& lbfgs, Monitor& monitor, const Callbacks<double>& callbacks) {
    return LbfgsRun(network, data, options, lbfgs, callbacks).run(monitor);
}

}  // namespace fastmlp
