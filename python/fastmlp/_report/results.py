"""The metrics on the evaluated rows, with their figures, and the rows predicted worst."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.curves import evenly
from fastmlp._base.text import plural, rate, shortened, three_digits
from fastmlp._inspect.metrics import LabelMetrics, QuantileMetrics, ValueMetrics, middle_quantile
from fastmlp._inspect.multilabel_metrics import MultiLabelMetrics, most_classes
from fastmlp._inspect.scores import calibration, precision_recall, roc
from fastmlp._report import figures
from fastmlp._report.facts import Facts
from fastmlp._report.html import Html, heading, interactive, paragraph, row, table
from fastmlp._report.images import thumbnails
from fastmlp._report.numbers import Numeral, of_data
from fastmlp._report.overview import measured, values_of
from fastmlp._report.thresholds import calibration_caption, two_classes

_CLASSES = 30  # of more, those with the most rows are shown
_CURVES = 10
_MISTAKES = 10
_WORST = 10
_COLUMNS = 12


def results(facts: Facts) -> list[Html]:
    """Return the metrics and what they are made of."""
    evaluation = facts.evaluation
    assert evaluation is not None
    metrics = evaluation.metrics
    named = heading(f"Metrics on the {facts.evaluated_on}")
    values = table(
        ("metric", "value"),
        [
            ("rows", metrics.rows),
            *((name, measured(name, value)) for name, value in values_of(metrics).items()),
        ],
    )
    if isinstance(metrics, LabelMetrics):
        two = evaluation.probabilities is not None and len(metrics.classes) == 2
        parts = [_labels(metrics, two), _scores(facts)]
        return [named, values, *(part for some in (parts[::-1] if two else parts) for part in some)]
    if isinstance(metrics, QuantileMetrics):
        rows = list(zip(metrics.levels, metrics.coverage, metrics.pinball, strict=True))
        middle = middle_quantile(metrics.levels)
        what = f"quantile {metrics.levels[middle]:g} of "
        return [
            named,
            table(("quantile", "share at or below", "pinball loss"), rows),
            paragraph(
                "The share at or below a quantile is the quantile itself, where predictions are right."
            ),
            *_residuals(facts, evaluation.predicted[:, middle], what),
        ]
    if isinstance(metrics, MultiLabelMetrics):
        return [named, values, _several_labels(facts, metrics)]
    return [named, values, *_outputs(metrics), *_residuals(facts, evaluation.predicted)]


def _several_labels(facts: Facts, metrics: MultiLabelMetrics) -> Html:
    """Return how well each of several labels is told."""
    rows = [
        (name, rate(precision), rate(recall), rate(f1), support)
        for name, precision, recall, f1, support in zip(
            facts.targets, metrics.precision, metrics.recall, metrics.f1, metrics.support, strict=True
        )
    ]
    return table(("label", "precision", "recall", "F1", "rows"), rows[:_CLASSES])


def _labels(metrics: LabelMetrics, followed: bool) -> list[Html]:
    """Return the confusion matrix and the classes one by one, of many those with the most rows.

    The matrix is left out where there is one that follows a threshold.
    """
    labels = [str(of_data(label)) for label in metrics.classes]
    kept = most_classes(metrics.support)
    left = len(labels) - len(kept)
    some = f"; {left} of {len(labels)} classes, those with the fewest rows, are left out" if left else ""
    caption = f"Confusion matrix; rows: true class, columns: predicted{some}"
    per_class = [
        (labels[i], *(Numeral(rate(part[i])) for part in (metrics.precision, metrics.recall, metrics.f1)),
         metrics.support[i])
        for i in kept
    ]  # fmt: skip
    parts = [
        *([] if followed else [interactive(figures.confusion(metrics, kept), caption, caption)]),
        table(
            ("class", "precision", "recall", "F1", "rows"),
            per_class,
            f"Class by class{some}" if left else None,
        ),
    ]
    mistakes = [
        (str(of_data(true)), str(of_data(predicted)), rows)
        for true, predicted, rows in metrics.confusions(_MISTAKES)
    ]
    if len(labels) > 2 and mistakes:
        parts.append(table(("true class", "predicted", "rows"), mistakes, "The most frequent mistakes"))
    return parts


def _scores(facts: Facts) -> list[Html]:
    """Return what the probabilities are worth."""
    evaluation, classes = facts.evaluation, facts.network.classes
    if evaluation is None or classes is None or evaluation.probabilities is None:
        return []
    scores = evaluation.probabilities
    truth = evaluation.truth
    if len(classes) == 2:
        names = (str(of_data(classes[0])), str(of_data(classes[1])))
        return two_classes(truth == classes[1], scores[:, 1], names)
    counts = np.array([(truth == label).sum() for label in classes])
    possible = np.flatnonzero((counts > 0) & (counts < len(truth)))
    kept = possible[np.argsort(-counts[possible], kind="stable")[:_CURVES]]
    fit = calibration(evaluation.predicted == truth, scores.max(axis=1))
    calibrated = calibration_caption(fit.error, "right")
    last = interactive(figures.calibration(fit, "probability of the label"), calibrated, calibrated)
    if not len(kept):
        return [heading("Probabilities"), last]
    some = "" if len(kept) == len(classes) else f" The {len(kept)} most frequent of {len(classes)} classes."
    places = {str(of_data(classes[i])): i for i in kept}
    curves = {name: roc(truth == classes[i], scores[:, i]) for name, i in places.items()}
    trades = {name: precision_recall(truth == classes[i], scores[:, i]) for name, i in places.items()}
    captions = (f"ROC of each class against all others.{some}", f"Precision and recall of each class.{some}")
    drawn = [
        interactive(figures.roc(curves), captions[0], captions[0]),
        interactive(figures.precision_recall(trades, 1 / len(classes)), captions[1], captions[1]),
        last,
    ]
    return [heading("Probabilities"), row(drawn, "figures")]


def _residuals(facts: Facts, predicted: NDArray[Any], what: str = "") -> list[Html]:
    """Draw predicted over true values and the residuals, of several targets one after the other."""
    evaluation = facts.evaluation
    assert evaluation is not None
    rows = np.union1d(evenly(len(predicted)), evaluation.worst(_WORST))
    drawn, n = len(rows), len(predicted)
    some = "" if drawn == n else f"; {drawn:,} of {n:,} rows are drawn, the worst among them"
    shown = []
    for target, y, p in zip(facts.targets, _columns(evaluation.truth), _columns(predicted), strict=True):
        captions = (
            f"Predicted ({what}{shortened(target, 80)}) and true values{some}; equal on the line.",
            "Residuals. A band that bends or widens tells of what the network has not learned.",
        )
        pair = zip((figures.predicted_over_true, figures.residuals), captions, strict=True)
        shown += [interactive(draw(y[rows], p[rows], target), caption, caption) for draw, caption in pair]
    return [row(shown, "figures")]


def _columns(values: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the columns of an array, which may be a single one."""
    return list(values.reshape(len(values), -1).T)


def _outputs(metrics: ValueMetrics) -> list[Html]:
    """Return the metrics of each of several targets."""
    if not metrics.outputs:
        return []
    rows = [
        (name, *(measured(metric, value) for metric, value in values_of(one).items()))
        for name, one in metrics.outputs
    ]
    return [table(("target", *values_of(metrics)), rows, "Target by target; above are their means")]


def _one_cell(predicted: Any) -> Any:
    """Return a prediction, or those of several quantiles or targets as one text."""
    if np.ndim(predicted) == 0:
        return of_data(predicted) if not isinstance(predicted, (float, np.floating)) else float(predicted)
    return ", ".join(map(three_digits, predicted))


def worst(facts: Facts) -> list[Html]:
    """List the rows with the largest loss, with their columns, or their images."""
    evaluation = facts.evaluation
    assert evaluation is not None
    data, rows = evaluation.table, evaluation.worst(_WORST)
    names = [name for name in data.names if name not in facts.targets]
    shown = [] if facts.pixels is not None else names[:_COLUMNS]
    images = [] if facts.pixels is None else thumbnails(evaluation, facts.pixels, rows)
    cells = [
        (
            data.place(row),
            _one_cell(evaluation.truth[row]),
            _one_cell(evaluation.predicted[row]),
            float(evaluation.row_loss[row]),
            *images[at : at + 1],
            *(of_data(data[name][row]) for name in shown),
        )
        for at, row in enumerate(rows)
    ]
    left = len(names) - len(shown) if facts.pixels is None else 0
    more = f"; {plural(left, 'more column')} not shown" if left else ""
    titles = ("row", "true", "predicted", evaluation.row_loss_name, *(["image"] if images else []), *shown)
    return [
        paragraph(
            f"The {len(rows)} of {data.n_rows:,} rows with the largest "
            f"{evaluation.row_loss_name}{more}. Look for wrong labels and odd values among them."
        ),
        table(titles, cells),
    ]
