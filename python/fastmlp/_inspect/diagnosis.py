"""What the layers of a network make of rows: how large their signals are, forward and backward."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.drawing import integer_ticks, logarithmic, new_axes, scale_logarithmic
from fastmlp._base.records import Records
from fastmlp._inspect import advice
from fastmlp._inspect.trace import Trace, traced
from fastmlp._model.architecture import Array
from fastmlp._model.model import Model
from fastmlp._rows.features import Features, core_form
from fastmlp._rows.memory import check_row_count
from fastmlp._rows.targets import Targets
from fastmlp.spec import texts
from fastmlp.spec.activations import ACTIVATIONS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLOCK_NUMBERS = 2**22  # about so many z are held at a time

#: z at or below which the slope of an activation is less than 1/100 of its largest; relu's is 0.
FLAT_BELOW = {name: f.flat_below for name, f in ACTIVATIONS.items() if f.flat_below is not None}
#: |z| from which it is.
FLAT_BEYOND = {name: f.flat_beyond for name, f in ACTIVATIONS.items() if f.flat_beyond is not None}

_COLUMNS = (
    "layer", "units", "activation", "z_mean", "z_variance", "a_mean", "a_variance", "spread",
    "delta_mean", "delta_variance", "dead", "saturated", "dW_norm", "db_norm",
)  # fmt: skip


_DEAD = (
    "- dead: share of units with a slope f'(z) of less than 1/100 of its largest in every row (for relu "
    f"0, at z <= 0): {texts.activations_with(lambda f: f.flat_below is not None)}; others have no dead units"
)


@texts.documented(dead=_DEAD)
class Diagnosis(Records):
    """A table with one row a layer, 0 .. L-1, and what is to be said about it.

    Columns, measured over the n rows and the units of a layer:

    - layer, units, activation
    - z_mean, z_variance, a_mean, a_variance: of the pre-activations and the activations
    - spread: ``sqrt(mean over units of the variance of a over rows)``, how far the layer tells rows apart
    - delta_mean, delta_variance: of ``d(loss of a row)/dz``, which does not depend on n
    <dead>
    - saturated: share of units with such a slope, mean over the rows: tanh (|a| > 0.995) and sigmoid
      (a < 0.0025 or a > 0.9975)
    - dW_norm, db_norm: Euclidean norms of the gradients of the loss of all rows, with the l2 term

    ``print`` shows the table and the warnings below it.

    Parameters
    ----------
    rows : iterable of tuples
        The layers.
    warnings : sequence of str
        What is wrong.

    Attributes
    ----------
    warnings : list of str
        One sentence for each of these, with what would help:

        - weights that are not finite; nothing else is told then;
        - signals that are not finite, from the first layer on where z or a is not, or else from the last one
          where delta or dW is not;
        - symmetric weights: the units of a hidden layer are copies of each other;
        - vanishing or exploding activations: from the first to the last hidden layer, the spread falls or
          grows by more than a factor of 100;
        - vanishing or exploding gradients: from the last to the first hidden layer,
          ``sqrt(mean(delta^2))`` does;
        - dead units: at least 70 % of a hidden layer;
        - saturated units: on average at least 70 % of a hidden layer.

    References
    ----------
    X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks,
    AISTATS 2010. K. He, X. Zhang, S. Ren, J. Sun, Delving deep into rectifiers, ICCV 2015.
    """

    def __init__(self, rows: Sequence[tuple[Any, ...]], warnings: Sequence[str]) -> None:
        super().__init__(_COLUMNS, rows)
        self.warnings = list(warnings)

    def __str__(self) -> str:
        notes = [f"warning: {text}" for text in self.warnings] or ["no warnings"]
        return "\n".join([super().__str__(), *notes])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the sizes of the signals over the layers; needs ``fastmlp[plot]``.

        The standard deviations of activations and deltas, and the norm of dW. On a logarithmic scale; the
        legend says how many values are 0 or not finite.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.

        Returns
        -------
        matplotlib Axes
        """
        ax = new_axes(ax)[0]
        for label, values, marker in (
            ("activations a: standard deviation", np.sqrt(self["a_variance"]), "o"),
            ("deltas: standard deviation (loss per unit of z)", np.sqrt(self["delta_variance"]), "s"),
            ("gradient dW: norm (loss per unit of W)", self["dW_norm"], "^"),
        ):
            shown, note = logarithmic(values)
            ax.plot(self["layer"], shown, marker=marker, label=label + note)
        scale_logarithmic(ax)
        ax.set_xlim(-0.5, len(self) - 0.5)
        integer_ticks(ax.xaxis)
        ax.set(xlabel="layer", ylabel="size of the signal")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0))
        return ax


def diagnose(network: Model, X: Any, y: Any) -> Diagnosis:
    """Return the signals of each layer; without y, of random signs in place of dLoss/dz of the outputs."""
    if y is None:
        features = network._matrix(X)
        check_row_count(len(features))
        traces = _traces_of_signs(network, features)
    else:
        features, targets, _ = network._checked_rows(X, y, None)
        traces = (
            traced(network, features[rows], targets.take(rows), None)
            for rows in _row_blocks(network, len(features))
        )
    activations = (*network.activations, network.output_activation)
    layers = [_Layer(f, W.shape) for f, W in zip(activations, network.weights, strict=True)]
    with np.errstate(all="ignore"):  # signals that are not finite are told in words
        for trace in traces:
            for at, layer in enumerate(layers):
                layer.add(trace, at, len(trace) / len(features))
        table = Records(_COLUMNS, [layer.row(at) for at, layer in enumerate(layers)])
        return Diagnosis(table.rows(), advice.warnings_about(network, table))


def _row_blocks(network: Model, rows: int) -> Iterator[NDArray[np.int64]]:
    size = max(1, _BLOCK_NUMBERS // sum(network.layer_sizes))
    for start in range(0, rows, size):
        yield np.arange(start, min(start + size, rows))


def _traces_of_signs(network: Model, X: Features) -> Iterator[Trace]:
    """Trace the network with a delta of random signs at the outputs, of mean 0 and variance 1.

    The absolute error of identity outputs has the derivative sign(z - y), so y lies below z for a sign of 1
    and above it for -1.
    """
    twin = Model(
        network.layer_sizes, network.activations, "absolute_error", "identity", init="zeros",
        dtype=network.dtype, **network._parts.described(),
    )  # fmt: skip
    twin.parameters[:] = network.parameters
    random = np.random.default_rng(0)
    for rows in _row_blocks(network, len(X)):
        block = X[rows]
        z = np.nan_to_num(twin._core_predictor.forward(core_form(block), 1))
        signs = np.where(random.random(z.shape) < 0.5, -1, 1).astype(z.dtype)
        y = z - signs * np.maximum(1, np.abs(z))
        trace = traced(twin, block, Targets(None, y), None)
        outputs = network._core_predictor.forward(core_form(block), 1)
        yield replace(trace, a=[*trace.a[:-1], outputs])


class _Moments:
    """Mean and variance of each unit over the rows, from blocks of rows.

    T. F. Chan, G. H. Golub, R. J. LeVeque, Algorithms for computing the sample variance, 1983.
    """

    def __init__(self, units: int) -> None:
        self._rows = 0
        self._means, self._squares = np.zeros(units), np.zeros(units)

    def add(self, block: Array) -> None:
        means = block.mean(axis=0, dtype=np.float64)
        rows = self._rows + len(block)
        away = means - self._means
        self._squares += np.square(block - means).sum(axis=0) + away**2 * (self._rows * len(block) / rows)
        self._means += away * (len(block) / rows)
        self._rows = rows

    @property
    def over_rows(self) -> float:
        """The variance over the rows, mean over the units."""
        return float(self._squares.mean() / self._rows)

    @property
    def mean(self) -> float:
        """The mean over rows and units."""
        return float(self._means.mean())

    @property
    def variance(self) -> float:
        """The variance over rows and units together."""
        return self.over_rows + float(self._means.var())


class _Layer:
    """What is measured of a layer, block of rows by block of rows."""

    def __init__(self, activation: str, shape: tuple[int, ...]) -> None:
        self._activation, self._units = activation, shape[1]
        self._z, self._a, self._delta = (_Moments(self._units) for _ in range(3))
        self._dW, self._db = np.zeros(shape), np.zeros(self._units)
        self._flat, self._always_flat = 0.0, np.ones(self._units, bool)

    def add(self, trace: Trace, at: int, share: float) -> None:
        """Add a block that is this share of all rows."""
        z = trace.z[at]
        self._z.add(z)
        self._a.add(trace.a[at + 1])
        self._delta.add(trace.delta[at] * len(trace))
        self._dW += share * trace.dW[at]
        self._db += share * trace.db[at]
        beyond = np.abs(z) >= FLAT_BEYOND.get(self._activation, np.nan)
        self._flat += share * float(beyond.mean())
        self._always_flat &= (z <= FLAT_BELOW.get(self._activation, np.nan)).all(axis=0)

    def row(self, at: int) -> tuple[Any, ...]:
        """Return the row of the table."""
        return (
            at, self._units, self._activation, self._z.mean, self._z.variance, self._a.mean, self._a.variance,
            self._a.over_rows**0.5, self._delta.mean, self._delta.variance, float(self._always_flat.mean()),
            self._flat, float(np.linalg.norm(self._dW)), float(np.linalg.norm(self._db)),
        )  # fmt: skip
