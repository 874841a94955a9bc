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
    Index epoch_rows = 0;   // where rows come in windows: those of an epoch
    Index state_every = 1;  // epochs from one writing of the run's state to the next
    int threads = 1;
};

struct EpochRecord {
    Index epoch;  // from 1
    double loss, learning_rate, seconds, validation_loss, validation_score;
    double accuracy;  // of the rows trained on, each as its batch found the weights; NaN where not counted
    double penalty;   // the l2 term's part in the loss
};

// What a callback wants after an epoch.
struct Wish {
    std::optional<StopReason> stop;
    std::optional<double> learning_rate;  // from here on, in place of a constant one
};

// How a run is doing: with the parameters, the best ones and the optimizer's state, all that its next epoch
// depends on.
struct Progress {
    double loss = std::numeric_limits<double>::infinity();  // of the last epoch
    double best = std::numeric_limits<double>::infinity();  // the lowest monitored loss
    Index epochs_without_improvement = 0;
    bool candidate = false;  // the current weights are worth keeping
    LearningRate::State learning_rate{0};
};

// What is carried from run to run; arrays are laid out as the network's parameters.
template <class T>
struct RunState {
    T *s1 = nullptr, *s2 = nullptr;  // the optimizer's, as many as it has
    Index steps = 0;                 // of the optimizer; 0: nothing is carried yet
    // Where the next run is to be the rest of this one: its best weights, and the rest.
    T* best = nullptr;
    Progress progress = {};
    Index epoch = 0;  // after which this was written
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
    // All are called between steps, on the thread that called run().
    struct Calls {
        std::function<Wish(const EpochRecord&)> on_epoch;
        // The run's state has been written, after on_epoch; true to stop.
        std::function<bool()> on_state;
        // Writes the order of the next epoch's rows, in place of a permutation by the seed; true to stop.
        std::function<bool(std::uint32_t* order)> draw_order;
        // The next of an epoch's rows, as many as `data` says or, in the end, the rest; nothing to stop.
        std::function<std::optional<Data<T>>()> next_window;
    };

    // With windows, `data` has the number of rows of one and nothing else. `state`, if any, is read here and
    // written by run().
    Trainer(Network<T>& network, const Data<T>& data, const std::optional<Data<T>>& validation,
            const TrainOptions& options, RunState<T>* state = nullptr);

    StopReason run(Monitor& monitor, const Calls& calls = {});

    const std::vector<EpochRecord>& records() const { return records_; }

private:
    bool state_due() const;
    void restore_state();
    void write_state() const;
    void give_back_state();
    void call_back();
    void begin_epoch(Monitor& monitor);
    void begin_window(Monitor& monitor);
    void train_steps(const Team& team);
    void train_step(Team team);
    void end_step(const Team& team);
    void update_from_whole_gradient(const Team& team, const Batch<T>& batch, const Update<T>& update);
    double gradient_scale() const;
    void keep_proven(const Team& team, double loss);
    void keep();
    void end_epoch(Monitor& monitor);
    std::optional<StopReason> record_epoch(const Monitor& monitor);
    std::optional<StopReason> enough() const;
    bool calls_between_epochs() const { return calls_.on_epoch || calls_.on_state || calls_.next_window; }
    bool ended() const { return stop_reason_ || epoch_ >= options_.epochs; }

    Network<T>& network_;
    Data<T> data_;
    TrainOptions options_;
    Index window_rows_, epoch_rows_, batch_size_, steps_per_epoch_;
    LearningRate learning_rate_;
    bool long_step_;       // looks out for an interrupt
    bool counts_right_;    // beside a validation score, what the training rows score
    bool whole_gradient_;  // made before any weight changes: for clipping and normalised steps
    bool restores_;
    Calls calls_;
    TeamSize team_size_;
    Backprop<T> backprop_;
    std::optional<Evaluation<T>> evaluation_;
    GradientWork<T> work_;
    RunState<T>* state_;
    AlignedBuffer<T> state1_, state2_, gradient_, kept_;
    std::vector<std::uint32_t> order_;
    std::vector<double> norm_sums_;

    // Written by rank 0, read by others behind a barrier.
    std::optional<StopReason> stop_reason_;
    Index epoch_, step_ = 0, rows_seen_ = 0;  // the epoch under way, its next step
    Index first_row_ = 0;                     // of the next batch, in the window
    Index right_answers_ = 0;                 // in the epoch under way, where they are counted
    Index steps_ = 0;                         // of the optimizer, all runs together
    double loss_sum_ = 0, penalty_sum_ = 0, rate_ = 0;
    bool epoch_over_ = false, leaves_ = false, diverged_ = false, halted_ = false;

    Progress progress_;
    std::vector<EpochRecord> records_;
};

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace fastmlp
