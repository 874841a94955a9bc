"""MLPClassifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from fastmlp._base.validation import check_unmasked, choice
from fastmlp._estimators import parameters
from fastmlp._estimators.base import BaseMLP
from fastmlp._estimators.constructor import ClassifierParameters
from fastmlp._estimators.docs import documented
from fastmlp._estimators.given import UsersRows
from fastmlp._rows.targets import Targets, class_numbers, class_weighted

Array = NDArray[Any]


def _as_labels(classes: Any) -> Array:
    check_unmasked("classes", classes)
    array = np.asarray(classes)
    if array.ndim != 1 or (array.dtype.kind == "f" and np.isnan(array).any()):
        raise ValueError("they are no list of labels")
    return array


def _gives_probabilities(estimator: MLPClassifier) -> bool:
    if estimator.loss != "log_loss":
        raise AttributeError(f"probabilities need loss='log_loss', got loss={estimator.loss!r}")
    return True


def _gives_margins(estimator: MLPClassifier) -> bool:
    if estimator.loss != "hinge":
        raise AttributeError(f"decision_function needs loss='hinge', got loss={estimator.loss!r}")
    return True


@documented
class MLPClassifier(ClassifierMixin, BaseMLP, ClassifierParameters):
    """Multilayer perceptron classifier with the interface of scikit-learn's.

    Minimises the cross-entropy plus ``alpha / (2 sum(w)) sum(W^2)``, by mini-batch gradient descent in the
    C++ core or by L-BFGS. The result has the same bits at any number of threads.
    """

    @available_if(parameters.is_stochastic)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        classes: Any = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> MLPClassifier:
        """Go through the rows once more, on from the weights and the optimizer's state.

        With ``early_stopping``, rows to measure on are needed. When their score has not improved for
        ``n_iter_no_change`` calls, ``early_stopped_`` is True and the weights are those of the best score.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val
            As in `fit`.
        classes : array_like, (n_classes,), optional
            All labels that later calls may bring; needed in the first call, except for multi-label y.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Naming the argument, what was given and what is accepted.
        """
        return self._fit(UsersRows(X, y, sample_weight, X_val, y_val), incremental=True, classes=classes)

    def predict(self, X: Any) -> Any:
        """Return the label with the largest output, or the 0/1 matrix of multi-label problems.

        That is sparse if the matrix to learn from was.

        Parameters
        ----------
        X : array_like or sparse matrix, (n, inputs)

        Returns
        -------
        array, (n,) or (n, n_outputs_)
        """
        outputs = self._outputs(X)
        if self._multilabel:
            labels = (outputs > 0.5).astype(int)
            return csr_matrix(labels) if self._sparse_targets else labels
        chosen = outputs.argmax(axis=1) if self.n_outputs_ > 1 else (outputs[:, 0] > 0.5).astype(int)
        return self.classes_[np.minimum(chosen, len(self.classes_) - 1)]  # there may be one class only

    @available_if(_gives_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, or of each label.

        Parameters
        ----------
        X : array_like or sparse matrix, (n, inputs)

        Returns
        -------
        array, (n, n_classes)
            In the order of ``classes_``.
        """
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return np.hstack([1 - outputs, outputs])
        return outputs

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of `predict_proba`, minus infinity for probability 0.

        Parameters
        ----------
        X : array_like or sparse matrix, (n, inputs)

        Returns
        -------
        array, (n, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @available_if(_gives_margins)
    def decision_function(self, X: Any) -> Array:
        """Return the outputs of a network with the hinge loss.

        Parameters
        ----------
        X : array_like or sparse matrix, (n, inputs)

        Returns
        -------
        array, (n,) or (n, n_classes)
            For two classes, how far the second's output is above the first's.
        """
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def _learn_classes(self, y: Array, classes: Any) -> None:
        """Learn what partial_fit's first call tells, or check that later ones tell the same."""
        try:
            told = None if classes is None else unique_labels(_as_labels(classes))
        except (TypeError, ValueError) as error:
            raise ValueError(f"classes must be labels of one type, got {classes!r}: {error}") from None
        if not hasattr(self, "classes_"):
            self._multilabel = y.ndim == 2
            if told is None and not self._multilabel:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            self.classes_ = np.arange(y.shape[1]) if told is None else told
            if self._multilabel and len(self.classes_) != y.shape[1]:
                raise ValueError(
                    f"classes must have an entry for each of y's {y.shape[1]} columns, got {classes!r}"
                )
        elif told is not None and self.classes_.tolist() != told.tolist():
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )

    def _checked_targets(self, y: Array, *, complete: bool) -> Array:
        known = hasattr(self, "classes_")
        if known and (y.ndim == 2) != self._multilabel:
            raise ValueError(f"y must have as many columns as before, got shape {y.shape}")
        if y.ndim == 2:
            if not np.isin(y, (0, 1)).all():
                raise ValueError("y with several columns must hold 0 and 1 alone (multi-label)")
            if known and y.shape[1] != len(self.classes_):
                raise ValueError(f"y must have {len(self.classes_)} columns as before, got shape {y.shape}")
            return y
        if y.dtype.kind == "S" or any(isinstance(label, bytes) for label in y[:1]):
            raise TypeError(  # scikit-learn's tools do not take them
                "y must hold labels that are strings, numbers or booleans, got bytes; decode them first, "
                "for example with np.char.decode(y)"
            )
        try:
            labels = np.unique(y)
            if known:
                self._check_labels(labels, complete)
            else:
                check_classification_targets(y)
        except TypeError:
            raise TypeError("y must hold labels of one type, got a mixture that cannot be sorted") from None
        return y

    def _check_labels(self, labels: Array, complete: bool) -> None:
        if self.warm_start and complete:
            if labels.tolist() != self.classes_.tolist():
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to "
                    f"fit. Previously got {self.classes_}, `y` has {labels}"
                )
        elif not set(labels.tolist()) <= set(self.classes_.tolist()):
            raise ValueError(
                f"`y` has classes not in `self.classes_`. `self.classes_` has {self.classes_}. "
                f"'y' has {labels}."
            )

    def _find_classes(self, y: Array) -> None:
        if not hasattr(self, "classes_"):
            self._multilabel = y.ndim == 2
            self.classes_ = np.arange(y.shape[1]) if self._multilabel else np.unique(y)
        if self._multilabel and self.loss != "log_loss":
            raise ValueError(f"multi-label y needs loss='log_loss', got loss={self.loss!r}")

    def _count_outputs(self, y: Array) -> int:
        if self._multilabel:
            return int(y.shape[1])
        classes = len(self.classes_)
        return classes if classes > 2 else 2 if self.loss == "hinge" else 1

    def _loss_name(self) -> str:
        if choice("loss", self.loss, ("log_loss", "hinge")) == "hinge":
            return "hinge"
        one_by_one = self.n_outputs_ == 1 or self._multilabel
        return "binary_cross_entropy" if one_by_one else "softmax_cross_entropy"

    def _encode(self, y: Array) -> Targets:
        if self._multilabel:
            return Targets(None, y)
        numbers = class_numbers(y, self.classes_)
        if self.n_outputs_ == 1:
            return Targets(None, numbers.reshape(-1, 1))
        return Targets(numbers.astype(np.int32), None)

    def _class_weights(self, y: Array, *, incremental: bool) -> Array | None:
        if self.class_weight is None:
            return None
        if incremental and isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, which does not see all rows; "
                "give the weights as a dict"
            )
        if self._multilabel:
            return np.asarray(compute_sample_weight(self.class_weight, y))
        wanted = self.class_weight
        if isinstance(wanted, dict):  # these rows need not have all of its labels
            there = {label: weight for label, weight in wanted.items() if label in self.classes_.tolist()}
            wanted = there or wanted
        return class_weighted(None, wanted, y, self.classes_, "float64")

    def _stratify(self, y: Array) -> Array | None:  # of two classes only, and a column, as in scikit-learn
        two_classes = self.n_outputs_ == 1 and not self._multilabel
        return np.reshape(y == self.classes_[-1], (-1, 1)) if two_classes else None

    def _network_classes(self) -> Array | None:
        if self._multilabel:
            return None
        return self.classes_ if len(self.classes_) > 1 else np.repeat(self.classes_, 2)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = self.loss == "log_loss"
        return tags
