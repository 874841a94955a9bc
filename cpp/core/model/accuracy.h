// Whether the outputs of a row give the right answer.
#pragma once

#include "core/model/losses.h"

namespace fastmlp {

// Whether predict() would be right for row i: the largest output is that of the label (the first of equal
// ones), or every probability is on the right side of 1/2.
template <class T>
bool right_answer(Loss loss, const LossBatch<T>& batch, Index i) {
    const Index O = batch.outputs, row = batch.data_row(i);
    const T* const output = batch.output + i * batch.ld;
    const T* const y = batch.targets.values ? batch.targets.values + row * O : nullptr;
    if (loss != Loss::binary_cross_entropy) {
        const Index label = y ? std::max_element(y, y + O) - y : batch.targets.labels[row];
        return std::max_element(output, output + O) - output == label;
    }
    for (Index j = 0; j < O; ++j) {  // s(z) > 1/2, which rounding makes of z > 0
        const T p = Eigen::internal::pfirst(vmath::sigmoid(simd::set1(output[j])));
        if ((p > T(0.5)) != (y[j] > T(0.5))) return false;
    }
    return true;
}

}  // namespace fastmlp
