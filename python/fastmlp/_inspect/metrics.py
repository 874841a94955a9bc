"""How good predictions are: of labels, of values, of quantiles.

Weights count a row as that many rows, everywhere but in the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp._base.records import Records
from fastmlp._base.text import plural, shortened
from fastmlp._inspect.multilabel_metrics import (
    MultiLabelMetrics,
    class_records,
    most_classes,
    not_shown,
    share,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Weights = NDArray[Any] | None

_LABEL = 32  # characters of a label in a table


@dataclass(frozen=True)
class LabelMetrics:
    """What `label_metrics` measured.

    Attributes
    ----------
    rows : int
    accuracy : float
        Share of the rows whose label was predicted.
    log_loss : float or None
        Mean of ``-ln p(true class)``; None without probabilities.
    macro_f1 : float
        Mean F1 of the classes that are true or predicted in some row.
    classes : array, (K,)
    precision, recall, f1 : arrays, (K,)
        ``tp / predicted``, ``tp / support`` and ``2 tp / (predicted + support)`` of each class; 0 for 0 / 0.
    support : array, (K,)
        Rows of each class: int, or with weights their sum.
    pairs : array, (m, 3)
        True class, predicted class (their places in `classes`) and number of rows, for each pair that occurs:
        int, or with weights float.
    weighted : bool
    """

    rows: int
    accuracy: float
    log_loss: float | None
    macro_f1: float
    classes: NDArray[Any]
    precision: Floats
    recall: Floats
    f1: Floats
    support: NDArray[Any]
    pairs: NDArray[Any]
    weighted: bool = False

    @property
    def score(self) -> float:
        """The accuracy."""
        return self.accuracy

    @property
    def right(self) -> int:
        """The number of rows predicted right, or their weight."""
        true, predicted, counts = self.pairs.T
        return counts[true == predicted].sum().item()  # type: ignore[no-any-return]

    def confusion_matrix(self) -> NDArray[Any]:
        """Return the number of rows by true class (rows) and predicted class (columns), (K, K)."""
        matrix = np.zeros((len(self.classes), len(self.classes)), self.pairs.dtype)
        true, predicted = self.pairs[:, :2].astype(np.int64).T
        matrix[true, predicted] = self.pairs[:, 2]
        return matrix

    def confusions(self, limit: int) -> list[tuple[Any, Any, int]]:
        """Return (true, predicted, rows) of the most frequent mistakes, the most frequent first."""
        wrong = self.pairs[self.pairs[:, 0] != self.pairs[:, 1]]
        order = np.argsort(-wrong[:, 2], kind="stable")[:limit]
        return [(self.classes[int(t)], self.classes[int(p)], count.item()) for t, p, count in wrong[order]]

    def summary(self) -> str:
        """Return the metrics in one line."""
        rows = plural(self.rows, "row")
        of = f"{rows}, weighted" if self.weighted else f"{self.right} of {rows}"
        loss = "" if self.log_loss is None else f", log loss {self.log_loss:.6g}"
        return f"accuracy {self.accuracy:.4f} ({of}){loss}, macro F1 {self.macro_f1:.4f}"

    def __str__(self) -> str:
        shown = most_classes(self.support)
        names = [shortened(self.classes[at], _LABEL) for at in shown]
        table = class_records("class", names, *(v[shown] for v in self._per_class()))
        more = len(self.classes) - len(shown)
        return f"{self.summary()}\n\n{table}{not_shown(more, 'class', 'classes')}"

    def _per_class(self) -> tuple[NDArray[Any], ...]:
        return self.precision, self.recall, self.f1, self.support

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "rows": self.rows,
            "accuracy": self.accuracy,
            "log_loss": self.log_loss,
            "macro_f1": self.macro_f1,
            "classes": [
                {"label": c, "precision": p, "recall": r, "f1": f, "support": s}
                for c, p, r, f, s in zip(
                    self.classes.tolist(), *(v.tolist() for v in self._per_class()), strict=True
                )
            ],
            "confusion_matrix": self.confusion_matrix().tolist(),
        }


@dataclass(frozen=True)
class ValueMetrics:
    """What `value_metrics` measured; RMSE and MAE are in the units of the values.

    Attributes
    ----------
    rows : int
    r2 : float
        ``1 - sum (p - y)^2 / sum (y - mean y)^2``; NaN where all y are equal.
    rmse : float
        ``sqrt(mean (p - y)^2)``
    mae : float
        ``mean |p - y|``
    outputs : tuple of (name, ValueMetrics)
        Of each of several outputs, of which the numbers above are the means then; () for one.
    weighted : bool
    """

    rows: int
    r2: float
    rmse: float
    mae: float
    outputs: tuple[tuple[str, ValueMetrics], ...] = ()
    weighted: bool = False

    @property
    def score(self) -> float:
        """R2."""
        return self.r2

    def summary(self) -> str:
        """Return the metrics in one line."""
        r2 = "undefined (all equal)" if np.isnan(self.r2) else _r2(self.r2)
        of = plural(self.rows, "row") + (", weighted" if self.weighted else "")
        of += f", means of {len(self.outputs)} outputs" if self.outputs else ""
        return f"R2 {r2}, RMSE {self.rmse:.6g}, MAE {self.mae:.6g} ({of})"

    def __str__(self) -> str:
        if not self.outputs:
            return self.summary()
        cells = [
            (shortened(name, _LABEL), _r2(m.r2), f"{m.rmse:.6g}", f"{m.mae:.6g}") for name, m in self.outputs
        ]
        return f"{self.summary()}\n\n{Records(('output', 'R2', 'RMSE', 'MAE'), cells)}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        values = {"rows": self.rows, "r2": self.r2, "rmse": self.rmse, "mae": self.mae}
        each = [{"output": name, "r2": m.r2, "rmse": m.rmse, "mae": m.mae} for name, m in self.outputs]
        return values | ({"outputs": each} if each else {})


@dataclass(frozen=True)
class QuantileMetrics:
    """What `quantile_metrics` measured.

    Attributes
    ----------
    rows : int
    levels : tuple of float
        The quantiles q.
    coverage : tuple of float
        For each q, the share of values at or below the prediction; q, if the prediction is right.
    pinball : tuple of float
        For each q, the mean of ``max(q (y - p), (1 - q) (p - y))``, in the units of the values.
    r2 : float
        Of the quantile nearest to 1/2; see `ValueMetrics`.
    weighted : bool
    """

    rows: int
    levels: tuple[float, ...]
    coverage: tuple[float, ...]
    pinball: tuple[float, ...]
    r2: float = math.nan
    weighted: bool = False

    @property
    def score(self) -> float:
        """R2 of the quantile nearest to 1/2."""
        return self.r2

    def summary(self) -> str:
        """Return the coverage in one line."""
        covered = ", ".join(
            f"{part:.4f} at or below quantile {q:g}"
            for q, part in zip(self.levels, self.coverage, strict=True)
        )
        of = plural(self.rows, "row") + (", weighted" if self.weighted else "")
        return f"coverage {covered} ({of})"

    def __str__(self) -> str:
        cells = [
            (f"{q:g}", f"{part:.4f}", f"{loss:.6g}")
            for q, part, loss in zip(self.levels, self.coverage, self.pinball, strict=True)
        ]
        return f"{self.summary()}\n\n{Records(('quantile', 'coverage', 'pinball loss'), cells)}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        per_level = zip(self.levels, self.coverage, self.pinball, strict=True)
        return {
            "rows": self.rows,
            "r2": self.r2,
            "quantiles": [{"level": q, "coverage": c, "pinball_loss": p} for q, c, p in per_level],
        }


Metrics = LabelMetrics | MultiLabelMetrics | ValueMetrics | QuantileMetrics


def label_metrics(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    classes: NDArray[Any],
    probabilities: ArrayLike | None = None,
    weights: Weights = None,
) -> LabelMetrics:
    """Compare predicted labels with the true ones.

    Parameters
    ----------
    truth, predicted : arrays, (n,), n at least 1
    classes : array, (K,)
        The labels that can be predicted, sorted. True labels beyond them become classes of their own.
    probabilities : array_like, (n, K), optional
        Of each class, for the log loss.
    weights : array, (n,), optional
        Of the rows, at least 0 and not all 0.

    Returns
    -------
    LabelMetrics
    """
    labels = np.union1d(classes, truth)
    true, guess = np.searchsorted(labels, truth), np.searchsorted(labels, predicted)
    support, guessed = (_count(codes, len(labels), weights) for codes in (true, guess))
    right = true == guess
    hits = _count(true[right], len(labels), None if weights is None else weights[right])
    f1 = share(2 * hits, support + guessed)
    places, at = np.unique(true * len(labels) + guess, return_inverse=True)
    losses = None if probabilities is None else label_losses(truth, classes, probabilities)
    return LabelMetrics(
        rows=len(truth),
        accuracy=float(np.average(right, weights=weights)),
        log_loss=None if losses is None else float(np.average(losses, weights=weights)),
        macro_f1=float(f1[support + guessed > 0].mean()),
        classes=labels,
        precision=share(hits, guessed),
        recall=share(hits, support),
        f1=f1,
        support=support,
        pairs=np.stack([*np.divmod(places, len(labels)), _count(at.ravel(), len(places), weights)], axis=1),
        weighted=weights is not None,
    )


def label_losses(truth: NDArray[Any], classes: NDArray[Any], probabilities: ArrayLike) -> Floats:
    """Return ``-ln p(true class)`` of each row.

    Probabilities are kept within eps and 1 - eps of their type, so that one sure mistake is not infinite; a
    label that is none of the classes has probability 0.

    Parameters
    ----------
    truth : array, (n,)
    classes : array, (K,)
        Sorted.
    probabilities : array_like, (n, K)

    Returns
    -------
    array, (n,)
    """
    table = np.asarray(probabilities)
    places = np.minimum(np.searchsorted(classes, truth), len(classes) - 1)
    chosen = np.where(classes[places] == truth, table[np.arange(len(truth)), places], 0)
    eps = np.finfo(table.dtype).eps
    return -np.log(np.clip(chosen.astype(np.float64), eps, 1 - eps))


def value_metrics(
    truth: ArrayLike, predicted: ArrayLike, weights: Weights = None, names: Sequence[str] = ()
) -> ValueMetrics:
    """Compare predicted values with the true ones.

    Parameters
    ----------
    truth, predicted : array_like, (n,) or (n, outputs), n at least 1
    weights : array, (n,), optional
        Of the rows, at least 0 and not all 0.
    names : sequence of str, optional
        Of several outputs.

    Returns
    -------
    ValueMetrics
    """
    y, p = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    if y.ndim == 2:
        names = names or [f"output {i}" for i in range(y.shape[1])]
        each = [value_metrics(y[:, i], p[:, i], weights) for i in range(y.shape[1])]
        r2, rmse, mae = np.mean([[one.r2, one.rmse, one.mae] for one in each], axis=0).tolist()
        outputs = tuple(zip(names, each, strict=True))
        return ValueMetrics(len(y), r2, rmse, mae, outputs, weights is not None)
    w = np.ones(len(y)) if weights is None else weights / np.max(weights)
    with np.errstate(over="ignore", invalid="ignore"):  # squares beyond 1e308 become inf
        residual, deviation = p - y, y - np.average(y, weights=weights)
        spread = float((w * np.square(deviation)).sum())
        equal = np.ptp(y[w > 0]) == 0  # whose mean may be rounded to another value
        r2 = 1 - float((w * np.square(residual)).sum()) / spread if spread > 0 and not equal else np.nan
        rmse = float(np.sqrt(np.average(np.square(residual), weights=weights)))
        mae = float(np.average(np.abs(residual), weights=weights))
    return ValueMetrics(len(y), r2, rmse, mae, weighted=weights is not None)


def _r2(value: float) -> str:
    return f"{value:.4f}" if value > -1000 else f"{value:.4g}"


def middle_quantile(levels: Sequence[float]) -> int:
    """Return which of several quantiles is nearest to 1/2, and is predicted where one value is wanted."""
    return int(np.abs(np.asarray(levels) - 0.5).argmin())


def quantile_metrics(
    truth: ArrayLike, predicted: ArrayLike, levels: Sequence[float], weights: Weights = None
) -> QuantileMetrics:
    """Compare predicted quantiles with the true values.

    Parameters
    ----------
    truth : array_like, (n,), n at least 1
    predicted : array_like, (n, len(levels))
    levels : sequence of float, between 0 and 1
    weights : array, (n,), optional
        Of the rows, at least 0 and not all 0.

    Returns
    -------
    QuantileMetrics

    References
    ----------
    R. Koenker, G. Bassett, Regression Quantiles, Econometrica 46, 1978.
    """
    y, p = np.asarray(truth, np.float64)[:, np.newaxis], np.asarray(predicted, np.float64)
    q = np.asarray(levels)
    pinball = np.average(np.maximum(q * (y - p), (1 - q) * (p - y)), axis=0, weights=weights)
    coverage = np.average(y <= p, axis=0, weights=weights)
    r2 = value_metrics(truth, p[:, middle_quantile(levels)], weights).r2
    return QuantileMetrics(
        len(y), tuple(levels), tuple(coverage.tolist()), tuple(pinball.tolist()), r2, weights is not None
    )


def _count(codes: Ints, size: int, weights: Weights) -> NDArray[Any]:
    """Return how many rows have each code, or their weight."""
    return np.bincount(codes, weights, minlength=size)
