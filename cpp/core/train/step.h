// One step of mini-batch gradient descent, from the rows of a batch to the updated weights: THE main path.
// step() is at the end of this file, its passes are in step.cpp.
//
// B rows in a batch, I inputs and O outputs of a layer, layers l = 1 .. L; a_0[B, I] are the rows of X.
//
// clang-format off
//     forward   z_l = a_{l-1} W_l + b_l,  a_l = f(z_l)                                 [B, O]
//     loss      delta_L = dLoss/dz_L                                                   [B, O]
//     backward  delta_{l-1} = (delta_l W_l^T) f'(z_{l-1})                              [B, I]
//     gradient  dW_l = a_{l-1}^T delta_l [I, O],  db_l = sum of the rows of delta_l [O]
//     update    the optimizer's rule changes W, b and its own state, tile by tile of the gradient
// clang-format on
//
// There are two ways to split a step among the threads of a team.
//
// By columns, where the parameters are more than the activations: the tiles of each product are dealt out in
// runs, panel of columns by panel of columns, so that each weight is updated by one thread only. But all
// threads need all activations, and the backward pass reads weights of other threads; so they meet at a
// barrier after each pass.
//
// By rows, where the activations are more: each thread takes rows of its own through all layers without
// meeting the others. But each row adds to the gradient of each weight; so gradients are made in fixed parts
// of the batch, stored, and added in the order of the parts.
//
// The shapes of the run's largest batch decide which way is taken (see gradient_parts), never the number of
// threads: the bits are the same for any number.
#pragma once

#include <span>

#include "core/base/parallel.h"
#include "core/base/random.h"
#include "core/model/losses.h"
#include "core/train/array_gradients.h"
#include "core/train/rounded_batch.h"
#include "core/train/transposed_batch.h"
#include "core/train/whole_gradient.h"

namespace fastmlp {

// B rows of the data: rows order[0 .. B) of X, or first_row .. first_row + B when order is null.
template <class T>
struct Batch {
    Features<T> X;
    Targets<T> targets;
    const std::uint32_t* order = nullptr;
    Index first_row = 0;
    Index rows;
    double divisor;  // the loss is the sum of the weighted losses of the rows over this; 0 makes it 0
    std::span<const Range> shards = {};  // their rows in the batch, if it has those of several

    Index data_row(Index i) const { return order ? Index(order[i]) : first_row + i; }
    const T* features(Index i) const { return X.from(data_row(i)).values; }
    SparseRows<T> sparse_rows() const { return {X.from(order ? 0 : first_row), order}; }
    double weight_sum() const { return weight_sum({0, rows}); }
    double weight_sum(Range of) const {
        if (!targets.weights) return double(of.size());
        double total = 0;
        for (Index i = of.first; i < of.last; ++i) total += double(targets.weights[data_row(i)]);
        return total;
    }
};

struct BackpropOptions {
    bool drops = false;  // hidden activations, in some of the steps
    std::uint64_t seed = 0;
    bool gather = false;                          // batches come with an order
    double alpha = 0;                             // added to l2, over the batch's divisor
    bool bfloat16 = false;                        // products of factors rounded to bfloat16
    bool counts_right = false;                    // right answers are counted, of losses that score classes
    int threads = 1;                              // of the largest team
    std::optional<Index> entries = std::nullopt;  // of the largest batch, where X is sparse
    Index shard_rows = 0;                         // of a shard, the most; 0: a batch has one
};

// What is dropped in a step: with what probability, and the number of the masks.
struct Drop {
    double p = 0;
    std::uint64_t number = 0;
};

// How many parts of a batch of so many rows have gradients of their own.
template <class T>
Index gradient_parts(const Network<T>& network, Index rows, bool sparse);

template <class T>
class Backprop {
public:
    // Takes the network's parameters into panels.
    Backprop(const Network<T>& network, Index max_rows, const BackpropOptions& options);

    const PanelLayout<T>& layout() const { return layout_; }
    T* parameters() const { return parameters_.data(); }
    void read_parameters() { layout_.pack(network_.parameters(), parameters(), int(scratch_.size())); }

    // The first half of a step: forward, loss and backward. What follows a barrier finds the losses and
    // deltas of all rows, and nobody reads weights any more. Every thread of the team calls it, and the
    // others below. The dropout masks of a second shard have the next number, and so on.
    void passes(const Team& team, const Batch<T>& batch, Drop drop);

    // The second half for some of the rows, one shard's: hands the gradient of every parameter to the rule.
    void gradients(const Team& team, const Batch<T>& batch, Range rows, const Update<T>& update,
                   const GradientTiles<T>& tiles);

    // One whole step; every thread of the team calls it. Once the loss of the batch is known, decide(loss)
    // says on each thread, and on each the same, what update is to follow, or std::nullopt for none. `whole`,
    // if any, takes the gradient before any weight changes.
    template <class Decide>
    void step(const Team& team, const Batch<T>& batch, Drop drop, const GradientTiles<T>& tiles,
              WholeGradient<T>* whole, const Decide& decide);

    // Of the batch of the last step: the loss, the same bits on every thread, the penalty's part in it, the
    // l2 of its gradient, and the rows with the right answer, where they are counted.
    double loss(const Batch<T>& batch) const;
    double penalty(const Batch<T>& batch) const {
        return l2(batch) / 2 * sum(squares_.data(), Index(squares_.size()));
    }
    double l2(const Batch<T>& batch) const;
    Index right_answers(Range rows) const;
    double weighted_losses(Range rows) const { return sum(row_losses_.data() + rows.first, rows.size()); }

    // Of the weights, for their penalty: a part of each step.
    void sum_weight_squares(const Team& team);

    // What the last step left behind.
    MatrixView<T> activations(Index layer, const Batch<T>& batch) const;  // 0 .. L, 0 is the input
    MatrixView<T> delta(Index layer) const {  // 1 .. L, and 0 where there is an input block
        const LayerArrays& at = arrays_[std::size_t(layer)];
        return {at.delta, at.ld};
    }

private:
    // Of layer 0 .. L, where layer 0 is the input; [B, ld] each, null where there is no need of it. partial
    // is da/dalpha or, of scaled inputs, da/ds; the backward pass turns it into what each row adds to
    // dLoss/dalpha.
    struct LayerArrays {
        T *a = nullptr, *slope = nullptr, *delta = nullptr, *partial = nullptr;
        Index ld = 0;
    };
    // What this thread works on: its rows of the batch, and the rows of its products, which are the same ones
    // where the step is split by rows, and all where it is split by columns.
    struct Work {
        Range rows, product_rows;
    };

    void allocate(Index max_rows, const BackpropOptions& options);
    Range own_rows(const Team& team, Index rows) const;
    Index first_row(Index part, Index parts, Index rows) const;
    bool split_by_rows() const { return part_gradients_ != nullptr; }
    bool has_input_block() const { return network_.input_block().any(); }

    void read_inputs(const Team& team, const Batch<T>& batch, const Work& work);
    void forward(const Team& team, const Batch<T>& batch, const Work& work, Drop drop);
    void forward_layer(const Team& team, Index layer, const Batch<T>& batch, const Work& work);
    void forward_loss(const Team& team, const Batch<T>& batch, const Work& work);
    void backward(const Team& team, const Work& work);
    void drop_rows(const Batch<T>& batch, Index layer, Range rows, Drop drop) const;
    void blend(Index layer, Range rows) const;
    void layer_gradient(const Team& team, Index layer, const Batch<T>& batch, Range rows, Index parts,
                        const Update<T>& update, const GradientTiles<T>& tiles) const;
    void array_gradients(const Team& team, const Batch<T>& batch, Range rows);
    void differentiate_partial(Index layer, Range rows);

    Product<T> product(const Work& work, MatrixView<T> a, Index N, Index K) const {
        return {a.data + work.product_rows.first * a.ld, a.ld, 1, work.product_rows.size(), N, K};
    }
    template <class Factors, class Tiles>
    void deal_tiles(const Team& team, const Factors& product, Index K, Tiles tiles) const;
    void end_pass(const Team& team) const;

    const Network<T>& network_;
    PanelLayout<T> layout_;
    AlignedBuffer<T> parameters_;
    const Weights<T> weights_;                      // in parameters_
    std::optional<TransposedBatch<T>> transposed_;  // where X is sparse
    std::optional<RoundedBatch<T>> rounded_;        // where products are in bfloat16
    std::uint64_t seed_;
    bool drops_;
    double alpha_;

    Arena<T> arena_;  // of the arrays below
    std::vector<LayerArrays> arrays_;
    std::vector<T*> scratch_;       // of each thread: a panel of b, or columns of the loss
    T* part_gradients_ = nullptr;   // [parts, layout]: split by rows, the gradient of each part of the batch
    T* array_gradients_ = nullptr;  // of the parameters besides W and b
    std::vector<double> row_losses_;       // [B], weighted
    std::vector<double> squares_;          // of the weights, a panel each; empty where there is no penalty
    std::vector<std::uint8_t> row_right_;  // [B], 1 or 0; empty where right answers are not counted

    std::vector<ForwardTiles<T>> forward_;  // [l - 1]: of layer l
    std::vector<BlendRows<T>> blend_;       // the same; empty where no layer is parametric
    std::vector<BackwardTiles<T>>
        backward_;  // [l]: with f' of layer l = 0 .. L - 1, where layer 0 is the input
    SparseForwardTiles<T> sparse_forward_;
    LossFunction<T> loss_;
    SlopeProduct<T> output_slope_;
};

template <class T>
template <class Decide>
void Backprop<T>::step(const Team& team, const Batch<T>& batch, Drop drop, const GradientTiles<T>& tiles,
                       WholeGradient<T>* whole, const Decide& decide) {
    passes(team, batch, drop);
    team.barrier();  // the losses and deltas of all rows are there, and nobody reads weights any more

    const Range rows{0, batch.rows};
    const std::optional<Update<T>> update = decide(loss(batch));
    if (!update) return;
    if (!whole) return gradients(team, batch, rows, *update, tiles);

    Update<T> store(parameters(), whole->data(), nullptr);
    store.l2 = update->l2;
    gradients(team, batch, rows, store, store_gradient_tiles<T>());
    team.barrier();  // the whole gradient is there
    whole->sum_squares(team);
    team.barrier();  // and so is its norm
    whole->apply(team, layout_, *update, tiles);
}

extern template class Backprop<float>;
extern template class Backprop<double>;

}  // namespace fastmlp
