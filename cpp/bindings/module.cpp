// The extension module of one instruction set: its table of contents.
#include "bindings.h"
#include "core/losses.h"
#include "core/parallel.h"

namespace py = pybind11;

PYBIND11_MODULE(FASTMLP_MODULE, m, py::mod_gil_not_used()) {
    using namespace fastmlp;
    watch_forks();
    m.attr("ACTIVATIONS") = names(kActivations);
    m.attr("LOSSES") = names(kLosses);
    bind_config(m);
    bind_random(m);
    bind_options(m);
    bind_network<float>(m, "Network32");
    bind_network<double>(m, "Network64");
    bind_predictor<float>(m, "Predictor32");
    bind_predictor<double>(m, "Predictor64");
}
