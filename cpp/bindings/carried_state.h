// The state that is carried from run to run, in arrays of Python's.
#pragma once

#include "bindings.h"

namespace fastmlp {

template <class T>
struct CarriedState {
    Array<T> s1, s2;
    std::optional<Array<T>> best, current;
    RunState<T> state;

    CarriedState(Array<T> moment1, Array<T> moment2, Index steps, std::optional<Array<T>> best_weights,
                 std::optional<Array<T>> current_weights)
        : s1(std::move(moment1)),
          s2(std::move(moment2)),
          best(std::move(best_weights)),
          current(std::move(current_weights)) {
        const auto fits = [this](const std::optional<Array<T>>& array) {
            return !array || array->size() == s1.size();
        };
        if (s1.size() != s2.size() || !fits(best) || !fits(current) || (current && !best))
            throw py::value_error("s1, s2, best and current must have one length, and current needs best");
        state = {.s1 = s1.mutable_data(),
                 .s2 = s2.mutable_data(),
                 .steps = steps,
                 .best = best ? best->mutable_data() : nullptr,
                 .current = current ? current->mutable_data() : nullptr};
    }

    using Numbers = std::tuple<double, double, Index, bool, double, double, double>;
    Numbers progress() const {
        const auto& [loss, best_loss, epochs, is_best, rate] = state.progress;
        return {loss, best_loss, epochs, is_best, rate.rate, rate.best, rate.bad_epochs};
    }
    void set_progress(const Numbers& numbers) {
        const auto [loss, best_loss, epochs, is_best, rate, plateau, bad_epochs] = numbers;
        state.progress = {.loss = loss,
                          .best = best_loss,
                          .epochs_without_improvement = epochs,
                          .is_best = is_best,
                          .learning_rate = {.rate = rate, .best = plateau, .bad_epochs = bad_epochs}};
    }
};

}  // namespace fastmlp
