"""How the classifier and the regressor are fitted; what y means is theirs to say."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import validate_data

from fastmlp._base.csr import as_csr
from fastmlp._base.validation import as_numbers, check_unmasked
from fastmlp._estimators import parameters
from fastmlp._estimators.callbacks import CallbackSupportMixin, FitTask, with_callbacks
from fastmlp._estimators.epochs import Epochs, Iterations, Score, score_function
from fastmlp._estimators.fitted import FittedMLP, prepared
from fastmlp._estimators.state import OptimizerState
from fastmlp._model.architecture import check_memory
from fastmlp._native import threads as _threads
from fastmlp._network.network import Network
from fastmlp._rows.features import as_features, core_form
from fastmlp._rows.memory import CoreRows, WholeRows, check_row_count, checked_mean_weight
from fastmlp._rows.targets import Targets, row_weights
from fastmlp._training.options import checked_compute, core_options
from fastmlp._training.run import run
from fastmlp.spec.optimizers import check_representable

if TYPE_CHECKING:
    from typing_extensions import Self

Array = NDArray[Any]
Rows = tuple[Any, Array, Array | None]  # X, y, weights


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
        return self._fit(X, y, sample_weight, X_val, y_val, incremental=False)

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
            self._forget()
            X, y = self._arrays(X, y, reset=True)
            self._random_state = check_random_state(self.random_state)
            self._initialize(X, self._checked_targets(y, complete=True), self._random_state)
        except Exception:
            self.__dict__ = before
            raise
        return self

    def _fit(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, *, incremental: bool,
        classes: Any = None,
    ) -> Self:  # fmt: skip
        parameters.check(self)
        task = FitTask(self, X, y, sample_weight, incremental=incremental)
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        before = self.__dict__.copy()
        try:
            with _threads.at_most(parameters.threads(self)):
                if first and not incremental:
                    self._forget()
                X, y = self._arrays(X, y, reset=first)
                if incremental:
                    self._learn_classes(y, classes)
                y = self._checked_targets(y, complete=not incremental)
                begun = None if first else self.__dict__.get("_random_state")  # by initialize()
                random = begun or check_random_state(self.random_state)
                if first:
                    self._initialize(X, y, random)
                elif vars(self).get("_hidden") not in (None, parameters.hidden_layers(self)):
                    raise ValueError(
                        f"hidden_layer_sizes must be {self._hidden} as before to go on from the weights "
                        f"there are, got {self.hidden_layer_sizes!r}"
                    )
                if not hasattr(self, "history_"):  # the weights are the user's own
                    self._begin_curves()
                rows = X, y, self._row_weights(y, sample_weight)
                measured = self._validation_rows(X_val, y_val)
                if parameters.is_lbfgs(self):
                    self._fit_lbfgs(rows, measured, task)
                else:
                    self._fit_stochastic(rows, measured, random, task, incremental=incremental)
        except Exception as error:
            if first and not isinstance(error, Warning):
                self.__dict__ = before
            raise
        self.__dict__.pop("_random_state", None)
        task.ended()
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

    def _validation_rows(self, X_val: Any, y_val: Any) -> Rows | None:
        """Return the rows that the user wants to measure on."""
        if X_val is None and y_val is None:
            return None
        for given, missing, value in (("y_val", "X_val", X_val), ("X_val", "y_val", y_val)):
            if value is None:
                raise ValueError(f"{given} was given without {missing}; give both or neither")
        try:
            X, y = self._arrays(X_val, y_val, reset=False)
            return X, self._checked_targets(y, complete=False), None
        except (TypeError, ValueError) as error:
            raise type(error)(f"X_val, y_val: {error}") from None

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

    def _training_weights(self, rows: Rows, *, incremental: bool) -> Array | None:
        """Return the weight of each row, its own times that of its class."""
        _, y, weights = rows
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
        for name in ("coefs_", "intercepts_", "classes_", "_optimizer", "_network"):
            self.__dict__.pop(name, None)

    def _initialize(self, X: Any, y: Array, random: np.random.RandomState) -> None:
        self._find_classes(y)
        self.n_outputs_ = self._count_outputs(y)
        self._hidden = parameters.hidden_layers(self)
        sizes = (X.shape[1], *self._hidden, self.n_outputs_)
        check_memory("hidden_layer_sizes", sizes, (), X.dtype.itemsize)
        self.n_layers_ = len(sizes)
        self.out_activation_ = parameters.output_activation(self._loss_name())
        self.coefs_, self.intercepts_ = [], []
        for layer, bound in enumerate(parameters.initial_bounds(self, sizes)):
            shape = sizes[layer : layer + 2]
            self.coefs_.append(random.uniform(-bound, bound, shape).astype(X.dtype, copy=False))
            self.intercepts_.append(random.uniform(-bound, bound, shape[1]).astype(X.dtype, copy=False))
        self._begin_curves()

    def _fit_stochastic(
        self, rows: Rows, measured: Rows | None, random: np.random.RandomState, task: FitTask, *,
        incremental: bool,
    ) -> None:  # fmt: skip
        """Mini-batch gradient descent in the core, which calls `Epochs` after each epoch."""
        if self.early_stopping and measured is None:
            if incremental:
                raise ValueError(
                    "partial_fit does not support early_stopping=True without X_val and y_val to measure on"
                )
            rows, measured = self._split(rows, random)
        X, y, _ = rows
        if self.batch_size != "auto" and self.batch_size > len(y):
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
                stacklevel=4,
            )
        weights = self._training_weights(rows, incremental=incremental)
        network = self._linked_network()
        state = self._optimizer_state(network, random, incremental=incremental)
        settings = parameters.run_settings(self, len(y), state.learning_rate, state.seed, state.epochs)
        options = core_options(settings, len(y), state.epochs)
        check_representable(options, network.dtype.name, ("learning_rate_init", "epsilon", "clip_norm"))
        learned = self._core_rows(network, X, y, weights)
        checked_compute(self.compute, network.dtype.name, sparse=isinstance(learned[0], tuple))
        self._watch(measured is not None)
        score, by_core = self._measures(network, measured)
        epochs = Epochs(
            self, network, len(y), state, self._loss_of(y, weights), score, measured is not None, task,
            incremental,
        )  # fmt: skip
        self._optimizer = state
        start = time.perf_counter()
        carried = network._core.RunState(state.moments[0], state.moments[1], state.steps)
        rows_of_run = WholeRows(learned, by_core, self._mean_weight(learned))
        order = draw_order(random, len(y))
        outcome = run(network, rows_of_run, options, on_epoch=epochs, state=carried, draw_order=order)
        state.steps = carried.steps
        state.epochs += self.n_iter_
        if options.shuffle and options.batch_size == len(y) and random is self.random_state:
            for _ in range(self.n_iter_):  # the core does not shuffle a single batch; the generator goes on
                random.shuffle(np.arange(len(y)))
        epochs.finish(outcome, time.perf_counter() - start)

    def _measures(self, network: Network, measured: Rows | None) -> tuple[Score | None, CoreRows | None]:
        """Return what measures the validation score: a function, or rows for the core, which is faster."""
        if measured is None:
            return None, None
        if self._core_scores() and self.scoring is None and measured[2] is None:
            return None, self._core_rows(network, *measured)
        return score_function(self, *measured), None

    def _core_rows(self, network: Network, X: Any, y: Array, weights: Array | None) -> CoreRows:
        """Return X, labels, values and weights in the network's type."""
        targets, values = self._encode(y), None
        if targets.values is not None:
            columns = targets.values.shape[1]
            place = (lambda at: (at // columns,)) if y.ndim == 1 else None
            values = as_numbers("y", targets.values, network.dtype, place)
        weights = None if weights is None else as_numbers("sample_weight", weights, network.dtype)
        features = as_features("X", X, network.dtype, network.layer_sizes[0])
        return core_form(features), targets.labels, values, weights, None

    def _split(self, rows: Rows, random: np.random.RandomState) -> tuple[Rows, Rows]:
        """Return the rows to train on and those held back for early stopping."""
        X, y, weights = rows
        if self.validation_fraction == 0:
            raise ValueError("validation_fraction must be greater than 0 for early_stopping, got 0")
        kept, held = train_test_split(
            np.arange(len(y)),
            random_state=random,
            test_size=self.validation_fraction,
            stratify=self._stratify(y),
        )
        if len(held) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        parts = [(X[at], y[at], None if weights is None else weights[at]) for at in (kept, held)]
        if weights is not None and weights[held].max() == 0:
            raise ValueError(
                "the rows held back for validation have sample_weight 0; give X_val and y_val, or a larger "
                "validation_fraction"
            )
        return parts[0], parts[1]

    def _optimizer_state(
        self, network: Network, random: np.random.RandomState, *, incremental: bool
    ) -> OptimizerState:
        """Return what partial_fit goes on from, or a fresh start; a warm start keeps the best weights."""
        old: OptimizerState | None = self.__dict__.get("_optimizer")
        optimizer = parameters.optimizer(self)
        if incremental:
            parameters.check_incremental(self)
            if old is not None and old.fits(network, optimizer):
                return old.writable()
        seed = int(random.randint(2**31 - 1)) if self.dropout else 0  # scikit-learn draws nothing here
        best = None if old is None or old.best is None or len(old.best) != network.n_parameters else old.best
        moments = np.zeros((2, network.n_parameters), network.dtype)
        return OptimizerState(optimizer, float(self.learning_rate_init), seed, moments, best)

    def _fit_lbfgs(self, rows: Rows, measured: Rows | None, task: FitTask) -> None:
        """Minimise over all rows, in float64; the weights keep their type."""
        X, y, _ = rows
        weights = self._training_weights(rows, incremental=False)
        self._linked_network()  # the scores are those of the weights as they are taken over
        network = self._make_network(
            self.alpha / float(len(y) if weights is None else weights.sum()), "float64"
        )
        settings = parameters.run_settings(self, len(y), float(self.learning_rate_init))
        self._watch(measured is not None)
        score = None if measured is None else score_function(self, *measured)
        iterations = Iterations(self, network, self._loss_of(y, weights), score, task)
        outcome = run(
            network, WholeRows(self._core_rows(network, X, y, weights), None, 0.0),
            core_options(settings, len(y)), limits=settings.limits,
            on_epoch=iterations if iterations.is_needed else None,
        )  # fmt: skip
        iterations.finish(outcome)


def draw_order(random: np.random.RandomState, rows: int) -> Callable[[], NDArray[np.uint32]]:
    """Return what draws the order of each epoch's rows, the same as scikit-learn's."""
    order = np.arange(rows)

    def draw() -> NDArray[np.uint32]:
        nonlocal order
        indices = np.arange(rows)
        random.shuffle(indices)
        order = order[indices]
        return order.astype(np.uint32)

    return draw
