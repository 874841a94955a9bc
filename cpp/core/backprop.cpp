#include "backprop.h"

#include <bit>
#include <cassert>
#include <numeric>

#include "accuracy.h"
#include "activations.h"

namespace fastmlp {

namespace {

// Elements of one task over gradients that lie in memory.
constexpr Index kFlatTask = 512;

// Calls work(from, n) for this thread's elements of [begin, end).
template <class Work>
void deal_elements(const Team& team, Index begin, Index end, Work work) {
    team.deal(ceil_div(end - begin, kFlatTask), [&](Index first, Index last) {
        const Index from = begin + first * kFlatTask, to = std::min(begin + last * kFlatTask, end);
        work(from, to - from);
    });
}

// Rows between two looks at the monitor, in long steps.
constexpr Index kRowsPerPoll = 256;

// Tiles between two looks: some milliseconds' worth, since each look may have a panel prepared once more. An
// epilogue takes no longer than kEpilogue multiply-adds an element.
template <class T>
Index tiles_per_poll(Index K) {
    constexpr Index kMultiplyAdds = 100'000'000, kEpilogue = 256;
    constexpr Index kTile = tile_rows(kTileVectors) * TileGrid<T>::kColumns;
    return std::max<Index>(kMultiplyAdds / (kTile * (K + kEpilogue)), 1);
}

}  // namespace

// A line of memory that another core has read costs much to write. Where activations outweigh the parameters,
// each thread takes rows of its own through the whole network, and gradients are made in parts of the batch
// and added. Elsewhere (1 part) the threads share out the columns of every product, where many weights of
// their own making lie, and wait for each other after each: so they do where X is sparse, whose weights are
// many.
template <class T>
Index Backprop<T>::gradient_parts(Index rows) const {
    constexpr Index kPartRows = 64, kMostParts = 16;
    if (transposed_ || network_.training_flops(rows) < 2 * kFlopsPerThread) return 1;
    Index width = 0;
    for (const Index size : network_.architecture().sizes) width += 2 * size;
    const Index most =
        std::min({rows * width / (2 * network_.parameter_count()), rows / kPartRows, kMostParts});
    return Index(std::bit_floor(std::size_t(std::max<Index>(most, 1))));
}

template <class T>
Backprop<T>::Backprop(const Network<T>& network, Index max_rows, const BackpropOptions& options)
    : network_(network),
      layout_(network),
      parameters_(layout_.size()),
      table_weights_(layout_.all_weights(parameters()).tables),
      dropout_(options.seed, options.dropout),
      drops_(options.dropout > 0),
      alpha_(options.alpha),
      sparse_forward_(sparse_forward_work<T>(network.layers().front().activation)),
      loss_(loss_function<T>(network.architecture().loss)),
      output_slope_(slope_work<T>(network.output_layer().activation)) {
    const Index L = network.architecture().layers();
    if (options.entries) transposed_.emplace(network.inputs(), *options.entries, options.threads);
    layout_.pack(network.parameters(), parameters_.data());
    ld_.push_back(row_stride<T>(network.layers().front().inputs));
    for (const Layer& layer : network.layers()) ld_.push_back(row_stride<T>(layer.outputs));
    Index longest = 0;  // panel of b
    std::vector<bool> keeps_slope{false};
    backward_.push_back(backward_work<T>(Activation::identity));
    for (Index l = 1; l <= L; ++l) {
        const Layer& layer = network.layers()[std::size_t(l - 1)];
        forward_.push_back(forward_work<T>(layer.activation));
        backward_.push_back(backward_work<T>(layer.activation));
        keeps_slope.push_back(!slope_from_output(layer.activation) || (drops_ && l < L));
        if (l > 1 || embeds()) longest = std::max(longest, layer.outputs);
        const Index rows = std::min(max_rows, MatrixPanels<T>::kMostRows);  // of a part, or of a last batch
        if (MatrixPanels<T>::copies(TileGrid<T>::panel_tiles(layer.inputs, TileGrid<T>::kColumns), rows))
            longest = std::max(longest, rows);
    }
    const Index room = std::max(panel_size<T>(longest), loss_scratch<T>(network.outputs()));
    // One allocation for all, so that it lies in large pages: the first turn counts, the second hands out.
    a_.resize(ld_.size());
    slope_.resize(ld_.size());
    delta_.resize(ld_.size());
    thread_room_.resize(std::size_t(options.threads));
    for (const bool counting : {true, false}) {
        Index taken = 0;
        const auto take = [&](T*& buffer, Index size) {
            if (!counting && size > 0) buffer = memory_.data() + taken;
            taken += round_up(size, AlignedBuffer<T>::kSlack);
        };
        for (std::size_t l = 0; l < ld_.size(); ++l) {
            const Index size = max_rows * ld_[l];
            take(a_[l], l > 0 || (options.gather && !options.entries) || embeds() ? size : 0);
            take(slope_[l], keeps_slope[l] ? size : 0);
            take(delta_[l], l > 0 || embeds() ? size : 0);
        }
        for (T*& of_thread : thread_room_) take(of_thread, room);
        const Index parts = gradient_parts(max_rows);
        take(parts_, parts > 1 ? parts * layout_.size() : 0);
        take(tables_, embeds() ? layout_.size() - layout_.tables().front().offset : 0);
        if (counting) memory_ = AlignedBuffer<T>(taken);
    }
    row_losses_.resize(std::size_t(max_rows));
    if (options.counts_right) row_right_.resize(std::size_t(max_rows));
    if (network.architecture().l2 != 0 || alpha_ != 0) squares_.resize(std::size_t(layout_.panels()));
}

template <class T>
typename Backprop<T>::Rows Backprop<T>::activations(Index layer, const Batch<T>& batch) const {
    if (layer == 0 && !batch.order && !embeds()) return {batch.X.from(batch.first_row).values, batch.X.ld};
    return {a_[std::size_t(layer)], ld_[std::size_t(layer)]};
}

template <class T>
void Backprop<T>::deltas(const Team& team, const Batch<T>& batch, std::uint64_t step) {
    assert(batch.rows > 0 && batch.X.sparse() == transposed_.has_value());
    assert(batch.X.sparse() || (batch.X.ld >= network_.inputs() && (!batch.order || a_[0])));
    Share share{team, batch, team.share(batch.rows, team.rank), team.share(batch.rows, team.rank + 1)};
    if (!deals_columns()) {
        share.product_first = share.first;
        share.product_rows = share.last - share.first;
    }
    if (transposed_)
        transpose(share);
    else if (embeds())
        embed(share);
    else if (batch.order)
        gather(share);
    forward(share, step);
    loss(share);
    backward(share);
    team.deal(Index(squares_.size()), [&](Index first, Index last) {
        for (Index p = first; p < last; ++p)
            squares_[std::size_t(p)] = layout_.panel_squares(parameters(), p);
    });
}

template <class T>
void Backprop<T>::gather(const Share& share) {
    const Batch<T>& batch = share.batch;
    const Index width = network_.inputs();
    const auto copy = [&](Index first, Index last) {
        for (Index i = first; i < last; ++i) {
            const T* row = batch.X.from(batch.data_row(i)).values;
            const T* ahead = batch.X.from(batch.data_row(std::min(i + 2, last - 1))).values;
            for (Index j = 0; j < width; j += kLanes<T>) {
                Eigen::internal::prefetch(ahead + j);
                simd::store(a_[0] + i * ld_[0] + j, simd::load(row + j, std::min(kLanes<T>, width - j)));
            }
        }
    };
    share.team.each(share.first, share.last, copy, kRowsPerPoll);
    end_pass(share);
}

template <class T>
void Backprop<T>::embed(const Share& share) {
    const auto work = [&](Index first, Index last) {
        for (Index i = first; i < last; ++i)
            network_.embed(share.batch.X.from(share.batch.data_row(i)).values, table_weights_,
                           a_[0] + i * ld_[0]);
    };
    share.team.each(share.first, share.last, work, kRowsPerPoll);
    end_pass(share);
}

// Sparse rows are found where they are; what the gradient needs is the way from the features to them.
template <class T>
void Backprop<T>::transpose(const Share& share) {
    transposed_->build(share.team, share.batch.sparse_rows(), share.batch.rows);
    end_pass(share);
}

// The share's rows of a matrix times a matrix with K rows and N columns.
template <class T>
Product<T> Backprop<T>::product(const Share& share, Rows a, Index N, Index K) const {
    return {a.data + share.product_first * a.ld, a.ld, 1, share.product_rows, N, K};
}

// Calls tiles(first, last) for this thread's tiles of the product, whose sums have at most K terms.
template <class T>
template <class Factors, class Tiles>
void Backprop<T>::multiply(const Share& share, const Factors& product, Index K, Tiles tiles) const {
    const Index count = Factors::Grid::tiles(product.M, product.N), grain = tiles_per_poll<T>(K);
    if (deals_columns())
        share.team.deal(count, tiles, grain);
    else
        share.team.each(0, count, tiles, grain);
    end_pass(share);
}

// What the next pass reads is there: threads with rows of their own made it themselves.
template <class T>
void Backprop<T>::end_pass(const Share& share) const {
    if (deals_columns()) share.team.barrier();
}

template <class T>
void Backprop<T>::forward(const Share& share, std::uint64_t step) {
    const Index L = network_.architecture().layers();
    for (Index l = 1; l <= L; ++l) {
        const auto at = std::size_t(l);
        const LayerPanels<T>& layer = layout_.layer(l - 1);
        const Index begin = share.product_first * ld_[at];
        const ForwardOutput<T> out{a_[at] + begin, slope_[at] ? slope_[at] + begin : nullptr, ld_[at]};
        const WeightPanels<T> weights = layout_.weights(l - 1, parameters());
        if (l == 1 && transposed_) {
            const SparseProduct<T> z{share.batch.sparse_rows(), share.batch.rows, layer.outputs,
                                     layer.inputs};
            multiply(share, z, transposed_->longest_row(),
                     [&](Index first, Index last) { sparse_forward_(z, weights, out, first, last); });
        } else {
            const Product<T> z = product(share, activations(l - 1, share.batch), layer.outputs, layer.inputs);
            multiply(share, z, z.K,
                     [&](Index first, Index last) { forward_[at - 1](z, weights, out, first, last); });
        }
        if (!drops_ || l == L) continue;
        const auto drop = [&](Index first, Index last) {
            for (Index i = first; i < last; ++i)
                dropout_.apply(step, l - 1, i, a_[at] + i * ld_[at], slope_[at] + i * ld_[at], layer.outputs);
        };
        share.team.each(share.first, share.last, drop, kRowsPerPoll);
        end_pass(share);
    }
}

template <class T>
void Backprop<T>::loss(const Share& share) {
    const Architecture& architecture = network_.architecture();
    const auto L = std::size_t(architecture.layers());
    const double weights = share.batch.weight_sum();
    const LossBatch<T> rows{share.batch.targets,
                            share.batch.order,
                            share.batch.first_row,
                            a_[L],
                            delta_[L],
                            ld_[L],
                            network_.outputs(),
                            network_.loss_parameters(),
                            weights > 0 ? 1 / weights : 0,
                            row_losses_.data(),
                            thread_room_[std::size_t(share.team.rank)]};
    const auto work = [&](Index first, Index last) {
        loss_(rows, first, last);
        if (!row_right_.empty())
            for (Index i = first; i < last; ++i)
                row_right_[std::size_t(i)] = right_answer(architecture.loss, rows, i);
        if (takes_logits(architecture.loss)) return;
        const Index at = first * ld_[L], size = (last - first) * ld_[L];
        output_slope_(a_[L] + at, slope_[L] ? slope_[L] + at : nullptr, delta_[L] + at, size);
    };
    share.team.each(share.first, share.last, work, kRowsPerPoll);
    end_pass(share);
}

// delta_prev = (delta W^T) f'(z_prev), layer by layer, down to embedded inputs; no weight changes before
// every thread has been here.
template <class T>
void Backprop<T>::backward(const Share& share) {
    for (Index l = network_.architecture().layers(); l > (embeds() ? 0 : 1); --l) {
        const auto at = std::size_t(l);
        const LayerPanels<T>& layer = layout_.layer(l - 1);
        const Index begin = share.product_first * ld_[at - 1];
        const Product<T> below = product(share, delta(l), layer.inputs, layer.outputs);
        const TransposedPanels<T> weights{parameters(), layer, thread_room_[std::size_t(share.team.rank)]};
        const BackwardOutput<T> out{a_[at - 1] + begin, slope_[at - 1] ? slope_[at - 1] + begin : nullptr,
                                    delta_[at - 1] + begin, ld_[at - 1]};
        multiply(share, below, below.K,
                 [&](Index first, Index last) { backward_[at - 1](below, weights, out, first, last); });
    }
}

template <class T>
double Backprop<T>::loss(const Batch<T>& batch) const {
    const double weights = batch.weight_sum(), total = sum(row_losses_.data(), batch.rows);
    return (weights > 0 ? total / weights : 0) + penalty(batch);
}

template <class T>
double Backprop<T>::l2(const Batch<T>& batch) const {
    const double l2 = network_.architecture().l2;
    if (alpha_ == 0) return l2;
    const double weights = batch.weight_sum();
    return weights > 0 ? l2 + alpha_ / weights : l2;
}

template <class T>
Index Backprop<T>::right_answers(const Batch<T>& batch) const {
    return std::accumulate(row_right_.begin(), row_right_.begin() + batch.rows, Index(0));
}

template <class T>
void Backprop<T>::gradients(const Team& team, const Batch<T>& batch, const Update<T>& update,
                            const GradientWork<T>& work) {
    const Index L = network_.architecture().layers(), parts = gradient_parts(batch.rows);
    if (embeds()) sum_tables(team, batch);
    if (parts == 1) {
        for (Index l = L; l >= 1; --l) gradient(team, l, batch, 1, update, work);
        if (embeds()) team.barrier();
    } else {
        const Update<T> into(parameters(), parts_, nullptr);
        for (Index l = L; l >= 1; --l) gradient(team, l, batch, parts, into, store_work<T>());
        team.barrier();
        apply_gradient(team, layout_, parts_, parts, layout_.size(), T(1), update, work);
    }
    apply_table_gradient(team, layout_, tables_, T(1), update, work);
}

// dE[code] = sum of delta over the rows that have the code, in their order: each thread for codes of its own.
template <class T>
void Backprop<T>::sum_tables(const Team& team, const Batch<T>& batch) {
    T* sums = tables_;
    for (const Table& table : network_.tables()) {
        const Index first = team.share(table.codes, team.rank), last = team.share(table.codes, team.rank + 1);
        std::fill(sums + first * table.width, sums + last * table.width, T(0));
        for (Index i = 0; i < batch.rows; ++i) {
            const Index code = Index(batch.X.from(batch.data_row(i)).values[table.column]);
            if (code < first || code >= last) continue;
            const T* delta = delta_[0] + i * ld_[0] + table.input;
            for (Index j = 0; j < table.width; ++j) sums[code * table.width + j] += delta[j];
        }
        sums += round_up(table.size(), kLanes<T>);
    }
}

// dW[I, O] = A_prev^T[I, B] delta[B, O] and db[O] = 1^T[1, B] delta[B, O] of each part of the batch; the
// optimizer's state, or what is stored, of part n lies n layouts on.
template <class T>
void Backprop<T>::gradient(const Team& team, Index l, const Batch<T>& batch, Index parts,
                           const Update<T>& update, const GradientWork<T>& work) const {
    static const T one = 1;
    const LayerPanels<T>& layer = layout_.layer(l - 1);
    const Rows below = activations(l - 1, batch), above = delta(l);
    const Index I = layer.inputs, O = layer.outputs;
    const bool sparse = l == 1 && transposed_;
    const Index weight_tiles = sparse ? SparseProduct<T>::Grid::tiles(I, O) : TileGrid<T>::tiles(I, O);
    const Index tiles = weight_tiles + TileGrid<T>::tiles(1, O);
    const auto share = [&](Index first, Index last) {
        while (first < last) {
            const Index part = first / tiles, begin = first % tiles,
                        end = std::min(begin + last - first, tiles);
            const Index row = batch.rows * part / parts, rows = batch.rows * (part + 1) / parts - row;
            const MatrixPanels<T> delta{above.data + row * above.ld, above.ld, rows,
                                        thread_room_[std::size_t(team.rank)]};
            Update<T> u = update;
            u.s1 += part * layout_.size();
            const Index stop = std::min(end, weight_tiles);
            if (begin < stop && sparse)
                work.sparse_tiles({transposed_->features(), I, O, rows}, delta, u, layer, begin, stop);
            else if (begin < stop)
                work.tiles({below.data + row * below.ld, 1, below.ld, I, O, rows}, delta, u, layer, 0, begin,
                           stop);
            if (end > weight_tiles)
                work.tiles({&one, 0, 0, 1, O, rows}, delta, u.for_biases(), layer, I,
                           std::max<Index>(begin - weight_tiles, 0), end - weight_tiles);
            first += end - begin;
        }
    };
    team.deal(parts * tiles, share, tiles_per_poll<T>(batch.rows / parts));
}

template <class T>
void apply_gradient(const Team& team, const PanelLayout<T>& layout, const T* parts, Index count, Index stride,
                    T scale, const Update<T>& update, const GradientWork<T>& work) {
    const auto apply = [&](Index begin, Index end, const Update<T>& u) {
        deal_elements(team, begin, end,
                      [&](Index from, Index n) { work.sum(parts + from, count, stride, scale, u, from, n); });
    };
    for (Index l = 0; l < layout.layers(); ++l) {
        const LayerPanels<T>& layer = layout.layer(l);
        for (Index p = 0; p < layer.count(); ++p) {
            apply(layer.weights(p), layer.biases(p), update);
            apply(layer.biases(p), layer.biases(p) + layer.width(p), update.for_biases());
        }
    }
}

template <class T>
void apply_table_gradient(const Team& team, const PanelLayout<T>& layout, const T* gradient, T scale,
                          const Update<T>& update, const GradientWork<T>& work) {
    for (const auto& table : layout.tables()) {
        const Index shift = layout.tables().front().offset;
        deal_elements(team, table.offset, table.offset + table.size, [&](Index from, Index n) {
            work.sum(gradient + from - shift, 1, 0, scale, update, from, n);
        });
    }
}

template class Backprop<float>;
template class Backprop<double>;
template void apply_gradient(const Team&, const PanelLayout<float>&, const float*, Index, Index, float,
                             const Update<float>&, const GradientWork<float>&);
template void apply_gradient(const Team&, const PanelLayout<double>&, const double*, Index, Index, double,
                             const Update<double>&, const GradientWork<double>&);
template void apply_table_gradient(const Team&, const PanelLayout<float>&, const float*, float,
                                   const Update<float>&, const GradientWork<float>&);
template void apply_table_gradient(const Team&, const PanelLayout<double>&, const double*, double,
                                   const Update<double>&, const GradientWork<double>&);

}  // namespace fastmlp
