// A run of L-BFGS over all rows: an epoch is an iteration.
#pragma once

#include "core/core.h"

namespace fastmlp {

// The network's parameters become those of the last iterate; before a callback, those of the iterate that it
// is told of. What a callback writes to them is lost.
LbfgsResult minimize(Network<double>& network, const Data<double>& data, const TrainOptions& options,
                     const LbfgsOptions& lbfgs, Monitor& monitor, const Callbacks<double>& callbacks);

}  // namespace fastmlp
