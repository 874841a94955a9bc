"""Initial weights: schemes scaled by fan-in I and fan-out O; biases are zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any, TypeAlias

from numpy.typing import NDArray

from fastmlp._base.validation import as_numbers, name_and_numbers
from fastmlp._native import core as _core

#: Activation, W (I, O), b (O,); the arrays are the memory of the core.
Layer: TypeAlias = tuple[str, NDArray[Any], NDArray[Any]]

#: Name -> (distribution, its scale): the standard deviation of a normal, the bound of a uniform distribution.
#: Glorot, Bengio (2010); He, Zhang, Ren, Sun (2015); LeCun, Bottou, Orr, Mueller (1998).
SCHEMES: dict[str, tuple[str, Callable[[int, int], float]]] = {
    "zeros": ("zeros", lambda I, O: 0.0),  # noqa: E741
    "glorot_normal": ("normal", lambda I, O: sqrt(2 / (I + O))),  # noqa: E741
    "glorot_uniform": ("uniform", lambda I, O: sqrt(6 / (I + O))),  # noqa: E741
    "he_normal": ("normal", lambda I, O: sqrt(2 / I)),  # noqa: E741
    "he_uniform": ("uniform", lambda I, O: sqrt(6 / I)),  # noqa: E741
    "lecun_normal": ("normal", lambda I, O: sqrt(1 / I)),  # noqa: E741
}

_NUMBERS: dict[str, float | None] = dict.fromkeys(("auto", *SCHEMES)) | {"normal": 0.01, "uniform": 0.05}

_TABLE_SCALE = 0.05

_RELU_FAMILY = ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus")


def fitting_scheme(activation: str, distribution: str) -> str:
    """Return the scheme that keeps signals at their size: He's for the relu family, Glorot's otherwise."""
    return f"{'he' if activation in _RELU_FAMILY else 'glorot'}_{distribution}"


def initialize_tables(core: _core.Network32, tables: int, seed: int) -> None:
    """Draw the tables of embeddings: uniform numbers within -0.05 and 0.05."""
    for number in range(tables):
        core.initialize_table(number, _TABLE_SCALE, seed)


def initialize(core: _core.Network32, layers: Sequence[Layer], init: Any, seed: int) -> None:
    """Set weights and biases by a scheme, or a list of (W, b).

    "auto" is He's scheme for layers of the relu family and Glorot's otherwise, both uniform: uniform numbers
    need no logarithm, so they are the same on every platform.
    """
    if isinstance(init, str):
        _by_scheme(core, layers, init, seed)
    elif isinstance(init, Sequence):
        _by_arrays(layers, init)
    else:
        names = ", ".join(_NUMBERS)
        raise TypeError(f"init must be one of {names}, a list of (W, b), or a Network; got {init!r}")


def _by_scheme(core: _core.Network32, layers: Sequence[Layer], init: str, seed: int) -> None:
    name, numbers = name_and_numbers("init", init, _NUMBERS)
    number = numbers[0] if numbers else None
    if number is not None and not 0 <= number < float("inf"):
        raise ValueError(f"init: the number of {name} must be at least 0, got {init!r}")
    for layer, (activation, W, _) in enumerate(layers):
        scheme = name
        if name == "auto":
            scheme = fitting_scheme(activation, "uniform")
        if number is not None:
            core.initialize(layer, name, number, seed)
        else:
            kind, scale = SCHEMES[scheme]
            core.initialize(layer, kind, scale(*W.shape), seed)


def _by_arrays(layers: Sequence[Layer], arrays: Sequence[Any]) -> None:
    if len(arrays) != len(layers):
        raise ValueError(f"init must have one (W, b) a layer, {len(layers)}, got {len(arrays)}")
    for layer, (pair, (_, W, b)) in enumerate(zip(arrays, layers, strict=True)):
        if not isinstance(pair, Sequence) or len(pair) != 2:
            raise TypeError(f"init[{layer}] must be a pair (W, b)")
        for letter, given, into in zip("Wb", pair, (W, b), strict=True):
            values = as_numbers(f"init[{layer}] {letter}", given, into.dtype)
            if values.shape != into.shape:
                raise ValueError(f"init[{layer}] {letter} must have shape {into.shape}, got {values.shape}")
            into[...] = values
