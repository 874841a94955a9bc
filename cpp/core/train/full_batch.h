// All rows as one batch: loss, gradient, and every z, a and delta.
#pragma once

#include "core/core.h"

namespace fastmlp {

template <class T>
std::unique_ptr<FullBatch<T>> make_full_batch(const Network<T>& network, const Data<T>& data, int threads);

extern template std::unique_ptr<FullBatch<float>> make_full_batch(const Network<float>&, const Data<float>&,
                                                                  int);
extern template std::unique_ptr<FullBatch<double>> make_full_batch(const Network<double>&,
                                                                   const Data<double>&, int);

}  // namespace fastmlp
