// Several runs at once, of networks of both types.
#include "arrays.h"
#include "carried_state.h"
#include "records.h"

namespace fastmlp {

namespace {

// A run as Python gives it, and what it gives back. It is made and destroyed with the GIL, and trained
// without.
class BoundRun {
public:
    virtual ~BoundRun() = default;

    // The run for the scheduler.
    virtual RunAmongMany scheduled(std::atomic<Index>& rows_trained) = 0;

    // (records [epochs, 8], stop reason, exception raised by a callback or None, what ended L-BFGS or None)
    virtual py::tuple result() const = 0;

protected:
    PythonCalls python_;
};

// Of any optimizer but L-BFGS.
template <class T>
class DescentRun : public BoundRun {
public:
    DescentRun(BoundNetwork<T>& network, DataArrays<T> rows, std::optional<DataArrays<T>> validation,
               const TrainOptions& options, const py::object& on_epoch, const py::object& draw_order,
               CarriedState<T>* state)
        : network_(network),
          rows_(std::move(rows)),
          validation_(std::move(validation)),
          options_(options),
          state_(state ? &state->state : nullptr) {
        if (state && state->s1.size() != network.parameter_count())
            throw py::value_error("state must have arrays of n_parameters numbers");
        calls_.on_epoch = epoch_call(python_, on_epoch);
        calls_.draw_order = order_call(python_, draw_order, rows_.data().rows);
    }

    RunAmongMany scheduled(std::atomic<Index>& rows_trained) override {
        options_.rows_trained = &rows_trained;
        const Data<T> data = rows_.data();
        std::optional<Data<T>> held_out;
        if (validation_) held_out = validation_->data();
        const Index epochs = std::min(options_.epochs, options_.pause) - options_.first_epoch;
        return {.seconds = network_.training_seconds(options_.batch_size) * double(epochs) *
                           double(ceil_div(data.rows, options_.batch_size)),
                .max_time = options_.max_time,
                .train = [this, data, held_out](Monitor& monitor, BorrowedThreads& borrowed) {
                    options_.borrowed = &borrowed;
                    result_ =
                        network_.compute.train(network_, data, held_out, options_, state_, monitor, calls_);
                    return python_.raised();
                }};
    }

    py::tuple result() const override {
        return py::make_tuple(record_table(result_.records),
                              std::string(kStopReasons[std::size_t(result_.reason)]), python_.exception(),
                              py::none());
    }

private:
    BoundNetwork<T>& network_;
    const DataArrays<T> rows_;
    const std::optional<DataArrays<T>> validation_;
    TrainOptions options_;
    RunState<T>* const state_;
    Callbacks<T> calls_;
    TrainResult result_{};
};

class LbfgsRunOfMany : public BoundRun {
public:
    LbfgsRunOfMany(BoundNetwork<double>& network, DataArrays<double> rows, const TrainOptions& options,
                   const LbfgsOptions& limits, const py::object& on_epoch)
        : network_(network), rows_(std::move(rows)), options_(options), limits_(limits) {
        calls_.on_epoch = epoch_call(python_, on_epoch);
    }

    RunAmongMany scheduled(std::atomic<Index>&) override {
        const Data<double> data = rows_.data();
        return {.seconds = network_.training_seconds(data.rows) * double(limits_.maxiter),
                .max_time = options_.max_time,
                .train = [this, data](Monitor& monitor, BorrowedThreads& borrowed) {
                    options_.borrowed = &borrowed;
                    result_ = network_.core.minimize(network_, data, options_, limits_, monitor, calls_);
                    return python_.raised();
                }};
    }

    py::tuple result() const override {
        return py::make_tuple(record_table(result_.records),
                              std::string(kStopReasons[std::size_t(result_.reason)]), python_.exception(),
                              minimum_of(result_));
    }

private:
    BoundNetwork<double>& network_;
    const DataArrays<double> rows_;
    TrainOptions options_;
    const LbfgsOptions limits_;
    Callbacks<double> calls_;
    LbfgsResult result_{};
};

// (network, rows, validation or None, options, limits of L-BFGS or None, on_epoch or None, draw_order or
// None, state or None)
template <class T>
std::unique_ptr<BoundRun> bound_run(const py::tuple& run) {
    auto& network = run[0].cast<BoundNetwork<T>&>();
    auto rows = std::make_from_tuple<DataArrays<T>>(run[1].cast<typename DataArrays<T>::Tuple>());
    const auto& options = run[3].cast<const TrainOptions&>();
    const py::object on_epoch = run[5];
    if constexpr (std::is_same_v<T, double>)
        if (!run[4].is_none())
            return std::make_unique<LbfgsRunOfMany>(network, std::move(rows), options,
                                                    run[4].cast<const LbfgsOptions&>(), on_epoch);
    std::optional<DataArrays<T>> validation;
    if (!run[2].is_none())
        validation = std::make_from_tuple<DataArrays<T>>(run[2].cast<typename DataArrays<T>::Tuple>());
    return std::make_unique<DescentRun<T>>(network, std::move(rows), std::move(validation), options, on_epoch,
                                           run[6], run[7].cast<CarriedState<T>*>());
}

py::object as_exception(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::bad_alloc&) {
        return py::reinterpret_borrow<py::object>(PyExc_MemoryError)("not enough memory to train it");
    } catch (const std::exception& e) {
        return py::reinterpret_borrow<py::object>(PyExc_RuntimeError)(e.what());
    }
}

// Appends a result for each run: see BoundRun::result, an exception of the core, or None where it was not
// begun. Returns what a signal or on_progress raised, or None. (A signal that comes last raises as this
// function returns: what it had returned would be lost.)
py::object train_many(const py::list& runs, int threads, double max_time, const py::object& on_progress,
                      py::list& results) {
    std::vector<std::unique_ptr<BoundRun>> bound;
    for (const py::handle item : runs) {
        const auto run = item.cast<py::tuple>();
        bound.push_back(py::isinstance<BoundNetwork<float>>(run[0]) ? bound_run<float>(run)
                                                                    : bound_run<double>(run));
    }
    std::atomic<Index> rows_trained{0}, done{0};
    std::vector<RunAmongMany> scheduled;
    for (const auto& run : bound) scheduled.push_back(run->scheduled(rows_trained));

    PythonCalls python;
    const std::function<bool()> signalled = python.interrupted();
    const auto interrupted = [&] {
        return signalled() || (!on_progress.is_none() && python.stops([&] {
                   on_progress(done.load(), rows_trained.load());
                   return false;
               }));
    };
    {
        const WithoutGil released;
        core_in_use().train_many(scheduled, {.threads = threads, .max_time = max_time, .done = &done},
                                 interrupted);
    }
    for (std::size_t i = 0; i < bound.size(); ++i) {
        if (scheduled[i].error)
            results.append(as_exception(scheduled[i].error));
        else if (scheduled[i].begun)
            results.append(bound[i]->result());
        else
            results.append(py::none());
    }
    return python.exception();
}

}  // namespace

void bind_many(py::module_& m) {
    m.def("train_many", train_many, py::arg("runs"), py::arg("threads"), py::arg("max_time"),
          py::arg("on_progress"), py::arg("results"));
}

}  // namespace fastmlp
