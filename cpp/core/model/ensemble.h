// The networks of an ensemble, which predicts the mean of their outputs.
#pragma once

#include <variant>
#include <vector>

#include "core/model/features.h"
#include "core/model/network.h"

namespace fastmlp {

using AnyNetwork = std::variant<const Network<float>*, const Network<double>*>;
using AnyFeatures = std::variant<Features<float>, Features<double>>;

// One network of an ensemble.
struct Member {
    AnyNetwork network;
    Index features;             // which of several X it reads; that one is of its type
    double weight;              // greater than 0
    std::vector<double> scale;  // [outputs]: its outputs count as scale * output + shift; empty: as they are
    std::vector<double> shift;
};

}  // namespace fastmlp
