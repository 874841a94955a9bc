#include "trainer.h"

#include <cassert>

#include "accuracy.h"

namespace fastmlp {

namespace {

// Steps that may take longer than this look out for an interrupt in their middle.
constexpr double kLongStepSeconds = 0.01;

// An upper estimate: narrow layers, slow activations and dropout on one busy core.
template <class T>
double estimated_seconds(const Network<T>& network, Index rows) {
    double width = 0;
    for (const Index size : network.architecture().sizes) width += double(size);
    return network.training_flops(rows) * 5e-11 + double(rows) * width * 2e-8;
}

// Elements of one task of the gradient's norm.
constexpr Index kNormTask = 4096;

}  // namespace

template <class T>
Trainer<T>::Trainer(Network<T>& network, const Data<T>& data, const std::optional<Data<T>>& validation,
                    const TrainOptions& options, RunState<T>* state)
    : network_(network),
      data_(data),
      options_(options),
      window_rows_(data.rows),
      epoch_rows_(options.epoch_rows > 0 ? options.epoch_rows : data.rows),
      batch_size_(std::min(options.batch_size, data.rows)),
      steps_per_epoch_(epoch_rows_ / window_rows_ * ceil_div(window_rows_, batch_size_) +
                       ceil_div(epoch_rows_ % window_rows_, batch_size_)),
      learning_rate_(options.schedule, steps_per_epoch_, options.epochs),
      long_step_(estimated_seconds(network, batch_size_) > kLongStepSeconds),
      counts_right_(validation && scores_classes(network.architecture().loss)),
      whole_gradient_(options.clip_norm > 0 || options.optimizer.normalized),
      restores_(options.restore_best && (validation || options.patience >= 0)),
      team_size_(TeamSize::resume(
          worth_threads(network.training_flops(batch_size_, data.X.density(data.rows, network.inputs())),
                        options.threads))),
      backprop_(network, batch_size_,
                {options.dropout, options.seed, options.shuffle && batch_size_ < data.rows, options.alpha,
                 counts_right_, team_size_.most(), most_entries(data.X, data.rows, batch_size_)}),
      work_(update_work<T>(options.optimizer.kind)),
      state_(state),
      epoch_(options.first_epoch) {
    assert(data.rows > 0 && options.batch_size > 0 && options.epochs > 0 && options.threads > 0);
    if (validation)
        evaluation_.emplace(network, backprop_.layout(), backprop_.parameters(), validation->X,
                            validation->rows, validation->targets, team_size_.most());
    const Index size = backprop_.layout().size(), states = state_count(options.optimizer.kind);
    if (states >= 1) state1_ = AlignedBuffer<T>(size);
    if (states >= 2) state2_ = AlignedBuffer<T>(size);
    if (whole_gradient_) gradient_ = AlignedBuffer<T>(size);
    norm_sums_.resize(std::size_t(ceil_div(size, kNormTask)));
    kept_ = AlignedBuffer<T>(size);
    keep();
    if (state_ && state_->steps > 0) restore_state();
    if (options.shuffle && batch_size_ < data.rows) order_.resize(std::size_t(data.rows));
}

template <class T>
StopReason Trainer<T>::run(Monitor& monitor, const Calls& calls) {
    calls_ = calls;
    if (!ended()) begin_epoch(monitor);
    while (!ended()) {
        const std::size_t recorded = records_.size();
        run_team(team_size_.threads(), &monitor, [&](const Team& team) { train_steps(team); });
        if (records_.size() > recorded) {
            if (calls_.on_epoch || calls_.on_state) call_back();
            if (calls_between_epochs() && !ended()) begin_epoch(monitor);
        } else if (first_row_ == data_.rows && !ended()) {
            begin_window(monitor);
        }
    }
    team_size_.end();
    // An interrupt may have left a step half done.
    const bool wants_kept = restores_ || stop_reason_ == StopReason::interrupted;
    const bool takes_kept = stop_reason_ == StopReason::diverged || (wants_kept && !progress_.candidate);
    backprop_.layout().unpack(takes_kept ? kept_.data() : backprop_.parameters(), network_.parameters());
    if (state_) give_back_state();
    return stop_reason_.value_or(StopReason::epochs);
}

// Shows the network after an epoch, and then the run's state where it is due.
template <class T>
void Trainer<T>::call_back() {
    const PanelLayout<T>& layout = backprop_.layout();
    layout.unpack(backprop_.parameters(), network_.parameters());
    if (calls_.on_epoch) {
        const Wish wish = calls_.on_epoch(records_.back());
        if (!stop_reason_) stop_reason_ = wish.stop;
        if (wish.learning_rate) learning_rate_.set_rate(*wish.learning_rate);
        if (first_nonfinite(network_.parameters(), network_.parameter_count()) >= 0)
            stop_reason_ = StopReason::diverged;
        layout.pack(network_.parameters(), backprop_.parameters());  // the callback may have changed them
    }
    if (!state_due()) return;
    write_state();
    if (calls_.on_state()) stop_reason_ = StopReason::interrupted;
}

// After a whole epoch, now and then and after the last one.
template <class T>
bool Trainer<T>::state_due() const {
    if (!calls_.on_state || rows_seen_ < epoch_rows_ || stop_reason_ == StopReason::diverged) return false;
    return epoch_ % options_.state_every == 0 || ended();
}

template <class T>
void Trainer<T>::restore_state() {
    const PanelLayout<T>& layout = backprop_.layout();
    steps_ = state_->steps;
    if (state1_.size() > 0) layout.pack(state_->s1, state1_.data());
    if (state2_.size() > 0) layout.pack(state_->s2, state2_.data());
    if (!state_->best) return;
    layout.pack(state_->best, kept_.data());
    progress_ = state_->progress;
    learning_rate_.restore(progress_.learning_rate);
    stop_reason_ = enough();
}

template <class T>
void Trainer<T>::write_state() const {
    const PanelLayout<T>& layout = backprop_.layout();
    state_->steps = steps_;
    if (state1_.size() > 0) layout.unpack(state1_.data(), state_->s1);
    if (state2_.size() > 0) layout.unpack(state2_.data(), state_->s2);
    if (!state_->best) return;
    layout.unpack(kept_.data(), state_->best);
    state_->progress = progress_;
    state_->progress.learning_rate = learning_rate_.state();
    state_->epoch = epoch_;
}

// At the end, one array after the other: a large network may not have room for both forms of all.
template <class T>
void Trainer<T>::give_back_state() {
    if (state_->best) return;  // it was written at the end of an epoch, whose weights it goes with
    kept_ = AlignedBuffer<T>();
    state_->steps = steps_;
    const auto give_back = [this](AlignedBuffer<T>& panels, T* flat) {
        if (panels.size() > 0) backprop_.layout().unpack(panels.data(), flat);
        panels = AlignedBuffer<T>();
    };
    give_back(state1_, state_->s1);
    give_back(state2_, state_->s2);
}

template <class T>
void Trainer<T>::begin_epoch(Monitor& monitor) {
    loss_sum_ = penalty_sum_ = 0;
    rows_seen_ = step_ = right_answers_ = 0;
    begin_window(monitor);
}

template <class T>
void Trainer<T>::begin_window(Monitor& monitor) {
    const Index windows = ceil_div(epoch_rows_, window_rows_), window = rows_seen_ / window_rows_;
    first_row_ = 0;
    if (calls_.next_window) {
        if (const std::optional<Data<T>> data = calls_.next_window())
            data_ = *data;
        else
            stop_reason_ = StopReason::interrupted;
    }
    if (order_.empty() || stop_reason_) return;
    if (calls_.draw_order) {
        if (calls_.draw_order(order_.data())) stop_reason_ = StopReason::interrupted;
        return;
    }
    permutation(options_.seed, Stream::shuffle, std::uint32_t(epoch_ * windows + window), order_.data(),
                data_.rows, [&monitor] {
                    monitor.poll();
                    return monitor.interrupted();
                });
}

// Steps in one parallel region, on every thread of the team: to the end of the training, or until somebody is
// to be called between two of them, or until another number of threads is due.
template <class T>
void Trainer<T>::train_steps(const Team& team) {
    if (team.rank == 0) team_size_.begin(team);
    do {
        train_step(team);
        if (team.rank == 0) end_step(team);
        team.barrier();
        if (!epoch_over_) continue;
        if (evaluation_ && !diverged_) evaluation_->run(team);
        if (team.rank == 0) {
            end_epoch(*team.monitor);
            leaves_ = leaves_ || calls_between_epochs() || ended();
            team_size_.begin(team);
        }
        team.barrier();
    } while (!leaves_);
}

template <class T>
void Trainer<T>::end_step(const Team& team) {
    team.monitor->poll();
    const Index rows = std::min(batch_size_, data_.rows - first_row_);
    first_row_ += rows;
    ++step_;
    ++steps_;
    epoch_over_ = rows_seen_ == epoch_rows_ || diverged_ || team.monitor->stopped();
    leaves_ = team_size_.end_step(team, rows) || (first_row_ == data_.rows && !epoch_over_);
}

// Forward, loss, backward, update. Every thread holds the same loss, so all of them leave at the same place.
template <class T>
void Trainer<T>::train_step(Team team) {
    if (!long_step_) team.monitor = nullptr;
    // Read before the barrier: rank 0 writes them at the end of its step.
    const Index step = epoch_ * steps_per_epoch_ + step_, updates = steps_;
    const Batch<T> batch{data_.X, data_.targets, order_.empty() ? nullptr : order_.data() + first_row_,
                         first_row_, std::min(batch_size_, data_.rows - first_row_)};
    backprop_.deltas(team, batch, std::uint64_t(step));
    team.barrier();
    const double loss = backprop_.loss(batch);
    if (team.monitor) {  // after an interrupt the loss is not whole, and no weight may change
        if (team.rank == 0) halted_ = team.monitor->interrupted();
        team.barrier();
        if (halted_) return;
    }
    if (team.rank == 0) {
        diverged_ = !std::isfinite(loss);
        loss_sum_ += loss * double(batch.rows);
        penalty_sum_ += backprop_.penalty(batch) * double(batch.rows);
        if (counts_right_) right_answers_ += backprop_.right_answers(batch);
        rows_seen_ += batch.rows;
        rate_ = learning_rate_.at(step);
    }
    if (!std::isfinite(loss)) return;
    if (step % steps_per_epoch_ == 0 && !evaluation_) keep_proven(team, loss);
    Update<T> update(backprop_.parameters(), state1_.data(), state2_.data(), options_.optimizer,
                     learning_rate_.at(step), double(updates + 1));
    update.l2 = T(backprop_.l2(batch));
    if (whole_gradient_)
        update_from_whole_gradient(team, batch, update);
    else
        backprop_.gradients(team, batch, update, work_);
}

// Keeps the weights before an epoch's first step, now that their loss is known to be finite: those of the
// lowest loss so far, which for mini-batches is the mean over the epoch that led to them.
template <class T>
void Trainer<T>::keep_proven(const Team& team, double loss) {
    if (!progress_.candidate && !(steps_per_epoch_ == 1 && loss < progress_.best)) return;
    const T* const weights = backprop_.parameters();
    const Index first = team.share(kept_.size(), team.rank), last = team.share(kept_.size(), team.rank + 1);
    std::copy(weights + first, weights + last, kept_.data() + first);
    team.barrier();
    if (team.rank == 0) progress_.candidate = false;
}

template <class T>
void Trainer<T>::keep() {
    std::copy(backprop_.parameters(), backprop_.parameters() + kept_.size(), kept_.data());
    progress_.candidate = false;
}

template <class T>
void Trainer<T>::update_from_whole_gradient(const Team& team, const Batch<T>& batch,
                                            const Update<T>& update) {
    const GradientWork<T> store = store_work<T>();
    Update<T> into(backprop_.parameters(), gradient_.data(), nullptr);
    into.l2 = update.l2;
    backprop_.gradients(team, batch, into, store);
    team.barrier();

    const Index size = gradient_.size();
    team.deal(ceil_div(size, kNormTask), [&](Index first, Index last) {
        for (Index task = first; task < last; ++task) {
            const Index begin = task * kNormTask;
            norm_sums_[std::size_t(task)] =
                sum_of_squares(gradient_.data() + begin, std::min(kNormTask, size - begin));
        }
    });
    team.barrier();

    Update<T> penalised = update;
    penalised.l2 = 0;  // the stored gradient holds it already
    const T scale = T(gradient_scale());
    const PanelLayout<T>& layout = backprop_.layout();
    apply_gradient(team, layout, gradient_.data(), 1, 0, scale, penalised, work_);
    if (layout.tables().empty()) return;
    const T* const of_tables = gradient_.data() + layout.tables().front().offset;
    apply_table_gradient(team, layout, of_tables, scale, penalised, work_);
}

// The factor that clips the gradient to clip_norm, or makes its norm 1.
template <class T>
double Trainer<T>::gradient_scale() const {
    double squares = 0;
    for (const double sum : norm_sums_) squares += sum;
    const double norm = std::sqrt(squares);
    if (options_.optimizer.normalized) return norm > 0 ? 1 / norm : 1;
    return options_.clip_norm > 0 && norm > options_.clip_norm ? options_.clip_norm / norm : 1;
}

template <class T>
void Trainer<T>::end_epoch(Monitor& monitor) {
    stop_reason_ = record_epoch(monitor);
    ++epoch_;
    if (!calls_between_epochs() && !ended()) begin_epoch(monitor);
}

// Records the epoch, keeps the weights worth keeping, and says whether and why training stops.
template <class T>
std::optional<StopReason> Trainer<T>::record_epoch(const Monitor& monitor) {
    if (monitor.interrupted()) return StopReason::interrupted;
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const double loss = loss_sum_ / double(rows_seen_);
    const double validation_loss = evaluation_ && !diverged_ ? evaluation_->loss() : nan;
    const double monitored = evaluation_ ? validation_loss : loss;
    // A validation loss that overflows says nothing of the weights, unless they are chosen by it.
    const bool judges = restores_ || options_.patience >= 0;
    if (diverged_ || !std::isfinite(judges ? monitored : loss) ||
        first_nonfinite(backprop_.parameters(), kept_.size()) >= 0)
        return StopReason::diverged;

    records_.push_back({epoch_ + 1, loss, rate_, monitor.seconds(), validation_loss,
                        evaluation_ ? evaluation_->score() : nan,
                        counts_right_ ? double(right_answers_) / double(rows_seen_) : nan,
                        penalty_sum_ / double(rows_seen_)});
    Progress& p = progress_;
    p.loss = loss;
    p.candidate = !options_.restore_best || (monitored < p.best && (evaluation_ || steps_per_epoch_ > 1));
    if (evaluation_ && p.candidate) keep();
    p.epochs_without_improvement =
        monitored < p.best - options_.min_delta ? 0 : p.epochs_without_improvement + 1;
    p.best = std::min(p.best, monitored);
    learning_rate_.epoch_ended(monitored);
    if (const std::optional<StopReason> reason = enough()) return reason;
    if (monitor.stopped()) return StopReason::max_time;
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
