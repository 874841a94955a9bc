// A multilayer perceptron: its shapes and its one flat parameter buffer.
#pragma once

#include <cmath>
#include <vector>

#include "core/base/memory.h"
#include "core/model/inputs.h"

namespace fastmlp {

struct Layer {
    Index inputs, outputs;  // W is [inputs, outputs]
    Activation activation;
    Index weights, biases;  // where W and b begin in the flat buffer
};

// The parameters besides W and b, an array each. Tables are penalised and decayed as W is, others are not.
enum class ArrayKind { table, periodic, scale, alpha };
struct ParameterArray {
    ArrayKind kind;
    Index begin, size;  // in the flat buffer
};

// W0, b0, W1, b1, .. and the arrays E0, E1, .., P0, P1, .., s, alpha_1, .., alpha_{L-1}, as far as there are
// any, end to end in one aligned array. A run keeps them in panels (layout.h).
template <class T>
class Network {
public:
    explicit Network(Architecture architecture)
        : architecture_(std::move(architecture)), input_block_(architecture_) {
        Index offset = 0;
        for (Index l = 0; l < architecture_.layers(); ++l) {
            const auto at = std::size_t(l);
            const Index I = l == 0 ? input_block_.width() : architecture_.sizes[at],
                        O = architecture_.sizes[at + 1];
            // Losses that take logits bring the output activation with them; the layer itself stays at z.
            const bool logits = l + 1 == architecture_.layers() && takes_logits(architecture_.loss);
            // So does one whose activation is parametric, until its rows are blended (kernel/parametric.h).
            const bool stays = logits || is_parametric(l + 1);
            const Activation activation = stays ? Activation::identity : architecture_.activations[at];
            layers_.push_back({I, O, activation, offset, offset + I * O});
            offset += I * O + O;
        }
        dense_parameters_ = offset;
        const auto add = [&](ArrayKind kind, Index size) {
            arrays_.push_back({kind, offset, size});
            offset += size;
        };
        for (const Table& table : tables()) add(ArrayKind::table, table.size());
        for (const PeriodicColumn& column : input_block_.periodic()) add(ArrayKind::periodic, column.size());
        if (architecture_.input_scale) add(ArrayKind::scale, input_block_.width());
        for (Index l = 1; is_parametric(l); ++l) add(ArrayKind::alpha, layers_[std::size_t(l - 1)].outputs);
        constexpr double kCosine = 40;  // operations
        for (const PeriodicColumn& p : input_block_.periodic())
            wave_flops_ += double(p.frequencies) * (kCosine + 2 * double(p.waves()));
        parameters_ = AlignedBuffer<T>(offset);
        for (const ParameterArray& array : arrays_)
            if (array.kind == ArrayKind::scale || array.kind == ArrayKind::alpha)
                std::fill_n(parameters() + array.begin, array.size, T(1));
        loss_parameters_.assign(architecture_.loss_parameters.begin(), architecture_.loss_parameters.end());
        loss_parameters_.resize(std::size_t(outputs()));
    }

    const Architecture& architecture() const { return architecture_; }
    const std::vector<Layer>& layers() const { return layers_; }
    const Layer& output_layer() const { return layers_.back(); }
    T* parameters() const { return parameters_.data(); }
    Index parameter_count() const { return parameters_.size(); }
    const T* loss_parameters() const { return loss_parameters_.data(); }
    const InputBlock& input_block() const { return input_block_; }
    const std::vector<Table>& tables() const { return input_block_.tables(); }
    const std::vector<ParameterArray>& arrays() const { return arrays_; }
    // Whether layer 1 .. L has a = z + alpha (f(z) - z), and f.
    bool is_parametric(Index layer) const {
        return architecture_.parametric && layer < architecture_.layers();
    }
    Activation activation(Index layer) const { return architecture_.activations[std::size_t(layer - 1)]; }
    Index inputs() const { return architecture_.sizes.front(); }  // columns of X
    Index outputs() const { return layers_.back().outputs; }

    // Multiply-adds count twice; forward, backward and gradient products cost the same. Of the first layer's
    // only those with entries of X are made, but its update costs as much as the products of kUpdateRows
    // rows.
    double forward_flops(Index rows, double density = 1) const {
        const double missing = (1 - density) * double(inputs()) * double(layers_.front().outputs);
        return 2.0 * double(rows) * (double(dense_parameters_) - missing) + double(rows) * wave_flops_;
    }
    double training_flops(Index rows, double density = 1) const {
        constexpr double kUpdateRows = 4;
        return 3 * forward_flops(rows, std::min(density + kUpdateRows / double(rows), 1.0));
    }

    // An upper estimate, for narrow layers, slow activations and dropout on one busy core.
    double training_seconds(Index rows) const {
        double width = 0;
        for (const Index size : architecture_.sizes) width += double(size);
        return training_flops(rows) * 5e-11 + double(rows) * width * 2e-8;
    }

    // The position of the first element of X [rows, inputs] that should be a code and is not; -1 if none.
    Index first_unknown_code(const T* X, Index rows) const {
        for (Index i = 0; i < rows && !tables().empty(); ++i)
            for (const Table& table : tables()) {
                const Index at = i * inputs() + table.column;
                if (!(X[at] >= 0 && X[at] < T(table.codes) && X[at] == std::floor(X[at]))) return at;
            }
        return -1;
    }

private:
    Architecture architecture_;
    InputBlock input_block_;
    std::vector<Layer> layers_;
    std::vector<ParameterArray> arrays_;
    Index dense_parameters_ = 0;
    double wave_flops_ = 0;  // of periodic columns, a row
    AlignedBuffer<T> parameters_;
    std::vector<T> loss_parameters_;
};

}  // namespace fastmlp
