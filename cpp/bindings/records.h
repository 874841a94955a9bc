// The records of a run's epochs as Python is told of them, and how a run is stopped by what it calls.
#pragma once

#include <algorithm>
#include <array>

#include "bindings.h"
#include "python_calls.h"

namespace fastmlp {

// What Python is told of an epoch, in this order.
inline std::array<double, 8> numbers_of(const EpochRecord& r) {
    return {double(r.epoch),    r.loss,     r.learning_rate, r.seconds, r.validation_loss,
            r.validation_score, r.accuracy, r.penalty};
}

inline py::tuple record_row(const EpochRecord& record) {
    const auto numbers = numbers_of(record);
    py::tuple row(numbers.size());
    row[0] = py::int_(record.epoch);
    for (std::size_t i = 1; i < numbers.size(); ++i) row[i] = py::float_(numbers[i]);
    return row;
}

// [epochs, 8]
inline Array<double> record_table(const std::vector<EpochRecord>& records) {
    const auto epochs = Index(records.size());
    Array<double> table({epochs, Index(std::tuple_size_v<decltype(numbers_of({}))>)});
    for (Index i = 0; i < epochs; ++i)
        std::ranges::copy(numbers_of(records[std::size_t(i)]), table.mutable_data(i, 0));
    return table;
}

// What a callback returned: True to stop, False or None to go on, or a number, the learning rate from here
// on.
inline CallbackResult as_callback_result(const py::object& result) {
    CallbackResult decision;
    if (result.is(py::bool_(true)))
        decision.stop = StopReason::callback;
    else if (!result.is_none() && !result.is(py::bool_(false)))
        decision.learning_rate = result.cast<double>();
    return decision;
}

// What a run calls after an epoch; nothing if on_epoch is None.
inline std::function<CallbackResult(const EpochRecord&)> epoch_call(PythonCalls& python,
                                                                    const py::object& on_epoch) {
    if (on_epoch.is_none()) return {};
    return [&](const EpochRecord& record) {
        CallbackResult decision;
        const bool stopped = python.stops([&] {
            decision = as_callback_result(on_epoch(record_row(record)));
            return decision.stop.has_value();
        });
        if (stopped && !decision.stop) decision.stop = StopReason::interrupted;
        return decision;
    };
}

}  // namespace fastmlp
