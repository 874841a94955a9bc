// Loss, gradient and every number of a pass over a set of rows.
#include "arrays.h"
#include "python_calls.h"

namespace fastmlp {

namespace {

// The rows are held as long as they are looked at.
template <class T>
class BoundFullBatch {
public:
    BoundFullBatch(const BoundNetwork<T>& network, DataArrays<T> rows, int threads)
        : network_(network), rows_(std::move(rows)) {
        const Data<T> data = rows_.data();
        const WithoutGil released;
        batch_ = network.compute.full_batch(network, data, threads);
    }

    // (loss, gradient)
    py::tuple loss_and_gradient() {
        Array<T> gradient(network_.parameter_count());
        T* const out = gradient.mutable_data();
        PythonCalls python;
        Monitor monitor(python.interrupted());
        double loss;
        {
            const WithoutGil released;
            loss = batch_->loss_and_gradient(out, monitor);
        }
        python.rethrow();
        return py::make_tuple(loss, gradient);
    }

    // (loss, gradient, z of each layer, a of the inputs and of each layer, delta of each layer)
    py::tuple trace() {
        if (std::holds_alternative<SparseArrays<T>>(rows_.X)) throw py::value_error("trace needs dense rows");
        const py::tuple result = loss_and_gradient();
        const Index n = rows_.data().rows;
        const std::vector<Layer>& layers = network_.layers();
        py::list z, a, delta;
        a.append(copied(n, layers.front().inputs, [&](T* out) { batch_->copy_a(0, out); }));
        for (Index l = 1; l <= Index(layers.size()); ++l) {
            const Index width = layers[std::size_t(l - 1)].outputs;
            z.append(copied(n, width, [&](T* out) { batch_->copy_z(l, out); }));
            a.append(copied(n, width, [&](T* out) { batch_->copy_a(l, out); }));
            delta.append(copied(n, width, [&](T* out) { batch_->copy_delta(l, out); }));
        }
        return py::make_tuple(result[0], result[1], z, a, delta);
    }

private:
    template <class Copy>
    static Array<T> copied(Index n, Index width, const Copy& copy) {
        Array<T> out({n, width});
        copy(out.mutable_data());
        return out;
    }

    const BoundNetwork<T>& network_;
    DataArrays<T> rows_;
    std::unique_ptr<FullBatch<T>> batch_;
};

}  // namespace

// FullBatch, and the network's method full_batch that makes one.
template <class T>
void bind_full_batch(py::module_& m, const char* name, const char* network) {
    using Labels = std::optional<Array<std::int32_t>>;
    using Values = std::optional<Array<T>>;
    py::class_<BoundFullBatch<T>>(m, name)
        .def("loss_and_gradient", &BoundFullBatch<T>::loss_and_gradient)
        .def("trace", &BoundFullBatch<T>::trace);
    const auto make = [](const BoundNetwork<T>& self, FeatureArrays<T> x, Labels y, Values v, Values w,
                         int threads) {
        return std::make_unique<BoundFullBatch<T>>(self, DataArrays<T>{x, y, v, w}, threads);
    };
    const py::object type = m.attr(network);
    type.attr("full_batch") =
        py::cpp_function(make, py::is_method(type), py::name("full_batch"), py::keep_alive<0, 1>(),
                         py::arg("X").noconvert(), py::arg("labels").noconvert(),
                         py::arg("values").noconvert(), py::arg("weights").noconvert(), py::arg("threads"));
}

template void bind_full_batch<float>(py::module_&, const char*, const char*);
template void bind_full_batch<double>(py::module_&, const char*, const char*);

}  // namespace fastmlp
