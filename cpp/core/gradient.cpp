// The gradient pass on tiles: gradients go from the registers to the update rule, never to an array of their
// own.
#include "passes.h"

namespace fastmlp {

namespace {

// The gradients of a tile wait in the first-level cache; they are applied during the next tile's product.
template <class Rule, class T, int V>
class ApplyToPanel {
public:
    ApplyToPanel(const Update<T>& update, Index first) : update_(update), first_(first) {}
    ApplyToPanel(const ApplyToPanel&) = delete;
    ApplyToPanel& operator=(const ApplyToPanel&) = delete;
    ~ApplyToPanel() {
        for (Index n = 0; n < waiting_count_; ++n) ride(n);
    }

    bool waits() const { return waiting_count_ > 0; }
    FASTMLP_INLINE void operator()(Index, int, int n, Packet<T> g) { waiting_[n] = g; }
    FASTMLP_INLINE void end_tile(Index i, int rows) {
        at_ = first_ + i * V * kLanes<T>;
        waiting_count_ = rows * V;
    }
    FASTMLP_INLINE void ride(Index n) { fastmlp::update<Rule>(update_, at_ + n * kLanes<T>, waiting_[n]); }

private:
    const Update<T>& update_;
    const Index first_;  // of the panel's parameters
    Index at_ = 0;       // of the waiting ones
    Index waiting_count_ = 0;
    Packet<T> waiting_[tile_rows(V) * V];
};

template <class Rule, class T>
struct Apply {
    const Update<T>& u;
    Index first, panel_stride, first_row;

    template <int V>
    ApplyToPanel<Rule, T, V> panel(Index j) const {
        const Index panel = first + j / TileGrid<T>::kColumns * panel_stride;
        return ApplyToPanel<Rule, T, V>(u, panel + first_row * V * kLanes<T>);
    }
};

template <class Rule, class T>
void gradient_tiles(const Product<T>& p, const MatrixPanels<T>& delta, const Update<T>& u,
                    const LayerPanels<T>& layer, Index first_row, Index first, Index last) {
    multiply(p, delta, first, last,
             Apply<Rule, T>{u, layer.offset, layer.weights(1) - layer.weights(0), first_row});
}

// The update of a feature's weights waits for them to come from memory, so it is done at once.
template <class Rule, class T>
struct ApplyAtOnce {
    const Update<T>& u;
    Index first, panel_stride;

    template <int V>
    auto panel(Index j) const {
        const Index panel = first + j / TileGrid<T>::kColumns * panel_stride;
        return [&update = u, panel](Index i, int v, int, Packet<T> g) FASTMLP_INLINE_LAMBDA {
            fastmlp::update<Rule>(update, panel + (i * V + v) * kLanes<T>, g);
        };
    }
};

template <class Rule, class T>
void sparse_gradient_tiles(const SparseProduct<T>& p, const MatrixPanels<T>& delta, const Update<T>& u,
                           const LayerPanels<T>& layer, Index first, Index last) {
    multiply(p, delta, first, last,
             ApplyAtOnce<Rule, T>{u, layer.offset, layer.weights(1) - layer.weights(0)});
}

template <class Rule, class T>
void gradient_sum(const T* parts, Index count, Index stride, T scale, const Update<T>& u, Index at, Index n) {
    for (Index e = 0; e < n; e += kLanes<T>) {
        Packet<T> g = simd::load(parts + e);
        for (Index part = 1; part < count; ++part)
            g = Eigen::internal::padd(g, simd::load(parts + part * stride + e));
        update<Rule>(u, at + e, Eigen::internal::pmul(g, simd::set1(scale)));
    }
}

template <class T>
constexpr auto work_of = [](auto rule) -> GradientWork<T> {
    return {gradient_tiles<decltype(rule), T>, sparse_gradient_tiles<decltype(rule), T>,
            gradient_sum<decltype(rule), T>};
};

}  // namespace

template <class T>
GradientWork<T> update_work(Optimizer optimizer) {
    return with_rule(optimizer, work_of<T>);
}

template <class T>
GradientWork<T> store_work() {
    return work_of<T>(rules::StoreGradient{});
}

template GradientWork<float> update_work(Optimizer);
template GradientWork<double> update_work(Optimizer);
template GradientWork<float> store_work();
template GradientWork<double> store_work();

}  // namespace fastmlp
