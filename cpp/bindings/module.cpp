// The extension module _bindings: its table of contents. Each function is in the file of its name;
// bind_random is in core.cpp. A call of Network32.train goes to train() in network.cpp, and from there
// through the table of functions of the core in use (core/core.h) to Trainer::run.
#include "bindings.h"

PYBIND11_MODULE(_bindings, m, pybind11::mod_gil_not_used()) {
    using namespace fastmlp;
    m.attr("ACTIVATIONS") = names(kActivations);
    m.attr("LOSSES") = names(kLosses);
    bind_processor(m);
    bind_core(m);
    bind_random(m);
    bind_options(m);
    bind_network<float>(m, "Network32");
    bind_network<double>(m, "Network64");
    bind_full_batch<float>(m, "FullBatch32", "Network32");
    bind_full_batch<double>(m, "FullBatch64", "Network64");
    bind_lbfgs(m, "Network64");
    bind_many(m);
    bind_predictor<float>(m, "Predictor32");
    bind_predictor<double>(m, "Predictor64");
    bind_ensemble<float>(m, "Ensemble32");
    bind_ensemble<double>(m, "Ensemble64");
}
