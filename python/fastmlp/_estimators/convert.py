"""To and from scikit-learn's own estimators."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn import neural_network
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.validation import check_is_fitted

from fastmlp._estimators import parameters

#: What fitting leaves in both libraries, besides the weights.
_FITTED = (
    "n_features_in_", "feature_names_in_", "classes_", "n_iter_", "t_", "n_layers_", "n_outputs_",
    "out_activation_", "loss_", "best_loss_", "loss_curve_", "validation_scores_", "best_validation_score_",
    "_no_improvement_count",
)  # fmt: skip


def from_sklearn(ours: type[Any], fitted: Any) -> Any:
    """Return an estimator of ours with the parameters and weights of a fitted one of scikit-learn's."""
    theirs = getattr(neural_network, ours.__name__)
    if not isinstance(fitted, theirs):
        raise TypeError(f"fitted must be a sklearn.neural_network.{theirs.__name__}, got {fitted!r}")
    check_is_fitted(fitted)
    estimator = ours(**fitted.get_params(deep=False))
    estimator._begin_curves()
    _copy_fitted(fitted, estimator)
    scores = estimator.validation_scores_ or []
    scores = [np.nan] * (
        len(estimator.loss_curve_) - len(scores)
    ) + scores  # some runs may have measured none
    for epoch, (loss, score) in enumerate(zip(estimator.loss_curve_, scores, strict=True), start=1):
        estimator.history_.append((epoch, loss, np.nan, np.nan, score))
    if hasattr(fitted, "classes_"):
        estimator._sparse_targets = bool(fitted._label_binarizer.sparse_input_)
        estimator._multilabel = fitted._label_binarizer.y_type_.startswith("multilabel")
    return estimator


def to_sklearn(ours: Any) -> Any:
    """Return an estimator of scikit-learn's that predicts what ours does; ValueError where it has none."""
    ours._check_fitted()
    if ours._is_ensemble():
        raise ValueError(
            "scikit-learn has no network of several; each of estimators_ can be converted, and "
            "VotingClassifier or VotingRegressor can take them"
        )
    theirs = getattr(neural_network, type(ours).__name__)
    accepted = theirs().get_params()
    settings = {name: value for name, value in ours.get_params(deep=False).items() if name in accepted}
    names = set(parameters.hidden_activations(ours, len(ours.coefs_) - 1)) or {"relu"}
    activation = parameters.sklearn_name(next(iter(names)))
    if len(names) > 1 or activation not in ("identity", "logistic", "tanh", "relu"):
        raise ValueError(f"scikit-learn has no network with activation={ours.activation!r}")
    losses = {"log_loss", "squared_error"} | ({"poisson"} if "loss" in accepted else set())  # since 1.7
    if ours.loss not in losses:
        raise ValueError(f"scikit-learn has no network with loss={ours.loss!r}")
    settings["activation"] = activation
    if settings["solver"] not in ("adam", "sgd", "lbfgs"):
        settings["solver"] = "adam"  # which does not matter to what it predicts
    if not isinstance(settings["learning_rate"], str):
        settings["learning_rate"] = "constant"
    estimator = theirs(**settings)
    _copy_fitted(ours, estimator)
    estimator._best_coefs = [W.copy() for W in estimator.coefs_]  # for a warm start of theirs
    estimator._best_intercepts = [b.copy() for b in estimator.intercepts_]
    if hasattr(ours, "classes_"):
        known = np.eye(len(ours.classes_), dtype=int) if ours._multilabel else ours.classes_
        known = csr_matrix(known) if ours._multilabel and ours._sparse_targets else known
        estimator._label_binarizer = LabelBinarizer().fit(known)
    return estimator


def _copy_fitted(source: Any, target: Any) -> None:
    for name in _FITTED:
        if hasattr(source, name):
            setattr(target, name, copy(getattr(source, name)))
    target.coefs_ = [np.array(W) for W in source.coefs_]
    target.intercepts_ = [np.array(b) for b in source.intercepts_]
