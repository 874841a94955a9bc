// What tests of the core compare: the loss and the flat gradient of all rows, and bits.
#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "core/train/step.h"

namespace fastmlp {

template <class T>
std::pair<double, std::vector<T>> loss_and_gradient(const Network<T>& network, const Features<T>& X,
                                                    const Targets<T>& targets, Index rows, int threads) {
    const Batch<T> batch{.X = X, .targets = targets, .rows = rows, .divisor = double(rows)};
    Backprop<T> backprop(network, rows, {.threads = threads});
    std::vector<T> gradient(std::size_t(network.parameter_count()));
    const AlignedBuffer<T> panels(backprop.layout().size());
    Update<T> store(backprop.parameters(), panels.data(), nullptr);
    store.l2 = T(network.architecture().l2);
    double loss = 0;
    run_team(threads, nullptr, [&](const Team& team) {
        backprop.step(team, batch, {}, store_gradient_tiles<T>(), nullptr, [&](double of_batch) {
            if (team.rank == 0) loss = of_batch;
            return std::optional(store);
        });
    });
    backprop.layout().unpack(panels.data(), gradient.data());
    return {loss, gradient};
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// Checks every `stride`-th number of a gradient against the slope of loss() about the parameters.
template <class Loss>
void check_slopes(const Network<double>& network, const std::vector<double>& gradient, const Loss& loss,
                  std::size_t stride = 1) {
    double* w = network.parameters();
    for (std::size_t i = 0; i < gradient.size(); i += stride) {
        const double h = 1e-6, before = w[i];
        w[i] = before + h;
        const double up = loss();
        w[i] = before - h;
        const double down = loss();
        w[i] = before;
        CHECK(gradient[i] == doctest::Approx((up - down) / (2 * h)).epsilon(2e-3).scale(0.01));
    }
}

}  // namespace fastmlp
