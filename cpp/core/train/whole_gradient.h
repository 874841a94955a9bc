// The gradient of all parameters in memory, for updates that need more of it than a tile before any weight
// changes: its norm (clipping, and steps of fixed length), or what other shards add to it.
#pragma once

#include <limits>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/base/reductions.h"
#include "core/kernel/passes.h"
#include "core/model/layout.h"

namespace fastmlp {

inline constexpr Range kAllParameters{0, std::numeric_limits<Index>::max()};

// Hands gradients that lie in memory to the rule: scale * (sum of `count` arrays, `stride` apart), each laid
// out as the parameters. Of a part of the parameters, update's arrays begin where the part does ..
template <class T>
void apply_stored_layers(const Team& team, const PanelLayout<T>& layout, const T* parts, Index count,
                         Index stride, T scale, const Update<T>& update, const GradientTiles<T>& tiles,
                         Range part = kAllParameters);

// .. and for the other arrays of parameters scale * one array, which begins with the first of them.
template <class T>
void apply_stored_arrays(const Team& team, const PanelLayout<T>& layout, const T* gradient, T scale,
                         const Update<T>& update, const GradientTiles<T>& tiles, Range part = kAllParameters);

// Both, for one array that has the gradients of all parameters.
template <class T>
void apply_stored(const Team& team, const PanelLayout<T>& layout, const T* gradient, T scale,
                  const Update<T>& update, const GradientTiles<T>& tiles, Range part = kAllParameters);

// How the length of a gradient is limited.
struct NormLimit {
    double clip_norm = 0;     // 0: no clipping
    bool normalized = false;  // the norm becomes 1

    bool any() const { return clip_norm > 0 || normalized; }
    // What a gradient is multiplied by whose squares have this sum.
    double scale(double squares) const;
};

template <class T>
class WholeGradient {
public:
    WholeGradient(Index size, NormLimit limit)
        : gradient_(size), squares_(std::size_t(ceil_div(size, kTask))), limit_(limit) {}

    T* data() const { return gradient_.data(); }

    // Sums the squares of data(), each thread its part; a barrier must stand before and after.
    void sum_squares(const Team& team);

    // Hands the scaled gradient to the rule; `update.l2` has been added to the gradient already.
    void apply(const Team& team, const PanelLayout<T>& layout, Update<T> update,
               const GradientTiles<T>& tiles) const;

private:
    static constexpr Index kTask = 4096;  // numbers of one task

    AlignedBuffer<T> gradient_;
    std::vector<double> squares_;  // one a task
    NormLimit limit_;
};

extern template class WholeGradient<float>;
extern template class WholeGradient<double>;

}  // namespace fastmlp
