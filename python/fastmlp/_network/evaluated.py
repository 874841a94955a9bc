"""Predictors that compare themselves with the truth, and export themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastmlp._inspect.evaluate import evaluate_rows
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._model.predictor import Predictor

if TYPE_CHECKING:
    from os import PathLike


class Evaluated(Predictor):
    """What evaluates and exports itself: a network, or an ensemble."""

    def evaluate(self, X: Any, y: Any = None, sample_weight: Any = None) -> Evaluation:
        """Compare predictions with the truth: accuracy, log loss and F1 of labels, R2 and errors of values.

        Parameters
        ----------
        X : array_like, (n, inputs), a table, or the path of a file
            A table goes through the encoder, if there is one.
        y : array_like, (n,) or (n, outputs), or str, optional
            True labels, or values; with a table that goes through the encoder, in their units. Or the name of
            a column of X, or several. It may be left out where X has the column that was learned.
        sample_weight : array_like, (n,), optional
            What each row counts, at least 0.

        Returns
        -------
        Evaluation

        Raises
        ------
        TypeError, ValueError
            Naming the argument, what was given and what is accepted.

        Examples
        --------
        >>> import fastmlp
        >>> iris = fastmlp.datasets.load_iris()
        >>> net = fastmlp.train(iris.data[::2], iris.target[::2], epochs=100, learning_rate=0.02)
        >>> evaluation = net.evaluate(iris.data[1::2], iris.target[1::2])
        >>> evaluation.metrics.accuracy > 0.9
        True
        """
        return evaluate_rows(self, X, y, sample_weight)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the accuracy of labels, or the R2 of values.

        Of several labels at once, the share of rows with all of them right; of several values, the mean of
        their R2; of several quantiles, R2 of the one nearest to 1/2.

        Parameters
        ----------
        X, y, sample_weight
            As in `evaluate`.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            As `evaluate`.
        """
        return evaluate_rows(self, X, y, sample_weight).score

    def to_onnx(self, path: str | PathLike[str]) -> None:
        """Write it, with its encoders, as an ONNX model; see `fastmlp.export.to_onnx`."""
        from fastmlp._export.onnx import to_onnx

        to_onnx(self, path)

    def to_c(self, path: str | PathLike[str], name: str = "model") -> None:
        """Write it, with its encoders, as one C99 header; see `fastmlp.export.to_c`."""
        from fastmlp._export.c import to_c

        to_c(self, path, name)
