// The order of a network's parameters in training: layer by layer in panels.
#pragma once

#include <numeric>

#include "network.h"
#include "panels.h"

namespace fastmlp {

// Sum of f(x_i), in double and in a fixed order.
template <class T, class F>
double ordered_sum(const T* x, Index n, F f) {
    constexpr Index kSums = 16;  // independent sums, so that they can be made side by side
    double sums[kSums] = {};
    const Index whole = n / kSums * kSums;
    for (Index i = 0; i < whole; i += kSums)
        for (Index j = 0; j < kSums; ++j) sums[j] += f(double(x[i + j]));
    for (Index i = whole; i < n; ++i) sums[i - whole] += f(double(x[i]));
    return std::accumulate(sums, sums + kSums, 0.0);
}

template <class T>
double sum(const T* x, Index n) {
    return ordered_sum(x, n, [](double v) { return v; });
}

template <class T>
double sum_of_squares(const T* x, Index n) {
    return ordered_sum(x, n, [](double v) { return v * v; });
}

template <class T>
class PanelLayout {
public:
    explicit PanelLayout(const Network<T>& network) {
        for (const Layer& layer : network.layers()) {
            flat_.push_back(layer.weights);
            layers_.push_back({size_, layer.inputs, layer.outputs});
            size_ += layers_.back().size();
            panels_ += layers_.back().count();
        }
    }

    Index size() const { return size_; }
    Index layers() const { return Index(layers_.size()); }
    const LayerPanels<T>& layer(Index l) const { return layers_[std::size_t(l)]; }
    WeightPanels<T> weights(Index l, const T* parameters) const {
        return {parameters + layer(l).offset, (layer(l).inputs + 1) * TileGrid<T>::kColumns, 0};
    }

    std::vector<WeightPanels<T>> all_weights(const T* parameters) const {
        std::vector<WeightPanels<T>> all;
        for (Index l = 0; l < Index(layers_.size()); ++l) all.push_back(weights(l, parameters));
        return all;
    }

    // Sums of squares of the weights, a panel each.
    Index panels() const { return panels_; }
    double panel_squares(const T* parameters, Index panel) const {
        for (const LayerPanels<T>& layer : layers_) {
            if (panel < layer.count())
                return sum_of_squares(parameters + layer.weights(panel), layer.inputs * layer.width(panel));
            panel -= layer.count();
        }
        return 0;
    }
    double squared_weights(const T* parameters) const {
        double squares = 0;
        for (Index panel = 0; panel < panels_; ++panel) squares += panel_squares(parameters, panel);
        return squares;
    }

    // Between the flat buffer and the panels.
    void pack(const T* flat, T* panels) const {
        each_row([&](Index at_flat, Index at_panels, Index n) {
            std::copy(flat + at_flat, flat + at_flat + n, panels + at_panels);
        });
    }
    void unpack(const T* panels, T* flat) const {
        each_row([&](Index at_flat, Index at_panels, Index n) {
            std::copy(panels + at_panels, panels + at_panels + n, flat + at_flat);
        });
    }

private:
    // Calls copy(flat, panels, n) for each row of each panel, b's included.
    template <class Copy>
    void each_row(const Copy& copy) const {
        for (std::size_t l = 0; l < layers_.size(); ++l) {
            const LayerPanels<T>& layer = layers_[l];
            for (Index p = 0; p < layer.count(); ++p) {
                const Index j = p * layer.kColumns, n = std::min(layer.kColumns, layer.outputs - j);
                for (Index i = 0; i <= layer.inputs; ++i)
                    copy(flat_[l] + i * layer.outputs + j, layer.weights(p) + i * layer.width(p), n);
            }
        }
    }

    std::vector<LayerPanels<T>> layers_;
    std::vector<Index> flat_;  // where each layer begins in the flat buffer
    Index size_ = 0, panels_ = 0;
};

// The weights where the network has them.
template <class T>
std::vector<WeightPanels<T>> flat_weights(const Network<T>& network) {
    std::vector<WeightPanels<T>> all;
    for (const Layer& layer : network.layers())
        all.push_back({network.parameters() + layer.weights, TileGrid<T>::kColumns, layer.outputs});
    return all;
}

}  // namespace fastmlp
