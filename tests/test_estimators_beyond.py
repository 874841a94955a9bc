"""What the estimators have beyond scikit-learn's: each test fails where the feature is broken or ignored."""

from __future__ import annotations

import inspect
import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from sklearn import neural_network
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import get_scorer
from sklearn.pipeline import make_pipeline
from sklearn.utils.class_weight import compute_sample_weight

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, _core, _threads
from fastmlp._estimators import _parameters

mpl.use("Agg")

# Most fits here are a few epochs long.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

Array = NDArray[Any]
Estimator = MLPClassifier | MLPRegressor

RNG = np.random.default_rng(7)
X = RNG.normal(size=(60, 4))
TWO = np.where(X[:, 0] + 0.3 * RNG.normal(size=60) > 0.4, "yes", "no")
THREE = np.digitize(X[:, 1], [-0.4, 0.6])
MANY = (X[:, :3] + 0.3 * RNG.normal(size=(60, 3)) > 0).astype(int)
VALUES = X @ [1.0, -2.0, 0.5, 0.0] + 0.1 * RNG.normal(size=60)
PAIRS = np.column_stack([VALUES, np.sin(X[:, 2])])
COUNTS = np.floor(np.exp(0.5 * X[:, 0])).astype(int)

SMALL: dict[str, Any] = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0}
STEP: dict[str, Any] = {  # one step of plain gradient descent a call, over all rows
    "hidden_layer_sizes": (6,), "solver": fastmlp.SGD(), "learning_rate_init": 0.1, "batch_size": 60,
    "random_state": 0,
}  # fmt: skip

#: Each kind of target and loss: the class, its parameters, y, and the network's loss.
KINDS: dict[str, tuple[type[Any], dict[str, Any], Array, str]] = {
    "two classes": (MLPClassifier, {}, TWO, "binary_cross_entropy"),
    "three classes": (MLPClassifier, {}, THREE, "softmax_cross_entropy"),
    "multi-label": (MLPClassifier, {}, MANY, "binary_cross_entropy"),
    "hinge of two": (MLPClassifier, {"loss": "hinge"}, TWO, "hinge"),
    "hinge of three": (MLPClassifier, {"loss": "hinge"}, THREE, "hinge"),
    "squared_error": (MLPRegressor, {}, VALUES, "squared_error"),
    "two outputs": (MLPRegressor, {}, PAIRS, "squared_error"),
    "absolute_error": (MLPRegressor, {"loss": "absolute_error"}, PAIRS, "absolute_error"),
    "huber": (MLPRegressor, {"loss": "huber"}, PAIRS, "huber"),
    "huber(0.3)": (MLPRegressor, {"loss": "huber(0.3)"}, VALUES, "huber(0.3)"),
    "quantile": (MLPRegressor, {"loss": "quantile"}, VALUES, "quantile"),
    "quantile(0.2)": (MLPRegressor, {"loss": "quantile(0.2)"}, PAIRS, "quantile(0.2)"),
    "quantiles": (
        MLPRegressor,
        {"loss": "quantile", "quantiles": (0.1, 0.5, 0.8)},
        VALUES,
        "quantile(0.1, 0.5, 0.8)",
    ),
    "poisson": (MLPRegressor, {"loss": "poisson"}, COUNTS, "poisson"),
}

SCHEDULES = [
    fastmlp.Constant(0.05, warmup=2),
    fastmlp.InverseScaling(0.05, power=0.7),
    fastmlp.StepDecay(0.05, every=2, factor=0.3),
    fastmlp.Cosine(0.05, final=0.01),
    fastmlp.OneCycle(0.05),
]


def parameters(estimator: Estimator) -> Array:
    pairs = zip(estimator.coefs_, estimator.intercepts_, strict=True)
    return np.concatenate([part.ravel() for pair in pairs for part in pair])


def assert_same_bits(one: Estimator, other: Estimator) -> None:
    np.testing.assert_array_equal(parameters(one), parameters(other))
    assert one.loss_curve_ == other.loss_curve_


def assert_differ(one: Estimator, other: Estimator) -> None:
    assert not np.array_equal(parameters(one), parameters(other))


def partly_fitted(estimator: Any, X: Any, y: Any, times: int = 1, **arguments: Any) -> Any:
    """Call partial_fit several times, with the classes in the first call where it wants them."""
    first = dict(arguments)
    if isinstance(estimator, MLPClassifier) and np.ndim(y) == 1:
        first["classes"] = np.unique(y)
    estimator.partial_fit(X, y, **first)
    for _ in range(times - 1):
        estimator.partial_fit(X, y, **arguments)
    return estimator


class Script:
    """A scorer that returns the numbers it was given, and keeps the weights and rows it was shown."""

    def __init__(self, *scores: float) -> None:
        self.scores, self.weights, self.rows = scores, [], []
        self.__name__ = "script"

    def __call__(self, estimator: Estimator, X: Any, y: Any, **_: Any) -> float:
        self.weights.append(parameters(estimator))
        self.rows.append((np.array(X), np.array(y)))
        return self.scores[min(len(self.weights), len(self.scores)) - 1]


# ---------------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize("ours", [MLPClassifier, MLPRegressor])
def test_parameters_of_scikit_learn_keep_place_and_default_and_ours_are_keywords(ours: type[Any]) -> None:
    theirs = inspect.signature(getattr(neural_network, ours.__name__)).parameters
    mine = inspect.signature(ours).parameters
    shared = [name for name in mine if name in theirs]
    assert shared == list(theirs)
    assert [mine[name].default for name in shared] == [theirs[name].default for name in shared]
    assert all(mine[name].kind == theirs[name].kind for name in shared)
    more = [parameter for name, parameter in mine.items() if name not in theirs and name != "loss"]
    assert {p.name for p in more} >= {"dropout", "clip_norm", "scoring", "max_time", "n_jobs"}
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in more)


def test_optimizers_schedules_and_quantiles_survive_clone_and_pickle() -> None:
    estimator = MLPRegressor(
        solver=fastmlp.Adam(weight_decay=0.1), learning_rate=fastmlp.Cosine(), loss="quantile",
        quantiles=(0.1, 0.9), activation=["tanh", "relu"], hidden_layer_sizes=(3, 2), max_iter=2,
        random_state=0,
    )  # fmt: skip
    copies = [clone(estimator), pickle.loads(pickle.dumps(estimator))]
    estimator.fit(X, VALUES)
    for copy in copies:
        assert copy.get_params() == estimator.get_params()
        assert_same_bits(copy.fit(X, VALUES), estimator)
    restored = pickle.loads(pickle.dumps(estimator))
    assert_same_bits(restored.partial_fit(X, VALUES), estimator.partial_fit(X, VALUES))


# ------------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize(
    ("y", "weights"),
    [
        (TWO, "balanced"),
        (THREE, "balanced"),
        (MANY, "balanced"),
        (TWO, {"yes": 3, "no": 0.5}),
        (THREE, {1: 0.25}),
        (THREE, {np.int64(2): np.float32(4)}),
    ],
)
def test_class_weight_equals_those_weights_of_the_rows(solver: str, y: Array, weights: Any) -> None:
    of_rows = compute_sample_weight(weights, y)
    by_class = MLPClassifier(**SMALL, solver=solver, class_weight=weights).fit(X, y)
    by_row = MLPClassifier(**SMALL, solver=solver).fit(X, y, of_rows)
    assert_same_bits(by_class, by_row)
    assert_differ(by_class, MLPClassifier(**SMALL, solver=solver).fit(X, y))


@pytest.mark.parametrize("loss", ["log_loss", "hinge"])
def test_class_weight_multiplies_sample_weight(loss: str) -> None:
    own = np.linspace(0.5, 2, 60)
    both = MLPClassifier(**SMALL, loss=loss, class_weight={"yes": 2}).fit(X, TWO, own)
    product = MLPClassifier(**SMALL, loss=loss).fit(X, TWO, own * np.where(TWO == "yes", 2, 1))
    assert_same_bits(both, product)


def test_class_weight_as_dict_acts_in_partial_fit() -> None:
    weighted = partly_fitted(MLPClassifier(**SMALL, class_weight={"yes": 5}), X, TWO)
    by_row = partly_fitted(MLPClassifier(**SMALL), X, TWO, sample_weight=np.where(TWO == "yes", 5.0, 1.0))
    assert_same_bits(weighted, by_row)


def test_class_weight_moves_the_boundary() -> None:
    options = {**SMALL, "max_iter": 60}
    towards_yes = MLPClassifier(**options, class_weight={"yes": 20}).fit(X, TWO)
    towards_no = MLPClassifier(**options, class_weight={"no": 20}).fit(X, TWO)
    assert (towards_yes.predict(X) == "yes").sum() > (towards_no.predict(X) == "yes").sum()


# ---------------------------------------------------------------------------------------------- validation


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_validation_scores_are_those_of_score(kind: str, dtype: str) -> None:
    make, options, y, _ = KINDS[kind]
    estimator = make(**SMALL, **options)
    Xs = X.astype(dtype)
    scores = []
    for _ in range(3):
        partly_fitted(estimator, Xs[:40], y[:40], X_val=Xs[40:], y_val=y[40:])
        scores.append(estimator.score(Xs[40:], y[40:]))
    assert estimator.validation_scores_ == pytest.approx(scores, rel=1e-5, abs=1e-6)
    assert list(estimator.history_["validation_score"]) == estimator.validation_scores_


@pytest.mark.parametrize("kind", KINDS)
def test_measuring_rows_changes_no_weight(kind: str) -> None:
    make, options, y, _ = KINDS[kind]
    measured = make(**SMALL, **options).fit(X, y, X_val=X[:20], y_val=y[:20])
    assert_same_bits(measured, make(**SMALL, **options).fit(X, y))
    assert len(measured.validation_scores_) == measured.n_iter_


def test_x_val_holds_no_rows_back_for_early_stopping() -> None:
    own = MLPClassifier(**SMALL, early_stopping=True).fit(X, THREE, X_val=X[:9], y_val=THREE[:9])
    assert own.t_ == 5 * 60
    held_back = MLPClassifier(**SMALL, early_stopping=True).fit(X, THREE)
    assert held_back.t_ == 5 * 54


def test_x_val_decides_when_to_stop_and_which_weights_to_take() -> None:
    options = {**SMALL, "max_iter": 200, "n_iter_no_change": 4, "learning_rate_init": 0.05}
    estimator = MLPRegressor(**options, early_stopping=True)
    estimator.fit(X, VALUES, X_val=X, y_val=-VALUES)  # gets worse with every epoch
    assert estimator.early_stopped_
    assert estimator.n_iter_ <= 10
    best = int(np.argmax(estimator.validation_scores_))
    assert estimator.best_validation_score_ == estimator.validation_scores_[best]
    assert estimator.score(X, -VALUES) == pytest.approx(estimator.best_validation_score_)
    until_then = MLPRegressor(**{**options, "max_iter": best + 1}).fit(X, VALUES)
    np.testing.assert_array_equal(parameters(estimator), parameters(until_then))


def test_lbfgs_measures_x_val_or_refuses_it() -> None:
    estimator = MLPRegressor(**SMALL, solver="lbfgs")
    try:
        estimator.fit(X[:40], VALUES[:40], X_val=X[40:], y_val=VALUES[40:])
    except ValueError as error:
        assert "X_val" in str(error)  # noqa: PT017 (either is right, silence is not)
    else:
        assert estimator.validation_scores_[-1] == pytest.approx(estimator.score(X[40:], VALUES[40:]))


def test_warm_start_ends_with_the_best_weights_seen() -> None:
    estimator = MLPRegressor(**{**SMALL, "max_iter": 8}, early_stopping=True, warm_start=True)
    estimator.set_params(scoring=Script(*range(8), *[-1] * 100))
    estimator.fit(X, VALUES, X_val=X, y_val=VALUES)
    best = parameters(estimator)
    assert estimator.best_validation_score_ == 7
    estimator.fit(X, VALUES, X_val=X, y_val=VALUES)  # no epoch of this fit is better
    assert estimator.best_validation_score_ == 7
    np.testing.assert_array_equal(parameters(estimator), best)


def test_the_best_weights_are_taken_even_where_warnings_are_errors() -> None:
    script = Script(1, 5, 3)
    estimator = MLPRegressor(**SMALL, early_stopping=True, scoring=script)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ConvergenceWarning, match="Maximum iterations"):
            estimator.fit(X, VALUES, X_val=X, y_val=VALUES)
    np.testing.assert_array_equal(parameters(estimator), script.weights[1])


# ------------------------------------------------------------------------------------------------- scoring


@pytest.mark.parametrize("scores", [(1, 2, 9, 3, 4), (9, 1, 2, 3, 4), (1, 2, 3, 4, 9), (-5, -4, -3, -9, -8)])
@pytest.mark.parametrize("own_rows", [True, False])
def test_scoring_decides_the_best_epoch(scores: tuple[float, ...], own_rows: bool) -> None:
    script = Script(*scores)
    rows = {"X_val": X[:7], "y_val": THREE[:7]} if own_rows else {}
    estimator = MLPClassifier(**SMALL, early_stopping=True, scoring=script).fit(X, THREE, **rows)
    assert estimator.validation_scores_ == list(scores)
    assert estimator.best_validation_score_ == max(scores)
    np.testing.assert_array_equal(parameters(estimator), script.weights[int(np.argmax(scores))])
    assert all(len(rows) == (7 if own_rows else 6) for rows, _ in script.rows)


def test_scoring_ends_training_when_it_no_longer_improves() -> None:
    options = {**SMALL, "max_iter": 50, "n_iter_no_change": 3}
    estimator = MLPClassifier(**options, early_stopping=True, scoring=Script(1, 2, 3, 0)).fit(X, THREE)
    assert estimator.early_stopped_
    assert estimator.n_iter_ == 7  # as in scikit-learn: more than 3 in a row


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("two classes", "neg_log_loss"),
        ("two classes", "roc_auc"),
        ("hinge of two", "roc_auc"),
        ("three classes", "f1_macro"),
        ("multi-label", "f1_micro"),
        ("squared_error", "neg_mean_absolute_error"),
        ("quantiles", "neg_median_absolute_error"),
        ("poisson", "neg_mean_poisson_deviance"),
    ],
)
def test_scoring_takes_scikit_learns_names(kind: str, name: str) -> None:
    make, options, y, _ = KINDS[kind]
    estimator = make(**SMALL, **options, scoring=name).fit(X, y, X_val=X, y_val=y)
    assert estimator.validation_scores_[-1] == pytest.approx(get_scorer(name)(estimator, X, y))
    assert (
        estimator.validation_scores_
        != make(**SMALL, **options).fit(X, y, X_val=X, y_val=y).validation_scores_
    )


def test_scoring_by_a_plain_function_goes_with_sample_weight() -> None:
    estimator = MLPClassifier(**SMALL, early_stopping=True, scoring=lambda estimator, X, y: 0.5)
    assert estimator.fit(X, TWO, np.ones(60)).validation_scores_ == [0.5] * 5


def test_a_scorer_sees_names_of_columns_no_more_than_it_needs() -> None:
    frame = pd.DataFrame(X, columns=list("abcd"))
    estimator = MLPRegressor(**SMALL, scoring="r2").fit(frame, VALUES, X_val=frame, y_val=VALUES)
    assert estimator.validation_scores_[-1] == pytest.approx(estimator.score(frame, VALUES))


# ----------------------------------------------------------------------------------- activations and losses


def network_of(estimator: Estimator, activations: Any, loss: str, l2: float = 0.0) -> fastmlp.Network:
    sizes = (len(estimator.coefs_[0]), *(W.shape[1] for W in estimator.coefs_))
    weights = [(W.copy(), b.copy()) for W, b in zip(estimator.coefs_, estimator.intercepts_, strict=True)]
    return fastmlp.Network(
        sizes, activations, loss, l2=l2, init=weights, dtype=estimator.coefs_[0].dtype.name
    )


@pytest.mark.parametrize(
    "names",
    [
        ["logistic", "tanh", "relu"],
        ("gelu", "silu", "softplus"),
        ["leaky_relu", "elu", "identity"],
        "gelu",
        "softplus",
        "sigmoid",
    ],
)
def test_activations_equal_those_of_a_network_by_hand(names: Any) -> None:
    options = {**STEP, "hidden_layer_sizes": (5, 4, 3)}
    estimator = MLPRegressor(**options, activation=names).initialize(X, VALUES)
    ours = (
        ["sigmoid" if name == "logistic" else name for name in names] if not isinstance(names, str) else names
    )
    network = network_of(estimator, ours, "squared_error", l2=0.0001 / 60)
    np.testing.assert_array_equal(estimator.predict(X), network.predict(X))
    _, gradient = network.loss_and_gradient(X, VALUES)
    before = parameters(estimator)
    estimator.partial_fit(X, VALUES)
    np.testing.assert_allclose(parameters(estimator) - before, -0.1 * gradient, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_goes_down_the_gradient_of_the_loss(kind: str) -> None:
    make, options, y, loss = KINDS[kind]
    estimator = make(**STEP, **options, alpha=0.3).initialize(X, y)
    network = network_of(estimator, "relu", loss, l2=0.3 / 60)
    classes = getattr(estimator, "classes_", None)
    if y.ndim == 1:
        network.classes = classes
    value, gradient = network.loss_and_gradient(X, y)
    before = parameters(estimator)
    estimator.partial_fit(X, y)
    np.testing.assert_allclose(parameters(estimator) - before, -0.1 * gradient, rtol=1e-9, atol=1e-14)
    if kind not in ("two outputs", "poisson"):  # which scikit-learn reports in units of its own
        assert estimator.loss_ == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_every_loss_is_learned(kind: str, solver: str) -> None:
    make, options, y, _ = KINDS[kind]
    start = make(**{**SMALL, "max_iter": 1}, **options, learning_rate_init=1e-9).fit(X, y).loss_
    epochs = 100 if solver == "adam" else 20
    estimator = make(**{**SMALL, "max_iter": epochs}, **options, solver=solver, learning_rate_init=0.02)
    estimator.fit(X, y)
    assert np.isfinite(estimator.loss_)
    assert estimator.loss_ < start - 0.1 * abs(start)


@pytest.mark.parametrize(("text", "loss"), [(" squared_error", "squared_error"), ("poisson ", "poisson")])
def test_a_loss_with_blanks_around_it_is_refused_or_the_same(text: str, loss: str) -> None:
    y = np.abs(PAIRS)
    estimator = MLPRegressor(**SMALL, loss=text)
    try:
        estimator.fit(X, y)
    except ValueError as error:
        assert "loss" in str(error)  # noqa: PT017 (either is right)
    else:
        assert_same_bits(estimator, MLPRegressor(**SMALL, loss=loss).fit(X, y))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
def test_every_documented_attribute_is_there_after_fit(make: type[Any], solver: str) -> None:
    estimator = make(**SMALL, solver=solver).fit(pd.DataFrame(X, columns=list("abcd")), COUNTS)
    section = inspect.getdoc(make).partition("Attributes\n")[2].partition("References\n")[0]
    names = re.findall(r"^(\w+_(?:, \w+_)*)", section, re.MULTILINE)
    for name in ", ".join(names).split(", "):
        assert hasattr(estimator, name), name


def test_hinge_gives_margins_and_no_probabilities() -> None:
    two = MLPClassifier(**{**SMALL, "max_iter": 80}, loss="hinge").fit(X, TWO)
    assert two.decision_function(X).shape == (60,)
    np.testing.assert_array_equal(two.classes_[(two.decision_function(X) > 0).astype(int)], two.predict(X))
    three = MLPClassifier(**SMALL, loss="hinge").fit(X, THREE)
    assert three.decision_function(X).shape == (60, 3)
    np.testing.assert_array_equal(three.decision_function(X).argmax(axis=1), three.predict(X))
    assert not hasattr(two, "predict_proba")
    assert not hasattr(MLPClassifier(), "decision_function")


# ------------------------------------------------------------------------------------------------- dropout


@pytest.mark.parametrize("kind", ["two classes", "multi-label", "squared_error", "quantiles"])
def test_dropout_changes_training_and_is_off_in_prediction(kind: str) -> None:
    make, options, y, loss = KINDS[kind]
    dropped = make(**SMALL, **options, dropout=0.5).fit(X, y)
    assert_differ(dropped, make(**SMALL, **options).fit(X, y))
    assert_same_bits(dropped, make(**SMALL, **options, dropout=0.5).fit(X, y))
    outputs = network_of(dropped, "relu", loss).forward(X)
    np.testing.assert_array_equal(dropped.predict(X), dropped.predict(X))
    np.testing.assert_array_equal(dropped._outputs(X), outputs)
    np.testing.assert_array_equal(dropped.transform(X), np.maximum(0, dropped.transform(X)))
    np.testing.assert_allclose(
        dropped.transform(X), np.maximum(0, X @ dropped.coefs_[0] + dropped.intercepts_[0]), atol=1e-12
    )


def test_dropout_is_off_in_validation() -> None:
    estimator = MLPRegressor(**SMALL, dropout=0.9).fit(X, VALUES, X_val=X, y_val=VALUES)
    assert estimator.validation_scores_[-1] == pytest.approx(estimator.score(X, VALUES))


def test_dropout_draws_anew_at_each_call_of_partial_fit() -> None:
    estimator = MLPRegressor(**{**STEP, "learning_rate_init": 1e-12}, dropout=0.5)
    losses = partly_fitted(estimator, X, VALUES, 5).loss_curve_
    assert len(set(np.round(losses, 6))) == 5


# --------------------------------------------------------------------------------- optimizers and schedules


@pytest.mark.parametrize(
    ("solver", "same"),
    [
        ("adamw", fastmlp.Adam(weight_decay=0.01)),
        ("rmsprop", fastmlp.RMSprop()),
        ("adagrad", fastmlp.Adagrad()),
        ("sgd", fastmlp.SGD(0.9, nesterov=True)),
    ],
)
def test_a_solvers_name_stands_for_an_optimizer(solver: str, same: Any) -> None:
    by_name = MLPClassifier(**SMALL, solver=solver).fit(X, THREE)
    assert_same_bits(by_name, MLPClassifier(**SMALL, solver=same).fit(X, THREE))
    assert_differ(by_name, MLPClassifier(**SMALL).fit(X, THREE))


@pytest.mark.parametrize(
    "solver",
    [
        fastmlp.SGD(0.5),
        fastmlp.SGD(0.5, nesterov=True),
        fastmlp.RMSprop(0.8),
        fastmlp.Adagrad(),
        fastmlp.Adam(0.8, 0.99),
        fastmlp.Adam(weight_decay=0.2),
    ],
    ids=repr,
)
def test_an_optimizer_object_takes_the_same_steps_as_in_train(solver: Any) -> None:
    estimator = MLPRegressor(
        hidden_layer_sizes=(6,), solver=solver, learning_rate_init=0.01, batch_size=60, alpha=0,
        random_state=0, max_iter=4,
    )  # fmt: skip
    estimator.initialize(X, VALUES)
    init = [(W.copy(), b.copy()) for W, b in zip(estimator.coefs_, estimator.intercepts_, strict=True)]
    network = fastmlp.train(
        X, VALUES, hidden=(6,), loss="squared_error", optimizer=solver, learning_rate=0.01, batch_size=None,
        epochs=4, init=init, dtype="float64",
    )  # fmt: skip
    partly_fitted(estimator, X, VALUES, 4)
    np.testing.assert_allclose(parameters(estimator), network.parameters, rtol=1e-12, atol=1e-14)


def test_a_normalized_step_has_the_length_of_the_rate() -> None:
    estimator = MLPRegressor(**{**STEP, "solver": fastmlp.SGD(normalized=True)}).initialize(X, VALUES)
    before = parameters(estimator)
    estimator.partial_fit(X, VALUES)
    assert np.linalg.norm(parameters(estimator) - before) == pytest.approx(0.1)


def test_an_lbfgs_object_brings_its_own_tolerance() -> None:
    loose = MLPRegressor(**{**SMALL, "max_iter": 500}, solver=fastmlp.LBFGS(tol=0.5)).fit(X, VALUES)
    tight = MLPRegressor(**{**SMALL, "max_iter": 500}, solver=fastmlp.LBFGS(tol=0.01)).fit(X, VALUES)
    assert loose.n_iter_ < tight.n_iter_
    assert tight.loss_ < loose.loss_


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("times", ["fit", "partial_fit"])
def test_a_schedules_rates_are_taken_and_appear_in_history(schedule: Any, times: str) -> None:
    """With normalized steps over all rows, an epoch's step has the length of its rate."""
    script = Script(0)
    options = {**STEP, "solver": fastmlp.SGD(normalized=True), "max_iter": 6}
    estimator = MLPRegressor(**options, learning_rate=schedule, scoring=script).initialize(X, VALUES)
    start = parameters(estimator)
    if times == "fit":
        estimator.set_params(warm_start=True).fit(X, VALUES, X_val=X, y_val=VALUES)
    else:
        partly_fitted(estimator, X, VALUES, 6, X_val=X, y_val=VALUES)
    lengths = np.linalg.norm(np.diff([start, *script.weights], axis=0), axis=1)
    expected = fastmlp.train(
        X, VALUES, hidden=(6,), optimizer=fastmlp.SGD(normalized=True), learning_rate=schedule,
        batch_size=None, epochs=6, dtype="float64",
    ).history["learning_rate"]  # fmt: skip
    assert len(set(np.round(expected, 9))) > 1
    np.testing.assert_allclose(lengths, expected, rtol=1e-9)
    np.testing.assert_allclose(estimator.history_["learning_rate"], expected, rtol=1e-12)


def test_a_schedule_without_a_rate_starts_from_learning_rate_init() -> None:
    without = MLPRegressor(**SMALL, learning_rate=fastmlp.Cosine(), learning_rate_init=0.02).fit(X, VALUES)
    assert_same_bits(without, MLPRegressor(**SMALL, learning_rate=fastmlp.Cosine(0.02)).fit(X, VALUES))


def test_reduce_on_plateau_cuts_the_rate() -> None:
    schedule = fastmlp.ReduceOnPlateau(factor=0.5, patience=0, threshold=0.9)  # nothing counts as better
    estimator = MLPRegressor(**SMALL, learning_rate=schedule).fit(X, VALUES)
    rates = estimator.history_["learning_rate"]
    np.testing.assert_allclose(rates, 0.001 * 0.5 ** np.arange(-1, 4).clip(0))
    assert_differ(estimator, MLPRegressor(**SMALL).fit(X, VALUES))


def test_invscaling_and_adaptive_rates_appear_in_history() -> None:
    scaled = MLPRegressor(**SMALL, solver="sgd", learning_rate="invscaling").fit(X, VALUES)
    np.testing.assert_allclose(
        scaled.history_["learning_rate"], 0.001 / np.append(1, (60 * np.arange(1, 5) + 1) ** 0.5)
    )
    adaptive = MLPRegressor(
        **{**SMALL, "max_iter": 9}, solver="sgd", learning_rate="adaptive", tol=1e6, n_iter_no_change=2
    ).fit(X, VALUES)
    assert len(set(adaptive.history_["learning_rate"])) > 2


# ------------------------------------------------------------------------------------ clipping, time, threads


@pytest.mark.parametrize("kind", ["two classes", "squared_error", "quantiles"])
def test_clip_norm_bounds_the_step(kind: str) -> None:
    make, options, y, _ = KINDS[kind]
    free = make(**STEP, **options).initialize(X, y)
    clipped = make(**STEP, **options, clip_norm=0.01).initialize(X, y)
    before = parameters(free)
    whole = parameters(free.partial_fit(X, y)) - before
    short = parameters(clipped.partial_fit(X, y)) - before
    assert np.linalg.norm(whole) > 0.002
    assert np.linalg.norm(short) == pytest.approx(0.001)
    np.testing.assert_allclose(short / 0.001, whole / np.linalg.norm(whole), rtol=1e-6, atol=1e-12)


def test_a_clip_norm_above_the_gradient_changes_nothing() -> None:
    free = MLPRegressor(**SMALL).fit(X, VALUES)
    clipped = MLPRegressor(**SMALL, clip_norm=1e9).fit(X, VALUES)
    np.testing.assert_allclose(parameters(clipped), parameters(free), rtol=1e-9)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("seconds", [1e-300, 0.02])
def test_max_time_ends_a_fit_that_would_go_on(solver: str, seconds: float) -> None:
    endless = {**SMALL, "max_iter": 10**9, "tol": 0, "n_iter_no_change": np.inf, "max_fun": 10**9}
    estimator = MLPRegressor(**endless, solver=solver, max_time=seconds).fit(X, VALUES)
    assert 1 <= estimator.n_iter_ < 10**9
    assert len(estimator.history_) == estimator.n_iter_
    assert np.isfinite(estimator.predict(X)).all()


@pytest.fixture
def exact_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_threads, "available_cpus", lambda: 8)
    monkeypatch.setattr(_threads, "_limit", None)
    _core.set_exact_threads(True)
    yield
    _core.set_exact_threads(False)


@pytest.mark.usefixtures("exact_threads")
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("kind", ["three classes", "multi-label", "quantiles", "poisson"])
def test_the_bits_are_those_of_any_n_jobs(kind: str, solver: str) -> None:
    make, options, y, _ = KINDS[kind]
    options = options | {"hidden_layer_sizes": (40, 17), "max_iter": 4, "random_state": 0}
    options |= {"batch_size": 25, "solver": solver}
    options |= {} if solver == "lbfgs" else {"dropout": 0.2, "clip_norm": 1.0}
    rows = {} if solver == "lbfgs" else {"X_val": X, "y_val": y}
    one, *others = (make(**options, n_jobs=n).fit(X, y, **rows) for n in (1, 2, 3, -1))
    for other in others:
        assert_same_bits(one, other)
        assert one.validation_scores_ == other.validation_scores_
        np.testing.assert_array_equal(one.predict(X), other.predict(X))


@pytest.mark.parametrize(("n_jobs", "threads"), [(1, 1), (2, 2), (-1, 4), (-2, 3), (-99, 1), (99, 4)])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_n_jobs_is_the_number_of_threads_asked_of_the_core(
    n_jobs: int, threads: int, solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    name = "lbfgs_options" if solver == "lbfgs" else "train_options"
    original: Callable[..., Any] = getattr(_parameters, name)

    def spied(*arguments: Any) -> Any:
        result = original(*arguments)
        seen.append((result[1] if solver == "lbfgs" else result).threads)
        return result

    monkeypatch.setattr(_threads, "available_cpus", lambda: 4)
    monkeypatch.setattr(_core, "openmp_threads", lambda: 4)
    monkeypatch.setattr(_parameters, name, spied)
    MLPRegressor(**SMALL, solver=solver, n_jobs=n_jobs).fit(X, VALUES)
    assert seen == [threads]


# --------------------------------------------------------------------------------------------- partial_fit


FEW_KINDS = ("two classes", "multi-label", "hinge of three", "two outputs", "quantiles", "poisson")


@pytest.mark.parametrize("kind", FEW_KINDS)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"solver": "sgd"},
        {"solver": "sgd", "learning_rate": "invscaling"},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e3, "n_iter_no_change": 1},
        {"learning_rate": fastmlp.OneCycle(0.01)},
        {"solver": fastmlp.Adam(weight_decay=0.1), "clip_norm": 0.5},
        {"solver": "rmsprop", "batch_size": 7},
        {"early_stopping": True, "n_iter_no_change": 2},
    ],
    ids=lambda more: ",".join(map(str, more.values())) or "defaults",
)
def test_a_fit_equals_as_many_calls_of_partial_fit(kind: str, more: dict[str, Any]) -> None:
    make, options, y, _ = KINDS[kind]
    options = {"batch_size": 16, "dropout": 0.3, "shuffle": False, **SMALL, **options, **more}
    rows = {"X_val": X[::3], "y_val": y[::3]} if "early_stopping" in more else {}
    whole = make(**options).fit(X, y, **rows)
    parts = partly_fitted(make(**options), X, y, whole.n_iter_, **rows)
    assert whole.loss_curve_ == parts.loss_curve_
    assert whole.t_ == parts.t_
    np.testing.assert_array_equal(whole.history_["learning_rate"], parts.history_["learning_rate"])
    if not rows or whole.early_stopped_:
        np.testing.assert_array_equal(parameters(whole), parameters(parts))


@pytest.mark.parametrize("kind", FEW_KINDS)
@pytest.mark.parametrize("random_state", [lambda: 0, lambda: np.random.RandomState(0)], ids=["int", "state"])
def test_initialize_then_partial_fit_equals_partial_fit_alone(
    kind: str, random_state: Callable[[], Any]
) -> None:
    make, options, y, _ = KINDS[kind]
    options = {"batch_size": 16, "dropout": 0.3, **SMALL, **options}
    alone = partly_fitted(make(**options | {"random_state": random_state()}), X, y, 2)
    after = make(**options | {"random_state": random_state()}).initialize(X, y)
    assert_same_bits(alone, after.partial_fit(X, y).partial_fit(X, y))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_initialize_sets_what_fit_starts_from(kind: str, dtype: str) -> None:
    make, options, y, _ = KINDS[kind]
    estimator = make(**SMALL, **options).initialize(X.astype(dtype), y)
    hardly = make(**{**STEP, "learning_rate_init": 1e-30}, **options, max_iter=1).fit(X.astype(dtype), y)
    np.testing.assert_array_equal(parameters(estimator), parameters(hardly))
    assert (estimator.n_outputs_, estimator.n_layers_) == (hardly.n_outputs_, hardly.n_layers_)
    assert estimator.out_activation_ == hardly.out_activation_
    assert estimator.loss_curve_ == []
    assert (estimator.n_iter_, estimator.t_, len(estimator.history_)) == (0, 0, 0)
    assert len(estimator.predict(X)) == 60
    if hasattr(hardly, "classes_"):
        np.testing.assert_array_equal(estimator.classes_, hardly.classes_)


def test_weights_given_after_initialize_are_trained_on() -> None:
    for in_place in (True, False):
        estimator = MLPRegressor(**STEP, activation="tanh").initialize(X, VALUES)
        for layer, W in enumerate(estimator.coefs_):
            if in_place:
                W[...] = 0.25
            else:
                estimator.coefs_[layer] = np.full(W.shape, 0.25)
        network = network_of(estimator, "tanh", "squared_error", l2=0.0001 / 60)
        assert (network.weights[0] == 0.25).all()
        np.testing.assert_array_equal(estimator.predict(X), network.predict(X))
        start = network.parameters.copy()
        _, gradient = network.loss_and_gradient(X, VALUES)
        estimator.partial_fit(X, VALUES)
        np.testing.assert_allclose(parameters(estimator), start - 0.1 * gradient, rtol=1e-9)


@pytest.mark.parametrize("classes", [None, [0, 1, 2]])
def test_multi_label_partial_fit_needs_no_classes(classes: Any) -> None:
    estimator = MLPClassifier(**SMALL, batch_size=20, shuffle=False)
    for _ in range(5):
        estimator.partial_fit(X, MANY, classes=classes)
    assert_same_bits(estimator, MLPClassifier(**SMALL, batch_size=20, shuffle=False).fit(X, MANY))
    assert estimator.predict(X).shape == (60, 3)
    assert estimator.predict_proba(X).shape == (60, 3)
    np.testing.assert_array_equal(estimator.classes_, [0, 1, 2])


def test_multi_label_partial_fit_learns() -> None:
    estimator = MLPClassifier(hidden_layer_sizes=(20,), learning_rate_init=0.02, random_state=0)
    for _ in range(100):
        estimator.partial_fit(X, MANY)
    assert (estimator.predict(X) == MANY).mean() > 0.9


def test_partial_fit_with_early_stopping_stops_and_takes_the_best_weights() -> None:
    script = Script(1, 2, 8, 3, 4, 5, 6)
    estimator = MLPClassifier(**SMALL, early_stopping=True, n_iter_no_change=2, scoring=script)
    calls = 0
    while not getattr(estimator, "early_stopped_", False):
        partly_fitted(estimator, X, THREE, X_val=X, y_val=THREE)
        calls += 1
    assert calls == 6
    assert estimator.best_validation_score_ == 8
    np.testing.assert_array_equal(parameters(estimator), script.weights[2])


def test_partial_fit_after_early_stopping_still_ends_with_the_best_weights() -> None:
    script = Script(1, 2, 8, 3, 4, 5, 6, 7, 7, 7)
    estimator = MLPClassifier(**SMALL, early_stopping=True, n_iter_no_change=2, scoring=script)
    for _ in range(10):
        partly_fitted(estimator, X, THREE, X_val=X, y_val=THREE)
        if estimator.early_stopped_:
            np.testing.assert_array_equal(parameters(estimator), script.weights[2])


def test_partial_fit_goes_on_from_a_fit() -> None:
    options = {**SMALL, "batch_size": 16, "dropout": 0.3, "shuffle": False}
    mixed = MLPRegressor(**{**options, "max_iter": 3}).fit(X, VALUES).partial_fit(X, VALUES)
    assert_same_bits(mixed, MLPRegressor(**{**options, "max_iter": 4}).fit(X, VALUES))


@pytest.mark.parametrize("before", ["adam", "sgd", "rmsprop", "adagrad"])
@pytest.mark.parametrize("after", ["adam", "sgd", "rmsprop", "adagrad"])
def test_another_solver_starts_with_a_state_of_its_own(before: str, after: str) -> None:
    """The moments of one optimizer mean nothing to another: Adam's may be negative, RMSprop takes a root."""
    if before == after:
        return
    options = {**SMALL, "max_iter": 20, "batch_size": 60}
    changed = MLPRegressor(**options, solver=before).fit(X, VALUES).set_params(solver=after)
    fresh = MLPRegressor(**options, solver=after).initialize(X, VALUES)
    for mine, theirs in zip(
        (*fresh.coefs_, *fresh.intercepts_), (*changed.coefs_, *changed.intercepts_), strict=True
    ):
        mine[...] = theirs
    for _ in range(2):
        changed.partial_fit(X, VALUES)
        fresh.partial_fit(X, VALUES)
    np.testing.assert_allclose(parameters(changed), parameters(fresh), rtol=1e-9)


# ----------------------------------------------------------------------------------------------- transform


@pytest.mark.parametrize("kind", KINDS)
def test_transform_gives_the_last_hidden_layer(kind: str) -> None:
    make, options, y, _ = KINDS[kind]
    options = {**SMALL, **options, "hidden_layer_sizes": (5, 3), "activation": ["relu", "tanh"]}
    estimator = make(**options).fit(X, y)
    (W0, W1, W2), (b0, b1, b2) = estimator.coefs_, estimator.intercepts_
    hidden = np.tanh(np.maximum(0, X @ W0 + b0) @ W1 + b1)
    np.testing.assert_allclose(estimator.transform(X), hidden, atol=1e-12)
    assert list(estimator.get_feature_names_out()) == [f"{make.__name__.lower()}{i}" for i in range(3)]
    if estimator.out_activation_ == "identity" and kind != "quantiles":
        np.testing.assert_allclose(estimator._outputs(X), hidden @ W2 + b2, atol=1e-12)


def test_transform_is_a_step_of_a_pipeline() -> None:
    pipeline = make_pipeline(MLPClassifier(**SMALL), MLPRegressor(**SMALL))
    pipeline.fit(X, COUNTS)
    assert pipeline[:-1].transform(X).shape == (60, 6)
    assert MLPRegressor(**SMALL).fit(X.astype("f4"), VALUES).transform(X.astype("f4")).dtype == np.float32


# ------------------------------------------------------------------------------------- history and pictures


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_history_has_a_row_for_each_epoch(solver: str) -> None:
    estimator = MLPRegressor(**SMALL, solver=solver).fit(X, VALUES)
    history = estimator.history_
    assert history.columns == ("epoch", "loss", "learning_rate", "seconds", "validation_score")
    assert list(history["epoch"]) == list(range(1, 6))
    assert list(history["loss"]) == estimator.loss_curve_
    assert estimator.loss_ == estimator.loss_curve_[-1]
    assert (np.diff(history["seconds"]) >= 0).all()
    assert history.to_frame().shape == (5, 5)


def test_history_starts_anew_with_fit_and_goes_on_with_warm_start_and_partial_fit() -> None:
    estimator = MLPRegressor(**SMALL).fit(X, VALUES)
    estimator.partial_fit(X, VALUES)
    estimator.set_params(warm_start=True).fit(X, VALUES)
    assert list(estimator.history_["epoch"]) == list(range(1, 12))
    assert list(estimator.history_["loss"]) == estimator.loss_curve_
    assert len(estimator.set_params(warm_start=False).fit(X, VALUES).history_) == 5


def test_loss_curve_plot_draws_losses_and_scores() -> None:
    import matplotlib.pyplot as plt

    estimator = MLPRegressor(**SMALL).fit(X, VALUES)
    _, given = plt.subplots()
    ax = estimator.loss_curve_plot(given)
    assert ax is given
    assert list(ax.lines[0].get_ydata()) == estimator.loss_curve_
    assert list(ax.lines[0].get_xdata()) == list(range(1, 6))
    assert len(ax.figure.axes) == 1
    estimator.fit(X, VALUES, X_val=X, y_val=VALUES)
    figure = estimator.loss_curve_plot().figure
    assert list(figure.axes[1].lines[0].get_ydata()) == estimator.validation_scores_
    plt.close("all")
    with pytest.raises(NotFittedError):
        MLPRegressor().loss_curve_plot()


def test_an_estimator_from_scikit_learn_has_a_history_and_can_be_saved(tmp_path: Any) -> None:
    import matplotlib.pyplot as plt

    theirs = neural_network.MLPRegressor(**SMALL).fit(X, VALUES)
    ours = MLPRegressor.from_sklearn(theirs)
    assert list(ours.history_["loss"]) == theirs.loss_curve_
    ours.loss_curve_plot()
    plt.close("all")
    ours.save(tmp_path / "model.safetensors")
    np.testing.assert_allclose(fastmlp.load(tmp_path / "model.safetensors").predict(X), ours.predict(X))


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_network_predicts_the_same(kind: str, tmp_path: Any) -> None:
    make, options, y, _ = KINDS[kind]
    frame = pd.DataFrame(X, columns=list("abcd"))
    estimator = make(**SMALL, **options).fit(frame, y)
    estimator.save(tmp_path / "model.safetensors")
    network = fastmlp.load(tmp_path / "model.safetensors")
    expected = estimator.predict_quantiles(frame) if kind == "quantiles" else estimator.predict(frame)
    np.testing.assert_array_equal(network.predict(X), expected)
    assert network.feature_names == tuple("abcd")
    assert list(network.history["loss"]) == estimator.loss_curve_


# ------------------------------------------------------------------------------- quantiles and deviations


def noisy(rows: int, deviation: Callable[[Array], Array], seed: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (rows, 1))
    spread = deviation(x[:, 0])
    return x, 2 * x[:, 0] + spread * rng.normal(size=rows), spread


@pytest.fixture(scope="module")
def fitted_quantiles() -> MLPRegressor:
    x, y, _ = noisy(3000, lambda x: 0.5 + 0.3 * x, seed=0)
    estimator = MLPRegressor(
        loss="quantile", quantiles=(0.05, 0.25, 0.5, 0.95), hidden_layer_sizes=(16,), activation="tanh",
        learning_rate=fastmlp.Cosine(0.02), max_iter=60, tol=0, n_iter_no_change=60, random_state=0,
    )  # fmt: skip
    return estimator.fit(x, y)


def test_quantiles_cover_their_share_of_new_rows(fitted_quantiles: MLPRegressor) -> None:
    x, y, _ = noisy(4000, lambda x: 0.5 + 0.3 * x, seed=1)
    below = (y[:, None] <= fitted_quantiles.predict_quantiles(x)).mean(axis=0)
    np.testing.assert_allclose(below, [0.05, 0.25, 0.5, 0.95], atol=0.03)


def test_return_std_is_calibrated_on_normal_noise(fitted_quantiles: MLPRegressor) -> None:
    x, y, spread = noisy(4000, lambda x: 0.5 + 0.3 * x, seed=2)
    mean, std = fitted_quantiles.predict(x, return_std=True)
    assert mean.shape == std.shape == (4000,)
    np.testing.assert_allclose(std, spread, rtol=0.35)
    assert np.mean(std / spread) == pytest.approx(1, abs=0.08)
    assert np.std((y - mean) / std) == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(mean, fitted_quantiles.predict(x))
    np.testing.assert_array_equal(mean, fitted_quantiles.predict_quantiles(x)[:, 2])


@pytest.mark.parametrize("scale", [1, 1e3, 1e-3])
@pytest.mark.parametrize("iterations", [0, 1, 5])
def test_quantiles_never_cross(scale: float, iterations: int) -> None:
    levels = tuple(np.linspace(0.01, 0.99, 15))
    estimator = MLPRegressor(**SMALL, loss="quantile", quantiles=levels).initialize(X, VALUES)
    for _ in range(iterations):
        estimator.partial_fit(X, VALUES)
    assert estimator._outputs(X * scale).shape == (60, 15)
    assert (np.diff(estimator._outputs(X * scale), axis=1) < 0).any()  # unsorted, these would cross
    quantiles = estimator.predict_quantiles(X * scale)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert (estimator.predict(X * scale, return_std=True)[1] >= 0).all()


def test_predict_takes_the_level_nearest_to_one_half() -> None:
    estimator = MLPRegressor(**SMALL, loss="quantile", quantiles=[0.1, 0.45, 0.7]).fit(X, VALUES)
    np.testing.assert_array_equal(estimator.predict(X), estimator.predict_quantiles(X)[:, 1])


@pytest.mark.parametrize("level", [[0.3], (0.3,), np.array([0.3])])
def test_one_level_is_that_quantile_loss(level: Any) -> None:
    estimator = MLPRegressor(**SMALL, loss="quantile", quantiles=level).fit(X, VALUES)
    assert_same_bits(estimator, MLPRegressor(**SMALL, loss="quantile(0.3)").fit(X, VALUES))
    assert estimator.predict(X).shape == (60,)
    assert estimator.predict_quantiles(X).shape == (60, 1)


@pytest.mark.parametrize("options", [{}, {"loss": "quantile"}, {"loss": "quantile", "quantiles": (0.5,)}])
def test_return_std_needs_several_quantiles(options: dict[str, Any]) -> None:
    estimator = MLPRegressor(**SMALL, **options).fit(X, VALUES)
    with pytest.raises(ValueError, match=r"return_std needs .*quantile"):
        estimator.predict(X, return_std=True)


# ---------------------------------------------------------------------------------------------- data frames


class Stream:
    """A table of no known library, which offers the PyCapsule interface."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table.__arrow_c_stream__(requested_schema)


TABLES: dict[str, Callable[[Array, list[str]], Any]] = {
    "pandas": lambda X, names: pd.DataFrame(X, columns=names),
    "polars": lambda X, names: pl.DataFrame(X, schema=names),
    "arrow": lambda X, names: pa.table(dict(zip(names, X.T, strict=True))),
    "record batch": lambda X, names: pa.RecordBatch.from_arrays([pa.array(c) for c in X.T], names=names),
    "capsule": lambda X, names: Stream(pa.table(dict(zip(names, X.T, strict=True)))),
}


@pytest.mark.parametrize("library", TABLES)
@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
def test_a_tables_names_are_kept_and_checked(library: str, make: type[Any]) -> None:
    names = ["age", "height", "weight", "speed"]
    table = TABLES[library](X, names)
    estimator = make(**SMALL).fit(table, COUNTS, X_val=table, y_val=COUNTS)
    assert list(estimator.feature_names_in_) == names
    assert_same_bits(estimator, make(**SMALL).fit(X, COUNTS))
    np.testing.assert_array_equal(estimator.predict(table), make(**SMALL).fit(X, COUNTS).predict(X))
    estimator.partial_fit(table, COUNTS)
    assert estimator.transform(table).shape == (60, 6)
    assert np.isfinite(estimator.score(table, COUNTS))
    for wrong in (names[::-1], ["age", "height", "weight", "colour"]):
        other = TABLES[library](X, wrong)
        for use in (
            estimator.predict,
            estimator.transform,
            lambda other: estimator.partial_fit(other, COUNTS),
            lambda other: estimator.partial_fit(table, COUNTS, X_val=other, y_val=COUNTS),
        ):
            with pytest.raises(ValueError, match=r"(?s)feature names.*(order|unseen|missing)"):
                use(other)


@pytest.mark.parametrize("library", ["numpy", "pandas"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_in_the_cores_layout_are_not_copied(
    library: str, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.ascontiguousarray(X, dtype)
    data = rows if library == "numpy" else pd.DataFrame(rows, columns=list("abcd"), copy=False)
    estimator = MLPRegressor(**SMALL)
    original, seen = MLPRegressor._core_rows, []

    def spied(self: Any, network: Any, X: Any, *rest: Any) -> Any:
        result = original(self, network, X, *rest)
        seen.append(result[0])
        return result

    monkeypatch.setattr(MLPRegressor, "_core_rows", spied)
    estimator.fit(data, VALUES)
    assert len(seen) == 1
    assert np.shares_memory(seen[0], rows)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_type_of_x_is_that_of_the_network(dtype: str) -> None:
    estimator = MLPRegressor(**SMALL).fit(X.astype(dtype), VALUES)
    assert {W.dtype for W in (*estimator.coefs_, *estimator.intercepts_)} == {np.dtype(dtype)}
    assert estimator.predict(X.astype(dtype)).dtype == dtype
    assert estimator.transform(X.astype(dtype)).dtype == dtype
