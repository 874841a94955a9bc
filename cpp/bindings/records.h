// What a run calls in Python, and the records of its epochs as Python is told of them.
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

// (what ended L-BFGS or None, loss, largest component of the gradient, evaluations)
inline py::tuple minimum_of(const LbfgsResult& result) {
    py::object end = py::none();
    if (result.end) end = py::str(std::string(kLbfgsEnds[std::size_t(*result.end)]));
    return py::make_tuple(end, result.loss, result.largest_component, result.evaluations);
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

// Copies an order of all rows that Python drew.
inline void copy_order(const py::object& drawn, Index n, std::uint32_t* order) {
    const auto from = drawn.cast<Array<std::uint32_t>>();
    if (from.ndim() != 1 || from.shape(0) != n)
        throw py::value_error("draw_order must return an order of all rows");
    if (std::any_of(from.data(), from.data() + n, [n](std::uint32_t row) { return Index(row) >= n; }))
        throw py::value_error("draw_order returned the number of a row that is not there");
    std::copy_n(from.data(), n, order);
}

// What a run of n rows calls for the order of an epoch's rows; nothing if draw_order is None.
inline std::function<bool(std::uint32_t*)> order_call(PythonCalls& python, const py::object& draw_order,
                                                      Index n) {
    if (draw_order.is_none()) return {};
    return [&python, draw_order, n](std::uint32_t* order) {
        return python.stops([&] {
            copy_order(draw_order(), n, order);
            return false;
        });
    };
}

// What a run calls after an epoch; nothing if on_epoch is None.
inline std::function<CallbackResult(const EpochRecord&)> epoch_call(PythonCalls& python,
                                                                    const py::object& on_epoch) {
    if (on_epoch.is_none()) return {};
    return [&python, on_epoch](const EpochRecord& record) {
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
