// The functions that compute the tiles of the three passes, chosen once a run: each a range of tiles of a
// product, with the epilogue of the pass. forward.cpp, backward.cpp and gradient.cpp hold them. There are
// three kinds of epilogue. One works on sums in registers: identity, relu and tanh, forward and backward, and
// the plain store of gradients. One leaves the tile in the first-level cache and is applied during the next
// tile's product: Adam and SGD. Both are compiled into each shape of the tile, so only what is hot has them.
// All others are one function each for all shapes, which works on the tile in the first-level cache: the same
// bits at a sixth of the compile time.
#pragma once

#include "core/kernel/bfloat16_panels.h"
#include "core/kernel/panels.h"
#include "core/kernel/sparse_product.h"
#include "core/model/architecture.h"
#include "core/train/optimizers.h"

namespace fastmlp {

// Forward: A[B, O] = f(A_prev[B, I] W[I, O] + b)
template <class T>
struct ForwardOutput {
    T *a, *slope;  // [B, ld]; slope receives f'(z), or is null where the backward pass finds f' from a
    Index ld;
};
template <class T>
using ForwardTiles = void (*)(const Product<T>&, const WeightPanels<T>&, const ForwardOutput<T>&,
                              Range tiles);
template <class T>
using SparseForwardTiles = void (*)(const SparseProduct<T>&, const WeightPanels<T>&, const ForwardOutput<T>&,
                                    Range tiles);
template <class T>
using PairForwardTiles = void (*)(const PairProduct<T>&, const WeightPairs<T>&, const ForwardOutput<T>&,
                                  Range tiles);
template <class T>
ForwardTiles<T> forward_tiles(Activation activation);
template <class T>
SparseForwardTiles<T> sparse_forward_tiles(Activation activation);
// Null where this library has no bfloat16.
template <class T>
PairForwardTiles<T> pair_forward_tiles(Activation activation);

// Parametric activations: a = z + alpha (f(z) - z), in the place of z. Where the backward pass follows, slope
// receives da/dz = 1 + alpha (f'(z) - 1) and partial da/dalpha = f(z) - z; else both are null.
template <class T>
struct ParametricOutput {
    T *a, *slope, *partial;  // [B, ld]
    Index ld, outputs;
    const T* alpha;  // [outputs]
};
template <class T>
using BlendRows = void (*)(const ParametricOutput<T>&, Index rows);
template <class T>
BlendRows<T> blend_rows(Activation activation);

// Backward: delta_prev[B, I] = (delta[B, O] W^T[O, I]) f'(z_prev)
template <class T>
struct BackwardOutput {
    const T *a,
        *slope;  // of the layer below, [B, ld]: f' is slope where the forward pass kept it, else found from a
    T* delta;    // [B, ld]
    Index ld;
};
template <class T>
using BackwardTiles = void (*)(const Product<T>&, const TransposedPanels<T>&, const BackwardOutput<T>&,
                               Range tiles);
template <class T>
using PairBackwardTiles = void (*)(const PairProduct<T>&, const TransposedPairs<T>&, const BackwardOutput<T>&,
                                   Range tiles);
template <class T>
BackwardTiles<T> backward_tiles(Activation activation);
template <class T>
PairBackwardTiles<T> pair_backward_tiles(Activation activation);

// d *= f', n elements, a multiple of the packet: from dLoss/da to delta at the output.
template <class T>
using SlopeProduct = void (*)(const T* a, const T* slope, T* d, Index n);
template <class T>
SlopeProduct<T> slope_product(Activation activation);

// Gradient: dW[I, O] = A_prev^T[I, B] delta[B, O], db[O] = sum of the rows of delta. What is done with them
// is an optimizer's update, to store them, or to add them to what is stored.
template <class T>
struct GradientTiles {
    void (*weights)(const Product<T>&, const MatrixPanels<T>& delta, const Update<T>&, const LayerPanels<T>&,
                    Range tiles);
    void (*sparse_weights)(const SparseProduct<T>&, const MatrixPanels<T>& delta, const Update<T>&,
                           const LayerPanels<T>&, Range tiles);
    void (*pair_weights)(const PairProduct<T>&, const MatrixPairs<T>& delta, const Update<T>&,
                         const LayerPanels<T>&, Range tiles);
    void (*biases)(const MatrixPanels<T>& delta, const Update<T>&, const LayerPanels<T>&, Range panels);
    // Gradients that lie in memory: scale * (sum of `count` arrays, `stride` apart), for parameters at .. at
    // + n.
    void (*stored)(const T* parts, Index count, Index stride, T scale, const Update<T>&, Index at, Index n);
};
template <class T>
GradientTiles<T> gradient_tiles(Optimizer optimizer);
template <class T>
GradientTiles<T> store_gradient_tiles();
template <class T>
GradientTiles<T> add_gradient_tiles();

}  // namespace fastmlp
