// The main path: epochs of mini-batch gradient descent.
#pragma once

#include <optional>
#include <string_view>

#include "backprop.h"
#include "inference.h"
#include "schedules.h"
#include "team_size.h"

namespace fastmlp {

enum class StopReason { epochs, patience, loss_target, max_time, callback, diverged, interrupted };

inline constexpr std::array<std::string_view, 7> kStopReasons{
    "epochs", "patience", "loss_target", "max_time", "callback", "diverged", "interrupted"};

struct TrainOptions {
    Index epochs = 200;
    Index first_epoch = 0;  // the epochs before it were another run's, which this one goes on from
    Index batch_size = 200;
    bool shuffle = true;
    std::uint64_t seed = 0;
    double dropout = 0;
    double clip_norm = 0;  // 0: no clipping
    double alpha = 0;      // added to l2, divided by the sum of the batch's weights, as scikit-learn's
    OptimizerOptions optimizer;
    ScheduleOptions schedule;
    Index patience = -1;  // -1: never stop early
    double min_delta = 0;
    bool restore_best = true;
    double loss_target = -std::numeric_limits<double>::infinity();
    double max_time = std::numeric_limits<double>::infinity();  // seconds
    int threads = 1;
};

struct EpochRecord {
    Index epoch;  // from 1
    double loss, learning_rate, seconds, validation_loss, validation_score;
    double penalty;  // the l2 term's part in the loss
};

// What a callback wants after an epoch.
struct Wish {
    std::optional<StopReason> stop;
    std::optional<double> learning_rate;  // from here on, in place of a constant one
};

// An optimizer's state that is carried from run to run, laid out as the network's parameters.
template <class T>
struct OptimizerState {
    T *s1 = nullptr, *s2 = nullptr;  // as many as the optimizer has
    Index steps = 0;
};

template <class T>
struct Data {
    Features<T> X;
    Index rows;
    Targets<T> targets;
};

template <class T>
class Trainer {
public:
    // Both are called between epochs, on the thread that called run(). DrawOrder writes the order of the next
    // epoch's rows, in place of a permutation by the seed; true to stop.
    using EpochCallback = std::function<Wish(const EpochRecord&)>;
    using DrawOrder = std::function<bool(std::uint32_t* order)>;

    // `state`, if any, is read here and written by run().
    Trainer(Network<T>& network, const Data<T>& data, const std::optional<Data<T>>& validation,
            const TrainOptions& options, OptimizerState<T>* state = nullptr);

    StopReason run(Monitor& monitor, const EpochCallback& on_epoch, const DrawOrder& draw_order = {});

    const std::vector<EpochRecord>& records() const { return records_; }

private:
    void hand_back_state();
    void begin_epoch(Monitor& monitor);
    void train_steps(const Team& team, bool calls);
    void train_step(Team team);
    void end_step(const Team& team);
    void update_from_whole_gradient(const Team& team, const Batch<T>& batch, const Update<T>& update);
    double gradient_scale() const;
    void keep_proven(const Team& team, double loss);
    void keep();
    void end_epoch(Monitor& monitor, bool calls);
    std::optional<StopReason> record_epoch(const Monitor& monitor);
    bool ended() const { return stop_reason_ || epoch_ >= options_.epochs; }

    Network<T>& network_;
    Data<T> data_;
    TrainOptions options_;
    Index batch_size_, steps_per_epoch_;
    LearningRate learning_rate_;
    bool long_step_;       // looks out for an interrupt
    bool whole_gradient_;  // made before any weight changes: for clipping and normalised steps
    bool restores_;
    DrawOrder draw_order_;
    TeamSize team_size_;
    Backprop<T> backprop_;
    std::optional<Evaluation<T>> evaluation_;
    GradientWork<T> work_;
    OptimizerState<T>* state_;
    AlignedBuffer<T> state1_, state2_, gradient_, kept_;
    std::vector<std::uint32_t> order_;
    std::vector<double> norm_sums_;

    // Written by rank 0, read by others behind a barrier.
    std::optional<StopReason> stop_reason_;
    Index epoch_, first_row_ = 0, rows_seen_ = 0;  // the epoch under way, its next batch
    Index steps_ = 0;                              // of the optimizer, all runs together
    double loss_sum_ = 0, penalty_sum_ = 0, rate_ = 0;
    bool epoch_over_ = false, leaves_ = false, diverged_ = false, halted_ = false;
    bool candidate_ = false;  // the current weights are worth keeping

    double best_ = std::numeric_limits<double>::infinity();  // the lowest monitored loss
    Index epochs_without_improvement_ = 0;
    std::vector<EpochRecord> records_;
};

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace fastmlp
