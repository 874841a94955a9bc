#include "core/train/lbfgs_run.h"

#include "core/train/batches.h"
#include "core/train/lbfgs.h"
#include "core/train/sharded_gradient.h"
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
          shards_(int(std::max<std::size_t>(options.shard_rows.size(), 1)), options.exchange),
          batches_(data, in_full_batches(options), shards_),
          team_size_(
              TeamSize::resume(network.training_flops(batches_.batch_size(), data.density(network.inputs())),
                               options.threads, options.borrowed)),
          backprop_(network, batches_.batch_size(),
                    {.gather = batches_.copies_rows(),
                     .threads = team_size_.most(),
                     .entries = data.most_entries(batches_.batch_size())}),
          gradient_(backprop_.layout(), shards_),
          losses_(std::size_t(shards_.own())),
          lbfgs_(backprop_.parameters(), gradient_.data(), backprop_.layout().size(), lbfgs) {
        batches_.begin_epoch(data);
        std::vector<double> weights;
        for (int shard = 0; shard < shards_.own(); ++shard)
            weights.push_back(batches_.of_shard(shard, 0).weight_sum());
        shards_.add(weights, 1);
        whole_.rows = batches_.step_rows();
        whole_.divisor = weights.front();
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
    static TrainOptions in_full_batches(TrainOptions options) {
        options.batch_size = std::numeric_limits<Index>::max() / 2;
        options.shuffle = false;
        return options;
    }

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
            if (team.rank == 0 && is_interrupted(*team.monitor)) reason_ = StopReason::interrupted;
            team.barrier();  // the whole gradient is there, or is not wanted any more
            if (reason_) return;
            lbfgs_.take(unwatched, loss);
            if (team.rank == 0) end_step(team);
            team.barrier();
        } while (!leave_region_);
    }

    double loss_and_gradient(const Team& team) {
        for (int shard = 0; shard < shards_.own(); ++shard) {
            const Batch<double> batch = batches_.of_shard(shard, whole_.divisor);
            gradient_.add_shards(team, backprop_, batch, shard, {}, [&](int, Range rows) {
                losses_[std::size_t(shard)] = backprop_.weighted_losses(rows);
            });
        }
        if (team.rank == 0) shards_.add(losses_, 1);
        gradient_.add_processes(team);
        gradient_.add_penalty(team, backprop_.parameters(), network_.architecture().l2);
        gradient_.gather(team, gradient_.data());
        return losses_.front() / whole_.divisor + backprop_.penalty(whole_);
    }

    bool is_interrupted(const Monitor& monitor) const { return monitor.interrupted() || shards_.failed(); }

    void end_step(const Team& team) {
        leave_region_ = team_size_.end_step(team, whole_.rows);
        team.monitor->poll();
        const bool is_new = lbfgs_.at_iterate() && lbfgs_.iterations() > Index(records_.size());
        if (is_new) record_iteration(*team.monitor);
        if (!reason_ && is_interrupted(*team.monitor)) reason_ = StopReason::interrupted;
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
                            .seconds = shards_.told(monitor.seconds()),
                            .validation_loss = nan,
                            .validation_score = nan,
                            .accuracy = nan,
                            .penalty = backprop_.penalty(whole_)});
        if (!on_epoch_) reason_ = enough();
    }

    bool parameters_fit() const {
        const double* const x = backprop_.parameters();
        const Index n = backprop_.layout().size();
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
    const Shards shards_;
    Batches<double> batches_;
    TeamSize team_size_;
    Backprop<double> backprop_;
    ShardedGradient<double> gradient_;  // in panels, as the parameters
    std::vector<double> losses_;        // of each own shard, then of all
    Batch<double> whole_{.X = {}, .targets = {}, .rows = 0, .divisor = 0};
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
