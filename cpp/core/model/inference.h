// Outputs for any number of rows, block by block: a row's outputs do not depend on the rows around it.
#pragma once

#include "core/base/parallel.h"
#include "core/core.h"
#include "core/kernel/passes.h"
#include "core/model/layout.h"
#include "core/model/losses.h"

namespace fastmlp {

// The memory one thread needs to take a block of rows through a network, or through several, one after the
// other: as much as the largest of them needs.
template <class T>
struct ForwardBuffers {
    AlignedBuffer<T> gathered, inputs, layers[2], columns;
    AlignedBuffer<T> scratch;  // for copies of panels of flat weights

    static void grow(AlignedBuffer<T>& buffer, Index size) {
        if (buffer.size() < size) buffer = AlignedBuffer<T>(size);
    }
};

// One thread's way of taking a block of rows through the network.
template <class T>
class ForwardPass {
public:
    static constexpr Index kRows = 96;  // a multiple of every tile height and of every packet

    // The weights are read where they lie when a pass is run. Passes that share buffers run one at a time.
    ForwardPass(const Network<T>& network, Weights<T> weights,
                std::shared_ptr<ForwardBuffers<T>> buffers = std::make_shared<ForwardBuffers<T>>());

    // Allocates memory for copies of panels of flat weights. Those that sparse features are multiplied by are
    // not worth a copy.
    void make_scratch(bool sparse);

    // Allocates memory for copies of dense rows that come with an order.
    void make_gathered() { ForwardBuffers<T>::grow(buffers_->gathered, kRows * network_.inputs()); }

    // Writes the outputs of the first `rows` rows, at most kRows, to `out` [rows, outputs].
    void run(const Features<T>& X, Index rows, T* out);

    // The last layer's values in place, [rows, ld]: z where the loss takes logits, else a. The rows are the
    // first ones of X, or those in the order given.
    const T* raw(const Features<T>& X, Index rows, const std::uint32_t* order = nullptr);
    Index ld() const { return ld_; }
    T* columns() const { return buffers_->columns.data(); }  // loss_scratch(outputs)

private:
    Features<T> dense_inputs(const Features<T>& X, Index rows, const std::uint32_t* order) const;

    const Network<T>& network_;
    Weights<T> weights_;
    std::shared_ptr<ForwardBuffers<T>> buffers_;
    Index ld_;
    std::vector<ForwardTiles<T>> forward_;
    SparseForwardTiles<T> sparse_forward_;
    std::vector<BlendRows<T>> blend_;  // of the hidden layers; empty where they are not parametric
};

template <class T>
std::unique_ptr<Predictor<T>> make_predictor(const Network<T>& network);

extern template class ForwardPass<float>;
extern template class ForwardPass<double>;
extern template std::unique_ptr<Predictor<float>> make_predictor(const Network<float>&);
extern template std::unique_ptr<Predictor<double>> make_predictor(const Network<double>&);

}  // namespace fastmlp
