#include "core/train/whole_gradient.h"

namespace fastmlp {

namespace {

// Calls work(from, n) for this thread's numbers of a range.
template <class Work>
void deal_numbers(const Team& team, Range range, Work work) {
    constexpr Index kTask = 512;
    team.deal(ceil_div(range.size(), kTask), [&](Index first, Index last) {
        const Index from = range.first + first * kTask, to = std::min(range.first + last * kTask, range.last);
        work(from, to - from);
    });
}

}  // namespace

template <class T>
void apply_stored_layers(const Team& team, const PanelLayout<T>& layout, const T* parts, Index count,
                         Index stride, T scale, const Update<T>& update, const GradientTiles<T>& tiles) {
    const auto apply = [&](Range range, const Update<T>& u) {
        deal_numbers(team, range, [&](Index from, Index n) {
            tiles.stored(parts + from, count, stride, scale, u, from, n);
        });
    };
    for (Index l = 0; l < layout.layers(); ++l) {
        const LayerPanels<T>& layer = layout.layer(l);
        for (Index p = 0; p < layer.count(); ++p) {
            apply({layer.weights(p), layer.biases(p)}, update);
            apply({layer.biases(p), layer.biases(p) + layer.width(p)}, update.for_biases());
        }
    }
}

template <class T>
void apply_stored_tables(const Team& team, const PanelLayout<T>& layout, const T* gradient, T scale,
                         const Update<T>& update, const GradientTiles<T>& tiles) {
    for (const auto& table : layout.tables()) {
        const Index shift = layout.tables().front().offset;
        deal_numbers(team, {table.offset, table.offset + table.size}, [&](Index from, Index n) {
            tiles.stored(gradient + from - shift, 1, 0, scale, update, from, n);
        });
    }
}

template <class T>
void WholeGradient<T>::sum_squares(const Team& team) {
    team.deal(Index(squares_.size()), [&](Index first, Index last) {
        for (Index task = first; task < last; ++task) {
            const Index begin = task * kTask, n = std::min(kTask, gradient_.size() - begin);
            squares_[std::size_t(task)] = sum_of_squares(gradient_.data() + begin, n);
        }
    });
}

template <class T>
void WholeGradient<T>::apply(const Team& team, const PanelLayout<T>& layout, Update<T> update,
                             const GradientTiles<T>& tiles) const {
    update.l2 = 0;
    const T factor = T(scale());
    apply_stored_layers(team, layout, gradient_.data(), 1, 0, factor, update, tiles);
    if (layout.tables().empty()) return;
    const T* const of_tables = gradient_.data() + layout.tables().front().offset;
    apply_stored_tables(team, layout, of_tables, factor, update, tiles);
}

// The factor that clips the gradient to clip_norm, or makes its norm 1.
template <class T>
double WholeGradient<T>::scale() const {
    double squares = 0;
    for (const double part : squares_) squares += part;
    const double norm = std::sqrt(squares);
    if (normalized_) return norm > 0 ? 1 / norm : 1;
    return clip_norm_ > 0 && norm > clip_norm_ ? clip_norm_ / norm : 1;
}

template class WholeGradient<float>;
template class WholeGradient<double>;
template void apply_stored_layers(const Team&, const PanelLayout<float>&, const float*, Index, Index, float,
                                  const Update<float>&, const GradientTiles<float>&);
template void apply_stored_layers(const Team&, const PanelLayout<double>&, const double*, Index, Index,
                                  double, const Update<double>&, const GradientTiles<double>&);
template void apply_stored_tables(const Team&, const PanelLayout<float>&, const float*, float,
                                  const Update<float>&, const GradientTiles<float>&);
template void apply_stored_tables(const Team&, const PanelLayout<double>&, const double*, double,
                                  const Update<double>&, const GradientTiles<double>&);

}  // namespace fastmlp
