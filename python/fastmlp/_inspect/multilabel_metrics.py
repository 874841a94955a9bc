"""How good the predictions of several labels at once are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.records import Records
from fastmlp._base.text import plural

_CLASSES_SHOWN = 30


@dataclass(frozen=True)
class MultiLabelMetrics:
    """What `multilabel_metrics` measured.

    Attributes
    ----------
    rows : int
    accuracy : float
        Share of the rows all of whose labels are right.
    log_loss : float
        Mean over the rows of the sum over the labels of ``-ln p``, p the probability of what is true.
    macro_f1 : float
        Mean F1 of the labels that some row has, or is predicted to have.
    precision, recall, f1 : arrays, (K,)
        As in `LabelMetrics`, of each label.
    support : array, (K,)
        Rows that have each label: int, or with weights their sum.
    weighted : bool
    """

    rows: int
    accuracy: float
    log_loss: float
    macro_f1: float
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[Any]
    weighted: bool = False

    @property
    def score(self) -> float:
        """The accuracy."""
        return self.accuracy

    def summary(self) -> str:
        """Return the metrics in one line."""
        of = plural(self.rows, "row") + (", weighted" if self.weighted else "")
        return (
            f"accuracy {self.accuracy:.4f} (all {len(self.f1)} labels right; {of}), "
            f"log loss {self.log_loss:.6g}, macro F1 {self.macro_f1:.4f}"
        )

    def __str__(self) -> str:
        shown = most_classes(self.support)
        table = class_records("label", shown.tolist(), *(v[shown] for v in self._per_label()))
        more = len(self.f1) - len(shown)
        return f"{self.summary()}\n\n{table}{not_shown(more, 'label', 'labels')}"

    def _per_label(self) -> tuple[NDArray[Any], ...]:
        return self.precision, self.recall, self.f1, self.support

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "rows": self.rows,
            "accuracy": self.accuracy,
            "log_loss": self.log_loss,
            "macro_f1": self.macro_f1,
            "labels": [
                {"label": i, "precision": p, "recall": r, "f1": f, "support": s}
                for i, (p, r, f, s) in enumerate(zip(*(v.tolist() for v in self._per_label()), strict=True))
            ],
        }


def multilabel_losses(truth: NDArray[Any], probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Return the sum over the labels of ``-ln p`` of each row, p within eps and 1 - eps of its type, (n,)."""
    eps = np.finfo(probabilities.dtype).eps
    p = probabilities.astype(np.float64)
    losses: NDArray[np.float64] = -np.log(np.clip(np.where(truth == 1, p, 1 - p), eps, 1 - eps)).sum(axis=1)
    return losses


def multilabel_metrics(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    probabilities: NDArray[Any],
    weights: NDArray[Any] | None = None,
) -> MultiLabelMetrics:
    """Compare predicted labels, of which a row may have several, with the true ones.

    Parameters
    ----------
    truth, predicted : arrays of 0 and 1, (n, K), n at least 1
    probabilities : array, (n, K)
    weights : array, (n,), optional
        Of the rows, at least 0 and not all 0.

    Returns
    -------
    MultiLabelMetrics
    """
    each = np.ones(len(truth), np.int64) if weights is None else weights
    support, guessed = (each @ (matrix == 1) for matrix in (truth, predicted))
    hits = each @ ((truth == 1) & (predicted == 1))
    f1 = share(2 * hits, support + guessed)
    there = support + guessed > 0
    return MultiLabelMetrics(
        rows=len(truth),
        accuracy=float(np.average((truth == predicted).all(axis=1), weights=weights)),
        log_loss=float(np.average(multilabel_losses(truth, probabilities), weights=weights)),
        macro_f1=float(f1[there].mean()) if there.any() else 0.0,
        precision=share(hits, guessed),
        recall=share(hits, support),
        f1=f1,
        support=support,
        weighted=weights is not None,
    )


def share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """Divide counts; 0 for 0 / 0."""
    return np.asarray(np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0))


def not_shown(more: int, noun: str, nouns: str) -> str:
    """Return the line below a table that has no room for so many classes, "" for none."""
    return f"\n.. and {plural(more, f'more {noun}', f'more {nouns}')}" if more else ""


def most_classes(support: NDArray[Any]) -> NDArray[np.int64]:
    """Return the classes that a printed table has room for: all, or the 30 of the most rows, in order."""
    order = np.argsort(-support, kind="stable")[:_CLASSES_SHOWN]
    return np.sort(order)


def class_records(
    title: str, names: Sequence[object], precision: Any, recall: Any, f1: Any, support: Any
) -> Records:
    """Return the numbers of each class as a table to print."""
    rows = zip(names, precision, recall, f1, support, strict=True)
    cells = [
        (name, f"{p:.4f}", f"{r:.4f}", f"{f:.4f}", f"{s:.6g}" if isinstance(s, float) else str(s))
        for name, p, r, f, s in rows
    ]
    return Records((title, "precision", "recall", "F1", "rows"), cells)
