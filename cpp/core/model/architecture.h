// The choices that make a network, and their names.
#pragma once

#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/types.h"

namespace fastmlp {

// One entry for each activation: its name, and its functions in activations.h. The last two belong to a loss,
// which takes z and brings them along: softmax to softmax_cross_entropy, exp to poisson. In a layer they
// stand for z.
#define FASTMLP_ACTIVATIONS(X) \
    X(identity, Identity)      \
    X(relu, Relu)              \
    X(leaky_relu, LeakyRelu)   \
    X(elu, Elu)                \
    X(selu, Selu)              \
    X(gelu, Gelu)              \
    X(silu, Silu)              \
    X(mish, Mish)              \
    X(softplus, Softplus)      \
    X(tanh, Tanh)              \
    X(sigmoid, Sigmoid)        \
    X(softmax, Identity)       \
    X(exp, Identity)

#define FASTMLP_ENUMERATOR(name, functions) name,
enum class Activation { FASTMLP_ACTIVATIONS(FASTMLP_ENUMERATOR) };
#undef FASTMLP_ENUMERATOR

#define FASTMLP_ENTRY(name, functions) std::pair{std::string_view{#name}, Activation::name},
inline constexpr std::array kActivations{FASTMLP_ACTIVATIONS(FASTMLP_ENTRY)};
#undef FASTMLP_ENTRY

enum class Loss {
    softmax_cross_entropy,
    binary_cross_entropy,
    squared_error,
    absolute_error,
    huber,
    quantile,
    poisson,
    hinge
};
inline constexpr std::array<std::pair<std::string_view, Loss>, 8> kLosses{{
    {"softmax_cross_entropy", Loss::softmax_cross_entropy},
    {"binary_cross_entropy", Loss::binary_cross_entropy},
    {"squared_error", Loss::squared_error},
    {"absolute_error", Loss::absolute_error},
    {"huber", Loss::huber},
    {"quantile", Loss::quantile},
    {"poisson", Loss::poisson},
    {"hinge", Loss::hinge},
}};

// True where the loss works on z; its output activation is applied at prediction only.
constexpr bool takes_logits(Loss loss) {
    return loss == Loss::softmax_cross_entropy || loss == Loss::binary_cross_entropy || loss == Loss::poisson;
}

// True where outputs are scored as classes, by the share of right answers.
constexpr bool scores_classes(Loss loss) {
    return loss == Loss::softmax_cross_entropy || loss == Loss::binary_cross_entropy || loss == Loss::hinge;
}

enum class InitKind { zeros, normal, uniform };
inline constexpr std::array<std::pair<std::string_view, InitKind>, 3> kInitKinds{{
    {"zeros", InitKind::zeros},
    {"normal", InitKind::normal},
    {"uniform", InitKind::uniform},
}};

// A column of X that holds codes 0 .. codes - 1 of a category, each of which stands for `width` learned
// numbers.
struct Embedding {
    Index column, codes, width;
};

// A column x of X that becomes `width` inputs: x and, behind it, cos(2 pi x w + b) V + c. w and b have
// `frequencies` numbers, V is [frequencies, width - 1]; all are learned.
struct Periodic {
    Index column, frequencies, width;
    Index waves() const { return width - 1; }  // inputs besides x
    Index size() const { return frequencies * (2 + waves()) + waves(); }
};

struct Architecture {
    std::vector<Index> sizes;             // columns of X, hidden widths, O
    std::vector<Activation> activations;  // one a layer, the last is the output activation
    Loss loss = Loss::squared_error;
    std::vector<double> loss_parameters = {};  // one an output: delta of huber, q of quantile, smoothing
    double l2 = 0;
    std::vector<Embedding> embeddings = {};
    std::vector<Periodic> periodic = {};
    bool input_scale = false;  // each of the first layer's inputs is multiplied by a learned number
    bool parametric = false;   // hidden layers have a = z + alpha (f(z) - z), with an alpha a neuron

    Index layers() const { return Index(sizes.size()) - 1; }
};

}  // namespace fastmlp
