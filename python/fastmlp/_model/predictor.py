"""What predicts: labels, probabilities and values of the outputs of a network, or of several together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.said import say
from fastmlp._base.validation import column_names, features_and_target, same_length
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
from fastmlp._rows.features import core_form
from fastmlp._rows.kinds import check_kind
from fastmlp._rows.targets import (
    TargetForm,
    Targets,
    as_targets,
    gives_probabilities,
    has_one_output_for_two,
    loss_text,
    row_weights,
)
from fastmlp.data import TableEncoder
from fastmlp.data._match import rows_of_file
from fastmlp.spec.losses import PROBABILITY_LOSSES

Array = NDArray[Any]


class Predictor(ABC):
    """What a network and an ensemble share; see `Network` and `Ensemble`."""

    _dtype: str
    _loss: str
    _loss_numbers: tuple[float, ...]

    @property
    @abstractmethod
    def classes(self) -> Array | None:
        """The labels that the outputs stand for, sorted; None where there is not one label for each row."""

    @property
    @abstractmethod
    def feature_names(self) -> tuple[str, ...]:
        """The columns of the table that was trained on, () if they are not known."""

    @property
    @abstractmethod
    def target_names(self) -> tuple[str, ...]:
        """The columns of that table that were learned, () if they are not known."""

    @property
    @abstractmethod
    def encoder(self) -> TableEncoder | None:
        """How a table becomes X."""

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """The number of weights and biases."""

    @property
    @abstractmethod
    def _n_inputs(self) -> int:
        """The number of columns of X, where it does not come from encoders of different networks."""

    @property
    @abstractmethod
    def _n_outputs(self) -> int:
        """The number of outputs."""

    @property
    def _target_form(self) -> TargetForm:
        """How targets are given to the core."""
        return TargetForm(self._loss, self._loss_numbers, self.classes, self._n_outputs)

    @property
    def _reader(self) -> TableEncoder | None:
        """An encoder that knows the columns of the table and the kind of its target."""
        return self.encoder

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the parameters and of all computation: float32 or float64."""
        return np.dtype(self._dtype)

    @property
    def loss(self) -> str:
        """The loss, with its number if it takes one, such as ``huber(1.5)``."""
        return loss_text(self._loss, self._loss_numbers)

    @abstractmethod
    def predictor(self) -> Callable[[Array], Array]:
        """Return a callable for one row or a small block, without checks beyond shape and codes."""

    @abstractmethod
    def _matrix(self, X: Any) -> Any:
        """Return X as `_outputs` takes it, checked."""

    def forward(self, X: Any) -> Array:
        """Return the output activations.

        Parameters
        ----------
        X : array_like, (n, inputs), table, or path
            Rows of finite numbers; n may be 0. A SciPy sparse matrix is not made dense. A table goes through
            the network's encoder, if it has one. A file is read first.

        Returns
        -------
        array, (n, outputs)
            A row's outputs have the same bits whatever rows are around it.

        Raises
        ------
        TypeError, ValueError
            If X is not a finite numeric matrix with the network's number of columns.

        Warns
        -----
        RuntimeWarning
            If outputs are not finite.
        """
        return self._forward_on(None, X)

    def _forward_on(self, threads: int | None, X: Any) -> Array:
        """Return what `forward` does, on so many threads at the most."""
        few: Array | None = self._core_predictor.try_forward(X)
        if few is not None:
            return few
        most = _threads.resolve(threads)
        with _threads.at_most(most):
            X = self._matrix(self._rows(X))
        outputs = self._outputs(X, most)
        check_finite(outputs)
        return outputs

    def _outputs(self, X: Any, threads: int) -> Array:
        """Return the output activations of rows that `_matrix` made."""
        outputs: Array = self._core_predictor.forward(core_form(X), threads)
        return outputs

    def predict(self, X: Any) -> Array:
        """Return labels, or values.

        Parameters
        ----------
        X : array_like, (n, inputs), table, or path
            As in `forward`.

        Returns
        -------
        array
            (n,) labels of the type that training saw: the class with the largest output, or for
            binary_cross_entropy the second class where its probability is above 1/2. Without classes, the
            0/1 matrix (n, outputs) of multi-label problems, or the outputs, (n,) if there is one. Several
            quantiles never cross: they are sorted (Chernozhukov, Fernandez-Val, Galichon, 2010). For a table
            that goes through the network's encoder, values are in the units of its target.

        Raises
        ------
        TypeError, ValueError
            As `forward`.
        """
        X = self._rows(X)
        return self._predicted(self.forward(X), self._in_units(X))

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities.

        Parameters
        ----------
        X : array_like, (n, inputs), table, or path
            As in `forward`.

        Returns
        -------
        array, (n, classes) or (n, outputs)
            Rows over `classes`; for multi-label problems, the probability of each label.

        Raises
        ------
        ValueError
            If the loss gives no probabilities, or X is wrong as in `forward`.
        """
        if not gives_probabilities(self._loss):
            raise ValueError(f"predict_proba needs loss {' or '.join(PROBABILITY_LOSSES)}, got {self.loss!r}")
        return self._probabilities(self.forward(X))

    def _predicted(self, outputs: Array, in_units: bool) -> Array:
        """Return labels or values of the outputs; `in_units`: in those of the encoder's target."""
        if has_one_output_for_two(self._loss):
            above: NDArray[np.int64] = (outputs > 0.5).astype(np.int64)
            labels: Array = above if self.classes is None else self.classes[above[:, 0]]
            return labels
        if self.classes is not None:
            return np.asarray(self.classes[outputs.argmax(axis=1)])
        values: Array = outputs[:, 0] if outputs.shape[1] == 1 else outputs
        if len(self._loss_numbers) > 1:
            values = np.sort(values, axis=1)
        return self._to_units(values) if in_units else values

    def _to_units(self, values: Array) -> Array:
        """Return values in the units of the encoder's target."""
        return self._reader.inverse_target(values)  # type: ignore[union-attr]

    def _probabilities(self, outputs: Array) -> Array:
        """Return the probability of each class, or of each of several labels."""
        if has_one_output_for_two(self._loss) and self.classes is not None:
            return np.hstack([1 - outputs, outputs])
        return outputs

    @cached_property
    def _core_predictor(self) -> Any:
        return self.predictor()

    def _rows(self, X: Any) -> Any:
        """Return the rows of a file, if X is its path, or else X as it is."""
        return rows_of_file(X, self._reader, self.classes is not None and self.classes.dtype.kind == "U")

    def _encodes(self, X: Any) -> bool:
        """Whether X is a table that the encoder takes, rather than one that it has made."""
        return self._reader is not None and type(X) is not np.ndarray and bool(column_names(X))

    def _in_units(self, X: Any) -> bool:
        """Whether values that go with X are in the units of the encoder's target."""
        return self.classes is None and self._encodes(X) and self._reader.task == "regression"  # type: ignore[union-attr]

    def _checked_rows(
        self, X: Any, y: Any, sample_weight: Any, class_weight: Any = None
    ) -> tuple[Any, Targets, Array | None]:
        X, y = features_and_target(self._rows(X), y)
        y = as_targets(y)
        form = self._target_form
        in_units = self._in_units(X)
        X = self._matrix(X)
        if len(X) == 0:
            raise ValueError("X must have at least one row, got 0")
        same_length("y", len(y), len(X))
        check_kind(y, form)
        if in_units:
            y = self._reader.learned_target(y)  # type: ignore[union-attr]
        targets = form.encode(y, self._dtype, len(X))
        return X, targets, row_weights(sample_weight, class_weight, y, self.classes, self._dtype)


def check_finite(outputs: Array) -> None:
    """Warn of outputs that are not finite."""
    at = _core.first_nonfinite(outputs)
    if at >= 0:
        row = at // outputs.shape[1]
        say(f"the outputs of row {row} are not finite: X or the weights are too large", RuntimeWarning)
