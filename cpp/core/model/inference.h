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
    AlignedBuffer<T> gathered, embedded, layers[2], columns;
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
};

template <class T>
std::unique_ptr<Predictor<T>> make_predictor(const Network<T>& network);

// Loss and score on a set of rows, measured again and again: buffers and constants are made once.
template <class T>
class Evaluation {
public:
    // Of the parameters in panels that are there when run() is called.
    Evaluation(const Network<T>& network, const PanelLayout<T>& layout, const T* parameters,
               const Data<T>& data, int threads);

    // Called by every thread of a team; the results are there after the barrier that ends it.
    void run(const Team& team);

    double loss() const;   // with the l2 term
    double score() const;  // accuracy for classes (all outputs right), else R2 averaged over outputs

private:
    void run_block(ForwardPass<T>& pass, Index block);
    void add_squares(const T* output, Index ld, Index first, Index last, double* squares) const;

    const Network<T>& network_;
    const PanelLayout<T>& layout_;
    const T* parameters_;
    Data<T> data_;
    Index blocks_, sums_;
    double weight_sum_;
    LossFunction<T> loss_;
    std::vector<ForwardPass<T>> passes_;  // one a thread
    std::vector<double> block_losses_;
    std::vector<double> block_scores_;   // [blocks, sums]: right answers, or squared errors of each output
    std::vector<double> total_squares_;  // [outputs], about the mean
};

extern template class ForwardPass<float>;
extern template class ForwardPass<double>;
extern template class Evaluation<float>;
extern template class Evaluation<double>;
extern template std::unique_ptr<Predictor<float>> make_predictor(const Network<float>&);
extern template std::unique_ptr<Predictor<double>> make_predictor(const Network<double>&);

}  // namespace fastmlp
