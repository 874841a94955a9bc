// L-BFGS.
#include "arrays.h"
#include "exchange.h"
#include "records.h"

namespace fastmlp {

namespace {

// (records [iterations, 8], stop reason, exception raised by a callback or a signal or None, (what ended
// L-BFGS or None, loss, largest component of the gradient, evaluations))
py::tuple minimize(BoundNetwork<double>& network, const DataArrays<double>& rows, TrainOptions options,
                   const LbfgsOptions& lbfgs, const py::object& on_epoch, const py::object& processes) {
    PythonCalls python;
    std::optional<PythonExchange> exchange;
    if (!processes.is_none()) options.exchange = &exchange.emplace(python, processes);
    const Data<double> data = rows.data();
    Callbacks<double> calls;
    calls.on_epoch = epoch_call(python, on_epoch);
    Monitor monitor(python.interrupted());
    const LbfgsResult result = [&] {
        const WithoutGil released;
        return network.core.minimize(network, data, options, lbfgs, monitor, calls);
    }();
    return py::make_tuple(record_table(result.records), std::string(kStopReasons[std::size_t(result.reason)]),
                          python.exception(), minimum_of(result));
}

}  // namespace

// The network's method minimize.
void bind_lbfgs(py::module_& m, const char* network) {
    using Labels = std::optional<Array<std::int32_t>>;
    using Values = std::optional<Array<double>>;
    using Places = std::optional<Array<std::uint32_t>>;
    const auto method = [](BoundNetwork<double>& self, FeatureArrays<double> x, Labels y, Values v, Values w,
                           Places index, const TrainOptions& options, const LbfgsOptions& lbfgs,
                           const py::object& on_epoch, const py::object& processes) {
        return minimize(self, DataArrays<double>{x, y, v, w, index}, options, lbfgs, on_epoch, processes);
    };
    const py::object type = m.attr(network);
    type.attr("minimize") =
        py::cpp_function(method, py::is_method(type), py::name("minimize"), py::arg("X").noconvert(),
                         py::arg("labels").noconvert(), py::arg("values").noconvert(),
                         py::arg("weights").noconvert(), py::arg("index").noconvert(), py::arg("options"),
                         py::arg("limits"), py::arg("on_epoch"), py::arg("processes") = py::none());
}

}  // namespace fastmlp
