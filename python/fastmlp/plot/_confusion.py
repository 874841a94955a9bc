"""The confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmlp._base.draw_predictions import draw_confusion
from fastmlp._base.validation import features_and_target, flag, same_length
from fastmlp._inspect.metrics import label_metrics
from fastmlp._model.predictor import Predictor
from fastmlp._rows.targets import as_targets, class_numbers
from fastmlp.plot._axes import check_network

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def confusion(net: Predictor, X: Any, y: Any, normalize: bool = False, ax: Axes | None = None) -> Axes:
    """Draw which classes a network takes for which: rows are true classes, columns predicted ones.

    The colour of a cell is its share of the rows of its true class. The number is written in it, for 30
    classes at the most.

    Parameters
    ----------
    net : Network or Ensemble
        One that predicts one label for each row.
    X : array_like, (n, inputs)
    y : array_like, (n,)
        True labels, or the name of a column of X.
    normalize : bool, default False
        Write the shares rather than the numbers of rows.
    ax : matplotlib Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        Without matplotlib.
    TypeError, ValueError
        If the network does not predict labels, y has others, or an argument is wrong.
    """
    check_network(net, ensembles=True)
    if net.classes is None:
        raise ValueError(f"confusion needs a network that predicts one label for each row, got {net!r}")
    normalize = flag("normalize", normalize)
    X, y = features_and_target(X, y)
    y, predicted = as_targets(y), net.predict(X)
    if y.ndim != 1 or not len(y):
        raise ValueError(f"y must be labels of shape (n,), n at least 1; got shape {y.shape}")
    same_length("y", len(y), len(predicted))
    truth = net.classes[class_numbers(y, net.classes)]
    counts = label_metrics(truth, predicted, net.classes).confusion_matrix()
    return draw_confusion(counts, list(net.classes), normalize, ax)
