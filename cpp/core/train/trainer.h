// The epochs of a run, their records, and when it stops. step.h has what happens within a batch.
#pragma once

#include "core/train/batches.h"
#include "core/train/evaluation.h"
#include "core/train/sharded_gradient.h"
#include "core/train/step.h"
#include "core/train/team_size.h"

namespace fastmlp {

template <class T>
class Trainer {
public:
    // `data` has the rows of this process's shards, one behind the other. Where rows come in windows, it has
    // the number of rows of one and no rows; they come from next_window. `state`, if any, is read here and
    // written by run().
    Trainer(Network<T>& network, const Data<T>& data, const std::optional<Data<T>>& validation,
            const TrainOptions& options, RunState<T>* state = nullptr);

    StopReason run(Monitor& monitor, const Callbacks<T>& callbacks = {});

    const std::vector<EpochRecord>& records() const { return records_; }
    std::vector<EpochRecord> take_records() { return std::move(records_); }

private:
    void pack(const T* flat, T* panels) const { backprop_.layout().pack(flat, panels, team_size_.threads()); }
    void unpack(const T* panels, T* flat) const {
        backprop_.layout().unpack(panels, flat, team_size_.threads());
    }
    void begin_epoch();
    void begin_window();
    void weigh_batch();
    double divisor() const;
    Batch<T> whole_step() const;
    void train_steps(const Team& team);
    void train_step(Team team);
    void train_on_shards(const Team& team, Index step, Index updates);
    double total_loss(const Team& team, const Batch<T>& step);
    std::optional<Update<T>> update_after(const Team& team, const Batch<T>& batch, double loss, Index step,
                                          Index updates);
    bool interrupted_mid_step(const Team& team);
    void record_step(const Batch<T>& batch, double loss, Index step);
    void count_rows(Index least);
    void end_step(const Team& team);
    void end_epoch();
    double epoch_loss() const;
    std::optional<StopReason> record_epoch();
    std::optional<StopReason> enough() const;
    void snapshot_best(const Team& team, double loss);
    void snapshot();
    void keeps_current() {
        has_best_ = true;
        progress_.is_best = false;
    }
    void look_at_weights(const Team& team);
    void call_back();
    bool state_due() const;
    void restore_state();
    Range own_parameters() const {
        return sharded_ ? sharded_->slice() : Range{0, backprop_.layout().size()};
    }
    void read_moment(const T* flat, const AlignedBuffer<T>& own) const;
    void write_moment(const AlignedBuffer<T>& own, T* flat);
    void write_state();
    void keep_current();
    void give_back_state();
    bool calls_between_epochs() const {
        return callbacks_.on_epoch || callbacks_.on_state || callbacks_.next_window;
    }
    bool ended() const { return stop_reason_ || epoch_ >= std::min(options_.epochs, options_.pause); }
    bool paused() const { return !stop_reason_ && epoch_ < options_.epochs; }

    Network<T>& network_;
    Data<T> data_;
    TrainOptions options_;
    const Shards shards_;
    Batches<T> batches_;
    const Index epoch_rows_, steps_per_epoch_;
    Scheduled learning_rate_, weight_decay_, dropout_;
    bool long_step_;     // a step looks out for an interrupt
    bool counts_right_;  // beside a validation score, what the training rows score
    bool restore_best_;
    Callbacks<T> callbacks_;
    Monitor* monitor_ = nullptr;
    TeamSize team_size_;
    Backprop<T> backprop_;
    std::optional<Evaluation<T>> evaluation_;
    std::optional<WholeGradient<T>> whole_gradient_;  // for clipping and normalised steps
    std::optional<ShardedGradient<T>> sharded_;       // in place of it, where there are several shards
    GradientTiles<T> tiles_;
    RunState<T>* state_;
    const int states_;
    AlignedBuffer<T> state1_, state2_;  // the optimizer's, of own_parameters()
    AlignedBuffer<T> best_weights_;     // but for the first ones, which the network has until they change
    std::vector<double> totals_;        // of the step's batches: numbers of each own shard, see total_loss

    // Written by rank 0, read by others behind a barrier.
    std::optional<StopReason> stop_reason_;
    Index epoch_, step_in_epoch_ = 0,
                  rows_seen_ = 0;  // the epoch under way, its next step, the rows before it
    Index uncounted_rows_ = 0;     // trained on, and not yet added to the count of all runs
    Index right_answers_ = 0;      // in the epoch under way, where they are counted
    Index updates_ = 0;            // of the weights, all runs together
    double batch_weight_ = 0;      // of the rows of the next step
    double weight_seen_ = 0;       // of the rows before it in the epoch
    double loss_sum_ = 0, penalty_sum_ = 0, rate_ = 0;
    bool out_of_time_ = false;
    bool epoch_over_ = false, leave_region_ = false, diverged_ = false, interrupted_mid_step_ = false;
    bool has_best_ = false;                       // best_weights_ has been written
    std::atomic<bool> nonfinite_weights_{false};  // written by all

    Progress progress_;
    std::vector<EpochRecord> records_;
};

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace fastmlp
