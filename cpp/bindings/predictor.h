// Predictions as Python calls them: for any number of rows, and with as little overhead as can be for a few.
#pragma once

#include "arrays.h"
#include "python_calls.h"

namespace fastmlp {

// Below this work the GIL is kept: others are kept waiting no longer than by a few lines of Python.
constexpr double kFewFlops = 2e6;

template <class T>
class BoundPredictor {
public:
    explicit BoundPredictor(const BoundNetwork<T>& network)
        : BoundPredictor(network, network.compute.predictor(network), network.forward_flops(1)) {}

    // Of several networks, which read the same columns and codes as this one.
    BoundPredictor(const BoundNetwork<T>& network, std::shared_ptr<Predictor<T>> predictor, double row_flops)
        : network_(network), predictor_(std::move(predictor)), row_flops_(row_flops) {}

    Array<T> forward(const FeatureArrays<T>& X, int threads) {
        const auto [rows, n] = features(X);
        Array<T> out({n, network_.outputs()});
        without_gil(rows, n, out.mutable_data(), threads);
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
        if (Py_TYPE(x.ptr()) != py::detail::npy_api::get().PyArray_Type_ || !Array<T>::check_(x))
            return py::none();
        const auto X = py::reinterpret_borrow<Array<T>>(x);
        if (X.ndim() != 2 || X.shape(1) != network_.inputs()) return py::none();
        const Index rows = X.shape(0);
        if (double(rows) * row_flops_ > kFewFlops ||
            network_.compute.first_nonfinite(X.data(), X.size(), 1) >= 0 ||
            network_.first_unknown_code(X.data(), rows) >= 0)
            return py::none();
        Array<T> out({rows, network_.outputs()});
        predictor_->forward_few(X.data(), rows, out.mutable_data());
        if (network_.compute.first_nonfinite(out.data(), out.size(), 1) >= 0) return py::none();
        return out;
    }

    Array<T> refuse(const py::object& x) const {
        throw py::type_error("x must be " + accepted() + ", got " + py::repr(x).cast<std::string>());
    }

private:
    void run(const T* X, Index rows, T* out) {
        if (double(rows) * row_flops_ <= kFewFlops) return predictor_->forward_few(X, rows, out);
        without_gil({X, network_.inputs()}, rows, out, 1);
    }

    void without_gil(const Features<T>& X, Index rows, T* out, int threads) {
        PythonCalls python;
        Monitor monitor(python.interrupted());
        {
            const WithoutGil released;
            predictor_->forward(X, rows, out, threads, monitor);
        }
        python.rethrow();
    }

    std::string accepted() const {
        const std::string inputs = std::to_string(network_.inputs());
        return std::string("a C-contiguous ") + (sizeof(T) == 4 ? "float32" : "float64") +
               " array of shape (" + inputs + ",) or (rows, " + inputs + ")";
    }

    const BoundNetwork<T>& network_;
    std::shared_ptr<Predictor<T>> predictor_;
    double row_flops_;  // of all networks
};

}  // namespace fastmlp
