// The passes of a step. Every thread of a team calls each.
#include "core/train/step.h"

#include <bit>
#include <cassert>
#include <numeric>

#include "core/model/accuracy.h"
#include "core/model/activations.h"

namespace fastmlp {

namespace {

// Rows between two looks at the monitor, in long steps.
constexpr Index kRowsPerPoll = 256;

// Tiles between two looks at the monitor: some milliseconds' worth, because each look may have a panel
// prepared once more. An epilogue takes no longer than kEpilogue multiply-adds an element.
template <class T>
Index tiles_per_poll(Index K) {
    constexpr Index kMultiplyAdds = 100'000'000, kEpilogue = 256;
    constexpr Index kTile = tile_rows(kTileVectors) * TileGrid<T>::kColumns;
    return std::max<Index>(kMultiplyAdds / (kTile * (K + kEpilogue)), 1);
}

}  // namespace

template <class T>
Backprop<T>::Backprop(const Network<T>& network, Index max_rows, const BackpropOptions& options)
    : network_(network),
      layout_(network),
      parameters_(layout_.size()),
      weights_(layout_.all_weights(parameters())),
      seed_(options.seed),
      drops_(options.drops),
      alpha_(options.alpha),
      arrays_(network.layers().size() + 1),
      scratch_(std::size_t(options.threads)),
      row_losses_(std::size_t(max_rows)),
      sparse_forward_(sparse_forward_tiles<T>(network.layers().front().activation)),
      loss_(loss_function<T>(network.architecture())),
      output_slope_(slope_product<T>(network.output_layer().activation)) {
    if (options.entries) transposed_.emplace(network.inputs(), *options.entries, options.threads);
    if (options.bfloat16) rounded_.emplace(network, max_rows, options.threads);
    if (options.counts_right) row_right_.resize(std::size_t(max_rows));
    if (network.architecture().l2 != 0 || alpha_ != 0) squares_.resize(std::size_t(layout_.panels()));
    backward_.push_back(backward_tiles<T>(Activation::identity));
    for (const Layer& layer : network.layers()) {
        forward_.push_back(forward_tiles<T>(layer.activation));
        backward_.push_back(backward_tiles<T>(layer.activation));
    }
    for (Index l = 1; network.is_parametric(l); ++l) blend_.push_back(blend_rows<T>(network.activation(l)));
    allocate(max_rows, options);
    read_parameters();
}

template <class T>
void Backprop<T>::allocate(Index max_rows, const BackpropOptions& options) {
    const Index L = network_.architecture().layers();
    const bool copies_inputs = has_input_block() || (options.gather && !options.entries);
    Index longest_panel = 0;  // rows of the longest panel of b that is transposed or copied
    for (Index l = 0; l <= L; ++l) {
        LayerArrays& at = arrays_[std::size_t(l)];
        if (l == 0) {
            at.ld = row_stride<T>(network_.layers().front().inputs);
            if (copies_inputs) arena_.request(at.a, max_rows * at.ld);
            if (has_input_block()) arena_.request(at.delta, max_rows * at.ld);
            if (network_.input_block().scaled()) arena_.request(at.partial, max_rows * at.ld);
            continue;
        }
        const Layer& layer = network_.layers()[std::size_t(l - 1)];
        at.ld = row_stride<T>(layer.outputs);
        const bool parametric = network_.is_parametric(l);
        const bool keeps_slope = parametric || !slope_from_output(layer.activation) || (drops_ && l < L);
        arena_.request(at.a, max_rows * at.ld);
        if (keeps_slope) arena_.request(at.slope, max_rows * at.ld);
        if (parametric) arena_.request(at.partial, max_rows * at.ld);
        arena_.request(at.delta, max_rows * at.ld);
        if (l > 1 || has_input_block()) longest_panel = std::max(longest_panel, layer.outputs);
        const Index part_rows = std::min(max_rows, MatrixPanels<T>::kMostRows);
        const Index tiles = TileGrid<T>::panel_tiles(layer.inputs, TileGrid<T>::kColumns);
        if (MatrixPanels<T>::copies(tiles, part_rows)) longest_panel = std::max(longest_panel, part_rows);
    }
    const Index scratch = std::max(panel_size<T>(longest_panel), loss_scratch<T>(network_.outputs()));
    for (T*& of_thread : scratch_) arena_.request(of_thread, scratch);
    const Index parts = gradient_parts(network_, options.shard_rows > 0 ? options.shard_rows : max_rows,
                                       transposed_.has_value());
    if (parts > 1) arena_.request(part_gradients_, parts * layout_.size());
    arena_.request(array_gradients_, layout_.size() - layout_.arrays_begin());
    arena_.allocate();
}

// A run is split by rows if its largest batch has several parts: if X is dense (with sparse X the weights are
// many), a step is worth two threads, each part has some rows, and there are several activations for each
// parameter, since a stored gradient is written and read once more. A smaller last batch of such a run may
// have one part: its passes are split by rows too, and it updates the weights directly.
template <class T>
Index gradient_parts(const Network<T>& network, Index rows, bool sparse) {
    constexpr Index kPartRows = 64, kMostParts = 16;
    if (sparse || network.training_flops(rows) < 2 * kFlopsPerThread) return 1;
    Index width = 0;
    for (const Index size : network.architecture().sizes) width += size;
    const Index activations_per_parameter = rows * width / network.parameter_count();
    const Index most = std::min({activations_per_parameter, rows / kPartRows, kMostParts});
    return Index(std::bit_floor(std::size_t(std::max<Index>(most, 1))));
}

// The rows of a batch that belong to this thread; in bfloat16 whole pairs of rows.
template <class T>
Range Backprop<T>::own_rows(const Team& team, Index rows) const {
    if (!rounded_) return team.part(rows);
    const Range pairs = team.part(ceil_div(rows, 2));
    return {std::min(2 * pairs.first, rows), std::min(2 * pairs.last, rows)};
}

// Where a part of the batch with a gradient of its own begins, and part `parts` where the batch ends.
template <class T>
Index Backprop<T>::first_row(Index part, Index parts, Index rows) const {
    const Index row = rows * part / parts;
    return rounded_ && part < parts ? row / 2 * 2 : row;
}

// Calls tiles(range) for this thread's tiles of the product, whose sums have at most K terms.
template <class T>
template <class Factors, class Tiles>
void Backprop<T>::deal_tiles(const Team& team, const Factors& product, Index K, Tiles tiles) const {
    const Index count = Factors::Grid::tiles(product.M, product.N);
    const Range mine = split_by_rows() ? Range{0, count} : team.part(count);
    team.each(mine, [&](Index first, Index last) { tiles(Range{first, last}); }, tiles_per_poll<T>(K));
    end_pass(team);
}

// Split by columns, waits until all threads have written. Split by rows, nothing is shared before the
// gradient.
template <class T>
void Backprop<T>::end_pass(const Team& team) const {
    if (!split_by_rows()) team.barrier();
}

// a_0: the rows of X are copied in the order of the batch, or go through the input block. Sparse rows are
// found where they are; the gradient needs their entries sorted by feature.
template <class T>
void Backprop<T>::read_inputs(const Team& team, const Batch<T>& batch, const Work& work) {
    assert(batch.rows > 0 && batch.X.sparse() == transposed_.has_value());
    const LayerArrays& at = arrays_[0];
    assert(batch.X.sparse() || (batch.X.ld >= network_.inputs() && (!batch.order || at.a)));
    const auto write = [&](Index first, Index last) {
        const auto row = [&](Index i) { return batch.features(i); };
        const InputBlock& block = network_.input_block();
        const InputWeights<T>& weights = weights_.inputs;
        T* const a = at.a + first * at.ld;
        if (!block.scaled()) return write_inputs(block, weights, first, last, row, a, at.ld);
        T* const unscaled = at.partial + first * at.ld;
        write_inputs(block, weights, first, last, row, unscaled, at.ld);
        scale_inputs(weights.scale, unscaled, a, last - first, block.width(), at.ld);
    };
    const auto gather = [&](Index first, Index last) {
        const Index width = network_.inputs();
        for (Index i = first; i < last; ++i) {
            const T* row = batch.features(i);
            const T* ahead = batch.features(std::min(i + 2, last - 1));
            for (Index j = 0; j < width; j += kLanes<T>) {
                Eigen::internal::prefetch(ahead + j);
                simd::store(at.a + i * at.ld + j, simd::load(row + j, std::min(kLanes<T>, width - j)));
            }
        }
    };
    if (transposed_)
        transposed_->sort(team, batch.sparse_rows(), batch.rows);
    else if (has_input_block())
        team.each(work.rows, write, kRowsPerPoll);
    else if (batch.order)
        team.each(work.rows, gather, kRowsPerPoll);
    else
        return;
    end_pass(team);
}

template <class T>
MatrixView<T> Backprop<T>::activations(Index layer, const Batch<T>& batch) const {
    if (layer == 0 && !batch.order && !has_input_block())
        return {batch.X.from(batch.first_row).values, batch.X.ld};
    const LayerArrays& at = arrays_[std::size_t(layer)];
    return {at.a, at.ld};
}

// Split by columns, a barrier follows whatever writes an array that the next pass reads: one after each
// layer.
template <class T>
void Backprop<T>::passes(const Team& team, const Batch<T>& batch, Drop drop) {
    const Range rows = own_rows(team, batch.rows);
    const Work work{rows, split_by_rows() ? rows : Range{0, batch.rows}};
    read_inputs(team, batch, work);
    forward(team, batch, work, drop);
    forward_loss(team, batch, work);
    backward(team, work);
    sum_weight_squares(team);
}

// z = a_prev W + b, a = f(z), layer by layer; some activations are dropped.
template <class T>
void Backprop<T>::forward(const Team& team, const Batch<T>& batch, const Work& work, Drop drop) {
    const Index L = network_.architecture().layers();
    for (Index l = 1; l <= L; ++l) {
        forward_layer(team, l, batch, work);
        const bool blends = l <= Index(blend_.size()), drops = drops_ && l < L;
        if (!blends && !drops) continue;
        const auto rows = [&](Index first, Index last) {
            if (blends) blend(l, {first, last});
            if (drops) drop_rows(batch, l, {first, last}, drop);
        };
        team.each(work.rows, rows, kRowsPerPoll);
        end_pass(team);
    }
}

// a = z + alpha (f(z) - z), in the place of z.
template <class T>
void Backprop<T>::blend(Index l, Range rows) const {
    const LayerArrays& at = arrays_[std::size_t(l)];
    const Index begin = rows.first * at.ld, O = layout_.layer(l - 1).outputs;
    const T* const alpha = weights_.alphas[std::size_t(l - 1)];
    blend_[std::size_t(l - 1)]({at.a + begin, at.slope + begin, at.partial + begin, at.ld, O, alpha},
                               rows.size());
}

// Each shard's rows are numbered by themselves.
template <class T>
void Backprop<T>::drop_rows(const Batch<T>& batch, Index l, Range rows, Drop drop) const {
    const Dropout dropout(seed_, drop.p);
    const LayerArrays& at = arrays_[std::size_t(l)];
    const Range all{0, batch.rows};
    for (const Range& shard : batch.shards.empty() ? std::span(&all, 1) : batch.shards) {
        for (Index i = std::max(rows.first, shard.first); i < std::min(rows.last, shard.last); ++i) {
            const Index row = i - shard.first, begin = i * at.ld, n = layout_.layer(l - 1).outputs;
            if (at.partial)
                dropout.apply(drop.number, l - 1, row, n, at.a + begin, at.slope + begin, at.partial + begin);
            else
                dropout.apply(drop.number, l - 1, row, n, at.a + begin, at.slope + begin);
        }
        ++drop.number;
    }
}

// In bfloat16 the rows of a_prev are rounded first, each thread its own.
template <class T>
void Backprop<T>::forward_layer(const Team& team, Index l, const Batch<T>& batch, const Work& work) {
    const LayerArrays& at = arrays_[std::size_t(l)];
    const LayerPanels<T>& layer = layout_.layer(l - 1);
    const MatrixView<T> below = activations(l - 1, batch);
    const Index begin = work.product_rows.first * at.ld;
    const bool stores_slope = at.slope && !at.partial;  // else blend() does
    const ForwardOutput<T> out{at.a + begin, stores_slope ? at.slope + begin : nullptr, at.ld};
    const WeightPanels<T> weights = layout_.weights(l - 1, parameters());
    if (l == 1 && transposed_) {
        const SparseProduct<T> z{batch.sparse_rows(), batch.rows, layer.outputs, layer.inputs};
        deal_tiles(team, z, transposed_->longest_row(),
                   [&](Range tiles) { sparse_forward_(z, weights, out, tiles); });
    } else if (rounded_) {
        rounded_->round_activations(team, work.rows, l - 1, below.data, below.ld);
        end_pass(team);
        const PairProduct<T> z = rounded_->forward(l, work.product_rows);
        const WeightPairs<T> pairs{parameters(), layer, rounded_->scratch(team.rank)};
        deal_tiles(team, z, layer.inputs,
                   [&](Range tiles) { rounded_->forward_tiles(l)(z, pairs, out, tiles); });
    } else {
        const Product<T> z = product(work, below, layer.outputs, layer.inputs);
        const ForwardTiles<T> forward = forward_[std::size_t(l - 1)];
        deal_tiles(team, z, z.K, [&](Range tiles) { forward(z, weights, out, tiles); });
    }
}

// The loss of each row, and delta_L = dLoss/dz.
template <class T>
void Backprop<T>::forward_loss(const Team& team, const Batch<T>& batch, const Work& work) {
    const Loss name = network_.architecture().loss;
    const LayerArrays& at = arrays_.back();
    const LossBatch<T> loss{.targets = batch.targets,
                            .order = batch.order,
                            .first_row = batch.first_row,
                            .output = at.a,
                            .delta = at.delta,
                            .ld = at.ld,
                            .outputs = network_.outputs(),
                            .parameters = network_.loss_parameters(),
                            .scale = batch.divisor > 0 ? 1 / batch.divisor : 0,
                            .losses = row_losses_.data(),
                            .scratch = scratch_[std::size_t(team.rank)]};
    const auto rows = [&](Index first, Index last) {
        loss_(loss, first, last);
        if (!row_right_.empty())
            for (Index i = first; i < last; ++i) row_right_[std::size_t(i)] = right_answer(name, loss, i);
        if (takes_logits(name)) return;  // the loss has found dLoss/dz; the others find dLoss/da
        const Index begin = first * at.ld, size = (last - first) * at.ld;
        output_slope_(at.a + begin, at.slope ? at.slope + begin : nullptr, at.delta + begin, size);
    };
    team.each(work.rows, rows, kRowsPerPoll);
    end_pass(team);
}

// delta_prev = (delta W^T) f'(z_prev), layer by layer, down to the inputs of an input block.
template <class T>
void Backprop<T>::backward(const Team& team, const Work& work) {
    for (Index l = network_.architecture().layers(); l > (has_input_block() ? 0 : 1); --l) {
        const LayerArrays& below = arrays_[std::size_t(l - 1)];
        const LayerPanels<T>& layer = layout_.layer(l - 1);
        const Index begin = work.product_rows.first * below.ld;
        const bool uses_slope = below.slope && !below.partial;  // else dLoss/da is needed first
        const BackwardOutput<T> out{below.a + begin, uses_slope ? below.slope + begin : nullptr,
                                    below.delta + begin, below.ld};
        if (rounded_) {
            rounded_->round_deltas(team, work.rows, l, delta(l).data, delta(l).ld);
            end_pass(team);
            const PairProduct<T> d = rounded_->backward(l, work.product_rows);
            const TransposedPairs<T> pairs{parameters(), layer, rounded_->scratch(team.rank)};
            deal_tiles(team, d, layer.outputs,
                       [&](Range tiles) { rounded_->backward_tiles(l)(d, pairs, out, tiles); });
        } else {
            const Product<T> d = product(work, delta(l), layer.inputs, layer.outputs);
            const TransposedPanels<T> weights{parameters(), layer, scratch_[std::size_t(team.rank)]};
            const BackwardTiles<T> backward = backward_[std::size_t(l - 1)];
            deal_tiles(team, d, d.K, [&](Range tiles) { backward(d, weights, out, tiles); });
        }
        if (!below.partial) continue;
        const auto rows = [&](Index first, Index last) { differentiate_partial(l - 1, {first, last}); };
        team.each(work.rows, rows, kRowsPerPoll);
        end_pass(team);
    }
}

// What rows add to dLoss/dalpha or dLoss/ds, and delta from dLoss/da.
template <class T>
void Backprop<T>::differentiate_partial(Index l, Range rows) {
    const LayerArrays& at = arrays_[std::size_t(l)];
    const Index begin = rows.first * at.ld, size = rows.size() * at.ld;
    T *const delta = at.delta + begin, *const partial = at.partial + begin;
    for (Index i = 0; i < size; ++i) partial[i] *= delta[i];
    if (l == 0)
        return scale_inputs(weights_.inputs.scale, delta, delta, rows.size(), network_.input_block().width(),
                            at.ld);
    const T* const slope = at.slope + begin;
    for (Index i = 0; i < size; ++i) delta[i] *= slope[i];
}

template <class T>
void Backprop<T>::sum_weight_squares(const Team& team) {
    team.deal(Index(squares_.size()), [&](Index first, Index last) {
        for (Index p = first; p < last; ++p)
            squares_[std::size_t(p)] = layout_.panel_squares(parameters(), p);
    });
}

template <class T>
double Backprop<T>::loss(const Batch<T>& batch) const {
    return (batch.divisor > 0 ? weighted_losses({0, batch.rows}) / batch.divisor : 0) + penalty(batch);
}

template <class T>
double Backprop<T>::l2(const Batch<T>& batch) const {
    const double l2 = network_.architecture().l2;
    return alpha_ != 0 && batch.divisor > 0 ? l2 + alpha_ / batch.divisor : l2;
}

template <class T>
Index Backprop<T>::right_answers(Range rows) const {
    return std::accumulate(row_right_.begin() + rows.first, row_right_.begin() + rows.last, Index(0));
}

template <class T>
void Backprop<T>::gradients(const Team& team, const Batch<T>& batch, Range rows, const Update<T>& update,
                            const GradientTiles<T>& tiles) {
    const Index L = network_.architecture().layers(),
                parts = gradient_parts(network_, rows.size(), transposed_.has_value());
    const bool arrays = array_gradients_ != nullptr;
    if (arrays) array_gradients(team, batch, rows);
    if (parts == 1) {
        for (Index l = L; l >= 1; --l) layer_gradient(team, l, batch, rows, 1, update, tiles);
        if (arrays) team.barrier();  // their gradients are there
    } else {
        const Update<T> store(parameters(), part_gradients_, nullptr);
        for (Index l = L; l >= 1; --l)
            layer_gradient(team, l, batch, rows, parts, store, store_gradient_tiles<T>());
        team.barrier();  // the gradients of all parts are there
        apply_stored_layers(team, layout_, part_gradients_, parts, layout_.size(), T(1), update, tiles);
    }
    apply_stored_arrays(team, layout_, array_gradients_, T(1), update, tiles);
}

// dW[I, O] = a_prev^T[I, B] delta[B, O] and db[O] = sum of the rows of delta, for each part of the batch. Its
// tasks are numbered part by part, in each the tiles of dW before the panels of db. Where there are several
// parts, what part n stores lies n layouts on.
template <class T>
void Backprop<T>::layer_gradient(const Team& team, Index l, const Batch<T>& batch, Range of, Index parts,
                                 const Update<T>& update, const GradientTiles<T>& tiles) const {
    const LayerPanels<T>& layer = layout_.layer(l - 1);
    const MatrixView<T> below = activations(l - 1, batch), above = delta(l);
    const Index I = layer.inputs, O = layer.outputs;
    const bool sparse = l == 1 && transposed_;
    const Index weight_tasks = sparse ? SparseProduct<T>::Grid::tiles(I, O) : TileGrid<T>::tiles(I, O);
    const Index tasks = weight_tasks + layer.count();

    const auto in_part = [&](Index part, Range range) {
        const Index row = of.first + first_row(part, parts, of.size());
        const Index rows = of.first + first_row(part + 1, parts, of.size()) - row;
        const MatrixPanels<T> delta{above.data + row * above.ld, above.ld, rows,
                                    scratch_[std::size_t(team.rank)]};
        Update<T> u = update.for_weights(I);
        if (parts > 1) u.s1 += part * layout_.size();
        const Range of_weights{range.first, std::min(range.last, weight_tasks)};
        const Range of_biases{std::max<Index>(range.first - weight_tasks, 0), range.last - weight_tasks};
        if (of_weights.size() > 0 && sparse)
            tiles.sparse_weights({transposed_->features(), I, O, rows}, delta, u, layer, of_weights);
        else if (of_weights.size() > 0 && rounded_)
            tiles.pair_weights(rounded_->gradient(l, {row, row + rows}),
                               {delta.data, delta.ld, rows, rounded_->scratch(team.rank)}, u, layer,
                               of_weights);
        else if (of_weights.size() > 0)
            tiles.weights({below.data + row * below.ld, 1, below.ld, I, O, rows}, delta, u, layer,
                          of_weights);
        if (of_biases.size() > 0) tiles.biases(delta, u.for_biases(), layer, of_biases);
    };
    const auto in_parts = [&](Index first, Index last) {
        while (first < last) {
            const Index part = first / tasks, begin = part * tasks, end = std::min(last, begin + tasks);
            in_part(part, {first - begin, end - begin});
            first = end;
        }
    };
    team.deal(parts * tasks, in_parts, tiles_per_poll<T>(of.size() / parts));
}

// Those of the parameters besides W and b, in the order of the layout.
template <class T>
void Backprop<T>::array_gradients(const Team& team, const Batch<T>& batch, Range rows) {
    const auto row = [&](Index i) { return batch.features(i); };
    const InputBlock& block = network_.input_block();
    std::size_t table = 0, periodic = 0;
    Index layer = 0;
    for (const auto& array : layout_.arrays()) {
        T* const sums = array_gradients_ + array.offset - layout_.arrays_begin();
        if (array.kind == ArrayKind::table)
            table_gradient(team, block.tables()[table++], delta(0), rows, row, sums);
        else if (array.kind == ArrayKind::periodic)
            periodic_gradient(team, block.periodic()[periodic++], parameters() + array.offset, delta(0), rows,
                              row, sums);
        else {
            layer += array.kind == ArrayKind::alpha;  // s is layer 0's
            const LayerArrays& at = arrays_[std::size_t(layer)];
            column_sums(team, {at.partial, at.ld}, rows, array.size, sums);
        }
    }
}

template Index gradient_parts(const Network<float>&, Index, bool);
template Index gradient_parts(const Network<double>&, Index, bool);
template class Backprop<float>;
template class Backprop<double>;

}  // namespace fastmlp
