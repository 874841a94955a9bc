// Schedules: the learning rate of each step, and so dropout and weight decay. Times are in epochs.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "core/base/types.h"

namespace fastmlp {

enum class Schedule {
    constant,
    inverse_scaling,
    step_decay,
    cosine,
    one_cycle,
    cos_log,
    flat_cos,
    reduce_on_plateau
};
inline constexpr std::array<std::pair<std::string_view, Schedule>, 8> kSchedules{{
    {"constant", Schedule::constant},
    {"inverse_scaling", Schedule::inverse_scaling},
    {"step_decay", Schedule::step_decay},
    {"cosine", Schedule::cosine},
    {"one_cycle", Schedule::one_cycle},
    {"cos_log", Schedule::cos_log},
    {"flat_cos", Schedule::flat_cos},
    {"reduce_on_plateau", Schedule::reduce_on_plateau},
}};

struct ScheduleOptions {
    Schedule kind = Schedule::constant;
    double rate = 0.001;
    double warmup = 0;             // epochs of linear warm-up; the schedule's own clock starts behind them
    double power = 0;              // inverse_scaling
    double every = 1, factor = 1;  // step_decay; reduce_on_plateau: factor
    double final_rate = 0;         // cosine, one_cycle
    double start_rate = 0, rise = 0.3;                 // one_cycle
    double cycles = 4;                                 // cos_log
    double flat = 0.5;                                 // flat_cos
    double patience = 0, threshold = 0, min_rate = 0;  // reduce_on_plateau
};

class Scheduled {
public:
    Scheduled(const ScheduleOptions& options, Index steps_per_epoch, Index epochs)
        : options_(options), steps_(double(steps_per_epoch)), epochs_(double(epochs)), state_{options.rate} {}

    // The value at step 0, 1, .. of the whole run.
    double at(Index step) const {
        const double epoch = double(step) / steps_, warmup = options_.warmup;
        if (options_.kind == Schedule::constant && warmup == 0) return state_.rate;
        const double ramp = warmup > 0 ? std::min(1.0, (double(step) + 1) / (warmup * steps_)) : 1.0;
        return ramp * base(std::max(0.0, epoch - warmup), epochs_ - warmup);
    }

    // Replaces the rate of the constant and the plateau schedule from here on.
    void set_rate(double rate) { state_.rate = rate; }

    // What epochs that have ended have left behind.
    struct State {
        double rate, best = std::numeric_limits<double>::infinity(), bad_epochs = 0;
    };
    const State& state() const { return state_; }
    void restore(const State& state) { state_ = state; }

    // Tells the plateau schedule the monitored loss of an epoch.
    void epoch_ended(double loss) {
        if (options_.kind != Schedule::reduce_on_plateau) return;
        State& s = state_;
        const bool first = std::isinf(s.best);
        if (loss < (first ? s.best : s.best - std::abs(s.best) * options_.threshold)) {  // never true for NaN
            s.best = loss;
            s.bad_epochs = 0;
        } else if (++s.bad_epochs > options_.patience) {
            s.rate = std::max(s.rate * options_.factor, options_.min_rate);
            s.bad_epochs = 0;
        }
    }

private:
    static double cosine(double from, double to, double x) {
        return to + (from - to) * (1 + std::cos(3.141592653589793238 * x)) / 2;
    }

    double base(double epoch, double epochs) const {
        const ScheduleOptions& o = options_;
        const double progress = epoch > 0 ? std::min(1.0, epoch / epochs) : 0.0;  // 0 throughout the warm-up
        switch (o.kind) {
            case Schedule::inverse_scaling:
                return o.rate / std::pow(1 + epoch, o.power);
            case Schedule::step_decay:
                return o.rate * std::pow(o.factor, std::floor(epoch / o.every));
            case Schedule::cosine:
                return cosine(o.rate, o.final_rate, progress);
            case Schedule::one_cycle:
                if (progress < o.rise) return cosine(o.start_rate, o.rate, progress / o.rise);
                return cosine(o.rate, o.final_rate, o.rise < 1 ? (progress - o.rise) / (1 - o.rise) : 1.0);
            case Schedule::cos_log: {
                const double cycle = std::log2(1 + (std::exp2(o.cycles) - 1) * progress);
                return cosine(0, o.rate, 2 * cycle);
            }
            case Schedule::flat_cos:
                if (progress <= o.flat) return o.rate;
                return cosine(o.rate, 0, (progress - o.flat) / (1 - o.flat));
            case Schedule::constant:
            case Schedule::reduce_on_plateau:
                break;
        }
        return state_.rate;
    }

    ScheduleOptions options_;
    double steps_, epochs_;
    State state_;
};

}  // namespace fastmlp
