"""The losses. Each entry holds all that the library's parts must know of one.

The loss of a row is a function of its targets y and of z and a, the scores and activations of the outputs; c
is its number, such as delta of huber, or one number an output. The functions here take one row or, in
`gates` and `kink`, rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from fastmlp._base.validation import Number


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One loss.

    Attributes
    ----------
    name : str
        The name, in the core too.
    formula : str
        Of a row, as `Network` documents it.
    targets : str
        What y holds: labels with an output for each class, labels of two classes with one output (or 0 and 1
        for each of several), or values.
    link : str, optional
        The output activation that it brings along, as it is computed from z; others take any elementwise one.
    number : Number, optional
        The number that it takes, with its default and range.
    text, derivative : str
        The loss, and its derivative by a or, with a link, by z, in a trace: {a}, {z}, {c} and, where it may
        be smoothed, {y} are replaced.
    value : callable
        (z, a, y, c) -> the terms of the loss of one row; y has been `smoothed`, as in gates.
    gates : callable
        The loss of each row in the functions of `fastmlp.graph`: (graph, scores, y, c), where scores are z
        with a link and a without, and y is a matrix, of 1 and 0 for labels.
    kink : callable, optional
        (a, y, c) -> t, which is 0 at a kink of the loss, and the slopes below, at and above it; 0 if only the
        second derivative jumps there.
    flat : bool
        Whether the slope by the outputs does not depend on how large they are.
    """

    name: str
    formula: str
    targets: Literal["labels", "two labels", "values"]
    link: str | None = None
    number: Number | None = None
    text: str
    derivative: str
    value: Callable[[Any, Any, Any, Any], Any]
    gates: Callable[[Any, Any, Any, Any], Any]
    kink: Callable[[Any, Any, Any], tuple[Any, tuple[Any, Any, Any]]] | None = None
    flat: bool = False

    def smoothed(self, y: Any, c: Any) -> Any:
        """Return the targets y (.., outputs) as the loss takes them, whose numbers are c."""
        if self.number is None or self.number.name != "smoothing" or not len(c):
            return y
        return y * (1 - float(c[0])) + float(c[0]) / self.classes(y.shape[-1])

    def classes(self, outputs: int) -> int:
        """Return how many classes share an output, or the outputs."""
        return outputs if self.output_per_class else 2

    @property
    def of_labels(self) -> bool:
        """Whether y holds labels, which are scored by accuracy."""
        return self.targets != "values"

    @property
    def output_per_class(self) -> bool:
        """Whether there are labels with an output for each."""
        return self.targets == "labels"

    @property
    def one_output_for_two(self) -> bool:
        """Whether an output is the probability of the second of two classes, or of one of several labels."""
        return self.targets == "two labels"

    @property
    def probabilities(self) -> bool:
        """Whether the outputs are probabilities of labels."""
        return self.of_labels and self.link is not None


def _huber_gates(g: Any, a: Any, y: Any, c: Any) -> Any:
    """``m (r - m/2)`` with r = |a - y| and m = min(r, delta)."""
    r = (a - y).abs()
    m = g.minimum(r, c[0])
    return (m * (r - m / 2)).sum(axis=1)


def _hinge_gates(g: Any, a: Any, y: Any, c: Any) -> Any:
    margins = a - (y * a).sum(axis=1, keepdims=True) + 1
    return ((1 - y) * g.maximum(0, margins)).sum(axis=1)


_SMOOTHING = Number("smoothing", 0.0, low=0, high=1, is_option=True)

_ENTRIES = (
    Loss(
        name="softmax_cross_entropy",
        formula="``-log softmax(z)[y]``; rows of probabilities q: ``-sum q log softmax(z)``. "
        "softmax_cross_entropy(e) smooths the labels of K classes: q becomes (1 - e) q + e / K",
        targets="labels",
        link="softmax",
        number=_SMOOTHING,
        text="sum(-{y} log {a})",
        derivative="{a} - {y}",
        value=lambda z, a, y, c: np.sum(y) * np.logaddexp.reduce(z) - y @ z,
        gates=lambda g, z, y, c: -(y * z.log_softmax(axis=1)).sum(axis=1),
    ),
    Loss(
        name="binary_cross_entropy",
        formula="``-y log s(z) - (1 - y) log(1 - s(z))``, s the sigmoid; binary_cross_entropy(e): y becomes "
        "(1 - e) y + e / 2",
        targets="two labels",
        link="sigmoid",
        number=_SMOOTHING,
        text="sum(-{y} log {a} - (1 - {y}) log(1 - {a}))",
        derivative="{a} - {y}",
        value=lambda z, a, y, c: np.logaddexp(0, z) - y * z,
        gates=lambda g, z, y, c: (y * g.softplus(-z) + (1 - y) * g.softplus(z)).sum(axis=1),
    ),
    Loss(
        name="squared_error",
        formula="``(a - y)^2 / 2``",
        targets="values",
        text="sum(({a} - y)^2) / 2",
        derivative="{a} - y",
        value=lambda z, a, y, c: (a - y) ** 2 / 2,
        gates=lambda g, a, y, c: ((a - y) ** 2 / 2).sum(axis=1),
    ),
    Loss(
        name="absolute_error",
        formula="``|a - y|``",
        targets="values",
        text="sum(|{a} - y|)",
        derivative="sign({a} - y)",
        value=lambda z, a, y, c: np.abs(a - y),
        gates=lambda g, a, y, c: (a - y).abs().sum(axis=1),
        kink=lambda a, y, c: (a - y, (-1.0, 0.0, 1.0)),
        flat=True,
    ),
    Loss(
        name="huber",
        formula="``(a - y)^2 / 2`` where ``|a - y| <= delta``, else ``delta (|a - y| - delta / 2)``",
        targets="values",
        number=Number("delta", 1.0, low=0),
        text="sum(({a} - y)^2 / 2, or {c} (|{a} - y| - {c} / 2) where |{a} - y| > {c})",
        derivative="clip({a} - y, -{c}, {c})",
        value=lambda z, a, y, c: np.where(np.abs(a - y) <= c, (a - y) ** 2 / 2, c * (np.abs(a - y) - c / 2)),
        gates=_huber_gates,
        kink=lambda a, y, c: (np.abs(a - y) - float(c[0]), (0.0, 0.0, 0.0)),
    ),
    Loss(
        name="quantile",
        formula="``q (y - a)`` where y > a, else ``(1 - q) (a - y)``; several, such as "
        "quantile(0.05, 0.5, 0.95), are an output each, for one target",
        targets="values",
        number=Number("q", 0.5, low=0, high=1, several=True),
        text="sum(q (y - {a}) where y > {a}, else (1 - q) ({a} - y)), q = {c}",
        derivative="(-q where y > {a}, 1 - q where y < {a}, 0 between)",
        value=lambda z, a, y, c: np.maximum(c * (y - a), (1 - c) * (a - y)),
        gates=lambda g, a, y, c: (g.relu(y - a) * c + g.relu(a - y) * (1 - c)).sum(axis=1),
        kink=lambda a, y, c: (a - y, (-c, 0.0, 1 - c)),
        flat=True,
    ),
    Loss(
        name="poisson",
        formula="``exp(z) - y z``",
        targets="values",
        link="exp",
        text="sum(exp({z}) - y {z})",
        derivative="{a} - y",
        value=lambda z, a, y, c: np.exp(z) - y * z,
        gates=lambda g, z, y, c: (g.exp(z) - y * z).sum(axis=1),
    ),
    Loss(
        name="hinge",
        formula="``sum over j != y of max(0, a_j - a_y + 1)``",
        targets="labels",
        text="sum over j != y of max(0, {a}[j] - {a}[y] + 1)",
        derivative="(1 where the term of j is above 0, minus their number at y)",
        value=lambda z, a, y, c: np.maximum(0, a - y @ a + 1) * (y == 0),
        gates=_hinge_gates,
        kink=lambda a, y, c: (a - (y * a).sum(axis=1, keepdims=True) + 1, (0.0, 0.0, 1.0)),
        flat=True,
    ),
)

#: Every loss by its name, in the order of the core.
LOSSES = MappingProxyType({entry.name: entry for entry in _ENTRIES})

#: The losses whose outputs are probabilities of labels.
PROBABILITY_LOSSES = tuple(entry.name for entry in _ENTRIES if entry.probabilities)

#: The output activation of each loss that brings one along.
LINKS = MappingProxyType({entry.name: entry.link for entry in _ENTRIES if entry.link})
