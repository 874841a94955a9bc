// One batch through the network and back: forward, loss, backward. Every thread of a team calls each pass.
#pragma once

#include "network.h"
#include "parallel.h"

namespace fastmlp {

// B rows of the data: rows order[0 .. B) of X, or first_row .. first_row + B when order is null.
template <class T>
struct Batch {
    const T* X;
    Index ldx;
    Targets<T> targets;
    const std::uint32_t* order = nullptr;
    Index first_row = 0;
    Index rows;

    Index data_row(Index i) const { return order ? Index(order[i]) : first_row + i; }
};

struct BackpropOptions {
    double dropout = 0;
    std::uint64_t seed = 0;
    bool gather = false;       // batches come with an order
    bool keep_deltas = false;  // every delta stays readable after backward
};

template <class T>
class Backprop {
public:
    Backprop(const Network<T>& network, Index max_rows, const BackpropOptions& options);

    // Fills the activations a_1 .. a_L (of the last layer z, where the loss takes logits). `step` numbers the
    // dropout masks.
    void forward(const Team& team, const Batch<T>& batch, std::uint64_t step);

    // The batch's loss, the same on every thread; leaves delta of the last layer and packs its W^T.
    double loss(const Team& team, const Batch<T>& batch);

    // Hands every gradient to `work`; each layer's delta is made before its W changes.
    void backward(const Team& team, const Batch<T>& batch, const Update<T>& update,
                  const GradientWork<T>& work);

    // Rows of a matrix with `ld` elements from row to row.
    struct Rows {
        const T* data;
        Index ld;
    };
    Rows delta(Index layer) const { return {delta_[std::size_t(layer)], ld_[std::size_t(layer)]}; }  // 1 .. L
    Rows activations(Index layer, const Batch<T>& batch) const;  // 0 is the input

private:
    void gather(const Team& team, const Batch<T>& batch);
    void drop(const Team& team, Index layer, Index rows, std::uint64_t step);
    void pack_transposed(const Team& team, Index layer);
    void gradient(const Team& team, Index layer, const Batch<T>& batch, const Update<T>& update,
                  const GradientWork<T>& work);
    T* scratch(Index size);
    Index gradient_parts(const Layer& layer, Index rows) const;

    const Network<T>& network_;
    Dropout dropout_;
    bool drops_;
    std::vector<AlignedBuffer<T>> buffers_;
    std::vector<T*> a_, slope_, delta_;  // of layers 0 .. L; a_[0] holds gathered rows, if any
    std::vector<Index> ld_;
    T* transposed_[2] = {};  // W^T of layer l in transposed_[l % 2]
    T* parts_ = nullptr;
    std::vector<double> row_losses_, penalties_;
    std::vector<ForwardTiles<T>> forward_;
    std::vector<BackwardTiles<T>> backward_;
    LossFunction<T> loss_;
    SlopeWork<T> output_slope_;
};

// Sum of squares of n numbers, in double.
template <class T>
double sum_of_squares(const T* x, Index n);

extern template class Backprop<float>;
extern template class Backprop<double>;
extern template double sum_of_squares(const float*, Index);
extern template double sum_of_squares(const double*, Index);

}  // namespace fastmlp
