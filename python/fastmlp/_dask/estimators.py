"""`DaskMLPClassifier` and `DaskMLPRegressor`: scikit-learn's interface over rounds."""

from __future__ import annotations

import time
from copy import copy
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from fastmlp._dask.constructor import DaskClassifierParameters, DaskRegressorParameters
from fastmlp._dask.futures import Futures, connected
from fastmlp._dask.learning import Learning
from fastmlp._dask.partitions import partitions
from fastmlp._dask.parts import Merged
from fastmlp._dask.predictions import Fitted, lazily, score_of, scored
from fastmlp._dask.rounds import PARTITION, Method, Round, Rounds
from fastmlp._dask.train import for_tasks, weight_of_each
from fastmlp._estimators import MLPClassifier, MLPRegressor, parameters
from fastmlp._estimators.callbacks import FitTask
from fastmlp._estimators.constructor import ClassifierParameters, RegressorParameters
from fastmlp._estimators.epochs import Epochs
from fastmlp._estimators.parameters import ParameterError
from fastmlp._estimators.state import OptimizerState
from fastmlp._model.model import metadata
from fastmlp._rows.targets import TargetForm, parse_loss
from fastmlp._training.options import RunSettings, core_options
from fastmlp._training.run import Outcome
from fastmlp.spec.optimizers import check_representable
from fastmlp.spec.schedules import ReduceOnPlateau

if TYPE_CHECKING:
    from typing_extensions import Self

#: Parameters that say nothing of rounds, with the only value that they may have, and what to do instead.
_WITHOUT_MEANING = {
    "max_iter": (200, "a fit makes rounds * local_epochs passes"),
    "warm_start": (False, "each fit begins anew"),
    "n_estimators": (1, "fit several estimators with other seeds"),
    "scoring": (None, "validation is measured by score, partition by partition"),
}


class _DaskMLP(BaseEstimator):
    """Fits in rounds on the partitions; what is fitted is an estimator for one machine."""

    _local_type: type[Any]
    _local_parameters: type[Any]
    _local: Any

    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Self:
        """Fit the network to the partitions of X and y, which stay where they are.

        Parameters
        ----------
        X : dask.array.Array, (n, inputs), or dask.dataframe.DataFrame
            Finite numbers, partitioned along rows only.
        y : dask.array.Array, (n,) or (n, outputs), dask.dataframe.Series or DataFrame, str, or list of str
            Labels, or a 0/1 matrix with a column a label; for the regressor, numbers. Partitioned as X; or
            columns of a data frame X.
        sample_weight : dask.array.Array or dask.dataframe.Series, (n,), optional
            Weights of the rows, at least 0.
        X_val, y_val : collections of Dask, or arrays and tables in memory, optional
            Rows to measure after each round; with early_stopping they take the place of the
            ``validation_fraction`` of each partition.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Naming the argument or the partition, what was given and what is accepted; or if the loss
            diverges. What was fitted before stays so.
        RuntimeError
            If a partition is lost that cannot be computed again, or the cluster is.
        """
        method = Method.checked(
            self.rounds, self.local_epochs, self.outer_learning_rate, self.outer_momentum, self.timeout
        )
        local = self._new_local()
        if (X_val is None) != (y_val is None):
            given, missing = ("y_val", "X_val") if X_val is None else ("X_val", "y_val")
            raise ValueError(f"{given} was given without {missing}; give both or neither")
        with Rounds(self.client, method) as run:
            isa = run.isa()
            known = run.read(X, y, sample_weight, None)
            seed = _begin(local, known)
            if X_val is not None:
                run.read_validation((X_val, y_val), known.dtype)
            network = local._linked_network()
            settings = _settings(local, max(known.rows), seed, method, known.dtype)
            form = TargetForm(*parse_loss(local._loss_name()), self._classes_of(local), local.n_outputs_)
            fraction = local.validation_fraction if local.early_stopping and X_val is None else None
            if fraction == 0:
                raise ValueError("validation_fraction must be greater than 0 for early_stopping, got 0")
            of_labels = self._weight_of_each(local, known, form)
            run.begin(
                Learning(
                    metadata(network), form, of_labels, for_tasks(settings), method.local_epochs,
                    weighs_batches=of_labels is None, fraction=fraction, isa=isa,
                )
            )  # fmt: skip
            if local.early_stopping and not run.validates:
                raise ValueError(
                    "early_stopping needs rows to measure on, the partitions have one row at most"
                )
            _run(run, local, settings, method)
        self._local = local
        return self

    def predict(self, X: Any) -> Any:
        """Return labels or values, lazily and partition by partition.

        Parameters
        ----------
        X : dask.array.Array, (n, inputs), or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array, or dask.dataframe.Series (DataFrame for several outputs)
            In the chunks, or with the partitions and the index, of X.
        """
        return lazily(self._fitted(), "predict", X)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, or R2 (the mean over the outputs), of all partitions.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        float
        """
        from dask.delayed import delayed

        local, labelled = self._fitted(), self._local_type is MLPClassifier
        blocks = partitions(X, y, sample_weight)
        model = delayed(Fitted(local, "predict", np.empty(0)), traverse=False, pure=True)
        tasks = [
            delayed(partial(scored, PARTITION.format(i), labelled), pure=False)(model, *block)
            for i, block in enumerate(blocks)
        ]
        futures = Futures(connected(self.client), self.timeout)
        try:
            return score_of(futures.results(futures.compute(tasks), PARTITION.format))
        finally:
            futures.cancel()

    def to_local(self) -> Any:
        """Return a fitted estimator for one machine, which needs no Dask: with the same weights, its own.

        Returns
        -------
        MLPClassifier or MLPRegressor
        """
        return copy(self._fitted())

    @property
    def client_(self) -> Any:
        """The client in use: that of the parameter, or the current one."""
        return connected(self.client)

    def _new_local(self) -> Any:
        names = [field.name for field in fields(self._local_parameters)]
        local = self._local_type(**{name: getattr(self, name) for name in names})
        parameters.check(local)
        for name, (value, instead) in _WITHOUT_MEANING.items():
            if getattr(local, name) != value:
                raise ParameterError(
                    f"{name} must be {value!r}, as it does not go with rounds ({instead}); got "
                    f"{getattr(local, name)!r}"
                )
        if parameters.is_lbfgs(local):
            raise ParameterError("solver='lbfgs' needs all rows at once, partitions are trained apart")
        rate = local.learning_rate
        if isinstance(rate, ReduceOnPlateau) or (isinstance(rate, str) and rate != "constant"):
            raise ParameterError(
                f"learning_rate must be 'constant' or a schedule such as fastmlp.Cosine(), which go with "
                f"rounds; got {rate!r}"
            )
        return local

    def _classes_of(self, local: Any) -> NDArray[Any] | None:
        return None

    def _weight_of_each(self, local: Any, known: Merged, form: TargetForm) -> dict[Any, float] | None:
        return None

    def _fitted(self) -> Any:
        if "_local" not in vars(self):
            raise NotFittedError(f"This {type(self).__name__} is not fitted yet: call fit first")
        return self._local

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_") and not name.startswith("_") and "_local" in vars(self):
            return getattr(self._local, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __sklearn_is_fitted__(self) -> bool:
        return "_local" in vars(self)

    def __sklearn_clone__(self) -> Self:
        """Return an estimator that is not fitted, with the same client, which cannot be copied."""
        given = self.get_params(deep=False)
        client = given.pop("client")
        return type(self)(client=client, **{k: clone(v, safe=False) for k, v in given.items()})

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return state | {"client": None}  # a connection is this process's own


def _begin(local: Any, known: Merged) -> int:
    """Give the estimator classes, shapes and initial weights; return the seed of the run."""
    local.n_features_in_ = known.columns
    if known.names:
        local.feature_names_in_ = np.array(known.names, dtype=object)
    local._sparse_targets = False
    y = known.sample
    if isinstance(local, MLPClassifier) and y.ndim == 1:
        if known.labels is None:
            raise ValueError("y holds more than 65536 different numbers in a partition, which are no labels")
        y = known.labels
    y = local._checked_targets(y, complete=True)
    random = check_random_state(local.random_state)
    local._initialize(np.empty((0, known.columns), known.dtype), y, random)
    return int(random.randint(2**31 - 1))


def _settings(local: Any, rows: int, seed: int, method: Method, dtype: str) -> RunSettings:
    settings = parameters.run_settings(local, rows, float(local.learning_rate_init), seed)
    check_representable(core_options(settings, rows), dtype, ("learning_rate_init", "epsilon", "clip_norm"))
    return replace(settings, epochs=method.epochs)


def _run(run: Rounds, local: Any, settings: RunSettings, method: Method) -> None:
    """Make the rounds, and say how they ended as the estimator for one machine does."""
    network = local._linked_network()
    local._watch(run.validates)
    state = OptimizerState(settings.optimizer, settings.default_rate, 0, np.zeros((2, 0)))
    epochs = Epochs(
        local, network, run.rows * method.local_epochs, state, local._loss_of(_NO_ROWS, None), None,
        run.validates, FitTask.of_nobody(local), incremental=False,
    )  # fmt: skip
    start = time.perf_counter()

    def watch(r: Round) -> str | None:
        row = (r.number, r.loss, r.learning_rate, r.seconds, r.validation_loss, r.validation_score)
        if epochs((*row, np.nan, r.penalty)) is True:
            return "patience"
        return "max_time" if local.max_time is not None and r.seconds >= local.max_time else None

    try:
        reason, error = run.run(network, watch), None
    except KeyboardInterrupt as interrupt:
        if not local.loss_curve_:
            raise
        reason, error = "interrupted", interrupt
    if reason == "epochs":
        reason = "rounds"  # as many as were asked for, which is no warning
    epochs.finish(Outcome(np.empty((0, 8)), reason, error), time.perf_counter() - start)


_NO_ROWS = np.zeros(1)


def _gives_probabilities(estimator: Any) -> bool:
    if estimator.loss != "log_loss":
        raise AttributeError(f"probabilities need loss='log_loss', got loss={estimator.loss!r}")
    return True


def _gives_margins(estimator: Any) -> bool:
    if estimator.loss != "hinge":
        raise AttributeError(f"decision_function needs loss='hinge', got loss={estimator.loss!r}")
    return True


_PARAMETERS = """
    Parameters
    ----------
    client : distributed.Client, optional
        By default the current one. It is not pickled.
    rounds : int, default 200
        At least 1.
    local_epochs : int, default 1
        Passes over the rows of a partition in each round.
    outer_learning_rate, outer_momentum : float, default 0.7 and 0.9
        Of the outer optimizer; see `fastmlp.dask.train`.
    timeout : float, default 300
        Seconds to wait where the cluster has no worker, before it is an error.
    **parameters
        Those of `fastmlp.{name}`, for the local steps: batch_size counts rows of a partition, a schedule goes
        over the passes of all rounds, n_iter_no_change and max_time are looked at after each round. max_iter,
        warm_start, n_estimators, scoring, solver="lbfgs" and the adaptive learning rates do not go with
        rounds and are refused. n_jobs is that of the estimator of `to_local`: a task takes the threads of its
        worker.

    Attributes
    ----------
    {classes}history_ : History
        A row for each round: epoch (its number), loss (of all rows in the first pass of the round),
        learning rate, seconds, validation score.
    n_iter_ : int
        The rounds that were made.
    n_features_in_, feature_names_in_, coefs_, intercepts_, network_, loss_, loss_curve_, .. : object
        All that a fitted `fastmlp.{name}` has. With ``loss="poisson"`` losses are without the term of y
        alone that those of `fastmlp.MLPRegressor` have.

    References
    ----------
    Stich (2019), Local SGD converges fast and communicates little.
    Douillard et al. (2023), DiLoCo: distributed low-communication training of language models.

    Examples
    --------
    >>> import dask.array as da
    >>> from distributed import Client
    >>> from fastmlp.dask import {dask_name}
    >>> client = Client(processes=False)  # doctest: +SKIP
    >>> model = {dask_name}(rounds=50).fit(dX, dy)  # doctest: +SKIP
    >>> model.predict(dX).compute()  # doctest: +SKIP
    """


def _documented(cls: type[Any]) -> type[Any]:
    classes = "classes_ : array\n        The labels of all partitions, sorted.\n    "
    cls.__doc__ = (cls.__doc__ or "").rstrip() + "\n" + _PARAMETERS.format(
        name=cls._local_type.__name__, dask_name=cls.__name__,
        classes=classes if cls._local_type is MLPClassifier else "",
    )  # fmt: skip
    cls.__module__ = "fastmlp.dask"
    return cls


@_documented
class DaskMLPClassifier(ClassifierMixin, _DaskMLP, DaskClassifierParameters):
    """Multilayer perceptron classifier on the partitions of Dask's collections.

    Trains as `fastmlp.dask.train` does. The result depends on the partitions, never on the workers.
    """

    _local_type, _local_parameters = MLPClassifier, ClassifierParameters
    score = _DaskMLP.score

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, or of each label, lazily and partition by partition.

        Parameters
        ----------
        X : dask.array.Array, (n, inputs), or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array, (n, n_classes), or dask.dataframe.DataFrame
            In the order of ``classes_``, which name the columns of a data frame.
        """
        return lazily(self._fitted(), "predict_proba", X)

    @available_if(_gives_margins)
    def decision_function(self, X: Any) -> Any:
        """Return the outputs of a network with the hinge loss, lazily and partition by partition.

        Parameters
        ----------
        X : dask.array.Array, (n, inputs), or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array or data frame, (n,) or (n, n_classes)
        """
        return lazily(self._fitted(), "decision_function", X)

    def _classes_of(self, local: Any) -> NDArray[Any] | None:
        return None if local._multilabel else local.classes_

    def _weight_of_each(self, local: Any, known: Merged, form: TargetForm) -> dict[Any, float] | None:
        wanted = local.class_weight
        if wanted is None:
            return None
        if local._multilabel:
            raise ValueError("class_weight does not go with multi-label y in partitions; give sample_weight")
        if isinstance(wanted, dict):  # labels that y lacks count nothing, as scikit-learn has it
            wanted = {k: v for k, v in wanted.items() if k in local.classes_.tolist()} or wanted
        return weight_of_each(wanted, known, form)


@_documented
class DaskMLPRegressor(RegressorMixin, _DaskMLP, DaskRegressorParameters):
    """Multilayer perceptron regressor on the partitions of Dask's collections.

    Trains as `fastmlp.dask.train` does. The result depends on the partitions, never on the workers.
    """

    _local_type, _local_parameters = MLPRegressor, RegressorParameters
    score = _DaskMLP.score

    def predict_quantiles(self, X: Any) -> Any:
        """Return the predicted quantiles, which never cross, lazily and partition by partition.

        Parameters
        ----------
        X : dask.array.Array, (n, inputs), or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array or dask.dataframe.DataFrame, (n, len(quantiles))
        """
        return lazily(self._fitted(), "predict_quantiles", X)
