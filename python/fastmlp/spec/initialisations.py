"""Initialisations: how weights are drawn, from fan-in I and fan-out O; biases begin at zero."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from types import MappingProxyType

from fastmlp._base.validation import Number
from fastmlp.spec.activations import ACTIVATIONS


@dataclass(frozen=True)
class Initialisation:
    """One way to draw the weights of a layer.

    Attributes
    ----------
    name : str
    distribution : str
        zeros, normal or uniform.
    scale : callable, optional
        (I, O) -> the standard deviation of the normal, the bound of the uniform distribution.
    number : Number, optional
        The scale, where the user gives it.
    source : str
        Where it was published.
    """

    name: str
    distribution: str
    scale: Callable[[int, int], float] | None = None
    number: Number | None = None
    source: str = ""


_GLOROT = "Glorot, Bengio (2010), Understanding the difficulty of training deep feedforward neural networks."
_HE = "He, Zhang, Ren, Sun (2015), Delving deep into rectifiers."
_LECUN = "LeCun, Bottou, Orr, Mueller (1998), Efficient backprop."

_ENTRIES = (
    Initialisation("zeros", "zeros", lambda I, O: 0.0),  # noqa: E741
    Initialisation("glorot_normal", "normal", lambda I, O: sqrt(2 / (I + O)), source=_GLOROT),  # noqa: E741
    Initialisation("glorot_uniform", "uniform", lambda I, O: sqrt(6 / (I + O)), source=_GLOROT),  # noqa: E741
    Initialisation("he_normal", "normal", lambda I, O: sqrt(2 / I), source=_HE),  # noqa: E741
    Initialisation("he_uniform", "uniform", lambda I, O: sqrt(6 / I), source=_HE),  # noqa: E741
    Initialisation("lecun_normal", "normal", lambda I, O: sqrt(1 / I), source=_LECUN),  # noqa: E741
    Initialisation("normal", "normal", number=Number("std", 0.01, low=0)),
    Initialisation("uniform", "uniform", number=Number("a", 0.05, low=0)),
)

#: Every initialisation by its name; "auto" is that of each layer's activation.
INITIALISATIONS = MappingProxyType({entry.name: entry for entry in _ENTRIES})


def fitting(activation: str) -> Initialisation:
    """Return the initialisation that keeps signals at their size behind an activation."""
    return INITIALISATIONS[ACTIVATIONS[activation].init]


def fitting_normal(activation: str) -> Initialisation:
    """Return that of the same scale with a normal distribution."""
    return INITIALISATIONS[ACTIVATIONS[activation].init.replace("uniform", "normal")]
