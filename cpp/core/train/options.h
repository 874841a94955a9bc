// What a run is told, what it reports, and what it hands on to the next run.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/exchange.h"
#include "core/model/features.h"
#include "core/train/schedules.h"

namespace fastmlp {

class BorrowedThreads;

enum class Optimizer { sgd, momentum, nesterov, rmsprop, adagrad, adam };
inline constexpr std::array<std::pair<std::string_view, Optimizer>, 6> kOptimizers{{
    {"sgd", Optimizer::sgd},
    {"momentum", Optimizer::momentum},
    {"nesterov", Optimizer::nesterov},
    {"rmsprop", Optimizer::rmsprop},
    {"adagrad", Optimizer::adagrad},
    {"adam", Optimizer::adam},
}};

// The learning rate of each group of parameters is that of the step times its factor.
struct RateFactors {
    double weight = 1, bias = 1;
    double scale = 1;      // of inputs
    double embedding = 1;  // of tables
    double alpha = 1;      // of parametric activations
    bool fan_in = false;   // that of weights W[I, O] is divided by I or, where steps have a scale of their
                           // own, by sqrt(I)

    bool operator==(const RateFactors&) const = default;
};

struct OptimizerOptions {
    Optimizer kind = Optimizer::adam;
    double momentum = 0;       // sgd
    bool normalized = false;   // sgd: steps of fixed length along the gradient
    double decay1 = 0.9;       // adam: beta1
    double decay2 = 0.999;     // adam: beta2, rmsprop: rho
    double epsilon = 1e-8;     // rmsprop, adagrad, adam
    bool epsilon_hat = false;  // adam: epsilon is added before the bias of sqrt(v) is corrected
    ScheduleOptions weight_decay{.rate = 0};  // adam: decoupled (AdamW)
    RateFactors rate_factors;
};

struct TrainOptions {
    Index epochs = 200;
    Index first_epoch = 0;  // the epochs before it were another run's, which this one goes on from
    Index batch_size = 200;
    bool shuffle = true;
    std::uint64_t seed = 0;
    ScheduleOptions dropout{.rate = 0};
    double clip_norm = 0;  // 0: no clipping
    // Of all rows trained on: a batch divides the sum of its weighted losses by rows * mean_weight, so that
    // its gradient is that of the weighted mean over all rows, up to chance. 0: by the sum of its own
    // weights, as scikit-learn does.
    double mean_weight = 0;
    bool bfloat16 = false;  // products of factors rounded to bfloat16
    double alpha = 0;       // added to l2, divided as the losses are, as scikit-learn does
    OptimizerOptions optimizer;
    ScheduleOptions schedule;
    Index patience = -1;  // -1: never stop early
    double min_delta = 0;
    bool restore_best = true;
    double loss_target = -std::numeric_limits<double>::infinity();
    double max_time = std::numeric_limits<double>::infinity();  // seconds
    // The rows of an epoch that each shard has, of all processes (see base/shards.h). A step takes
    // batch_size / shards of each. Empty: there is one, which has all rows.
    std::vector<Index> shard_rows;
    std::vector<Index> validation_shard_rows;  // the same for validation
    Exchange* exchange = nullptr;              // where other processes have some of the shards
    Index window_rows = 0;  // where rows come in windows: the most of a shard in one of them
    Index state_every = 1;  // epochs from one writing of the run's state to the next
    // The run pauses after this epoch, and its state holds what it needs to go on.
    Index pause = std::numeric_limits<Index>::max();
    int threads = 1;
    // Where other runs are trained at the same time: it begins with one thread, and borrows what they leave
    // over. There the rows that are trained on are counted.
    BorrowedThreads* borrowed = nullptr;
    std::atomic<Index>* rows_trained = nullptr;
};

// L-BFGS, by the names and the defaults that SciPy has for them.
struct LbfgsOptions {
    Index maxcor = 10;  // pairs of steps and gradients that are kept
    double ftol = 2.2204460492503131e-09, gtol = 1e-5;
    Index maxiter = 15000, maxfun = 15000;
    // A parameter that is not below it, by size, has no value in the network's type: the run has diverged.
    double largest_parameter = std::numeric_limits<double>::infinity();
};
// What ends it by itself: a small gradient, a small decrease, a limit, or no step that lowers the loss.
enum class LbfgsEnd { gradient, decrease, iterations, evaluations, abnormal };
inline constexpr std::array<std::string_view, 5> kLbfgsEnds{"gradient", "decrease", "iterations",
                                                            "evaluations", "abnormal"};

enum class StopReason { epochs, patience, loss_target, max_time, callback, diverged, interrupted };
inline constexpr std::array<std::string_view, 7> kStopReasons{
    "epochs", "patience", "loss_target", "max_time", "callback", "diverged", "interrupted"};

struct EpochRecord {
    Index epoch;  // from 1
    double loss, learning_rate, seconds, validation_loss, validation_score;
    double accuracy;  // of the rows trained on, each as its batch found the weights; NaN where not counted
    double penalty;   // the part of the loss that the l2 term adds
};

struct TrainResult {
    std::vector<EpochRecord> records;
    StopReason reason;
};

// Of L-BFGS: the reason is `epochs` where it ended by itself.
struct LbfgsResult : TrainResult {
    std::optional<LbfgsEnd> end;
    double loss, largest_component;  // at the last iterate; of the gradient, by size
    Index evaluations;               // of loss and gradient
};

// What a callback decides after an epoch.
struct CallbackResult {
    std::optional<StopReason> stop;
    std::optional<double> learning_rate;  // from here on, in place of a constant one
};

// How a run is doing: with the parameters, the best ones and the optimizer's state, all that its next epoch
// depends on.
struct Progress {
    double loss = std::numeric_limits<double>::infinity();  // of the last epoch
    double best = std::numeric_limits<double>::infinity();  // the lowest monitored loss
    Index epochs_without_improvement = 0;
    bool is_best = false;  // the current weights are the best so far, and not copied yet
    Scheduled::State learning_rate{0};
};

// What is carried from run to run; arrays are laid out as the network's parameters.
template <class T>
struct RunState {
    T *s1 = nullptr, *s2 = nullptr;  // the optimizer's, as many as it has
    Index steps = 0;                 // of the optimizer; 0: nothing is carried yet
    // Where the next run is to be the rest of this one: its best weights, and the rest.
    T* best = nullptr;
    T* current = nullptr;  // after a pause, the weights to go on from; the network has those to be returned
    Progress progress = {};
    Index epoch = 0;  // after which this was written
};

// What a run calls, between steps, on the thread that started it.
template <class T>
struct Callbacks {
    std::function<CallbackResult(const EpochRecord&)> on_epoch;
    // The run's state has been written, after on_epoch; true to stop.
    std::function<bool()> on_state;
    // Writes the order of the rows in hand, in place of a permutation by the seed; true to stop. It is called
    // inside the parallel region, once for each window of an epoch.
    std::function<bool(std::uint32_t* order)> draw_order;
    // The next of an epoch's rows, as many as Data says or, in the end, the rest; nothing to stop.
    std::function<std::optional<Data<T>>()> next_window;
};

}  // namespace fastmlp
