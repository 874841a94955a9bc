// The ensemble that one instruction set's library computes.
#pragma once

#include "core/core.h"

namespace fastmlp {

// The networks must be there as long as the predictor is; their parameters are read at each call.
template <class T>
std::unique_ptr<EnsemblePredictor<T>> make_ensemble(std::vector<Member> members);

extern template std::unique_ptr<EnsemblePredictor<float>> make_ensemble(std::vector<Member>);
extern template std::unique_ptr<EnsemblePredictor<double>> make_ensemble(std::vector<Member>);

}  // namespace fastmlp
