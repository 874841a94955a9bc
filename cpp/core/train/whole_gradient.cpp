#include "core/train/whole_gradient.h"

#include <cmath>
#include <numeric>

namespace fastmlp {

namespace {

// Calls work(from, n) for this thread's numbers of a range, as far as they are in `part`.
template <class Work>
void deal_numbers(const Team& team, Range range, Range part, Work work) {
    constexpr Index kTask = 512;
    range = {std::max(range.first, part.first), std::min(range.last, part.last)};
    if (range.first >= range.last) return;
    team.deal(ceil_div(range.size(), kTask), [&](Index first, Index last) {
        const Index from = range.first + first * kTask, to = std::min(range.first + last * kTask, range.last);
        work(from, to - from);
    });
}

}  // namespace

template <class T>
void apply_stored_layers(const Team& team, const PanelLayout<T>& layout, const T* parts, Index count,
                         Index stride, T scale, const Update<T>& update, const GradientTiles<T>& tiles,
                         Range part) {
    const auto apply = [&](Range range, const Update<T>& u) {
        deal_numbers(team, range, part, [&](Index from, Index n) {
            tiles.stored(parts + from, count, stride, scale, u, from - part.first, n);
        });
    };
    for (Index l = 0; l < layout.layers(); ++l) {
        const LayerPanels<T>& layer = layout.layer(l);
        const Update<T> of_weights = update.for_weights(layer.inputs);
        for (Index p = 0; p < layer.count(); ++p) {
            apply({layer.weights(p), layer.biases(p)}, of_weights);
            apply({layer.biases(p), layer.biases(p) + layer.width(p)}, update.for_biases());
        }
    }
}

template <class T>
Update<T> of_array(ArrayKind kind, const Update<T>& update) {
    switch (kind) {
        case ArrayKind::table:
            return update.for_tables();
        case ArrayKind::periodic:
            return update.for_periodic();
        case ArrayKind::scale:
            return update.for_scales();
        case ArrayKind::alpha:
            break;
    }
    return update.for_alphas();
}

template <class T>
void apply_stored_arrays(const Team& team, const PanelLayout<T>& layout, const T* gradient, T scale,
                         const Update<T>& update, const GradientTiles<T>& tiles, Range part) {
    for (const auto& array : layout.arrays()) {
        const Update<T> u = of_array(array.kind, update);
        const Index shift = layout.arrays_begin();
        deal_numbers(team, {array.offset, array.offset + array.size}, part, [&](Index from, Index n) {
            tiles.stored(gradient + from - shift, 1, 0, scale, u, from - part.first, n);
        });
    }
}

template <class T>
void apply_stored(const Team& team, const PanelLayout<T>& layout, const T* gradient, T scale,
                  const Update<T>& update, const GradientTiles<T>& tiles, Range part) {
    apply_stored_layers(team, layout, gradient, 1, 0, scale, update, tiles, part);
    if (layout.arrays().empty()) return;
    apply_stored_arrays(team, layout, gradient + layout.arrays_begin(), scale, update, tiles, part);
}

double NormLimit::scale(double squares) const {
    const double norm = std::sqrt(squares);
    if (normalized) return norm > 0 ? 1 / norm : 1;
    return clip_norm > 0 && norm > clip_norm ? clip_norm / norm : 1;
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
    const double squares = std::accumulate(squares_.begin(), squares_.end(), 0.0);
    apply_stored(team, layout, gradient_.data(), T(limit_.scale(squares)), update, tiles);
}

template class WholeGradient<float>;
template class WholeGradient<double>;
template void apply_stored_layers(const Team&, const PanelLayout<float>&, const float*, Index, Index, float,
                                  const Update<float>&, const GradientTiles<float>&, Range);
template void apply_stored_layers(const Team&, const PanelLayout<double>&, const double*, Index, Index,
                                  double, const Update<double>&, const GradientTiles<double>&, Range);
template void apply_stored_arrays(const Team&, const PanelLayout<float>&, const float*, float,
                                  const Update<float>&, const GradientTiles<float>&, Range);
template void apply_stored_arrays(const Team&, const PanelLayout<double>&, const double*, double,
                                  const Update<double>&, const GradientTiles<double>&, Range);
template void apply_stored(const Team&, const PanelLayout<float>&, const float*, float, const Update<float>&,
                           const GradientTiles<float>&, Range);
template void apply_stored(const Team&, const PanelLayout<double>&, const double*, double,
                           const Update<double>&, const GradientTiles<double>&, Range);

}  // namespace fastmlp
