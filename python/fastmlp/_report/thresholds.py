"""Two classes: their curves, and the confusion matrix at the threshold that the reader chooses."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import shortened
from fastmlp._inspect.scores import calibration, counts_above, precision_recall, roc
from fastmlp._report import figures
from fastmlp._report.html import Html, cell, escape, heading, interactive, row, values

_STEPS = 100
_NAMES = {
    "accuracy": "share of the rows predicted right",
    "precision": "share of the predicted that are true",
    "recall": "share of the true that are predicted",
    "F1": "2 precision recall / (precision + recall)",
}


def two_classes(
    positive: NDArray[np.bool_], scores: NDArray[np.generic], names: tuple[str, str]
) -> list[Html]:
    """Return ROC, precision-recall and calibration, with a slider that moves the threshold.

    Parameters
    ----------
    positive : array of bool, (n,)
        Rows of the second class.
    scores : array, (n,)
        Its probability.
    names : (str, str)
        The first and the second class.
    """
    thresholds = np.arange(_STEPS + 1) / _STEPS
    hits, alarms = counts_above(positive, scores, thresholds)
    counts = {"hits": hits, "alarms": alarms}
    totals = {"positive": int(positive.sum()), "negative": int((~positive).sum())}
    at = _at_threshold(int(hits[_STEPS // 2]), int(alarms[_STEPS // 2]), totals)
    data = {**{name: count.tolist() for name, count in counts.items()}, **totals}
    parts = [heading(f"The threshold for {shortened(names[1], 40)}"), _panel(json.dumps(data), at, names)]
    if min(totals.values()) == 0:
        return parts
    name = shortened(names[1], 100)
    curve, trade = roc(positive, scores), precision_recall(positive, scores)
    fit = calibration(positive, scores)
    here = (at["alarms"] / totals["negative"], at["hits"] / totals["positive"])
    share = totals["positive"] / len(positive)
    captions = (
        f"ROC, AUC {curve.area:.3f}: how often, of two rows, one of class {name} has the higher probability.",
        f"Precision and recall of {name}, average precision {trade.area:.3f}; a constant has {share:.3f}.",
        calibration_caption(fit.error, name),
    )
    followed = (at["recall"], at["precision"])
    drawn = (
        interactive(figures.roc({name: curve}, here), captions[0], captions[0], "roc"),
        interactive(
            figures.precision_recall({name: trade}, share, followed),
            captions[1], captions[1], "precision-recall",
        ),
        interactive(figures.calibration(fit, "probability"), captions[2], captions[2]),
    )  # fmt: skip
    return [*parts, row(drawn, "figures")]


def calibration_caption(error: float, event: str) -> str:
    """Say how to read a calibration, and how far off it is."""
    return (
        f"Calibration: where points lie on the line, of the rows given 0.8 about 80 % are {event}. They are "
        f"off by {error:.3f} on average."
    )


def _at_threshold(hits: int, alarms: int, totals: Mapping[str, int]) -> dict[str, float]:
    """Return what the page's script computes when the threshold moves."""
    positive, negative = totals["positive"], totals["negative"]
    precision = hits / max(hits + alarms, 1) if hits + alarms else 1.0
    recall = hits / max(positive, 1)
    return {
        "hits": hits,
        "alarms": alarms,
        "misses": positive - hits,
        "rejections": negative - alarms,
        "accuracy": (hits + negative - alarms) / (positive + negative),
        "precision": precision,
        "recall": recall,
        "F1": 2 * hits / max(2 * hits + alarms + positive - hits, 1),
    }


def _panel(data: str, at: Mapping[str, float], names: tuple[str, str]) -> Html:
    """Make slider, confusion matrix and metrics, at the threshold 0.5 where no script runs."""
    first, second = (escape(shortened(name, 60)) for name in names)
    matrix = (
        (first, cell(int(at["rejections"]), "rejections"), cell(int(at["alarms"]), "alarms")),
        (second, cell(int(at["misses"]), "misses"), cell(int(at["hits"]), "hits")),
    )
    rows = "".join(f'<tr><th scope="row">true {name}</th>{a}{b}</tr>' for name, a, b in matrix)
    measured = "".join(
        f'<tr><th scope="row">{name}</th>{cell(f"{at[name]:.3f}", name)}<td>{meaning}</td></tr>'
        for name, meaning in _NAMES.items()
    )
    slider = f'<input type="range" min="0" max="{_STEPS}" value="{_STEPS // 2}" hidden>'
    titles = "".join(f'<th scope="col">predicted {name}</th>' for name in (first, second))
    return Html(
        f'<div class="threshold">{values(data)}<p><label>predict {second} above the probability '
        f'<output>0.50</output>{slider}</label></p><div class="figures"><div class="wide"><table><thead><tr>'
        f"<td></td>{titles}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<div class="wide"><table><tbody>{measured}</tbody></table></div></div></div>'
    )
