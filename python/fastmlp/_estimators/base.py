"""How the classifier and the regressor are fitted; what y means is theirs to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import validate_data

from fastmlp._base.csr import as_csr
from fastmlp._base.validation import as_numbers, check_unmasked
from fastmlp._estimators import parameters
from fastmlp._estimators.callbacks import CallbackSupportMixin, FitTask, with_callbacks
from fastmlp._estimators.fitted import FittedMLP, prepared
from fastmlp._estimators.fitting import train
from fastmlp._estimators.given import Given, UsersRows
from fastmlp._estimators.handover import taken_over
from fastmlp._estimators.several import begin, prepared_fit
from fastmlp._model.architecture import check_memory
from fastmlp._model.parts import Parts
from fastmlp._native import threads as _threads
from fastmlp._rows.memory import CoreRows, check_row_count, checked_mean_weight
from fastmlp._rows.targets import Targets, row_weights

if TYPE_CHECKING:
    from typing_extensions import Self

Array = NDArray[Any]


class BaseMLP(CallbackSupportMixin, FittedMLP):
    """Fits the network by gradient descent, or by L-BFGS."""

    _y_numeric = False

    def _learn_classes(self, y: Array, classes: Any) -> None:
        """Learn the classes that partial_fit is told."""

    def _checked_targets(self, y: Array, *, complete: bool) -> Array:
        """Return y, checked against what is known of it; complete if all classes should be there."""
        raise NotImplementedError

    def _find_classes(self, y: Array) -> None:
        """Learn the classes from the rows of the first fit."""

    def _count_outputs(self, y: Array) -> int:
        """Return how many outputs the network needs."""
        raise NotImplementedError

    def _encode(self, y: Array) -> Targets:
        """Return the targets as the core reads them."""
        raise NotImplementedError

    def _core_scores(self) -> bool:
        """Tell whether the core's validation score is that of score()."""
        return True

    def _class_weights(self, y: Array, *, incremental: bool) -> Array | None:
        """Return the weight that each row has by its class, None where all are 1."""
        return None

    def _stratify(self, y: Array) -> Array | None:
        """Return the labels whose shares the rows held back for early stopping should keep."""
        return None

    def _loss_of(self, y: Array, weights: Array | None) -> Callable[[float, float], float]:
        """Return what makes scikit-learn's loss of the core's loss and the penalty in it."""
        return lambda loss, penalty: loss

    @with_callbacks
    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Self:
        """Fit the network to X and y.

        Parameters
        ----------
        X : array_like or sparse matrix, (n, inputs)
            Finite numbers: array, pandas, polars or Arrow table, CSR or other sparse matrix.
        y : array_like, (n,) or (n, outputs)
            Labels, or a 0/1 matrix with a column a label; for the regressor, numbers.
        sample_weight : array_like, (n,), optional
            Weights of the rows, at least 0.
        X_val, y_val : array_like, optional
            Rows to measure after each epoch; with early_stopping (not of lbfgs) they take the place of the
            ``validation_fraction`` of X.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Naming the argument, what was given and what is accepted; or if the loss diverges. What was
            fitted before stays so, but for the epochs that a warm start had gone on.
        """
        if taken_over(self, y):
            return self
        return self._fit(UsersRows(X, y, sample_weight, X_val, y_val), incremental=False)

    def initialize(self, X: Any, y: Any) -> Self:
        """Set classes, shapes and random initial weights by X and y, as `fit` does, without training.

        The weights can then be looked at or replaced; `partial_fit`, or `fit` with ``warm_start=True``, goes
        on from them.

        Parameters
        ----------
        X, y : array_like
            As in `fit`, with rows of each class.

        Returns
        -------
        self
        """
        parameters.check(self)
        before = self.__dict__.copy()
        try:
            begin(self, UsersRows(X, y))
        except Exception:
            self.__dict__ = before
            raise
        return self

    def _begin(self, given: Given) -> None:
        """Begin anew, with random initial weights."""
        self._forget()
        source = given.source(self, reset=True)
        self._random_state = check_random_state(self.random_state)
        y = self._checked_targets(source.y, complete=True)
        self._initialize(source.X.array, y, self._random_state)

    def _fit(self, given: UsersRows, *, incremental: bool, classes: Any = None) -> Self:
        parameters.check(self)
        task = FitTask(self, given.X, given.y, given.sample_weight, incremental=incremental)
        with _threads.at_most(parameters.threads(self)):
            fitting = prepared_fit(self, given, task, incremental=incremental, classes=classes)
            train(fitting, parameters.threads(self))
        return self

    def _arrays(self, X: Any, y: Any, *, reset: bool) -> tuple[Any, Array]:
        """Return X and y as arrays; numbers of other types than float32 become float64."""
        check_unmasked("y", y)
        X, y = prepared("X", X), as_csr("y", y) if hasattr(y, "tocsr") else y
        shape = getattr(X, "shape", ())
        if isinstance(shape, tuple) and shape and shape[0]:  # for none, scikit-learn has a message of its own
            check_row_count(shape[0])
        try:
            X, y = validate_data(
                self, X, y, reset=reset, accept_sparse=["csr"], order="C", multi_output=True,
                y_numeric=self._y_numeric, dtype=(np.float64, np.float32),
            )  # fmt: skip
        except TypeError as error:
            raise TypeError(f"X or y: {error}") from None
        if reset:
            self._sparse_targets = hasattr(y, "toarray")
        if hasattr(y, "toarray"):
            y = y.toarray()
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y

    def _row_weights(self, y: Array, sample_weight: Any) -> Array | None:
        if sample_weight is None:
            return None
        check_unmasked("sample_weight", sample_weight)
        given = np.asarray(sample_weight)
        if given.ndim == 0:
            given = np.full(len(y), given)
        try:
            return row_weights(given, None, y, None, self.coefs_[0].dtype.name)
        except TypeError as error:
            raise ValueError(str(error)) from None  # as scikit-learn has it

    def _training_weights(self, y: Array, weights: Array | None, *, incremental: bool) -> Array | None:
        """Return the weight of each row, its own times that of its class."""
        of_class = self._class_weights(y, incremental=incremental)
        if of_class is not None:
            if of_class.min() < 0:
                raise ValueError(f"class_weight must be at least 0, got {of_class.min():g}")
            weights = of_class if weights is None else weights * of_class
            as_numbers("class_weight", weights, self.coefs_[0].dtype)
        if weights is not None:
            with np.errstate(over="ignore"):
                total = weights.sum()
            if not np.finfo(np.float32).tiny < total < np.inf:
                raise ValueError(
                    "sample_weight and class_weight must leave some rows a weight above 0, and all of them a "
                    f"finite sum, got a sum of {total:g}"
                )
        return weights

    def _mean_weight(self, learned: CoreRows) -> float:
        """Return what batches divide by for each of their rows; 0 for the sum of their own weights.

        Those are scikit-learn's rule for sample_weight. By it, weights of classes would do nothing in a batch
        of one row, so they go by the mean weight of all rows.
        """
        by_class = getattr(self, "class_weight", None) is not None
        return checked_mean_weight(learned, "the rows") if by_class else 0.0

    def _forget(self) -> None:
        """Drop what an earlier fit left."""
        for name in ("coefs_", "intercepts_", "estimators_", "classes_", "_optimizer", "_network"):
            self.__dict__.pop(name, None)

    def _initialize(self, X: Any, y: Array, random: np.random.RandomState) -> None:
        self._find_classes(y)
        self.n_outputs_ = self._count_outputs(y)
        self._hidden = parameters.hidden_layers(self)
        sizes = (X.shape[1], *self._hidden, self.n_outputs_)
        check_memory("hidden_layer_sizes", sizes, Parts(), X.dtype.itemsize)
        self.n_layers_ = len(sizes)
        self.out_activation_ = parameters.output_activation(self._loss_name())
        self.coefs_, self.intercepts_ = [], []
        for layer, bound in enumerate(parameters.initial_bounds(self, sizes)):
            shape = sizes[layer : layer + 2]
            self.coefs_.append(random.uniform(-bound, bound, shape).astype(X.dtype, copy=False))
            self.intercepts_.append(random.uniform(-bound, bound, shape[1]).astype(X.dtype, copy=False))
        self._begin_curves()
