// Where a network's parameters lie in a run: layer by layer in panels, then the other arrays one by one.
#pragma once

#include "core/base/parallel.h"
#include "core/base/reductions.h"
#include "core/kernel/panels.h"
#include "core/model/network.h"

namespace fastmlp {

// Where the parameters lie that products read.
template <class T>
struct Weights {
    std::vector<WeightPanels<T>> layers;
    InputWeights<T> inputs;
    std::vector<const T*> alphas;  // of the hidden layers; empty where they are not parametric

    void add(ArrayKind kind, const T* array) {
        if (kind == ArrayKind::table) inputs.tables.push_back(array);
        if (kind == ArrayKind::periodic) inputs.periodic.push_back(array);
        if (kind == ArrayKind::scale) inputs.scale = array;
        if (kind == ArrayKind::alpha) alphas.push_back(array);
    }
};

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
        for (const ParameterArray& array : network.arrays()) {
            arrays_.push_back({array.kind, size_, array.begin, array.size});
            size_ += round_up(array.size, kLanes<T>);
            tables_ += array.kind == ArrayKind::table;
        }
    }

    Index size() const { return size_; }
    Index layers() const { return Index(layers_.size()); }
    const LayerPanels<T>& layer(Index l) const { return layers_[std::size_t(l)]; }
    WeightPanels<T> weights(Index l, const T* parameters) const {
        return {parameters + layer(l).offset, (layer(l).inputs + 1) * TileGrid<T>::kColumns, 0};
    }

    Weights<T> all_weights(const T* parameters) const {
        Weights<T> all;
        for (Index l = 0; l < layers(); ++l) all.layers.push_back(weights(l, parameters));
        for (const Array& array : arrays_) all.add(array.kind, parameters + array.offset);
        return all;
    }

    // The parameters besides W and b: where each array begins, here and in the flat buffer.
    struct Array {
        ArrayKind kind;
        Index offset, flat, size;
        bool penalised() const { return kind == ArrayKind::table; }
    };
    const std::vector<Array>& arrays() const { return arrays_; }
    Index arrays_begin() const { return arrays_.empty() ? size_ : arrays_.front().offset; }

    // Sums of squares of the weights, a panel or a table each; tables come before other arrays.
    Index panels() const { return panels_ + tables_; }
    double panel_squares(const T* parameters, Index panel) const {
        for (const LayerPanels<T>& layer : layers_) {
            if (panel < layer.count())
                return sum_of_squares(parameters + layer.weights(panel), layer.inputs * layer.width(panel));
            panel -= layer.count();
        }
        const Array& table = arrays_[std::size_t(panel)];
        return sum_of_squares(parameters + table.offset, table.size);
    }
    double squared_weights(const T* parameters) const {
        double squares = 0;
        for (Index panel = 0; panel < panels(); ++panel) squares += panel_squares(parameters, panel);
        return squares;
    }

    // Between the flat buffer and the panels, on at most so many threads.
    void pack(const T* flat, T* panels, int threads = 1) const {
        each_row(threads, [&](Index at_flat, Index at_panels, Index n) {
            std::copy(flat + at_flat, flat + at_flat + n, panels + at_panels);
        });
    }
    void unpack(const T* panels, T* flat, int threads = 1) const {
        each_row(threads, [&](Index at_flat, Index at_panels, Index n) {
            std::copy(panels + at_panels, panels + at_panels + n, flat + at_flat);
        });
    }

private:
    // Calls copy(flat, panels, n) for each row of each panel, b's included, and each other array.
    template <class Copy>
    void each_row(int threads, const Copy& copy) const {
        constexpr double kFlops = 8 * sizeof(T);  // that take as long as the copy of a number
        run_team(worth_threads(kFlops * double(size_), threads), nullptr, [&](const Team& team) {
            for (std::size_t l = 0; l < layers_.size(); ++l)
                each_row_of(layers_[l], team.part(layers_[l].count()), flat_[l], copy);
            for (const Array& array : arrays_) {
                const Range mine = team.part(array.size);
                copy(array.flat + mine.first, array.offset + mine.first, mine.size());
            }
        });
    }

    // The same for some panels of a layer, which begins at `flat` in the flat buffer: some rows of all panels
    // before the next ones, as they lie there.
    template <class Copy>
    void each_row_of(const LayerPanels<T>& layer, Range panels, Index flat, const Copy& copy) const {
        constexpr Index kRows = 16;
        for (Index first = 0; first <= layer.inputs; first += kRows)
            for (Index p = panels.first; p < panels.last; ++p) {
                const Index j = p * layer.kColumns, n = std::min(layer.kColumns, layer.outputs - j);
                for (Index i = first; i <= std::min(first + kRows - 1, layer.inputs); ++i)
                    copy(flat + i * layer.outputs + j, layer.weights(p) + i * layer.width(p), n);
            }
    }

    std::vector<LayerPanels<T>> layers_;
    std::vector<Array> arrays_;
    std::vector<Index> flat_;  // where each layer begins in the flat buffer
    Index size_ = 0, panels_ = 0, tables_ = 0;
};

// The weights where the network has them.
template <class T>
Weights<T> flat_weights(const Network<T>& network) {
    Weights<T> all;
    for (const Layer& layer : network.layers())
        all.layers.push_back({network.parameters() + layer.weights, TileGrid<T>::kColumns, layer.outputs});
    for (const ParameterArray& array : network.arrays())
        all.add(array.kind, network.parameters() + array.begin);
    return all;
}

}  // namespace fastmlp
