// Networks, and their training.
#include "arrays.h"
#include "carried_state.h"
#include "exchange.h"
#include "records.h"

namespace fastmlp {

namespace {

template <class T>
BoundNetwork<T> make_network(const std::vector<Index>& sizes, const std::vector<std::string>& activations,
                             const std::string& loss, const std::vector<double>& loss_parameters, double l2,
                             const std::vector<std::tuple<Index, Index, Index>>& embeddings,
                             const std::vector<std::tuple<Index, Index, Index>>& periodic, bool input_scale,
                             bool parametric) {
    Architecture architecture{.sizes = sizes,
                              .activations = {},
                              .loss = named(kLosses, loss),
                              .loss_parameters = loss_parameters,
                              .l2 = l2};
    for (const auto& [column, codes, width] : embeddings)
        architecture.embeddings.push_back({column, codes, width});
    for (const auto& [column, frequencies, width] : periodic)
        architecture.periodic.push_back({column, frequencies, width});
    architecture.input_scale = input_scale;
    architecture.parametric = parametric;
    for (const std::string& name : activations) architecture.activations.push_back(named(kActivations, name));
    return BoundNetwork<T>(std::move(architecture));
}

// The rows of a window that Python has read: as wide as those before, no more of them, and with targets of
// the same kind.
template <class T>
Data<T> window_data(const DataArrays<T>& window, const DataArrays<T>& shapes) {
    const auto X = std::get<Array<T>>(window.X), like = std::get<Array<T>>(shapes.X);
    if (X.shape(0) > like.shape(0) || X.shape(1) != like.shape(1) ||
        window.labels.has_value() != shapes.labels.has_value() ||
        window.values.has_value() != shapes.values.has_value() ||
        window.weights.has_value() != shapes.weights.has_value())
        throw py::value_error("next_window must return rows like those that train was given");
    return window.data();
}

// What a run calls; `window` holds the rows that it has in hand.
template <class T>
Callbacks<T> python_calls(PythonCalls& python, const py::object& on_epoch, const py::object& draw_order,
                          const py::object& next_window, const py::object& on_state,
                          const DataArrays<T>& rows, DataArrays<T>& window) {
    Callbacks<T> calls;
    calls.on_epoch = epoch_call(python, on_epoch);
    if (!on_state.is_none())
        calls.on_state = [&] {
            return python.stops([&] {
                on_state();
                return false;
            });
        };
    calls.draw_order = order_call(python, draw_order, rows.data().rows);
    if (!next_window.is_none())
        calls.next_window = [&] {
            std::optional<Data<T>> data;
            python.stops([&] {
                window = std::make_from_tuple<DataArrays<T>>(
                    next_window().template cast<typename DataArrays<T>::Tuple>());
                data = window_data(window, rows);
                return false;
            });
            return data;
        };
    return calls;
}

// (records [epochs, 8], stop reason, exception raised by a callback or a signal or None)
template <class T>
py::tuple train(BoundNetwork<T>& network, const DataArrays<T>& rows,
                const std::optional<DataArrays<T>>& validation, TrainOptions options,
                const py::object& on_epoch, CarriedState<T>* carried, const py::object& draw_order,
                const py::object& next_window, const py::object& on_state, const py::object& processes) {
    PythonCalls python;
    std::optional<PythonExchange> exchange;
    if (!processes.is_none()) options.exchange = &exchange.emplace(python, processes);
    const Data<T> data = rows.data();
    std::optional<Data<T>> held_out;
    if (validation) held_out = validation->data();
    if (carried && carried->s1.size() != network.parameter_count())
        throw py::value_error("state must have arrays of n_parameters numbers");
    DataArrays<T> window = rows;
    const auto calls = python_calls(python, on_epoch, draw_order, next_window, on_state, rows, window);
    Monitor monitor(python.interrupted(), options.max_time);
    TrainResult result;
    {
        const WithoutGil released;
        result = network.compute.train(network, data, held_out, options, carried ? &carried->state : nullptr,
                                       monitor, calls);
    }
    return py::make_tuple(record_table(result.records), std::string(kStopReasons[std::size_t(result.reason)]),
                          python.exception());
}

template <class T>
void bind_run_state(const py::handle& scope) {
    py::class_<CarriedState<T>>(scope, "RunState")
        .def(py::init<Array<T>, Array<T>, Index, std::optional<Array<T>>, std::optional<Array<T>>>(),
             py::arg("s1").noconvert(), py::arg("s2").noconvert(), py::arg("steps") = 0,
             py::arg("best").noconvert() = py::none(), py::arg("current").noconvert() = py::none())
        .def_readonly("s1", &CarriedState<T>::s1)
        .def_readonly("s2", &CarriedState<T>::s2)
        .def_readonly("best", &CarriedState<T>::best)
        .def_property_readonly("steps", [](const CarriedState<T>& self) { return self.state.steps; })
        .def_property_readonly("epoch", [](const CarriedState<T>& self) { return self.state.epoch; })
        .def_property("progress", &CarriedState<T>::progress, &CarriedState<T>::set_progress);
}

template <class T>
void draw_layer(BoundNetwork<T>& network, Index layer, const std::string& kind, double scale,
                std::uint64_t seed, int threads) {
    const InitKind init = named(kInitKinds, kind);
    interruptible([&](Monitor& monitor) {
        network.compute.initialize(network, layer, init, scale, {seed, threads, &monitor});
    });
}

template <class T>
void draw_table(BoundNetwork<T>& network, Index number, double scale, std::uint64_t seed, int threads) {
    interruptible([&](Monitor& monitor) {
        network.compute.initialize_table(network, number, scale, {seed, threads, &monitor});
    });
}

template <class T>
void draw_periodic(BoundNetwork<T>& network, Index number, std::uint64_t seed, int threads) {
    interruptible([&](Monitor& monitor) {
        network.compute.initialize_periodic(network, number, {seed, threads, &monitor});
    });
}

}  // namespace

template <class T>
void bind_network(py::module_& m, const char* name) {
    using Labels = std::optional<Array<std::int32_t>>;
    using Values = std::optional<Array<T>>;
    const auto X = py::arg("X").noconvert(), labels = py::arg("labels").noconvert(),
               values = py::arg("values").noconvert(), weights = py::arg("weights").noconvert();
    py::class_<BoundNetwork<T>> bound(m, name);
    bind_run_state<T>(bound);
    bound
        .def(py::init(&make_network<T>), py::arg("sizes"), py::arg("activations"), py::arg("loss"),
             py::arg("loss_parameters"), py::arg("l2"), py::arg("embeddings") = py::tuple(),
             py::arg("periodic") = py::tuple(), py::arg("input_scale") = false, py::arg("parametric") = false)
        .def_property_readonly("parameters",
                               [](py::object self) {
                                   auto& network = self.cast<BoundNetwork<T>&>();
                                   return Array<T>({network.parameter_count()}, {sizeof(T)},
                                                   network.parameters(), self);
                               })
        .def("initialize", draw_layer<T>, py::arg("layer"), py::arg("kind"), py::arg("scale"),
             py::arg("seed"), py::arg("threads") = 1)
        .def("initialize_table", draw_table<T>, py::arg("number"), py::arg("scale"), py::arg("seed"),
             py::arg("threads") = 1)
        .def("initialize_periodic", draw_periodic<T>, py::arg("number"), py::arg("seed"),
             py::arg("threads") = 1)
        .def(
            "first_unknown_code",
            [](const BoundNetwork<T>& self, Array<T> x) {
                return self.first_unknown_code(x.data(), x.shape(0));
            },
            py::arg("X").noconvert())
        .def(
            "train",
            [](BoundNetwork<T>& self, FeatureArrays<T> x, Labels y, Values v, Values w,
               std::optional<Array<std::uint32_t>> index,
               const std::optional<typename DataArrays<T>::Tuple>& validation, const TrainOptions& options,
               const py::object& on_epoch, CarriedState<T>* state, const py::object& draw_order,
               const py::object& next_window, const py::object& on_state, const py::object& processes) {
                std::optional<DataArrays<T>> held_out;
                if (validation) held_out = std::make_from_tuple<DataArrays<T>>(*validation);
                return train(self, DataArrays<T>{x, y, v, w, index}, held_out, options, on_epoch, state,
                             draw_order, next_window, on_state, processes);
            },
            X, labels, values, weights, py::arg("index").noconvert(), py::arg("validation"),
            py::arg("options"), py::arg("on_epoch"), py::arg("state") = py::none(),
            py::arg("draw_order") = py::none(), py::arg("next_window") = py::none(),
            py::arg("on_state") = py::none(), py::arg("processes") = py::none());
}

template void bind_network<float>(py::module_&, const char*);
template void bind_network<double>(py::module_&, const char*);

}  // namespace fastmlp
