"""GridSearchCV and RandomizedSearchCV: scikit-learn's, with all fits trained together in the core.

scikit-learn's own loop clones, scores and collects. Before it begins, the fits that it will ask for are
prepared on index lists into one X and trained in one call of the core; `handover` gives them to its clones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import joblib
import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn import model_selection
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, check_random_state, indexable

from fastmlp._estimators import parameters
from fastmlp._estimators.callbacks import FitTask
from fastmlp._estimators.classifier import MLPClassifier
from fastmlp._estimators.fitting import seconds_of, trained
from fastmlp._estimators.given import CheckedRows, UsersRows, learned_columns
from fastmlp._estimators.handover import Waiting, handed_over
from fastmlp._estimators.regressor import MLPRegressor
from fastmlp._estimators.rows import Matrix, Source
from fastmlp._estimators.several import prepared_fit

#: How many bytes the networks of a portion and their optimizers' states may take.
_PORTION = 2**28

Split: TypeAlias = tuple[Any, Any]  # the rows to learn from, and those to score


def left_to_sklearn(search: Any, y: Any, fit_params: dict[str, Any]) -> bool:
    """Whether scikit-learn's loop trains all fits itself, as the core cannot train them together.

    Single fits are left to it by `_trains_itself`, and all fits if X and y cannot be checked as a whole, such
    as when there is a gap in X: then its loop meets the error in the folds that have it.
    """
    weight = fit_params.get("sample_weight")
    return bool(
        type(search.estimator) not in (MLPClassifier, MLPRegressor)  # such as a pipeline
        or sklearn.get_config()["enable_metadata_routing"]  # it decides which arguments go where
        or any(getattr(part, "_skl_callbacks", ()) for part in (search, search.estimator))  # of each fit
        or set(fit_params) - {"sample_weight", "groups"}
        or (weight is not None and (isinstance(weight, np.ma.MaskedArray) or np.ndim(weight) != 1))
        or y is None or hasattr(y, "tocsr") or isinstance(y, np.ma.MaskedArray)
        or (np.ndim(y) == 2 and np.shape(y)[1] == 1)  # a column, of which each fit warns
    )  # fmt: skip


def _trains_itself(estimator: Any) -> bool:
    """Tell whether a fit is left to scikit-learn's loop: it prints, or calls the user's own function."""
    return bool(estimator.verbose) or callable(estimator.scoring)


@dataclass(frozen=True)
class _Fold:
    """The rows that the fits of a fold learn from."""

    given: CheckedRows
    y: Any  # as the user gave it


class _Folds:
    """X and y, checked once, and what all fits of a search take from them."""

    def __init__(self, X: Any, y: Any, fit_params: dict[str, Any]) -> None:
        self.X, self.y = indexable(X, y)
        self.groups, self.weights = fit_params.get("groups"), fit_params.get("sample_weight")

    def of(self, estimator: Any, splits: Iterable[Split]) -> list[_Fold | None]:
        """Return the folds; None for one whose rows to learn from are not plain numbers of rows."""
        checker = clone(estimator)
        X, y = checker._arrays(self.X, self.y, reset=True)
        matrix, learned = Matrix(X), learned_columns(checker)
        folds: list[_Fold | None] = []
        for train, _ in splits:
            index = _row_numbers(train, len(y))
            if index is None:
                folds.append(None)
                continue
            weights = None if self.weights is None else _safe_indexing(self.weights, index)
            source = Source(matrix, y[index], index.astype(np.uint32))
            given = CheckedRows(source, learned, UsersRows(None, None), weights)
            folds.append(_Fold(given, _safe_indexing(self.y, index)))
        return folds


def _row_numbers(rows: Any, n: int) -> NDArray[np.int64] | None:
    """Return the numbers of rows; None if they are none, or not all there are."""
    array = np.asarray(rows)
    if array.dtype == bool and array.shape == (n,):
        return np.flatnonzero(array)
    if array.ndim != 1 or array.dtype.kind not in "iu" or not len(array):
        return None
    return array.astype(np.int64) if array.min() >= 0 and array.max() < n else None


def _prepared(estimator: Any, fold: _Fold | None, y: Any) -> Waiting:
    """Return a fit that waits to be trained; without rows, or if it cannot be prepared, for its clone.

    The clone then meets the same error, where scikit-learn's loop expects it.
    """
    if fold is None or _trains_itself(estimator):
        return Waiting(estimator, y)
    own = clone(estimator)
    random = None
    if estimator.random_state is None:  # each fit has a generator of its own: they draw at the same time
        random = np.random.RandomState(check_random_state(None).randint(2**31 - 1))
    try:
        parameters.check(own)
        return Waiting(own, y, prepared_fit(own, fold.given, FitTask.of_nobody(own), random=random))
    except Exception:
        return Waiting(estimator, y)


class _TrainsTogether:
    """Trains the fits of a search together where it can; comes before scikit-learn's class."""

    estimator: Any
    cv: Any
    _folds: _Folds | None = None
    _seconds: list[float | None]

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Fit all candidates on all folds, and the best one on all rows, as scikit-learn's search does.

        Parameters
        ----------
        X, y : array_like
            As the estimator's `fit` takes them.
        **params
            Such as ``groups`` for the splitter and ``sample_weight`` for the estimator.

        Returns
        -------
        self
        """
        if left_to_sklearn(self, y, params):
            return super().fit(X, y, **params)  # type: ignore[misc]
        cv, self._folds, self._seconds = self.cv, _Folds(X, y, params), []
        try:
            if hasattr(cv, "__next__"):  # it can be gone through once, and is needed twice
                self.cv = list(cv)
            with joblib.parallel_backend("sequential"):  # its loop only scores
                return super().fit(X, y, **params)  # type: ignore[misc]
        finally:
            self.cv = cv
            del self._folds, self._seconds

    def _run_search(self, evaluate_candidates: Any, *, callback_ctx: Any = None) -> None:
        context = {} if callback_ctx is None else {"callback_ctx": callback_ctx}
        if self._folds is not None:
            evaluate_candidates = partial(self._evaluate, evaluate_candidates, self._folds)
        super()._run_search(evaluate_candidates, **context)  # type: ignore[misc]

    def _evaluate(
        self, evaluate: Callable[..., Any], rows: _Folds, candidate_params: Iterable[dict[str, Any]],
        cv: Any = None, more_results: Any = None, **context: Any,
    ) -> Any:  # fmt: skip
        """Train candidates on all folds, then let scikit-learn evaluate them."""
        candidates = list(candidate_params)
        cv = cv or check_cv(self.cv, rows.y, classifier=is_classifier(self.estimator))
        splits = list(cv.split(rows.X, rows.y, groups=rows.groups))
        portions = self._portions(rows, candidates, splits)
        with handed_over(portions):
            return evaluate(candidates, cv=check_cv(splits), more_results=more_results, **context)

    def _portions(
        self, rows: _Folds, candidates: Sequence[dict[str, Any]], splits: Sequence[Split]
    ) -> Iterator[list[Waiting]]:
        """Yield the fits of all candidates and folds, trained, as many at a time as memory allows."""
        try:
            folds = rows.of(self.estimator, splits)
        except Exception:
            return
        portion: list[Waiting] = []
        bytes_of_portion = 0
        for parameters_of_candidate in candidates:
            candidate = clone(self.estimator).set_params(**clone(parameters_of_candidate, safe=False))
            for fold in folds:
                portion.append(_prepared(candidate, fold, None if fold is None else fold.y))
                fitting = portion[-1].fitting
                bytes_of_portion += 0 if fitting is None else fitting.nbytes
                if bytes_of_portion > _PORTION:
                    yield self._trained(portion)
                    portion, bytes_of_portion = [], 0
        yield self._trained(portion)

    def _trained(self, portion: list[Waiting]) -> list[Waiting]:
        """Train the fits of a portion; note the seconds that each took."""
        fittings = [waiting.fitting for waiting in portion if waiting.fitting is not None]
        ended = iter(trained(fittings, parameters.threads(self)))
        for waiting in portion:
            waiting.outcomes = () if waiting.fitting is None else next(ended)
            self._seconds.append(None if waiting.fitting is None else seconds_of(waiting.outcomes))
        return portion

    def _format_results(self, candidate_params: Any, n_splits: int, out: Any, *rest: Any, **more: Any) -> Any:
        if self._folds is not None:
            times = [*self._seconds, *[None] * (len(out) - len(self._seconds))]
            out = [
                fit if seconds is None or fit["fit_error"] else fit | {"fit_time": seconds}
                for fit, seconds in zip(out, times, strict=True)
            ]
        return super()._format_results(candidate_params, n_splits, out, *rest, **more)  # type: ignore[misc]


_PARAMETERS = """
    Where `estimator` is an `MLPClassifier` or `MLPRegressor`, X is checked and converted once, each fold is a
    list of rows, and the networks of all candidates and folds are trained in one call of the core, each on a
    thread of its own: no processes, no copies of X. ``cv_results_`` has the scores that scikit-learn's class
    gives for the same estimator, bit for bit, at any number of threads; ``fit_time`` is that of a network
    among the others. Warnings and errors are those of scikit-learn's loop, which also scores.

    With ``random_state=None`` each fit has a generator of its own, seeded by NumPy's global one.

    scikit-learn's loop trains the fits itself, with the same results, where the estimator is another one,
    such as a pipeline; with metadata routing, its callbacks, other arguments of `fit` than ``sample_weight``
    and ``groups``, sparse y or y of one column, or X with gaps; and single candidates with ``verbose``, or
    with a callable as ``scoring``. Ctrl-C ends a search with KeyboardInterrupt.

    Parameters
    ----------
    estimator : estimator
        What is cloned for each fit.
{space}
    scoring : str, callable, list, tuple or dict, optional
        scikit-learn's scorers, one or several; by default `score` of the estimator.
    n_jobs : int, optional
        The most threads of all networks together; by default, or for -1, `fastmlp.get_num_threads`. Where
        scikit-learn's loop trains, its processes.
    refit : bool, str or callable, default True
        Whether the best candidate is fitted to all rows; with several scorers the one that decides.
    cv : int, splitter or iterable, optional
        By default 5 folds, of a classifier with the same shares of the classes.
    verbose : int, default 0
        What scikit-learn's loop prints.
    pre_dispatch : int or str, default "2*n_jobs"
        For scikit-learn's loop.
{more}    error_score : "raise" or number, default nan
        The score of a fit that fails.
    return_train_score : bool, default False
        Also score the rows that were learned from.

    Attributes
    ----------
    cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_, refit_time_
        As scikit-learn's class has them, with all others.

    See Also
    --------
    fastmlp.train_many : Networks of any arguments of `train`, learned from one X.

    Examples
    --------
{example}"""

_GRID = """\
    param_grid : dict or list of dict
        The values of each parameter, all combinations of which are tried."""

_DISTRIBUTIONS = """\
    param_distributions : dict or list of dict
        Values of each parameter, or a distribution of scipy.stats.
    n_iter : int, default 10
        How many candidates are drawn."""

_RANDOM_STATE = """\
    random_state : int, RandomState or None, default None
        Draws the candidates.
"""

_EXAMPLE = """\
    >>> import fastmlp
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = fastmlp.MLPClassifier(max_iter=1000, n_iter_no_change=20, tol=1e-3, random_state=0)
    >>> {space}
    >>> search = fastmlp.{name}(classifier, space{options}).fit(X, y)
    >>> bool(search.best_score_ > 0.95)
    True
    """


def _documented(space: str, more: str, example: str) -> Callable[[type[Any]], type[Any]]:
    """Add the shared part to a class docstring."""

    def add(search: type[Any]) -> type[Any]:
        search.__doc__ = f"{search.__doc__}\n" + _PARAMETERS.format(space=space, more=more, example=example)
        search.__module__ = "fastmlp"  # where users, and pickles, find it
        return search

    return add


@_documented(
    _GRID,
    "",
    _EXAMPLE.format(
        space='space = {"hidden_layer_sizes": [(8,), (32,)], "learning_rate_init": [0.003, 0.03]}',
        name="GridSearchCV",
        options="",
    ),
)
class GridSearchCV(_TrainsTogether, model_selection.GridSearchCV):
    """scikit-learn's GridSearchCV, which trains the networks of all candidates and folds at once."""


@_documented(
    _DISTRIBUTIONS,
    _RANDOM_STATE,
    _EXAMPLE.format(
        space='space = {"hidden_layer_sizes": [(8,), (32,), (16, 8)], "learning_rate_init": [0.003, 0.03]}',
        name="RandomizedSearchCV",
        options=", n_iter=3, random_state=0",
    ),
)
class RandomizedSearchCV(_TrainsTogether, model_selection.RandomizedSearchCV):
    """scikit-learn's RandomizedSearchCV, which trains the networks of all candidates and folds at once."""
