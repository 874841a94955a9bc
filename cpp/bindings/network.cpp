// Networks and what can be done with them: forward, gradients, traces, training.
#include <mutex>
#include <variant>

#include "core/trainer.h"
#include "python_calls.h"

namespace fastmlp {

namespace {

// Rows of X: a matrix, or the values, columns and starts of one in CSR.
template <class T>
using SparseArrays = std::tuple<Array<T>, Array<std::int32_t>, Array<std::int64_t>>;
template <class T>
using FeatureArrays = std::variant<Array<T>, SparseArrays<T>>;

template <class T>
std::pair<Features<T>, Index> features(const FeatureArrays<T>& X) {
    if (const auto* dense = std::get_if<Array<T>>(&X))
        return {{dense->data(), dense->shape(1)}, dense->shape(0)};
    const auto& [values, columns, starts] = std::get<SparseArrays<T>>(X);
    return {{values.data(), 0, columns.data(), starts.data()}, starts.size() - 1};
}

// Rows of X with what they should give; exactly one of labels and values is an array.
template <class T>
struct Rows {
    FeatureArrays<T> X;
    std::optional<Array<std::int32_t>> labels;
    std::optional<Array<T>> values, weights;

    Data<T> data() const {
        Targets<T> targets;
        if (labels) targets.labels = labels->data();
        if (values) targets.values = values->data();
        if (weights) targets.weights = weights->data();
        const auto [matrix, n] = features(X);
        return {matrix, n, targets};
    }
};

template <class T>
Network<T> make_network(const std::vector<Index>& sizes, const std::vector<std::string>& activations,
                        const std::string& loss, const std::vector<double>& loss_parameters, double l2,
                        const std::vector<std::tuple<Index, Index, Index>>& embeddings) {
    Architecture architecture{sizes, {}, named(kLosses, loss), loss_parameters, l2};
    for (const auto& [column, codes, width] : embeddings)
        architecture.embeddings.push_back({column, codes, width});
    for (const std::string& name : activations) architecture.activations.push_back(named(kActivations, name));
    return Network<T>(std::move(architecture));
}

template <class T>
using RowArrays = std::tuple<FeatureArrays<T>, std::optional<Array<std::int32_t>>, std::optional<Array<T>>,
                             std::optional<Array<T>>>;

// All rows as one batch; Python may look at what it leaves behind.
template <class T>
struct WholeBatch {
    Backprop<T> backprop;
    Batch<T> batch;
    double loss = 0;
    Array<T> gradient;

    WholeBatch(const Network<T>& network, const Rows<T>& rows, int threads, PythonCalls& python)
        : WholeBatch(network, rows.data(), threads, python) {}

    WholeBatch(const Network<T>& network, const Data<T>& data, int threads, PythonCalls& python)
        : backprop(network, data.rows,
                   {.threads = threads, .entries = most_entries(data.X, data.rows, data.rows)}),
          batch{data.X, data.targets, nullptr, 0, data.rows},
          gradient(network.parameter_count()) {
        T* const out = gradient.mutable_data();
        Monitor monitor(python.interrupted());
        {
            const WithoutGil released;
            const AlignedBuffer<T> panels(backprop.layout().size());
            Update<T> into(backprop.parameters(), panels.data(), nullptr);
            into.l2 = T(network.architecture().l2);
            const double flops =
                network.training_flops(data.rows, data.X.density(data.rows, network.inputs()));
            run_team(worth_threads(flops, threads), &monitor, [&](const Team& team) {
                backprop.deltas(team, batch, 0);
                team.barrier();
                if (team.rank == 0) loss = backprop.loss(batch);
                backprop.gradients(team, batch, into, store_work<T>());
            });
            backprop.layout().unpack(panels.data(), out);
        }
        python.rethrow();
    }
};

template <class T>
py::tuple loss_and_gradient(const Network<T>& network, const Rows<T>& rows, int threads) {
    PythonCalls python;
    const WholeBatch<T> whole(network, rows, threads, python);
    return py::make_tuple(whole.loss, whole.gradient);
}

template <class T>
Array<T> copied(typename Backprop<T>::Rows rows, Index n, Index width) {
    Array<T> out({n, width});
    for (Index i = 0; i < n; ++i) std::copy_n(rows.data + i * rows.ld, width, out.mutable_data(i, 0));
    return out;
}

// (loss, gradient, z of each layer, a of the inputs and of each layer, delta of each layer)
template <class T>
py::tuple trace(const Network<T>& network, const Rows<T>& rows) {
    PythonCalls python;
    const WholeBatch<T> whole(network, rows, 1, python);
    const std::vector<WeightPanels<T>> weights = flat_weights(network).layers;
    const Index n = whole.batch.rows;
    const Index inputs = network.layers().front().inputs;
    py::list z, a, delta;
    a.append(copied<T>(whole.backprop.activations(0, whole.batch), n, inputs));
    for (Index l = 1; l <= network.architecture().layers(); ++l) {
        const Layer& layer = network.layers()[std::size_t(l - 1)];
        const auto below = whole.backprop.activations(l - 1, whole.batch);
        const Index ld = row_stride<T>(layer.outputs);
        const AlignedBuffer<T> sums(n * ld);
        const Product<T> product{below.data, below.ld, 1, n, layer.outputs, layer.inputs};
        forward_work<T>(Activation::identity)(product, weights[std::size_t(l - 1)],
                                              {sums.data(), nullptr, ld}, 0,
                                              TileGrid<T>::tiles(n, layer.outputs));
        z.append(copied<T>({sums.data(), ld}, n, layer.outputs));
        a.append(copied<T>(whole.backprop.activations(l, whole.batch), n, layer.outputs));
        delta.append(copied<T>(whole.backprop.delta(l), n, layer.outputs));
    }
    return py::make_tuple(whole.loss, whole.gradient, z, a, delta);
}

py::tuple record_row(const EpochRecord& r) {
    return py::make_tuple(r.epoch, r.loss, r.learning_rate, r.seconds, r.validation_loss, r.validation_score,
                          r.accuracy, r.penalty);
}

// What is carried from run to run, in arrays of Python's.
template <class T>
struct CarriedState {
    Array<T> s1, s2;
    std::optional<Array<T>> best;
    RunState<T> state;

    CarriedState(Array<T> moment1, Array<T> moment2, Index steps, std::optional<Array<T>> best_weights)
        : s1(std::move(moment1)), s2(std::move(moment2)), best(std::move(best_weights)) {
        if (s1.size() != s2.size() || (best && best->size() != s1.size()))
            throw py::value_error("s1, s2 and best must have one length");
        state = {s1.mutable_data(), s2.mutable_data(), steps, best ? best->mutable_data() : nullptr};
    }

    using Numbers = std::tuple<double, double, Index, bool, double, double, double>;
    Numbers progress() const {
        const auto& [loss, best_loss, epochs, candidate, rate] = state.progress;
        return {loss, best_loss, epochs, candidate, rate.rate, rate.best, rate.bad_epochs};
    }
    void set_progress(const Numbers& numbers) {
        const auto [loss, best_loss, epochs, candidate, rate, plateau, bad_epochs] = numbers;
        state.progress = {loss, best_loss, epochs, candidate, {rate, plateau, bad_epochs}};
    }
};

// What a callback returned: True to stop, False or None to go on, or a number, the learning rate from here
// on.
Wish as_wish(const py::object& result) {
    Wish wish;
    if (result.is(py::bool_(true)))
        wish.stop = StopReason::callback;
    else if (!result.is_none() && !result.is(py::bool_(false)))
        wish.learning_rate = result.cast<double>();
    return wish;
}

// Copies an order of all rows that Python drew.
void copy_order(const py::object& drawn, Index n, std::uint32_t* order) {
    const auto from = drawn.cast<Array<std::uint32_t>>();
    if (from.ndim() != 1 || from.shape(0) != n)
        throw py::value_error("draw_order must return an order of all rows");
    if (std::any_of(from.data(), from.data() + n, [n](std::uint32_t row) { return Index(row) >= n; }))
        throw py::value_error("draw_order returned the number of a row that is not there");
    std::copy_n(from.data(), n, order);
}

// The rows of a window that Python has read, which have the shapes of those before.
template <class T>
Data<T> window_data(const Rows<T>& window, const Rows<T>& shapes) {
    const auto X = std::get<Array<T>>(window.X), like = std::get<Array<T>>(shapes.X);
    if (X.shape(0) < 1 || X.shape(0) > like.shape(0) || X.shape(1) != like.shape(1) ||
        window.labels.has_value() != shapes.labels.has_value() ||
        window.values.has_value() != shapes.values.has_value() ||
        window.weights.has_value() != shapes.weights.has_value())
        throw py::value_error("next_window must return rows like those that train was given");
    return window.data();
}

// What a run calls; `window` holds the rows that it has in hand.
template <class T>
typename Trainer<T>::Calls python_calls(PythonCalls& python, const py::object& on_epoch,
                                        const py::object& draw_order, const py::object& next_window,
                                        const py::object& on_state, const Rows<T>& rows, Rows<T>& window) {
    typename Trainer<T>::Calls calls;
    if (!on_epoch.is_none())
        calls.on_epoch = [&](const EpochRecord& record) {
            Wish wish;
            const bool stopped = python.stops([&] {
                wish = as_wish(on_epoch(record_row(record)));
                return wish.stop.has_value();
            });
            if (stopped && !wish.stop) wish.stop = StopReason::interrupted;
            return wish;
        };
    if (!on_state.is_none())
        calls.on_state = [&] {
            return python.stops([&] {
                on_state();
                return false;
            });
        };
    if (!draw_order.is_none())
        calls.draw_order = [&](std::uint32_t* order) {
            return python.stops([&] {
                copy_order(draw_order(), rows.data().rows, order);
                return false;
            });
        };
    if (!next_window.is_none())
        calls.next_window = [&] {
            std::optional<Data<T>> data;
            python.stops([&] {
                window = std::make_from_tuple<Rows<T>>(next_window().template cast<RowArrays<T>>());
                data = window_data(window, rows);
                return false;
            });
            return data;
        };
    return calls;
}

// (records, stop reason, exception raised by a callback or a signal or None)
template <class T>
py::tuple train(Network<T>& network, const Rows<T>& rows, const std::optional<Rows<T>>& validation,
                const TrainOptions& options, const py::object& on_epoch, CarriedState<T>* carried,
                const py::object& draw_order, const py::object& next_window, const py::object& on_state) {
    PythonCalls python;
    const Data<T> data = rows.data();
    std::optional<Data<T>> held_out;
    if (validation) held_out = validation->data();
    if (carried && carried->s1.size() != network.parameter_count())
        throw py::value_error("state must have arrays of n_parameters numbers");
    Rows<T> window = rows;
    const auto calls = python_calls(python, on_epoch, draw_order, next_window, on_state, rows, window);
    std::optional<Trainer<T>> trainer;
    StopReason reason;
    {
        const WithoutGil released;
        Monitor monitor(python.interrupted(), options.max_time);
        trainer.emplace(network, data, held_out, options, carried ? &carried->state : nullptr);
        reason = trainer->run(monitor, calls);
    }
    py::list records;
    for (const EpochRecord& record : trainer->records()) records.append(record_row(record));
    return py::make_tuple(records, std::string(kStopReasons[std::size_t(reason)]), python.exception());
}

// Outputs for any number of rows, with buffers made once.
template <class T>
class Predictor {
public:
    explicit Predictor(const Network<T>& network) : network_(network) {}

    Array<T> forward(const FeatureArrays<T>& X, int threads) {
        const auto [rows, n] = features(X);
        Array<T> out({n, network_.outputs()});
        PythonCalls python;
        Monitor monitor(python.interrupted());
        {
            T* result = out.mutable_data();
            const WithoutGil released;
            // Whoever finds the buffers in use makes others: to wait for them would keep threads from
            // working.
            std::vector<ForwardPass<T>> others;
            const std::unique_lock lock(team_mutex_, std::try_to_lock);
            predict(network_, rows, n, result, threads, lock ? team_passes_ : others, monitor);
        }
        python.rethrow();
        return out;
    }

    Array<T> operator()(const Array<T>& x) {
        const bool one_row = x.ndim() == 1;
        if (x.ndim() < 1 || x.ndim() > 2 || x.shape(x.ndim() - 1) != network_.inputs())
            throw py::value_error("x must be " + accepted() + ", got " + std::to_string(x.ndim()) +
                                  " dimensions" +
                                  (x.ndim() ? ", the last of " + std::to_string(x.shape(x.ndim() - 1)) : ""));
        const Index rows = one_row ? 1 : x.shape(0);
        if (const Index at = network_.first_unknown_code(x.data(), rows); at >= 0)
            throw py::value_error("x has " + std::to_string(x.data()[at]) + " in column " +
                                  std::to_string(at % network_.inputs()) +
                                  ", which is not one of the column's codes");
        Array<T> out = one_row ? Array<T>(network_.outputs()) : Array<T>({rows, network_.outputs()});
        run(x.data(), rows, out.mutable_data());
        return out;
    }

    // The outputs of a few rows that need no conversion, as long as everything is finite; otherwise None.
    py::object try_forward(const py::object& x) {
        constexpr double kFewFlops = 2e6;
        if (Py_TYPE(x.ptr()) != py::detail::npy_api::get().PyArray_Type_ || !Array<T>::check_(x))
            return py::none();
        const auto X = py::reinterpret_borrow<Array<T>>(x);
        if (X.ndim() != 2 || X.shape(1) != network_.inputs()) return py::none();
        const Index rows = X.shape(0);
        if (network_.forward_flops(rows) > kFewFlops || first_nonfinite(X.data(), X.size()) >= 0 ||
            network_.first_unknown_code(X.data(), rows) >= 0)
            return py::none();
        Array<T> out({rows, network_.outputs()});
        run(X.data(), rows, out.mutable_data());
        if (first_nonfinite(out.data(), out.size()) >= 0) return py::none();
        return out;
    }

    Array<T> refuse(const py::object& x) const {
        throw py::type_error("x must be " + accepted() + ", got " + py::repr(x).cast<std::string>());
    }

private:
    void run(const T* X, Index rows, T* out) {
        constexpr Index kRows = ForwardPass<T>::kRows;
        const std::lock_guard lock(mutex_);
        if (!pass_) pass_.emplace(network_, flat_weights(network_)).make_room(false);
        for (Index i = 0; i < rows; i += kRows)
            pass_->run({X + i * network_.inputs(), network_.inputs()}, std::min(kRows, rows - i),
                       out + i * network_.outputs());
    }

    std::string accepted() const {
        const std::string inputs = std::to_string(network_.inputs());
        return std::string("a C-contiguous ") + (sizeof(T) == 4 ? "float32" : "float64") +
               " array of shape (" + inputs + ",) or (rows, " + inputs + ")";
    }

    const Network<T>& network_;
    std::optional<ForwardPass<T>> pass_;
    std::mutex mutex_;  // taken and given back under the GIL
    std::vector<ForwardPass<T>> team_passes_;
    std::mutex team_mutex_;
};

template <class T>
void bind_run_state(const py::handle& scope) {
    py::class_<CarriedState<T>>(scope, "RunState", py::module_local())
        .def(py::init<Array<T>, Array<T>, Index, std::optional<Array<T>>>(), py::arg("s1").noconvert(),
             py::arg("s2").noconvert(), py::arg("steps") = 0, py::arg("best").noconvert() = py::none())
        .def_readonly("s1", &CarriedState<T>::s1)
        .def_readonly("s2", &CarriedState<T>::s2)
        .def_readonly("best", &CarriedState<T>::best)
        .def_property_readonly("steps", [](const CarriedState<T>& self) { return self.state.steps; })
        .def_property_readonly("epoch", [](const CarriedState<T>& self) { return self.state.epoch; })
        .def_property("progress", &CarriedState<T>::progress, &CarriedState<T>::set_progress);
}

}  // namespace

template <class T>
void bind_network(py::module_& m, const char* name) {
    using Labels = std::optional<Array<std::int32_t>>;
    using Values = std::optional<Array<T>>;
    const auto X = py::arg("X").noconvert(), labels = py::arg("labels").noconvert(),
               values = py::arg("values").noconvert(), weights = py::arg("weights").noconvert();
    py::class_<Network<T>> bound(m, name, py::module_local());
    bind_run_state<T>(bound);
    bound
        .def(py::init(&make_network<T>), py::arg("sizes"), py::arg("activations"), py::arg("loss"),
             py::arg("loss_parameters"), py::arg("l2"), py::arg("embeddings") = py::tuple())
        .def_property_readonly("parameters",
                               [](py::object self) {
                                   auto& network = self.cast<Network<T>&>();
                                   return Array<T>({network.parameter_count()}, {sizeof(T)},
                                                   network.parameters(), self);
                               })
        .def(
            "initialize",
            [](Network<T>& self, Index layer, const std::string& kind, double scale, std::uint64_t seed) {
                self.initialize(layer, named(kInitKinds, kind), scale, seed);
            },
            py::arg("layer"), py::arg("kind"), py::arg("scale"), py::arg("seed"))
        .def("initialize_table", &Network<T>::initialize_table, py::arg("number"), py::arg("scale"),
             py::arg("seed"))
        .def(
            "first_unknown_code",
            [](const Network<T>& self, Array<T> x) { return self.first_unknown_code(x.data(), x.shape(0)); },
            py::arg("X").noconvert())
        .def(
            "loss_and_gradient",
            [](const Network<T>& self, FeatureArrays<T> x, Labels y, Values v, Values w, int threads) {
                return loss_and_gradient(self, Rows<T>{x, y, v, w}, threads);
            },
            X, labels, values, weights, py::arg("threads"))
        .def(
            "trace",
            [](const Network<T>& self, Array<T> x, Labels y, Values v, Values w) {
                return trace(self, Rows<T>{x, y, v, w});
            },
            X, labels, values, weights)
        .def(
            "train",
            [](Network<T>& self, FeatureArrays<T> x, Labels y, Values v, Values w,
               const std::optional<RowArrays<T>>& validation, const TrainOptions& options,
               const py::object& on_epoch, CarriedState<T>* state, const py::object& draw_order,
               const py::object& next_window, const py::object& on_state) {
                std::optional<Rows<T>> held_out;
                if (validation) held_out = std::make_from_tuple<Rows<T>>(*validation);
                return train(self, Rows<T>{x, y, v, w}, held_out, options, on_epoch, state, draw_order,
                             next_window, on_state);
            },
            X, labels, values, weights, py::arg("validation"), py::arg("options"), py::arg("on_epoch"),
            py::arg("state") = py::none(), py::arg("draw_order") = py::none(),
            py::arg("next_window") = py::none(), py::arg("on_state") = py::none());
}

template <class T>
void bind_predictor(py::module_& m, const char* name) {
    py::class_<Predictor<T>>(m, name, py::module_local())
        .def(py::init<const Network<T>&>(), py::arg("network"), py::keep_alive<1, 2>())
        .def("__call__", &Predictor<T>::operator(), py::arg("x").noconvert())
        .def("__call__", &Predictor<T>::refuse, py::arg("x"))
        .def("try_forward", &Predictor<T>::try_forward, py::arg("X"))
        .def("forward", &Predictor<T>::forward, py::arg("X").noconvert(), py::arg("threads"));
}

template void bind_network<float>(py::module_&, const char*);
template void bind_network<double>(py::module_&, const char*);
template void bind_predictor<float>(py::module_&, const char*);
template void bind_predictor<double>(py::module_&, const char*);

}  // namespace fastmlp
