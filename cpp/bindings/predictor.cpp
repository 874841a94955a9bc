// The predictor of a network.
#include "predictor.h"

namespace fastmlp {

template <class T>
void bind_predictor(py::module_& m, const char* name) {
    py::class_<BoundPredictor<T>>(m, name)
        .def(py::init<const BoundNetwork<T>&>(), py::arg("network"), py::keep_alive<1, 2>())
        .def("__call__", &BoundPredictor<T>::operator(), py::arg("x").noconvert())
        .def("__call__", &BoundPredictor<T>::refuse, py::arg("x"))
        .def("try_forward", &BoundPredictor<T>::try_forward, py::arg("X"))
        .def("forward", &BoundPredictor<T>::forward, py::arg("X").noconvert(), py::arg("threads"));
}

template void bind_predictor<float>(py::module_&, const char*);
template void bind_predictor<double>(py::module_&, const char*);

}  // namespace fastmlp
