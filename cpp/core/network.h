// A multilayer perceptron: its shapes and its one flat parameter buffer.
#pragma once

#include <vector>

#include "losses.h"
#include "random.h"

namespace fastmlp {

struct Architecture {
    std::vector<Index> sizes;             // I, hidden widths, O
    std::vector<Activation> activations;  // one a layer, the last is the output activation
    Loss loss = Loss::squared_error;
    std::vector<double> loss_parameters = {};  // one an output: delta of huber, q of quantile
    double l2 = 0;

    Index layers() const { return Index(sizes.size()) - 1; }
};

struct Layer {
    Index inputs, outputs;  // W is [inputs, outputs]
    Activation activation;
    Index weights, biases;  // where W and b begin in the flat buffer
};

enum class InitKind { zeros, normal, uniform };
inline constexpr std::array<std::pair<std::string_view, InitKind>, 3> kInitKinds{{
    {"zeros", InitKind::zeros},
    {"normal", InitKind::normal},
    {"uniform", InitKind::uniform},
}};

// W0, b0, W1, b1, .. end to end in one aligned array. A run keeps them in panels (layout.h).
template <class T>
class Network {
public:
    explicit Network(Architecture architecture) : architecture_(std::move(architecture)) {
        Index offset = 0;
        for (Index l = 0; l < architecture_.layers(); ++l) {
            const auto at = std::size_t(l);
            const Index I = architecture_.sizes[at], O = architecture_.sizes[at + 1];
            // Losses that take logits bring the output activation with them; the layer itself stays at z.
            const bool logits = l + 1 == architecture_.layers() && takes_logits(architecture_.loss);
            const Activation activation = logits ? Activation::identity : architecture_.activations[at];
            layers_.push_back({I, O, activation, offset, offset + I * O});
            offset += I * O + O;
        }
        parameters_ = AlignedBuffer<T>(offset);
        loss_parameters_.assign(architecture_.loss_parameters.begin(), architecture_.loss_parameters.end());
        loss_parameters_.resize(std::size_t(outputs()));
    }

    const Architecture& architecture() const { return architecture_; }
    const std::vector<Layer>& layers() const { return layers_; }
    const Layer& output_layer() const { return layers_.back(); }
    T* parameters() const { return parameters_.data(); }
    Index parameter_count() const { return parameters_.size(); }
    const T* loss_parameters() const { return loss_parameters_.data(); }
    Index inputs() const { return layers_.front().inputs; }
    Index outputs() const { return layers_.back().outputs; }

    // Multiply-adds count twice; forward, backward and gradient products cost the same. Of the first layer's
    // only those with entries of X are made, but its update costs as much as the products of kUpdateRows
    // rows.
    double forward_flops(Index rows, double density = 1) const {
        const double missing = (1 - density) * double(inputs()) * double(layers_.front().outputs);
        return 2.0 * double(rows) * (double(parameter_count()) - missing);
    }
    double training_flops(Index rows, double density = 1) const {
        constexpr double kUpdateRows = 4;
        return 3 * forward_flops(rows, std::min(density + kUpdateRows / double(rows), 1.0));
    }

    // Fills W of one layer with std * normal or scale * (2u - 1) numbers, row by row; b with zeros.
    void initialize(Index layer, InitKind kind, double scale, std::uint64_t seed) {
        const Layer& shape = layers_[std::size_t(layer)];
        RandomSequence random(seed, Stream::init, std::uint32_t(layer));
        T* W = parameters() + shape.weights;
        T* b = parameters() + shape.biases;
        for (Index i = 0; i < shape.inputs * shape.outputs; ++i) {
            if (kind == InitKind::zeros) W[i] = 0;
            if (kind == InitKind::normal) W[i] = T(scale * random.normal());
            if (kind == InitKind::uniform) W[i] = T(scale * (2 * random.uniform() - 1));
        }
        std::fill(b, b + shape.outputs, T(0));
    }

private:
    Architecture architecture_;
    std::vector<Layer> layers_;
    AlignedBuffer<T> parameters_;
    std::vector<T> loss_parameters_;
};

}  // namespace fastmlp
