// L-BFGS.
#include "arrays.h"
#include "records.h"

namespace fastmlp {

namespace {

// (records [iterations, 8], stop reason, exception raised by a callback or a signal or None, (what ended
// L-BFGS or None, loss, largest component of the gradient, evaluations))
py::tuple minimize(BoundNetwork<double>& network, const DataArrays<double>& rows, const TrainOptions& options,
                   const LbfgsOptions& lbfgs, const py::object& on_epoch) {
    if (lbfgs.maxcor < 1) throw py::value_error("maxcor must be at least 1");
    PythonCalls python;
    const Data<double> data = rows.data();
    Callbacks<double> calls;
    calls.on_epoch = epoch_call(python, on_epoch);
    Monitor monitor(python.interrupted());
    const LbfgsResult result = [&] {
        const WithoutGil released;
        return network.core.minimize(network, data, options, lbfgs, monitor, calls);
    }();
    py::object end = py::none();
    if (result.end) end = py::str(std::string(kLbfgsEnds[std::size_t(*result.end)]));
    return py::make_tuple(record_table(result.records), std::string(kStopReasons[std::size_t(result.reason)]),
                          python.exception(),
                          py::make_tuple(end, result.loss, result.largest_component, result.evaluations));
}

}  // namespace

// The network's method minimize.
void bind_lbfgs(py::module_& m, const char* network) {
    using Labels = std::optional<Array<std::int32_t>>;
    using Values = std::optional<Array<double>>;
    const auto method = [](BoundNetwork<double>& self, FeatureArrays<double> x, Labels y, Values v, Values w,
                           const TrainOptions& options, const py::object& on_epoch, Index maxcor, double ftol,
                           double gtol, Index maxiter, Index maxfun, double largest_parameter) {
        const LbfgsOptions lbfgs{maxcor, ftol, gtol, maxiter, maxfun, largest_parameter};
        return minimize(self, DataArrays<double>{x, y, v, w}, options, lbfgs, on_epoch);
    };
    const LbfgsOptions by_default;
    const py::object type = m.attr(network);
    type.attr("minimize") = py::cpp_function(
        method, py::is_method(type), py::name("minimize"), py::arg("X").noconvert(),
        py::arg("labels").noconvert(), py::arg("values").noconvert(), py::arg("weights").noconvert(),
        py::arg("options"), py::arg("on_epoch"), py::kw_only(), py::arg("maxcor") = by_default.maxcor,
        py::arg("ftol") = by_default.ftol, py::arg("gtol") = by_default.gtol,
        py::arg("maxiter") = by_default.maxiter, py::arg("maxfun") = by_default.maxfun,
        py::arg("largest_parameter") = by_default.largest_parameter);
}

}  // namespace fastmlp
