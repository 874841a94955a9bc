#include "core/train/rounded_batch.h"

namespace fastmlp {

template <class T>
RoundedBatch<T>::RoundedBatch(const Network<T>& network, Index max_rows, int threads)
    : widths_{network.layers().front().inputs}, scratch_(std::size_t(threads)) {
    Activation below = Activation::identity;
    for (const Layer& layer : network.layers()) {
        widths_.push_back(layer.outputs);
        forward_.push_back(pair_forward_tiles<T>(layer.activation));
        backward_.push_back(pair_backward_tiles<T>(below));
        below = layer.activation;
    }
    const Index L = Index(network.layers().size()), rows = round_up(max_rows, 2);
    a_.resize(std::size_t(L + 1));
    delta_.resize(std::size_t(L + 1));
    for (Index l = 0; l <= L; ++l) {
        PairCopies &a = a_[std::size_t(l)], &delta = delta_[std::size_t(l)];
        a.row_ld = delta.row_ld = row_stride<Pair>(ceil_div(width(l), 2));
        a.column_ld = row_stride<Pair>(width(l));
        if (l < L) arena_.request(a.rows, rows * a.row_ld);
        if (l < L) arena_.request(a.columns, rows / 2 * a.column_ld);
        if (l > (network.input_block().any() ? 0 : 1)) arena_.request(delta.rows, rows * delta.row_ld);
    }
    const Index longest = std::max(*std::max_element(widths_.begin(), widths_.end()), max_rows);
    for (Pair*& of_thread : scratch_) arena_.request(of_thread, pair_panel_size(longest));
    arena_.allocate();
}

template class RoundedBatch<float>;
template class RoundedBatch<double>;

}  // namespace fastmlp
