#include "core/model/inference.h"

#include <mutex>

#include "core/model/input_rows.h"

namespace fastmlp {

namespace {

// Not in line: those that read X as it is need neither its code nor its frame.
template <class T, class Row>
FASTMLP_NOINLINE void block_inputs(const InputBlock& block, const InputWeights<T>& weights, Index rows,
                                   const Row& row, T* inputs) {
    const Index width = block.width();
    write_inputs(block, weights, 0, rows, row, inputs, width);
    if (block.scaled()) scale_inputs(weights.scale, inputs, inputs, rows, width, width);
}

// Output activations that belong to a loss act on z in place: softmax over the row, sigmoid and exp on each
// element. z is [rows, ld].
template <class T>
void apply_link(Loss loss, T* z, Index ld, Index rows, Index outputs, T* columns) {
    const auto each = [&](auto f) {
        for (Index j = 0; j < rows * ld; j += kLanes<T>) simd::store(z + j, f(simd::load(z + j)));
    };
    for (Index i = 0; loss == Loss::softmax_cross_entropy && i < rows; i += kLanes<T>) {
        T* block = z + i * ld;
        const Index count = std::min(kLanes<T>, rows - i);
        load_columns(count, outputs, columns,
                     [&](Index r, Index j, Index) { return simd::load(block + r * ld + j); });
        softmax_columns(columns, outputs);
        store_rows(count, outputs, columns,
                   [&](Index r, Index j, Index, Packet<T> p) { simd::store(block + r * ld + j, p); });
    }
    if (loss == Loss::binary_cross_entropy) each([](Packet<T> v) { return vmath::sigmoid(v); });
    if (loss == Loss::poisson) each([](Packet<T> v) { return vmath::exp(v); });
}

}  // namespace

template <class T>
ForwardPass<T>::ForwardPass(const Network<T>& network, Weights<T> weights,
                            std::shared_ptr<ForwardBuffers<T>> buffers)
    : network_(network),
      weights_(std::move(weights)),
      buffers_(std::move(buffers)),
      ld_(round_up(network.outputs(), kLanes<T>)),
      sparse_forward_(sparse_forward_tiles<T>(network.layers().front().activation)) {
    Index widest = 0;
    for (const Layer& layer : network.layers()) {
        forward_.push_back(forward_tiles<T>(layer.activation));
        widest = std::max(widest, layer.outputs);
    }
    for (Index l = 1; network.is_parametric(l); ++l) blend_.push_back(blend_rows<T>(network.activation(l)));
    const auto grow = ForwardBuffers<T>::grow;
    grow(buffers_->columns, loss_scratch<T>(network.outputs()));
    for (AlignedBuffer<T>& layer : buffers_->layers) grow(layer, kRows * round_up(widest, kLanes<T>));
    if (network.input_block().any()) grow(buffers_->inputs, kRows * network.input_block().width());
}

template <class T>
void ForwardPass<T>::make_scratch(bool sparse) {
    Index longest = 0;
    for (std::size_t l = sparse ? 1 : 0; l < weights_.layers.size(); ++l)
        if (weights_.layers[l].row != 0) longest = std::max(longest, network_.layers()[l].inputs + 1);
    ForwardBuffers<T>::grow(buffers_->scratch, panel_size<T>(longest));
}

// The first layer's inputs where X is dense: those of the input block, or X in the order given, or as it is.
template <class T>
Features<T> ForwardPass<T>::dense_inputs(const Features<T>& X, Index rows, const std::uint32_t* order) const {
    const auto row = [&](Index i) { return X.from(order ? Index(order[i]) : i).values; };
    if (const InputBlock& block = network_.input_block(); block.any()) {
        T* const inputs = buffers_->inputs.data();
        block_inputs(block, weights_.inputs, rows, row, inputs);
        return {inputs, block.width()};
    }
    if (!order) return X;
    const Index width = network_.inputs();
    for (Index i = 0; i < rows; ++i) std::copy_n(row(i), width, buffers_->gathered.data() + i * width);
    return {buffers_->gathered.data(), width};
}

template <class T>
const T* ForwardPass<T>::raw(const Features<T>& X, Index rows, const std::uint32_t* order) {
    Features<T> below = X.sparse() ? X : dense_inputs(X, rows, order);
    const std::size_t blends = blend_.size();
    for (std::size_t l = 0; l < forward_.size(); ++l) {
        const Layer& layer = network_.layers()[l];
        const Index I = layer.inputs, O = layer.outputs, ld = round_up(O, kLanes<T>);
        const ForwardOutput<T> out{buffers_->layers[l % 2].data(), nullptr, ld};
        weights_.layers[l].scratch = buffers_->scratch.data();
        if (below.sparse())
            sparse_forward_({{below, order}, rows, O, I}, weights_.layers[l], out,
                            {0, SparseProduct<T>::Grid::tiles(rows, O)});
        else
            forward_[l]({below.values, below.ld, 1, rows, O, I}, weights_.layers[l], out,
                        {0, TileGrid<T>::tiles(rows, O)});
        if (l < blends) blend_[l]({out.a, nullptr, nullptr, ld, O, weights_.alphas[l]}, rows);
        below = {out.a, ld};
    }
    return below.values;
}

template <class T>
void ForwardPass<T>::run(const Features<T>& X, Index rows, T* out) {
    T* z = const_cast<T*>(raw(X, rows));  // lies in this pass's own buffer
    apply_link(network_.architecture().loss, z, ld_, rows, network_.outputs(), columns());
    for (Index i = 0; i < rows; ++i, z += ld_, out += network_.outputs())
        std::copy(z, z + network_.outputs(), out);
}

namespace {

template <class T>
class BlockPredictor : public Predictor<T> {
public:
    explicit BlockPredictor(const Network<T>& network) : network_(network) {}

    void forward(const Features<T>& X, Index n, T* out, int threads, Monitor& monitor) override {
        const double flops = network_.forward_flops(n, X.density(n, network_.inputs()));
        threads = int(std::min<Index>(worth_threads(flops, threads), std::max<Index>(n, 1)));
        // Whoever finds the buffers in use makes others: to wait for them would keep threads from working.
        std::vector<ForwardPass<T>> others;
        const std::unique_lock lock(team_mutex_, std::try_to_lock);
        std::vector<ForwardPass<T>>& passes = lock ? team_passes_ : others;
        while (passes.size() < std::size_t(threads)) passes.emplace_back(network_, flat_weights(network_));
        for (ForwardPass<T>& pass : passes) pass.make_scratch(X.sparse());
        run_team(threads, &monitor, [&](const Team& team) {
            const auto work = [&](Index first, Index last) {
                in_blocks(passes[std::size_t(team.rank)], X.from(first), last - first,
                          out + first * network_.outputs());
            };
            team.deal(n, work, ForwardPass<T>::kRows);
        });
    }

    void forward_few(const T* X, Index n, T* out) override {
        const std::lock_guard lock(mutex_);
        if (!pass_) pass_.emplace(network_, flat_weights(network_)).make_scratch(false);
        in_blocks(*pass_, {X, network_.inputs()}, n, out);
    }

private:
    void in_blocks(ForwardPass<T>& pass, const Features<T>& X, Index n, T* out) const {
        for (Index i = 0; i < n; i += ForwardPass<T>::kRows)
            pass.run(X.from(i), std::min(ForwardPass<T>::kRows, n - i), out + i * network_.outputs());
    }

    const Network<T>& network_;
    std::optional<ForwardPass<T>> pass_;
    std::mutex mutex_;  // of pass_
    std::vector<ForwardPass<T>> team_passes_;
    std::mutex team_mutex_;  // of team_passes_
};

}  // namespace

template <class T>
std::unique_ptr<Predictor<T>> make_predictor(const Network<T>& network) {
    return std::make_unique<BlockPredictor<T>>(network);
}

template class ForwardPass<float>;
template class ForwardPass<double>;
template std::unique_ptr<Predictor<float>> make_predictor(const Network<float>&);
template std::unique_ptr<Predictor<double>> make_predictor(const Network<double>&);

}  // namespace fastmlp
