#include "core/train/trainer.h"

#include <cassert>
#include <utility>

#include "core/base/arrays.h"

namespace fastmlp {

namespace {

// Steps that may take longer than this look out for an interrupt in their middle.
constexpr double kLongStepSeconds = 0.01;

// Rows that are counted together: a short step must not wait for a number that all runs write to.
constexpr Index kCountedTogether = 1 << 16;

// What is summed over the shards in a step: weighted losses, right answers, weights, and whether the time is
// over, as the first process says.
enum : Index { kLossSum, kRightSum, kWeightSum, kOutOfTime, kTotals };

}  // namespace

template <class T>
Trainer<T>::Trainer(Network<T>& network, const Data<T>& data, const std::optional<Data<T>>& validation,
                    const TrainOptions& options, RunState<T>* state)
    : network_(network),
      data_(data),
      options_(options),
      shards_(int(std::max<std::size_t>(options.shard_rows.size(), 1)), options.exchange),
      // Joined, their batches read the weights once. But where activations are many, each batch had better
      // stay in the cache, and sparse rows and pairs of rows in bfloat16 are prepared batch by batch.
      batches_(data, options, shards_,
               [&](Index rows) {
                   return !data.X.sparse() && !options.bfloat16 && gradient_parts(network, rows, false) == 1;
               }),
      epoch_rows_(batches_.epoch_rows()),
      steps_per_epoch_(batches_.steps_per_epoch()),
      learning_rate_(options.schedule, steps_per_epoch_, options.epochs),
      weight_decay_(options.optimizer.weight_decay, steps_per_epoch_, options.epochs),
      dropout_(options.dropout, steps_per_epoch_, options.epochs),
      long_step_(network.training_seconds(batches_.batch_size() * shards_.own()) > kLongStepSeconds),
      counts_right_(validation && scores_classes(network.architecture().loss)),
      restore_best_(options.restore_best && (validation || options.patience >= 0)),
      team_size_(
          TeamSize::resume(network.training_flops(batches_.most_rows(), data.density(network.inputs())),
                           options.threads, options.borrowed)),
      backprop_(network, batches_.most_rows(),
                {.drops = options.dropout.rate > 0,
                 .seed = options.seed,
                 .gather = batches_.copies_rows(),
                 .alpha = options.alpha,
                 .bfloat16 = options.bfloat16,
                 .counts_right = counts_right_,
                 .threads = team_size_.most(),
                 .entries = data.most_entries(batches_.batch_size()),
                 .shard_rows = batches_.batch_size()}),
      tiles_(gradient_tiles<T>(options.optimizer.kind)),
      state_(state),
      states_(state_count(options.optimizer.kind)),
      epoch_(options.first_epoch) {
    assert(data.rows > 0 && options.batch_size > 0 && options.epochs > 0 && options.threads > 0);
    assert(shards_.count() == 1 || options.mean_weight > 0);
    const std::vector<Index>& of_shards = options.validation_shard_rows;
    if (validation)
        evaluation_.emplace(network, backprop_.layout(), backprop_.parameters(), *validation,
                            of_shards.empty() ? std::vector<Index>{validation->rows} : of_shards, shards_,
                            team_size_.most());
    const Index size = backprop_.layout().size();
    const NormLimit limit{options.clip_norm, options.optimizer.normalized};
    if (shards_.count() > 1) {
        sharded_.emplace(backprop_.layout(), shards_, limit);
        totals_.resize(std::size_t(shards_.own() * kTotals));
    } else if (limit.any()) {
        whole_gradient_.emplace(size, limit);
    }
    if (states_ >= 1) state1_ = AlignedBuffer<T>(own_parameters().size());
    if (states_ >= 2) state2_ = AlignedBuffer<T>(own_parameters().size());
    best_weights_ = AlignedBuffer<T>(size);
    if (state_ && state_->steps > 0) restore_state();
}

template <class T>
StopReason Trainer<T>::run(Monitor& monitor, const Callbacks<T>& callbacks) {
    callbacks_ = callbacks;
    monitor_ = &monitor;
    if (!ended()) begin_epoch();
    while (!ended()) {
        const std::size_t recorded = records_.size();
        run_team(team_size_.threads(), &monitor, [&](const Team& team) { train_steps(team); });
        if (records_.size() > recorded) {
            if (callbacks_.on_epoch || callbacks_.on_state) call_back();
            if (calls_between_epochs() && !ended()) begin_epoch();
        } else if (batches_.window_over() && !ended()) {
            begin_window();
        }
    }
    team_size_.end();
    count_rows(0);
    if (paused()) keep_current();
    // An interrupt may have left a step half done.
    const bool wants_best = restore_best_ || stop_reason_ == StopReason::interrupted;
    const bool takes_best = stop_reason_ == StopReason::diverged || (wants_best && !progress_.is_best);
    // Where the first weights are still the best ones, the network has them.
    if (!takes_best || has_best_)
        unpack(takes_best ? best_weights_.data() : backprop_.parameters(), network_.parameters());
    if (state_) give_back_state();
    return stop_reason_.value_or(StopReason::epochs);
}

// Shows the network after an epoch, and then the run's state where it is due.
template <class T>
void Trainer<T>::call_back() {
    if (!has_best_) pack(network_.parameters(), best_weights_.data());
    has_best_ = true;
    unpack(backprop_.parameters(), network_.parameters());
    if (callbacks_.on_epoch) {
        const CallbackResult result = callbacks_.on_epoch(records_.back());
        if (!stop_reason_) stop_reason_ = result.stop;
        if (result.learning_rate) learning_rate_.set_rate(*result.learning_rate);
        if (first_nonfinite_on(network_.parameters(), network_.parameter_count(), team_size_.threads()) >= 0)
            stop_reason_ = StopReason::diverged;
        pack(network_.parameters(), backprop_.parameters());  // the callback may have changed them
    }
    if (!state_due()) return;
    write_state();
    // Where a process has failed, parts of the state are missing.
    if (shards_.failed() || callbacks_.on_state()) stop_reason_ = StopReason::interrupted;
}

// After a whole epoch, now and then and after the last one.
template <class T>
bool Trainer<T>::state_due() const {
    if (!callbacks_.on_state || rows_seen_ < epoch_rows_ || stop_reason_ == StopReason::diverged)
        return false;
    return epoch_ % options_.state_every == 0 || ended();
}

// Before the network's parameters become those that are returned.
template <class T>
void Trainer<T>::keep_current() {
    if (!has_best_) pack(network_.parameters(), best_weights_.data());
    has_best_ = true;
    write_state();
    unpack(backprop_.parameters(), state_->current);
}

template <class T>
void Trainer<T>::restore_state() {
    updates_ = state_->steps;
    if (states_ >= 1) read_moment(state_->s1, state1_);
    if (states_ >= 2) read_moment(state_->s2, state2_);
    if (!state_->best) return;
    pack(state_->best, best_weights_.data());
    has_best_ = true;
    if (state_->current) pack(state_->current, backprop_.parameters());
    progress_ = state_->progress;
    learning_rate_.restore(progress_.learning_rate);
    stop_reason_ = enough();
}

// The optimizer's state, from and to an array of all parameters: of several processes each has a slice.
template <class T>
void Trainer<T>::read_moment(const T* flat, const AlignedBuffer<T>& own) const {
    if (!shards_.exchange()) return pack(flat, own.data());
    const AlignedBuffer<T> all(backprop_.layout().size());
    pack(flat, all.data());
    std::copy_n(all.data() + own_parameters().first, own.size(), own.data());
}

template <class T>
void Trainer<T>::write_moment(const AlignedBuffer<T>& own, T* flat) {
    if (!shards_.exchange()) return unpack(own.data(), flat);
    const AlignedBuffer<T> all(backprop_.layout().size());
    std::copy_n(own.data(), own.size(), all.data() + own_parameters().first);
    sharded_->gather(Team{}, all.data());
    if (shards_.first() == 0) unpack(all.data(), flat);  // which writes it for all
}

template <class T>
void Trainer<T>::write_state() {
    state_->steps = updates_;
    if (states_ >= 1) write_moment(state1_, state_->s1);
    if (states_ >= 2) write_moment(state2_, state_->s2);
    if (!state_->best) return;
    unpack(best_weights_.data(), state_->best);
    state_->progress = progress_;
    state_->progress.learning_rate = learning_rate_.state();
    state_->epoch = epoch_;
}

// At the end, one array after the other: a large network may not have room for both forms of all.
template <class T>
void Trainer<T>::give_back_state() {
    if (state_->best) return;  // it was written at the end of an epoch, whose weights it goes with
    best_weights_ = AlignedBuffer<T>();
    // What a run that diverged has left may hold NaN: the next one begins with nothing.
    const bool diverged = stop_reason_ == StopReason::diverged;
    state_->steps = diverged ? 0 : updates_;
    const auto give_back = [&](AlignedBuffer<T>& own, T* flat) {
        if (diverged)
            std::fill_n(flat, network_.parameter_count(), T(0));
        else
            write_moment(own, flat);
        own = AlignedBuffer<T>();
    };
    if (states_ >= 1) give_back(state1_, state_->s1);
    if (states_ >= 2) give_back(state2_, state_->s2);
}

template <class T>
void Trainer<T>::begin_epoch() {
    loss_sum_ = penalty_sum_ = weight_seen_ = 0;
    rows_seen_ = step_in_epoch_ = right_answers_ = 0;
    begin_window();
}

// The first of an epoch or the next one, and the order of its rows.
template <class T>
void Trainer<T>::begin_window() {
    if (callbacks_.next_window) {
        if (const std::optional<Data<T>> data = callbacks_.next_window())
            data_ = *data;
        else
            stop_reason_ = StopReason::interrupted;
    }
    if (stop_reason_) return;
    if (step_in_epoch_ == 0)
        batches_.begin_epoch(data_);
    else
        batches_.begin_window(data_);
    const auto stops = [this] {
        monitor_->poll();
        return monitor_->interrupted();
    };
    if (batches_.draw_order(options_.seed, epoch_, stops, callbacks_.draw_order))
        stop_reason_ = StopReason::interrupted;
    else
        weigh_batch();
}

// On one thread, when the batch before is done: the rows lie apart, and no thread need look at them again. Of
// several shards each weighs its own.
template <class T>
void Trainer<T>::weigh_batch() {
    if (!sharded_) batch_weight_ = batches_.of_shard(0, 0).weight_sum();
}

// Of the losses of the rows of a step. A batch of all rows has all weights: their sum is the same as their
// mean times their number, but for rounding.
template <class T>
double Trainer<T>::divisor() const {
    const Index rows = batches_.step_rows();
    const bool own = !sharded_ && (options_.mean_weight == 0 || rows == epoch_rows_);
    return own ? batch_weight_ : double(rows) * options_.mean_weight;
}

// All rows of a step as one batch, as far as its loss and its update depend on it.
template <class T>
Batch<T> Trainer<T>::whole_step() const {
    return {.X = {}, .targets = {}, .rows = batches_.step_rows(), .divisor = divisor()};
}

// Steps in one parallel region, on every thread of the team: to the end of the training, or until a callback
// or another window of rows is due between two of them, or another number of threads.
template <class T>
void Trainer<T>::train_steps(const Team& team) {
    if (team.rank == 0) team_size_.begin(team);
    do {
        train_step(team);
        if (team.rank == 0) end_step(team);
        team.barrier();  // everybody knows whether the epoch is over and whether the region is left
        if (epoch_over_) {
            if (evaluation_ && !diverged_) evaluation_->run(team);
            look_at_weights(team);
            if (team.rank == 0) {
                end_epoch();
                leave_region_ = leave_region_ || calls_between_epochs() || ended();
                team_size_.begin(team);
            }
            team.barrier();  // the next epoch has begun, or the region is left
        }
    } while (!leave_region_);
}

// Takes one batch through the network and back, and updates the weights. `team` is a copy: a short step need
// not look out for an interrupt.
template <class T>
void Trainer<T>::train_step(Team team) {
    if (!long_step_) team.monitor = nullptr;
    // Read before the first barrier: rank 0 changes them at the end of its step, when others may still be in
    // theirs.
    const Index step = epoch_ * steps_per_epoch_ + step_in_epoch_, updates = updates_;
    if (sharded_) return train_on_shards(team, step, updates);
    const Batch<T> batch = batches_.of_shard(0, divisor());
    backprop_.step(team, batch, {dropout_.at(step), std::uint64_t(step)}, tiles_,
                   whole_gradient_ ? &*whole_gradient_ : nullptr,
                   [&](double loss) { return update_after(team, batch, loss, step, updates); });
}

// The same for a batch of each shard: their gradients are added before any weight is updated.
template <class T>
void Trainer<T>::train_on_shards(const Team& team, Index step, Index updates) {
    const Batch<T> whole = whole_step();
    const double p = dropout_.at(step);
    const auto add = [&](const Batch<T>& batch, int first) {
        const auto number = std::uint64_t(step * shards_.count() + shards_.first() + first);
        sharded_->add_shards(team, backprop_, batch, first, {p, number}, [&](int shard, Range rows) {
            double* const totals = totals_.data() + shard * kTotals;
            totals[kLossSum] = backprop_.weighted_losses(rows);
            totals[kRightSum] = counts_right_ ? double(backprop_.right_answers(rows)) : 0;
            totals[kWeightSum] = batch.weight_sum(rows);
            totals[kOutOfTime] = 0;
        });
    };
    if (batches_.joins()) add(batches_.of_own_shards(whole.divisor), 0);
    for (int shard = 0; shard < shards_.own() && !batches_.joins(); ++shard)
        add(batches_.of_shard(shard, whole.divisor), shard);
    const double loss = total_loss(team, whole);
    const std::optional<Update<T>> update = update_after(team, whole, loss, step, updates);
    if (!update || !sharded_->add_processes(team)) return;
    sharded_->apply(team, *update, tiles_);
    sharded_->gather(team, backprop_.parameters());
}

// Of all shards; the first process tells whether the time is over.
template <class T>
double Trainer<T>::total_loss(const Team& team, const Batch<T>& step) {
    backprop_.sum_weight_squares(team);  // where this process has no rows, no shard has done so
    if (team.rank == 0) {
        if (shards_.first() == 0) totals_[kOutOfTime] = monitor_->timed_out() ? 1 : 0;
        shards_.add(totals_, kTotals);
        batch_weight_ = totals_[kWeightSum];
        out_of_time_ = totals_[kOutOfTime] > 0;
        if (shards_.failed()) monitor_->interrupt();
    }
    team.barrier();
    return (step.divisor > 0 ? totals_[kLossSum] / step.divisor : 0) + backprop_.penalty(step);
}

// What update is to follow the loss of a batch; none after an interrupt, or when the loss is not finite.
// Every thread has the same loss, so all decide alike.
template <class T>
std::optional<Update<T>> Trainer<T>::update_after(const Team& team, const Batch<T>& batch, double loss,
                                                  Index step, Index updates) {
    if (interrupted_mid_step(team)) return std::nullopt;
    if (team.rank == 0) record_step(batch, loss, step);
    if (!std::isfinite(loss)) return std::nullopt;
    if (step % steps_per_epoch_ == 0 && !evaluation_) snapshot_best(team, loss);
    Update<T> update(backprop_.parameters(), state1_.data(), state2_.data(), options_.optimizer,
                     learning_rate_.at(step), weight_decay_.at(step), double(updates + 1));
    update.l2 = T(backprop_.l2(batch));
    if (team.rank == 0) ++updates_;
    return update;
}

// After an interrupt in the middle of a step its loss is not whole, and no weight may change.
template <class T>
bool Trainer<T>::interrupted_mid_step(const Team& team) {
    if (!team.monitor) return false;
    if (team.rank == 0) interrupted_mid_step_ = team.monitor->interrupted();
    team.barrier();
    return interrupted_mid_step_;
}

template <class T>
void Trainer<T>::record_step(const Batch<T>& batch, double loss, Index step) {
    diverged_ = !std::isfinite(loss);
    loss_sum_ += loss * double(batch.rows);
    penalty_sum_ += backprop_.penalty(batch) * double(batch.rows);
    if (counts_right_)
        right_answers_ += sharded_ ? Index(totals_[kRightSum]) : backprop_.right_answers({0, batch.rows});
    rows_seen_ += batch.rows;
    uncounted_rows_ += batch.rows;
    count_rows(kCountedTogether);
    weight_seen_ += batch_weight_;
    rate_ = learning_rate_.at(step);
}

// Adds the rows trained on to the count of all runs, if there are so many.
template <class T>
void Trainer<T>::count_rows(Index least) {
    if (options_.rows_trained && uncounted_rows_ >= least)
        options_.rows_trained->fetch_add(std::exchange(uncounted_rows_, 0), std::memory_order_relaxed);
}

template <class T>
void Trainer<T>::end_step(const Team& team) {
    team.monitor->poll();
    if (shards_.failed()) team.monitor->interrupt();
    if (!shards_.exchange()) out_of_time_ = team.monitor->timed_out();
    const Index rows = batches_.step_rows();
    batches_.next_step();
    ++step_in_epoch_;
    epoch_over_ = rows_seen_ >= epoch_rows_ || diverged_ || out_of_time_ || team.monitor->interrupted();
    const bool window_over = batches_.window_over() && !epoch_over_;
    leave_region_ = team_size_.end_step(team, rows) || window_over;
    if (!epoch_over_ && !window_over) weigh_batch();
}

// Without validation, copies the weights before the first step of an epoch, if they are due to be kept: only
// now is their loss known to be finite. For mini-batches they are due if the epoch that led to them had the
// lowest mean loss; for the full batch, if this step's own loss is the lowest.
template <class T>
void Trainer<T>::snapshot_best(const Team& team, double loss) {
    if (!progress_.is_best && !(steps_per_epoch_ == 1 && loss < progress_.best)) return;
    const T* const weights = backprop_.parameters();
    const Range mine = team.part(best_weights_.size());
    std::copy(weights + mine.first, weights + mine.last, best_weights_.data() + mine.first);
    team.barrier();  // nobody changes weights that are still to be copied
    if (team.rank == 0) keeps_current();
}

template <class T>
void Trainer<T>::snapshot() {
    std::copy_n(backprop_.parameters(), best_weights_.size(), best_weights_.data());
    keeps_current();
}

// Each thread looks at its part for a weight that is not finite.
template <class T>
void Trainer<T>::look_at_weights(const Team& team) {
    const Range mine = team.part(best_weights_.size());
    if (first_nonfinite(backprop_.parameters() + mine.first, mine.size()) >= 0) nonfinite_weights_ = true;
    team.barrier();
}

template <class T>
void Trainer<T>::end_epoch() {
    stop_reason_ = record_epoch();
    ++epoch_;
    if (!calls_between_epochs() && !ended()) begin_epoch();
}

// The mean of the batches' losses by their rows. Where batches divide by the mean weight, that is the sum of
// the weighted losses over the sum of the weights, if the epoch was whole; else it is made so.
template <class T>
double Trainer<T>::epoch_loss() const {
    const double rows = double(rows_seen_), loss = loss_sum_ / rows;
    if (rows_seen_ == epoch_rows_ || options_.mean_weight == 0 || weight_seen_ == 0) return loss;
    const double penalty = penalty_sum_ / rows;
    return (loss - penalty) * (rows * options_.mean_weight / weight_seen_) + penalty;
}

// Records the epoch, keeps the weights worth keeping, and says whether and why training stops.
template <class T>
std::optional<StopReason> Trainer<T>::record_epoch() {
    if (monitor_->interrupted()) return StopReason::interrupted;
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const double seconds = shards_.told(monitor_->seconds());
    const auto [validation_loss, validation_score] =
        evaluation_ && !diverged_ ? evaluation_->result() : typename Evaluation<T>::Result{nan, nan};
    if (shards_.failed()) return StopReason::interrupted;
    const double loss = epoch_loss(), monitored = evaluation_ ? validation_loss : loss;
    // A validation loss that overflows says nothing of the weights, unless they are chosen by it.
    const bool judges = restore_best_ || options_.patience >= 0;
    if (diverged_ || !std::isfinite(judges ? monitored : loss) || nonfinite_weights_)
        return StopReason::diverged;

    records_.push_back({epoch_ + 1, loss, rate_, seconds, validation_loss, validation_score,
                        counts_right_ ? double(right_answers_) / double(rows_seen_) : nan,
                        penalty_sum_ / double(rows_seen_)});
    Progress& p = progress_;
    p.loss = loss;
    p.is_best = !options_.restore_best || (monitored < p.best && (evaluation_ || steps_per_epoch_ > 1));
    if (evaluation_ && p.is_best) snapshot();
    p.epochs_without_improvement =
        monitored < p.best - options_.min_delta ? 0 : p.epochs_without_improvement + 1;
    p.best = std::min(p.best, monitored);
    learning_rate_.epoch_ended(monitored);
    if (const std::optional<StopReason> reason = enough()) return reason;
    if (out_of_time_) return StopReason::max_time;
    return std::nullopt;
}

// Whether the epochs so far are all that was asked for.
template <class T>
std::optional<StopReason> Trainer<T>::enough() const {
    if (progress_.loss <= options_.loss_target) return StopReason::loss_target;
    if (options_.patience >= 0 && progress_.epochs_without_improvement >= options_.patience)
        return StopReason::patience;
    return std::nullopt;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace fastmlp
