// Initial weights, drawn on all threads: the same bits on any number of them.
#pragma once

#include "core/base/monitor.h"
#include "core/model/network.h"

namespace fastmlp {

// How many threads a call may take, and where it hears of an interrupt: then the rest stays as it is.
struct Drawing {
    std::uint64_t seed = 0;
    int threads = 1;
    Monitor* monitor = nullptr;
};

// Fills W of one layer with scale * normal or scale * (2u - 1) numbers, row by row; b with zeros.
template <class T>
void initialize(Network<T>& network, Index layer, InitKind kind, double scale, const Drawing& drawing);

// Fills the table of an embedding with scale * (2u - 1) numbers.
template <class T>
void initialize_table(Network<T>& network, Index number, double scale, const Drawing& drawing);

// Fills the parameters of a periodic column: w with 0.1 * normal numbers, b with numbers up to pi and V and c
// with numbers up to 1 / sqrt(frequencies) on either side of 0.
template <class T>
void initialize_periodic(Network<T>& network, Index number, const Drawing& drawing);

}  // namespace fastmlp
