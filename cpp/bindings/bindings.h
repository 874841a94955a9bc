// What the bindings share: pybind11 (included here and nowhere else), array types, the core in use, and one
// function for each group of names.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "core/core.h"

namespace fastmlp {

namespace py = pybind11;

// C-contiguous and of the right type: Python sees to that, so nothing is converted or copied here.
template <class T>
using Array = py::array_t<T, py::array::c_style>;

// The value of a name that Python has checked already.
template <class Table>
auto named(const Table& table, std::string_view name) {
    const auto entry = find_name(table, name);
    if (entry == table.end()) throw py::value_error("unknown name: " + std::string(name));
    return entry->second;
}

template <class Table>
py::tuple names(const Table& table) {
    py::list list;
    for (const auto& entry : table) list.append(std::string(entry.first));
    return py::tuple(list);
}

// The core of the instruction set in use.
const Core& core_in_use();

// A network, and the core that was in use when it was made: it goes on computing for it.
template <class T>
struct BoundNetwork : Network<T> {
    explicit BoundNetwork(Architecture architecture)
        : Network<T>(std::move(architecture)), core(core_in_use()), compute(core.of<T>()) {}
    const Core& core;
    const Computations<T>& compute;
};

void bind_processor(py::module_& m);
void bind_core(py::module_& m);
void bind_options(py::module_& m);
void bind_random(py::module_& m);
template <class T>
void bind_network(py::module_& m, const char* name);
template <class T>
void bind_full_batch(py::module_& m, const char* name, const char* network);
void bind_lbfgs(py::module_& m, const char* network);
void bind_many(py::module_& m);
template <class T>
void bind_predictor(py::module_& m, const char* name);
template <class T>
void bind_ensemble(py::module_& m, const char* name);

}  // namespace fastmlp
