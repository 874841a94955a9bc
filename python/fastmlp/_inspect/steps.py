"""One row's way through a network as text: the formulas beside the numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._inspect.passes import Pass
from fastmlp._rows.targets import parse_loss
from fastmlp.spec.losses import LOSSES

Row = NDArray[np.float64]

LEARNING_RATE = 0.1  # of the step that is shown

_PERIODIC = ("w", "b", "V", "c")
_FORMULA_WIDTH = 36
_INDENT = 4
_EDGE_UNITS = 3  # of a wide layer the first and last so many are shown


@np.errstate(all="ignore")  # numbers that are not finite are shown as they are
def of_row(trace: Pass, row: int = 0, rate: float = LEARNING_RATE) -> str:
    """Return the forward pass, the backward pass and a step of gradient descent."""
    of = f"Row {row} of {len(trace)}" if len(trace) > 1 else "One row"
    sizes = "-".join(str(a.shape[1]) for a in trace.a)
    parts = [
        f"{of} through {sizes}, loss {trace.loss_name}",
        "",
        "Forward pass",
        *_forward(trace, row),
        "",
        "Backward pass" if len(trace) == 1 else f"Backward pass: what row {row} adds to the gradients",
        *_backward(trace, row),
        "",
        f"Step of gradient descent, learning rate {rate:g}",
        *_step(trace, rate),
    ]
    return "\n".join(parts)


def _forward(trace: Pass, row: int) -> list[str]:
    lines = _parts_of_inputs(trace)
    lines.append(_line(_inputs_formula(trace), trace.a[0][row]))
    for layer, f in enumerate(trace.activations):
        after = layer + 1
        lines += [
            _line(f"W{layer}", trace.W[layer]),
            _line(f"b{layer}", trace.b[layer]),
            _line(f"z{layer} = a{layer} W{layer} + b{layer}", trace.z[layer][row]),
            *([_line(f"alpha{layer}", trace.alpha[layer])] if _is_parametric(trace, layer) else []),
            _line(f"a{after} = {_activation_formula(trace, f, layer)}", trace.a[after][row]),
        ]
    formula, _, value = _loss_texts(trace)
    z, a, y = (part[row].astype(np.float64) for part in (trace.z[-1], trace.a[-1], trace.y))
    _, numbers = parse_loss(trace.loss_name)
    lines += [_line("y", y), _line(f"loss = {formula}", np.sum(value(z, a, y, np.array(numbers))))]
    if trace.l2:
        penalty = (
            trace.l2 / 2 * sum(float(np.square(W, dtype=np.float64).sum()) for W in [*trace.W, *trace.E])
        )
        squares = "(sum(W^2) + sum(E^2))" if trace.E else "sum(W^2)"
        lines.append(_line(f"penalty = l2/2 {squares}, l2 = {_number(trace.l2)}", penalty))
    if len(trace) > 1:
        lines.append(_line(f"loss of all {len(trace)} rows" + ", with penalty" * bool(trace.l2), trace.loss))
    return lines


def _backward(trace: Pass, row: int) -> list[str]:
    many = len(trace) > 1
    lines = [_line("w, the row's share of the loss", trace.share[row])] if many else []
    last = len(trace.W) - 1
    for layer in range(last, -1, -1):
        if layer == last:
            formula = _output_delta(trace)
        else:
            of_a = f"delta{layer + 1} W{layer + 1}^T"
            formula = _times_slope(trace, of_a, trace.activations[layer], layer)
            if _is_parametric(trace, layer) and not many:
                gap = f"({_f(trace.activations[layer], layer)} - z{layer})"
                lines.append(_line(f"dalpha{layer} = ({of_a}) * {gap}", trace.dalpha[layer]))
        delta = trace.delta[layer][row]
        if many:
            of_weights = np.outer(trace.a[layer][row], delta)
            lines += [
                _line(f"delta{layer} = {formula}", delta),
                _line(f"to dW{layer}: a{layer}^T delta{layer}", of_weights),
                _line(f"to db{layer}: delta{layer}", delta),
            ]
        else:
            lines += [
                _line(f"delta{layer} = {formula}", delta),
                _line(f"dW{layer} = a{layer}^T delta{layer}" + _penalty(trace, "W", layer), trace.dW[layer]),
                _line(f"db{layer} = delta{layer}", trace.db[layer]),
            ]
    return lines + _backward_inputs(trace, row)


def _backward_inputs(trace: Pass, row: int) -> list[str]:
    """Return what scales, periodic columns and tables receive."""
    many, lines = len(trace) > 1, []
    read = trace.delta[0][row] @ trace.W[0].T  # what a0 receives: plain columns, periodic ones, rows of E
    of_inputs = "delta0 W0^T"
    if trace.s is not None and trace.ds is not None:
        if not many:
            lines.append(_line(f"ds = ({of_inputs}) * a0 / s", trace.ds))
        read, of_inputs = read * trace.s, "(delta0 W0^T) * s"
    for column, arrays in enumerate(trace.dP if not many else []):
        names = zip(_PERIODIC, arrays, strict=True)
        lines += [_line(f"dP{column}.{letter}: by its part of {of_inputs}", d) for letter, d in names]
    end = len(read)
    for table in range(len(trace.E) - 1, -1, -1):
        start = end - trace.E[table].shape[1]
        if many:
            lines.append(_line(f"to dE{table}, at the row's code: its part of {of_inputs}", read[start:end]))
        else:
            formula = f"dE{table}: its part of {of_inputs} at the row's code" + _penalty(trace, "E", table)
            lines.append(_line(formula, trace.dE[table]))
        end = start
    return lines


def _step(trace: Pass, rate: float) -> list[str]:
    """Return the new W and b, layer by layer, and the new tables."""
    steps = [
        step
        for layer, (W, b, dW, db) in enumerate(zip(trace.W, trace.b, trace.dW, trace.db, strict=True))
        for step in ((f"W{layer}", W, dW, _penalty(trace, "W", layer)), (f"b{layer}", b, db, ""))
    ]
    for table, (E, dE) in enumerate(zip(trace.E, trace.dE, strict=True)):
        steps.append((f"E{table}", E, dE, _penalty(trace, "E", table)))
    for column, (P, dP) in enumerate(zip(trace.P, trace.dP, strict=True)):
        names = zip(_PERIODIC, P, dP, strict=True)
        steps += [(f"P{column}.{letter}", values, d, "") for letter, values, d in names]
    if trace.s is not None and trace.ds is not None:
        steps.append(("s", trace.s, trace.ds, ""))
    pairs = zip(trace.alpha, trace.dalpha, strict=True)
    steps += [(f"alpha{layer}", alpha, d, "") for layer, (alpha, d) in enumerate(pairs)]
    lines = []
    for name, value, gradient, penalty in steps:
        if len(trace) > 1:
            lines.append(_line(f"d{name} = sum over all rows{penalty}", gradient))
        lines.append(_line(f"{name} <- {name} - {rate:g} d{name}", value - rate * gradient))
    return lines


def _loss_texts(trace: Pass) -> tuple[str, str, Callable[[Row, Row, Row, Row], Any]]:
    """Return the formulas of the loss and of its derivative in the names of this network, and its value."""
    name, numbers = parse_loss(trace.loss_name)
    loss, y = LOSSES[name], "y"
    if loss.number is not None and loss.number.name == "smoothing" and numbers:
        of_each = numbers[0] / loss.classes(trace.W[-1].shape[1])
        y = f"({_number(1 - numbers[0])} y + {_number(of_each)})"
    names = {
        "y": y,
        "a": f"a{len(trace.W)}",
        "z": f"z{len(trace.W) - 1}",
        "c": ", ".join(map(_number, numbers)),
    }

    def value(z: Row, a: Row, y: Row, c: Row) -> Any:
        return loss.value(z, a, loss.smoothed(y, c), c)

    return loss.text.format(**names), loss.derivative.format(**names), value


def _output_delta(trace: Pass) -> str:
    derivative = _loss_texts(trace)[1]
    if LOSSES[parse_loss(trace.loss_name)[0]].link is None:
        derivative = _times_slope(trace, derivative, trace.activations[-1], len(trace.W) - 1)
    return derivative if len(trace) == 1 else f"w {_factor(derivative)}"


def _times_slope(trace: Pass, derivative: str, activation: str, layer: int) -> str:
    slope = "1" if activation == "identity" else f"{activation}'(z{layer})"
    if _is_parametric(trace, layer):
        return f"{_factor(derivative)} * (1 + alpha{layer} ({slope} - 1))"
    return derivative if slope == "1" else f"{_factor(derivative)} * {slope}"


def _is_parametric(trace: Pass, layer: int) -> bool:
    return layer < len(trace.alpha)


def _f(activation: str, layer: int) -> str:
    return f"z{layer}" if activation == "identity" else f"{activation}(z{layer})"


def _activation_formula(trace: Pass, activation: str, layer: int) -> str:
    f = _f(activation, layer)
    return f"z{layer} + alpha{layer} ({f} - z{layer})" if _is_parametric(trace, layer) else f


def _parts_of_inputs(trace: Pass) -> list[str]:
    """Return the parameters that make a0 of x, besides tables."""
    lines = [
        _line(f"P{column}.{letter}", array)
        for column, arrays in enumerate(trace.P)
        for letter, array in zip(_PERIODIC, arrays, strict=True)
    ]
    return lines + ([] if trace.s is None else [_line("s", trace.s)])


def _inputs_formula(trace: Pass) -> str:
    made = ["cos(2 pi x w + b) V + c of P"] * bool(trace.P) + ["rows of E for codes"] * bool(trace.E)
    inputs = "x, with " + " and ".join(made) if made else "x"
    if trace.s is None:
        return f"a0 = {inputs}"
    return f"a0 = s * ({inputs})" if made else "a0 = s * x"


def _factor(formula: str) -> str:
    return formula if formula.endswith(")") else f"({formula})"


def _penalty(trace: Pass, letter: str, layer: int) -> str:
    return f" + {_number(trace.l2)} {letter}{layer}" if trace.l2 else ""


def _line(formula: str, value: Any) -> str:
    """Return a formula with its value to the right of it, or below it where there is no room."""
    numbers = _text(np.asarray(value)).split("\n")
    margin = " " * (_INDENT + _FORMULA_WIDTH)
    start = " " * _INDENT + formula
    first = start.ljust(len(margin)) if len(start) + 2 <= len(margin) else f"{start}\n{margin}"
    return first + f"\n{margin}".join(numbers)


def _text(value: NDArray[Any]) -> str:
    if value.ndim == 0:
        return _number(value.item())
    return np.array2string(
        value + 0.0,  # no -0
        formatter={"float_kind": _cell},
        threshold=0,
        edgeitems=_EDGE_UNITS,
        max_line_width=200,
        separator=" ",
    )


def _number(value: float) -> str:
    return f"{value:.4g}"


def _cell(value: Any) -> str:
    return _number(value).rjust(10)
