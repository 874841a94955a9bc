#include "backprop.h"

#include <cassert>
#include <cstring>

namespace fastmlp {

namespace {

// Rows of one loss task, and elements of one sum-of-squares task: fixed, so that sums combine in a fixed
// order.
constexpr Index kLossRows = 16, kSquares = 8192;

// Tasks between two looks at the monitor, in long steps.
constexpr Index kTilesPerPoll = 8, kRowsPerPoll = 64;

// A tall batch on few weights is cut into this many rows a part, so that more than one thread has work.
constexpr Index kPartRows = 1024, kMaxParts = 16, kFewTiles = 32;

// The tasks of the l2 penalty: kSquares weights each.
template <class T>
Index penalty_tasks(const Network<T>& network) {
    if (network.architecture().l2 == 0) return 0;
    Index tasks = 0;
    for (const Layer& layer : network.layers()) tasks += ceil_div(layer.inputs * layer.outputs, kSquares);
    return tasks;
}

template <class T>
double penalty_task(const Network<T>& network, Index task) {
    for (const Layer& layer : network.layers()) {
        const Index size = layer.inputs * layer.outputs, tasks = ceil_div(size, kSquares);
        if (task < tasks) {
            const Index first = task * kSquares;
            return sum_of_squares(network.parameters() + layer.weights + first,
                                  std::min(kSquares, size - first));
        }
        task -= tasks;
    }
    return 0;
}

// out(j, i) = in(i, j) for the rows [i, i + rows) and columns [j, j + columns) of `in`.
template <class T>
void transpose_block(const T* in, Index ld_in, T* out, Index ld_out, Index rows, Index columns) {
    constexpr Index W = kLanes<T>;
    if constexpr (W > 1) {
        if (rows == W && columns == W) {
            Eigen::internal::PacketBlock<Packet<T>, W> block;
            for (Index r = 0; r < W; ++r) block.packet[r] = simd::load(in + r * ld_in);
            Eigen::internal::ptranspose(block);
            for (Index r = 0; r < W; ++r) simd::store(out + r * ld_out, block.packet[r]);
            return;
        }
    }
    for (Index c = 0; c < columns; ++c)
        for (Index r = 0; r < rows; ++r) out[c * ld_out + r] = in[r * ld_in + c];
}

}  // namespace

template <class T>
double sum_of_squares(const T* x, Index n) {
    constexpr Index kSums = 16;  // independent sums, so that they can be made side by side
    double sums[kSums] = {};
    const Index whole = n / kSums * kSums;
    for (Index i = 0; i < whole; i += kSums)
        for (Index j = 0; j < kSums; ++j) sums[j] += double(x[i + j]) * double(x[i + j]);
    for (Index i = whole; i < n; ++i) sums[i - whole] += double(x[i]) * double(x[i]);
    return std::accumulate(sums, sums + kSums, 0.0);
}

template <class T>
Backprop<T>::Backprop(const Network<T>& network, Index max_rows, const BackpropOptions& options)
    : network_(network),
      dropout_(options.seed, options.dropout),
      drops_(options.dropout > 0),
      loss_(loss_function<T>(network.architecture().loss)),
      output_slope_(slope_work<T>(network.output_layer().activation)) {
    const Index L = network.architecture().layers();
    a_.push_back(options.gather ? scratch(max_rows * network.inputs()) : nullptr);
    slope_.push_back(nullptr);
    delta_.push_back(nullptr);
    ld_.push_back(network.inputs());

    Index widest = 0, largest = 0, most_parts = 0;
    for (Index l = 1; l <= L; ++l) {
        const Layer& layer = network.layers()[std::size_t(l - 1)];
        ld_.push_back(round_up(layer.outputs, kLanes<T>));
        widest = std::max(widest, ld_.back());
        if (l > 1) largest = std::max(largest, layer.outputs * ld_[std::size_t(l - 1)]);
        const Index parts = gradient_parts(layer, max_rows);
        if (parts > 1) most_parts = std::max(most_parts, parts * (layer.inputs + 1) * layer.outputs);
        const bool keeps_slope =
            with_activation(layer.activation, [](auto f) { return !decltype(f)::kSlopeFromOutput; });
        a_.push_back(scratch(max_rows * ld_.back()));
        slope_.push_back(keeps_slope || (drops_ && l < L) ? scratch(max_rows * ld_.back()) : nullptr);
        forward_.push_back(forward_work<T>(layer.activation));
        backward_.push_back(backward_work<T>(layer.activation));
    }
    // Two deltas are alive at a time, unless all are to be looked at; likewise two packed W^T.
    T* alternating[2] = {};
    for (Index l = 1; l <= L; ++l) {
        T*& shared = alternating[l % 2];
        if (!shared || options.keep_deltas) shared = scratch(max_rows * widest);
        delta_.push_back(shared);
    }
    if (L >= 2) transposed_[0] = scratch(largest);
    if (L >= 3) transposed_[1] = scratch(largest);
    if (most_parts) parts_ = scratch(most_parts);
    row_losses_.resize(std::size_t(ceil_div(max_rows, kLossRows)));
    penalties_.resize(std::size_t(penalty_tasks(network)));
}

template <class T>
T* Backprop<T>::scratch(Index size) {
    buffers_.emplace_back(size);
    return buffers_.back().data();
}

template <class T>
Index Backprop<T>::gradient_parts(const Layer& layer, Index rows) const {
    if (TileGrid<T>(layer.inputs, layer.outputs).tiles >= kFewTiles) return 1;
    return std::clamp<Index>(rows / kPartRows, 1, kMaxParts);
}

template <class T>
typename Backprop<T>::Rows Backprop<T>::activations(Index layer, const Batch<T>& batch) const {
    if (layer == 0 && !batch.order) return {batch.X + batch.first_row * batch.ldx, batch.ldx};
    return {a_[std::size_t(layer)], ld_[std::size_t(layer)]};
}

template <class T>
void Backprop<T>::gather(const Team& team, const Batch<T>& batch) {
    const Index width = network_.inputs();
    team.deal(
        batch.rows,
        [&](Index first, Index last) {
            for (Index i = first; i < last; ++i)
                std::memcpy(a_[0] + i * width, batch.X + batch.data_row(i) * batch.ldx,
                            sizeof(T) * std::size_t(width));
        },
        kRowsPerPoll);
    team.barrier();
}

template <class T>
void Backprop<T>::forward(const Team& team, const Batch<T>& batch, std::uint64_t step) {
    assert(batch.rows > 0 && batch.ldx >= network_.inputs() && (!batch.order || a_[0]));
    if (batch.order) gather(team, batch);
    const Index L = network_.architecture().layers();
    for (Index l = 1; l <= L; ++l) {
        const auto at = std::size_t(l);
        const Layer& layer = network_.layers()[at - 1];
        const Rows below = activations(l - 1, batch);
        const Product<T> product{
            below.data, below.ld,      1,           network_.parameters() + layer.weights, layer.outputs,
            batch.rows, layer.outputs, layer.inputs};
        const ForwardOutput<T> out{network_.parameters() + layer.biases, a_[at], slope_[at], ld_[at]};
        team.deal(
            TileGrid<T>(product.M, product.N).tiles,
            [&](Index first, Index last) { forward_[at - 1](product, out, first, last); }, kTilesPerPoll);
        team.barrier();
        if (drops_ && l < L) drop(team, l, batch.rows, step);
    }
}

template <class T>
void Backprop<T>::drop(const Team& team, Index layer, Index rows, std::uint64_t step) {
    const auto at = std::size_t(layer);
    const Index width = network_.layers()[at - 1].outputs;
    team.deal(
        rows,
        [&](Index first, Index last) {
            for (Index i = first; i < last; ++i)
                dropout_.apply(step, layer - 1, i, a_[at] + i * ld_[at], slope_[at] + i * ld_[at], width);
        },
        kRowsPerPoll);
    team.barrier();
}

template <class T>
double Backprop<T>::loss(const Team& team, const Batch<T>& batch) {
    const Architecture& architecture = network_.architecture();
    const auto L = std::size_t(architecture.layers());
    double weight_sum = double(batch.rows);
    if (batch.targets.weights) {
        weight_sum = 0;
        for (Index i = 0; i < batch.rows; ++i) weight_sum += double(batch.targets.weights[batch.data_row(i)]);
    }
    const double scale = weight_sum > 0 ? 1 / weight_sum : 0;
    LossBatch<T> rows{batch.targets, batch.order, batch.first_row,    a_[L],
                      delta_[L],     ld_[L],      network_.outputs(), T(architecture.loss_parameter),
                      scale};

    team.deal(ceil_div(batch.rows, kLossRows), [&](Index first, Index last) {
        for (Index task = first; task < last; ++task) {
            const Index begin = task * kLossRows, end = std::min(begin + kLossRows, batch.rows);
            row_losses_[std::size_t(task)] = loss_(rows, begin, end);
            if (takes_logits(architecture.loss)) continue;
            const Index at = begin * ld_[L], size = (end - begin) * ld_[L];
            output_slope_(a_[L] + at, slope_[L] ? slope_[L] + at : nullptr, delta_[L] + at, size);
        }
    });
    team.deal(Index(penalties_.size()), [&](Index first, Index last) {
        for (Index task = first; task < last; ++task)
            penalties_[std::size_t(task)] = penalty_task(network_, task);
    });
    if (L > 1) pack_transposed(team, Index(L));
    team.barrier();

    // Every thread adds the tasks' sums in the same order, so all hold the same bits without another barrier.
    double data_loss = 0, squares = 0;
    for (Index task = 0; task < ceil_div(batch.rows, kLossRows); ++task)
        data_loss += row_losses_[std::size_t(task)];
    for (const double penalty : penalties_) squares += penalty;
    return data_loss * scale + architecture.l2 / 2 * squares;
}

template <class T>
void Backprop<T>::pack_transposed(const Team& team, Index layer) {
    constexpr Index W = kLanes<T>;
    const Layer& shape = network_.layers()[std::size_t(layer - 1)];
    const T* weights = network_.parameters() + shape.weights;
    T* out = transposed_[layer % 2];
    const Index I = shape.inputs, O = shape.outputs, ld = ld_[std::size_t(layer - 1)];
    const Index blocks_down = ceil_div(I, W);
    team.deal(blocks_down * ceil_div(O, W), [&](Index first, Index last) {
        for (Index block = first; block < last; ++block) {
            const Index i = block % blocks_down * W, j = block / blocks_down * W;
            transpose_block(weights + i * O + j, O, out + j * ld + i, ld, std::min(W, I - i),
                            std::min(W, O - j));
        }
    });
}

template <class T>
void Backprop<T>::backward(const Team& team, const Batch<T>& batch, const Update<T>& update,
                           const GradientWork<T>& work) {
    for (Index l = network_.architecture().layers(); l >= 1; --l) {
        const auto at = std::size_t(l);
        const Layer& layer = network_.layers()[at - 1];
        if (l > 1) {
            const Product<T> product{delta_[at],         ld_[at],      1,
                                     transposed_[l % 2], ld_[at - 1],  batch.rows,
                                     layer.inputs,       layer.outputs};
            const BackwardOutput<T> out{a_[at - 1], slope_[at - 1], delta_[at - 1], ld_[at - 1]};
            team.deal(
                TileGrid<T>(product.M, product.N).tiles,
                [&](Index first, Index last) { backward_[at - 2](product, out, first, last); },
                kTilesPerPoll);
        }
        if (l > 2) pack_transposed(team, l - 1);
        gradient(team, l, batch, update, work);
        team.barrier();
    }
}

// dW[I, O] = A_prev^T[I, B] delta[B, O] and db[O] = 1^T[1, B] delta[B, O]
template <class T>
void Backprop<T>::gradient(const Team& team, Index l, const Batch<T>& batch, const Update<T>& update,
                           const GradientWork<T>& work) {
    static const T one = 1;
    const Layer& layer = network_.layers()[std::size_t(l - 1)];
    const Rows below = activations(l - 1, batch), above = delta(l);
    const Index I = layer.inputs, O = layer.outputs, rows = batch.rows;
    const Product<T> weights{below.data, 1, below.ld, above.data, above.ld, I, O, rows};
    const Product<T> biases{&one, 0, 0, above.data, above.ld, 1, O, rows};
    const Index weight_tiles = TileGrid<T>(I, O).tiles, bias_tiles = TileGrid<T>(1, O).tiles;
    const Update<T> bias_update = update.for_biases();
    const Index parts = gradient_parts(layer, rows);

    if (parts == 1) {
        team.deal(
            weight_tiles,
            [&](Index first, Index last) { work.tiles(weights, update, layer.weights, first, last); },
            kTilesPerPoll);
        team.deal(bias_tiles, [&](Index first, Index last) {
            work.tiles(biases, bias_update, layer.biases, first, last);
        });
        return;
    }

    // Each part sums its own rows into an array of its own; then the parts are added in order.
    const Index tiles = weight_tiles + bias_tiles, stride = (I + 1) * O;
    const GradientWork<T> store = GradientWork<T>::of(rules::StoreGradient{});
    team.deal(parts * tiles, [&](Index first, Index last) {
        for (Index task = first; task < last; ++task) {
            const Index part = task / tiles, tile = task % tiles;
            const Index begin = rows * part / parts, end = rows * (part + 1) / parts;
            const Update<T> into(network_.parameters() + layer.weights, parts_ + part * stride, nullptr);
            Product<T> p = tile < weight_tiles ? weights : biases;
            p.a += begin * p.a_col;
            p.b += begin * p.b_row;
            p.K = end - begin;
            if (tile < weight_tiles)
                store.tiles(p, into, 0, tile, tile + 1);
            else
                store.tiles(p, into, I * O, tile - weight_tiles, tile - weight_tiles + 1);
        }
    });
    team.barrier();
    team.deal(I + 1, [&](Index first, Index last) {
        for (Index i = first; i < last; ++i)
            work.sum(parts_, parts, stride, T(1), i < I ? update : bias_update, layer.weights, i * O,
                     (i + 1) * O);
    });
}

template class Backprop<float>;
template class Backprop<double>;
template double sum_of_squares(const float*, Index);
template double sum_of_squares(const double*, Index);

}  // namespace fastmlp
