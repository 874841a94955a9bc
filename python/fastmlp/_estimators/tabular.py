"""TabularClassifier and TabularRegressor: a raw table in, a sound model out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_feature_names, _check_n_features, check_is_fitted, validate_data

from fastmlp._base.validation import choice, column_names, flag, real, same_length
from fastmlp._estimators import parameters
from fastmlp._estimators.written import WrittenAsOne
from fastmlp._inspect.evaluate import evaluate
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._inspect.importance import permutation_importances
from fastmlp._network.ensemble import Ensemble
from fastmlp._network.network import Network
from fastmlp._rows.targets import row_weights
from fastmlp._training.tabular import QUALITIES, Deadline, Learner, TabularRows
from fastmlp.data import Table, read_frame
from fastmlp.data._match import joined
from fastmlp.data._task import Task

if TYPE_CHECKING:
    from typing_extensions import Self

Array = NDArray[Any]
Class = TypeVar("Class", bound=type[Any])

_MOST_HELD = 2000  # rows that are kept for the importances of columns

#: What both classes say of themselves.
_PARAMETERS = """\
    Numbers, categories, dates and text are encoded, missing values are told as such, and networks are trained
    with settings that do well on most tables (``fastmlp._training.recipe``).

    Parameters
    ----------
    quality : {"fast", "good", "best"}, default "good"
        "fast": one network. "good": an ensemble of networks, each held back from one of five folds of the
        rows. "best": several kinds of networks in folds, and the ensemble of them that does best on the rows
        held back, by greedy selection.
    max_time : float, optional
        Seconds for `fit`: fewer epochs are trained, and fewer kinds of networks tried, where it is short.
    random_state : int, RandomState or None, default None
        Of folds, initial weights and batches.
    n_jobs : int, optional
        The most threads, -1 for all processors; the result has the same bits at any number of them.
    verbose : bool, default False
        Show the progress.

    Attributes
    ----------
    model_ : Network or Ensemble
        What was learned, with its encoder: it takes tables as they are.
    evaluation_ : Evaluation
        Of the rows that were held back: each is predicted by networks that have not learned from it. As the
        best epoch was chosen on them, it is a little better than new rows will be.
    configurations_ : list of dict
        Of "best": the kinds of networks in the ensemble, by what they have in place of the usual settings,
        and the weight of each.
    feature_importances_ : array, (columns,)
        See there.
    n_features_in_ : int
    feature_names_in_ : array
        Where X has names.
"""


def _documented(estimator: Class) -> Class:
    """Add the shared part to a class docstring."""
    estimator.__doc__ = (estimator.__doc__ or "").replace("    <parameters>\n", _PARAMETERS)
    estimator.__module__ = "fastmlp"  # where users, and pickles, find it
    return estimator


class BaseTabular(WrittenAsOne, BaseEstimator):
    """What the classifier and the regressor for tables share."""

    model_: Network | Ensemble
    evaluation_: Evaluation
    _task: Task

    def __init__(
        self,
        quality: str = "good",
        *,
        max_time: float | None = None,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.quality = quality
        self.max_time = max_time
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Self:
        """Learn from a table.

        Parameters
        ----------
        X : data frame, Table or array_like, (n, columns)
            Numbers, text, categories, dates and booleans; all may be missing, numbers as NaN.
        y : array_like, (n,)
            Labels; for the regressor, numbers.
        sample_weight : array_like, (n,), optional
            Weights of the rows, at least 0.
        X_val, y_val : optional
            Rows on which the best epoch is chosen, and which the score is measured on. Without them, rows of
            X are held back: a fifth ("fast"), or each fold from one network ("good", "best").

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Naming the argument, what was given and what is accepted.
        TimeoutError
            If `max_time` was over before an epoch had ended.
        """
        quality = choice("quality", self.quality, QUALITIES)
        max_time = None if self.max_time is None else real("max_time", self.max_time, low=0, open_low=True)
        flag("verbose", self.verbose)
        deadline = Deadline(max_time)
        threads = parameters.threads(self)
        rows = self._rows_to_learn(X, y, sample_weight, X_val, y_val)
        seed = check_random_state(self.random_state).randint(2**31)
        learner = Learner(rows, seed, threads, deadline, self.verbose)
        learned = getattr(learner, quality)()
        self.model_, self.evaluation_ = learned.model, learned.evaluation
        self.configurations_ = learned.configurations
        if self._task == "classification":
            self.classes_ = self.model_.classes
        held = [(net, rows.X.take(part), rows.y[part]) for net, part in learned.held]
        if rows.validation is not None:
            held = [(self.model_, *rows.validation)]
        share = max(1, _MOST_HELD // len(held))
        self.__dict__.pop("_importances", None)  # those of an earlier fit
        self._held = [(net, X.take(np.arange(min(share, len(y)))), y[:share]) for net, X, y in held]
        return self

    def _rows_to_learn(self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any) -> TabularRows:
        """Return the arguments of `fit`, checked."""
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must both be given, or none of them")
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y is None."
            )
        table, y = self._table(X, y, reset=True)
        y = self._targets(y)
        same_length("y", len(y), table.n_rows)
        weights = row_weights(sample_weight, None, y, None, "float64")
        validation = None
        if X_val is not None:
            held, y_held = self._table(X_val, y_val, reset=False)
            validation = held, self._targets(y_held)
            same_length("y_val", len(validation[1]), held.n_rows)
        if weights is not None and not weights.all():  # rows that do not count are as if they were not there
            counting = np.flatnonzero(weights)
            table, y, weights = table.take(counting), y[counting], weights[counting]
        if table.n_rows < 2:
            raise ValueError(f"X must have at least 2 rows that count, got n_samples = {table.n_rows}")
        return TabularRows(table, y, weights, validation, self._task)

    def _targets(self, y: Any) -> Array:
        """Return y, checked."""
        raise NotImplementedError

    def _table(self, X: Any, y: Any = None, *, reset: bool) -> tuple[Table, Any]:
        """Return X as a table, and y as scikit-learn checks it; columns of an array are called x0, x1, .."""
        if isinstance(X, Table) or len(column_names(X)):
            if not isinstance(X, Table):
                _check_feature_names(self, X, reset=reset)
                _check_n_features(self, X, reset=reset)
            return read_frame(X), y
        checked = {"dtype": None, "ensure_all_finite": "allow-nan", "reset": reset}
        if y is None:
            array = validate_data(self, X, **checked)
        else:
            array, y = validate_data(self, X, y, multi_output=True, **checked)
        if array.dtype.kind == "O":
            array = _numbers_or_texts(array)
        if array.dtype.kind == "c":
            raise ValueError("Complex data not supported: X must hold real numbers or text")
        return Table({f"x{j}": array[:, j] for j in range(array.shape[1])}), y

    def _fitted_table(self, X: Any) -> Table:
        check_is_fitted(self, "model_")
        return self._table(X, reset=False)[0]

    @property
    def feature_importances_(self) -> Array:
        """The rise of the error when the values of a column change rows, (columns,), on rows held back.

        Of labels the error is the log loss, of quantities the root of the mean squared error; of an ensemble
        it is the mean over the networks, each on the rows that it was held back from.

        Raises
        ------
        AttributeError
            Before `fit`.

        References
        ----------
        L. Breiman, Random forests, Machine Learning 45, 2001.
        """
        if not hasattr(self, "model_"):
            raise AttributeError(f"{type(self).__name__} is not fitted: feature_importances_ needs fit")
        if not hasattr(self, "_importances"):
            total = np.zeros(self.n_features_in_)
            for network, X, y in self._held:
                (target,) = network._reader.target_names
                found = permutation_importances(network, evaluate(network, joined(X, target, y), target))
                places = {name: i for i, name in enumerate(X.names)}
                for name, mean in zip(found.names, found.means, strict=True):
                    total[places[name]] += mean / len(self._held)
            self._importances = total
        return self._importances

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return the most probable labels, or the values.

        Parameters
        ----------
        X : table, (n, columns)
            With the columns of the fit.
        return_std : bool, default False
            Return as well how far the networks of an ensemble are apart.

        Returns
        -------
        array, (n,), or a pair of it and an array (n, classes) or (n,)
            The standard deviations of the probabilities, or of the values.

        Raises
        ------
        ValueError
            If return_std is True and there is one network, or X is wrong.
        """
        table = self._fitted_table(X)
        if flag("return_std", return_std):
            return self._several().predict(table, return_std=True)
        return self.model_.predict(table)

    def _as_one(self) -> Network | Ensemble:
        check_is_fitted(self, "model_")
        return self.model_

    def _several(self) -> Ensemble:
        """Return the ensemble, whose networks differ."""
        if not isinstance(self.model_, Ensemble):
            raise ValueError("return_std needs several networks: quality='good' or 'best'")
        return self.model_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags


@_documented
class TabularClassifier(ClassifierMixin, BaseTabular):
    """Learn labels from a raw table, by networks of one recipe.

    <parameters>
    classes_ : array
        The labels, sorted.

    Examples
    --------
    >>> import fastmlp
    >>> iris = fastmlp.datasets.load_iris()
    >>> model = fastmlp.TabularClassifier("fast", random_state=0).fit(iris.data[::2], iris.target[::2])
    >>> model.score(iris.data[1::2], iris.target[1::2]) > 0.9
    True
    """

    _task: Task = "classification"

    def _targets(self, y: Any) -> Array:
        y = column_or_1d(np.asarray(y), warn=True)
        check_classification_targets(y)
        if len(np.unique(y)) < 2:
            raise ValueError(f"y must hold at least two classes, got one class: {str(y[0])!r}")
        return y

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, (n, classes), in the order of ``classes_``.

        Parameters
        ----------
        X : table, (n, columns)
        """
        table = self._fitted_table(X)
        return self.model_.predict_proba(table)


@_documented
class TabularRegressor(RegressorMixin, BaseTabular):
    """Learn a quantity from a raw table, by networks of one recipe.

    <parameters>

    Examples
    --------
    >>> import numpy as np
    >>> import fastmlp
    >>> X = np.random.default_rng(0).uniform(-2, 2, (300, 2))
    >>> y = np.sin(X[:, 0]) * X[:, 1]
    >>> model = fastmlp.TabularRegressor("fast", random_state=0).fit(X[::2], y[::2])
    >>> model.score(X[1::2], y[1::2]) > 0.9
    True
    """

    _task: Task = "regression"

    def _targets(self, y: Any) -> Array:
        y = column_or_1d(np.asarray(y), warn=True)
        if y.dtype.kind not in "biuf":
            y = y.astype(np.float64)
        if not np.isfinite(y).all():
            raise ValueError("y must hold finite numbers, got NaN or infinity")
        return y.astype(np.float64)


def _numbers_or_texts(array: Array) -> Array:
    """Return objects as numbers where all are, else as they are."""
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        return array
