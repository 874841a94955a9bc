// The gradient of all parameters in memory, for updates that need its norm before any weight changes:
// clipping, and steps of fixed length.
#pragma once

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/base/reductions.h"
#include "core/kernel/passes.h"
#include "core/model/layout.h"

namespace fastmlp {

// Hands gradients that lie in memory to the rule: scale * (sum of `count` arrays, `stride` apart), each laid
// out as the parameters ..
template <class T>
void apply_stored_layers(const Team& team, const PanelLayout<T>& layout, const T* parts, Index count,
                         Index stride, T scale, const Update<T>& update, const GradientTiles<T>& tiles);

// .. and for the tables of embeddings scale * one array, which begins with the first table.
template <class T>
void apply_stored_tables(const Team& team, const PanelLayout<T>& layout, const T* gradient, T scale,
                         const Update<T>& update, const GradientTiles<T>& tiles);

template <class T>
class WholeGradient {
public:
    // clip_norm: 0 for no clipping. normalized: the norm becomes 1.
    WholeGradient(Index size, double clip_norm, bool normalized)
        : gradient_(size),
          squares_(std::size_t(ceil_div(size, kTask))),
          clip_norm_(clip_norm),
          normalized_(normalized) {}

    T* data() const { return gradient_.data(); }

    // Sums the squares of data(), each thread its part; a barrier must stand before and after.
    void sum_squares(const Team& team);

    // Hands the scaled gradient to the rule; `update.l2` has been added to the gradient already.
    void apply(const Team& team, const PanelLayout<T>& layout, Update<T> update,
               const GradientTiles<T>& tiles) const;

private:
    static constexpr Index kTask = 4096;  // numbers of one task
    double scale() const;

    AlignedBuffer<T> gradient_;
    std::vector<double> squares_;  // one a task
    double clip_norm_;
    bool normalized_;
};

extern template class WholeGradient<float>;
extern template class WholeGradient<double>;

}  // namespace fastmlp
