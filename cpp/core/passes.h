// The tile work of the three passes, chosen once a run: tiles [first, last) of a product, with the epilogue
// of the pass. forward.cpp, backward.cpp and gradient.cpp hold the work itself.
#pragma once

#include "optimizers.h"
#include "panels.h"
#include "sparse.h"

namespace fastmlp {

// A[B, O] = f(A_prev[B, I] W[I, O] + b)
template <class T>
struct ForwardOutput {
    T *a, *slope;  // [B, ld]; slope (f') is null when the backward pass finds it from a
    Index ld;
};
template <class T>
using ForwardTiles = void (*)(const Product<T>&, const WeightPanels<T>&, const ForwardOutput<T>&, Index first,
                              Index last);
template <class T>
ForwardTiles<T> forward_work(Activation activation);

// The same of sparse features: the first layer's.
template <class T>
using SparseForwardTiles = void (*)(const SparseProduct<T>&, const WeightPanels<T>&, const ForwardOutput<T>&,
                                    Index first, Index last);
template <class T>
SparseForwardTiles<T> sparse_forward_work(Activation activation);

// delta_prev[B, I] = (delta[B, O] W^T[O, I]) f'(z_prev)
template <class T>
struct BackwardOutput {
    const T *a, *slope;  // of the layer below, [B, ld]; slope as the forward pass kept it, or null
    T* delta;            // [B, ld]
    Index ld;
};
template <class T>
using BackwardTiles = void (*)(const Product<T>&, const TransposedPanels<T>&, const BackwardOutput<T>&,
                               Index first, Index last);
template <class T>
BackwardTiles<T> backward_work(Activation activation);

// d *= f', n elements (a multiple of the packet): from dLoss/da to delta at the output.
template <class T>
using SlopeWork = void (*)(const T* a, const T* slope, T* d, Index n);
template <class T>
SlopeWork<T> slope_work(Activation activation);

// What is done with gradients: an optimizer's update, or storing them.
template <class T>
struct GradientWork {
    // dW[I, O] = A_prev^T[I, B] delta[B, O], rows first_row .. of a layer in panels.
    void (*tiles)(const Product<T>&, const MatrixPanels<T>&, const Update<T>&, const LayerPanels<T>&,
                  Index first_row, Index first, Index last);
    // The same of a transposed batch of sparse features, all rows of the layer.
    void (*sparse_tiles)(const SparseProduct<T>&, const MatrixPanels<T>&, const Update<T>&,
                         const LayerPanels<T>&, Index first, Index last);
    // Gradients that lie in memory: scale * sum of `count` arrays of n elements, for the parameters from `at`
    // on.
    void (*sum)(const T* parts, Index count, Index stride, T scale, const Update<T>&, Index at, Index n);
};
template <class T>
GradientWork<T> update_work(Optimizer optimizer);
template <class T>
GradientWork<T> store_work();

}  // namespace fastmlp
