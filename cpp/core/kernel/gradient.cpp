// The gradient pass on tiles: dW[I, O] = A_prev^T[I, B] delta[B, O] and db[O] = sum of the rows of delta.
// As a rule gradients are applied tile by tile and never stored as a whole; where they are (parts of a batch,
// clipping), the rule is StoreGradient.
#include "core/kernel/passes.h"

namespace fastmlp {

namespace {

// Where a tile of dW lies among the parameters, which are in panels: the packets of a tile lie side by side.
template <class T>
struct Place {
    const LayerPanels<T>& layer;

    Index panel(Index j) const { return layer.weights(j / layer.kColumns); }
};

// Applies the rule to each packet while it is in a register. What the rule reads of a tile is asked for
// before the tile's product: the parameters and their states together are often more than the second-level
// cache.
template <class Rule, class T, int V>
struct RulePanel {
    const Update<T> update;  // a copy: the compiler knows that no store of a weight changes it
    const Index at;          // where the panel's parameters begin

    FASTMLP_INLINE void begin_tile(Index i, int rows) const {
        for (Index e = at + i * V * kLanes<T>, end = e + rows * V * kLanes<T>; e < end; e += 64 / sizeof(T))
            prefetch_rule<Rule>(update, e);
    }
    FASTMLP_INLINE void operator()(Index i, int v, int, Packet<T> g) const {
        apply_rule<Rule>(update, at + (i * V + v) * kLanes<T>, g);
    }
};

template <class Rule, class T>
struct ApplyInRegisters {
    const Update<T>& u;
    Place<T> place;

    template <int V>
    RulePanel<Rule, T, V> panel(Index j) const {
        return {u, place.panel(j)};
    }
};

// Keeps the gradients of a tile in the first-level cache; the rule is applied to them during the next tile's
// product (see multiply_tile).
template <class Rule, class T, int V>
class ApplyDuringNextTile {
public:
    ApplyDuringNextTile(const Update<T>& update, Index panel) : update_(update), panel_(panel) {}
    ApplyDuringNextTile(const ApplyDuringNextTile&) = delete;
    ApplyDuringNextTile& operator=(const ApplyDuringNextTile&) = delete;
    ~ApplyDuringNextTile() { flush(); }

    FASTMLP_INLINE void operator()(Index, int, int n, Packet<T> g) { gradients_[n] = g; }
    FASTMLP_INLINE void end_tile(Index i, int rows) {
        at_ = panel_ + i * V * kLanes<T>;
        pending_ = rows * V;
    }
    bool has_pending() const { return pending_ > 0; }
    FASTMLP_INLINE void apply_pending(Index n) {
        apply_rule<Rule>(update_, at_ + n * kLanes<T>, gradients_[n]);
    }
    FASTMLP_NOINLINE void flush() {
        for (Index n = 0; n < pending_; ++n) apply_pending(n);
        pending_ = 0;
    }

private:
    const Update<T>& update_;
    const Index panel_;  // where the panel's parameters begin
    Index at_ = 0;       // where those of the pending gradients begin
    Index pending_ = 0;  // packets
    Packet<T> gradients_[tile_packets<V>];
};

template <class Rule, class T>
struct DeferredApply {
    const Update<T>& u;
    Place<T> place;

    template <int V>
    ApplyDuringNextTile<Rule, T, V> panel(Index j) const {
        return ApplyDuringNextTile<Rule, T, V>(u, place.panel(j));
    }
};

// Applies the rule to n packets of gradients in memory.
template <class Rule, class T>
void apply_tile(const Update<T>& u, Index at, int n, const Packet<T>* g) {
    for (int i = 0; i < n; ++i) apply_rule<Rule>(u, at + i * kLanes<T>, g[i]);
}

template <class T>
struct ApplyTile {
    using Apply = void (*)(const Update<T>&, Index at, int n, const Packet<T>* g);
    const Update<T>& u;
    Place<T> place;
    Apply apply;

    template <int V>
    struct Panel {
        const Update<T>& u;
        Index panel;
        Apply apply;
        Packet<T> g[tile_packets<V>];

        FASTMLP_INLINE void operator()(Index, int, int n, Packet<T> x) { g[n] = x; }
        FASTMLP_INLINE void end_tile(Index i, int rows) { apply(u, panel + i * V * kLanes<T>, rows * V, g); }
    };
    template <int V>
    Panel<V> panel(Index j) const {
        return {u, place.panel(j), apply, {}};
    }
};

template <class Rule>
constexpr bool is_hot = std::is_same_v<Rule, rules::Adam> || std::is_same_v<Rule, rules::Sgd>;
template <class Rule>
constexpr bool is_plain =
    std::is_same_v<Rule, rules::StoreGradient> || std::is_same_v<Rule, rules::AddGradient>;

template <class Rule, class T, class Factors, class Panels>
void weight_tiles(const Factors& p, const Panels& delta, const Update<T>& u, const LayerPanels<T>& layer,
                  Range tiles) {
    if constexpr (is_hot<Rule> && kDefersUpdates)
        multiply(p, delta, tiles, DeferredApply<Rule, T>{u, {layer}});
    else if constexpr (is_hot<Rule> || is_plain<Rule>)
        multiply(p, delta, tiles, ApplyInRegisters<Rule, T>{u, {layer}});
    else
        multiply(p, delta, tiles, ApplyTile<T>{u, {layer}, apply_tile<Rule, T>});
}

// The rule is not deferred: a feature's weights must come from memory, and nothing but the rule waits for
// them.
template <class Rule, class T>
void sparse_weight_tiles(const SparseProduct<T>& p, const MatrixPanels<T>& delta, const Update<T>& u,
                         const LayerPanels<T>& layer, Range tiles) {
    if constexpr (is_hot<Rule> || is_plain<Rule>)
        multiply(p, delta, tiles, ApplyInRegisters<Rule, T>{u, {layer}});
    else
        multiply(p, delta, tiles, ApplyTile<T>{u, {layer}, apply_tile<Rule, T>});
}

// Sums of the rows of V vectors of a matrix, each one chain of additions from the first row to the last.
template <int V, class T>
void sum_rows(const MatrixPanels<T>& matrix, Index j, Index vectors, Packet<T>* sums) {
    if constexpr (V > 1) {
        if (vectors < V) return sum_rows<V - 1>(matrix, j, vectors, sums);
    }
    Packet<T> c[V];
    for (int v = 0; v < V; ++v) c[v] = simd::set1(T(0));
    const T* row = matrix.data + j;
    for (Index k = 0; k < matrix.K; ++k, row += matrix.ld)
        for (int v = 0; v < V; ++v) c[v] = Eigen::internal::padd(c[v], simd::load(row + v * kLanes<T>));
    for (int v = 0; v < V; ++v) sums[v] = c[v];
}

template <class Rule, class T>
void bias_panels(const MatrixPanels<T>& delta, const Update<T>& u, const LayerPanels<T>& layer,
                 Range panels) {
    for (Index panel = panels.first; panel < panels.last; ++panel) {
        const Index j = panel * layer.kColumns, vectors = TileGrid<T>::vectors(layer.outputs - j);
        Packet<T> sums[kTileVectors];
        sum_rows<kTileVectors>(delta, j, vectors, sums);
        apply_tile<Rule>(u, layer.biases(panel), int(vectors), sums);
    }
}

template <class Rule, class T>
void apply_stored(const T* parts, Index count, Index stride, T scale, const Update<T>& u, Index at, Index n) {
    for (Index e = 0; e < n; e += kLanes<T>) {
        Packet<T> g = simd::load(parts + e);
        for (Index part = 1; part < count; ++part)
            g = Eigen::internal::padd(g, simd::load(parts + part * stride + e));
        apply_rule<Rule>(u, at + e, Eigen::internal::pmul(g, simd::set1(scale)));
    }
}

template <class T>
constexpr auto functions_of = [](auto rule) -> GradientTiles<T> {
    using Rule = decltype(rule);
    GradientTiles<T> tiles{weight_tiles<Rule, T>, sparse_weight_tiles<Rule, T>, nullptr, bias_panels<Rule, T>,
                           apply_stored<Rule, T>};
    if constexpr (kHasBfloat16<T>) tiles.pair_weights = weight_tiles<Rule, T>;
    return tiles;
};

}  // namespace

template <class T>
GradientTiles<T> gradient_tiles(Optimizer optimizer) {
    return with_rule(optimizer, functions_of<T>);
}

template <class T>
GradientTiles<T> store_gradient_tiles() {
    return functions_of<T>(rules::StoreGradient{});
}

template <class T>
GradientTiles<T> add_gradient_tiles() {
    return functions_of<T>(rules::AddGradient{});
}

template GradientTiles<float> gradient_tiles(Optimizer);
template GradientTiles<double> gradient_tiles(Optimizer);
template GradientTiles<float> store_gradient_tiles();
template GradientTiles<double> store_gradient_tiles();
template GradientTiles<float> add_gradient_tiles();
template GradientTiles<double> add_gradient_tiles();

}  // namespace fastmlp
