// One batch through the network and back: forward, loss, backward. Every thread of a team calls each pass.
#pragma once

#include "layout.h"
#include "parallel.h"
#include "passes.h"

namespace fastmlp {

// B rows of the data: rows order[0 .. B) of X, or first_row .. first_row + B when order is null.
template <class T>
struct Batch {
    Features<T> X;
    Targets<T> targets;
    const std::uint32_t* order = nullptr;
    Index first_row = 0;
    Index rows;

    Index data_row(Index i) const { return order ? Index(order[i]) : first_row + i; }
    SparseRows<T> sparse_rows() const { return {X.from(order ? 0 : first_row), order}; }
    double weight_sum() const {
        if (!targets.weights) return double(rows);
        double total = 0;
        for (Index i = 0; i < rows; ++i) total += double(targets.weights[data_row(i)]);
        return total;
    }
};

struct BackpropOptions {
    double dropout = 0;
    std::uint64_t seed = 0;
    bool gather = false;                          // batches come with an order
    double alpha = 0;                             // added to l2, divided by the sum of the batch's weights
    bool counts_right = false;                    // of losses that score classes
    int threads = 1;                              // of the largest team
    std::optional<Index> entries = std::nullopt;  // of the largest batch, where X is sparse
};

template <class T>
class Backprop {
public:
    // Takes the network's parameters into panels.
    Backprop(const Network<T>& network, Index max_rows, const BackpropOptions& options);

    const PanelLayout<T>& layout() const { return layout_; }
    T* parameters() const { return parameters_.data(); }

    // Takes the batch forward, to the loss, and back to the delta of every layer: each thread its rows, and
    // its rows or columns of every product. A barrier must stand before what follows. `step` numbers the
    // dropout masks.
    void deltas(const Team& team, const Batch<T>& batch, std::uint64_t step);

    // The loss of the batch, the same bits on every thread, and the penalty's part in it.
    double loss(const Batch<T>& batch) const;
    double penalty(const Batch<T>& batch) const {
        return l2(batch) / 2 * sum(squares_.data(), Index(squares_.size()));
    }
    double l2(const Batch<T>& batch) const;
    Index right_answers(const Batch<T>& batch) const;  // where they are counted

    // Hands the gradient of every parameter to `work`, this thread its share.
    void gradients(const Team& team, const Batch<T>& batch, const Update<T>& update,
                   const GradientWork<T>& work);

    // Rows of a matrix with `ld` elements from row to row.
    struct Rows {
        const T* data;
        Index ld;
    };
    Rows delta(Index layer) const { return {delta_[std::size_t(layer)], ld_[std::size_t(layer)]}; }  // 1 .. L
    Rows activations(Index layer, const Batch<T>& batch) const;  // 0 is the input

private:
    // This thread's rows of the batch, and those of its products, which may be everybody's.
    struct Share {
        const Team& team;
        const Batch<T>& batch;
        Index first, last;
        Index product_first = 0, product_rows = batch.rows;
    };
    void gather(const Share& share);
    void embed(const Share& share);
    void transpose(const Share& share);
    void forward(const Share& share, std::uint64_t step);
    void loss(const Share& share);
    void backward(const Share& share);
    bool embeds() const { return !network_.tables().empty(); }
    bool deals_columns() const { return !parts_; }
    Index gradient_parts(Index rows) const;
    Product<T> product(const Share& share, Rows a, Index N, Index K) const;
    template <class Factors, class Tiles>
    void multiply(const Share& share, const Factors& product, Index K, Tiles tiles) const;
    void end_pass(const Share& share) const;
    void gradient(const Team& team, Index layer, const Batch<T>& batch, Index parts, const Update<T>& update,
                  const GradientWork<T>& work) const;
    void sum_tables(const Team& team, const Batch<T>& batch);

    const Network<T>& network_;
    PanelLayout<T> layout_;
    AlignedBuffer<T> parameters_;
    std::vector<const T*> table_weights_;
    std::optional<TransposedBatch<T>> transposed_;  // where X is sparse
    Dropout dropout_;
    bool drops_;
    double alpha_;
    AlignedBuffer<T> memory_;            // of all pointers below
    std::vector<T*> a_, slope_, delta_;  // of layers 0 .. L; a_[0] holds gathered or embedded rows, if any
    std::vector<Index> ld_;
    std::vector<T*> thread_room_;               // for panels of b and columns of losses
    T *parts_ = nullptr, *tables_ = nullptr;    // gradients: of parts of the batch, of all tables
    std::vector<double> row_losses_, squares_;  // squares of the weights, a panel each
    std::vector<std::uint8_t> row_right_;       // 1 or 0, where they are counted
    std::vector<ForwardTiles<T>> forward_;
    SparseForwardTiles<T> sparse_forward_;
    std::vector<BackwardTiles<T>> backward_;  // to layers 0 .. L - 1
    LossFunction<T> loss_;
    SlopeWork<T> output_slope_;
};

// Hands gradients that lie in memory to `work`: scale * sum of `count` arrays, laid out as the parameters ..
template <class T>
void apply_gradient(const Team& team, const PanelLayout<T>& layout, const T* parts, Index count, Index stride,
                    T scale, const Update<T>& update, const GradientWork<T>& work);

// .. and for the tables of embeddings scale * one array, which begins with the first table.
template <class T>
void apply_table_gradient(const Team& team, const PanelLayout<T>& layout, const T* gradient, T scale,
                          const Update<T>& update, const GradientWork<T>& work);

extern template class Backprop<float>;
extern template class Backprop<double>;
extern template void apply_gradient(const Team&, const PanelLayout<float>&, const float*, Index, Index, float,
                                    const Update<float>&, const GradientWork<float>&);
extern template void apply_gradient(const Team&, const PanelLayout<double>&, const double*, Index, Index,
                                    double, const Update<double>&, const GradientWork<double>&);
extern template void apply_table_gradient(const Team&, const PanelLayout<float>&, const float*, float,
                                          const Update<float>&, const GradientWork<float>&);
extern template void apply_table_gradient(const Team&, const PanelLayout<double>&, const double*, double,
                                          const Update<double>&, const GradientWork<double>&);

}  // namespace fastmlp
