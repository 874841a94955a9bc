"""MLPClassifier and MLPRegressor in place of scikit-learn's: the same arguments, the same numbers and texts.

Batches are drawn by the same random numbers, so whole runs can be compared: what differs is the rounding.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from sklearn import neural_network
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastmlp

Array = NDArray[Any]

KINDS = ("binary", "multiclass", "multilabel", "regression", "multioutput", "poisson")
CLASSIFIED = ("binary", "multiclass", "multilabel")
HAS_POISSON = "loss" in inspect.signature(neural_network.MLPRegressor).parameters
HAS_WEIGHTS = "sample_weight" in inspect.signature(neural_network.MLPClassifier.fit).parameters
weights_needed = pytest.mark.skipif(not HAS_WEIGHTS, reason="this scikit-learn's fit takes no sample_weight")
both_names = pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])


checks = parametrize_with_checks([fastmlp.MLPClassifier(), fastmlp.MLPRegressor()])


@pytest.mark.parametrize(checks.args[0], list(checks.args[1]), **checks.kwargs)  # pytest 9 wants no generator
def test_scikit_learns_checks_pass_with_no_exception(estimator: Any, check: Callable[[Any], None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks themselves fit for few iterations
        check(estimator)


def data(kind: str, dtype: str = "float64", rows: int = 60) -> tuple[Array, Array]:
    rng = np.random.RandomState(7)
    X = rng.normal(size=(rows, 5)).astype(dtype)
    noisy = X @ rng.normal(size=(5, 3)) + 0.3 * rng.normal(size=(rows, 3))
    y = {
        "binary": np.array(["no", "yes"])[(noisy[:, 0] > 0).astype(int)],
        "multiclass": noisy.argmax(axis=1) * 10,
        "multilabel": (noisy > 0).astype(int),
        "regression": noisy[:, 0],
        "multioutput": noisy[:, :2],
        "poisson": rng.poisson(np.exp(noisy[:, 0] / 3)),
    }[kind]
    return X, y.astype(dtype) if y.dtype.kind == "f" else y


def weights_keyword(weighted: bool) -> dict[str, Array]:
    if weighted and not HAS_WEIGHTS:
        pytest.skip("this scikit-learn's fit takes no sample_weight")
    return {"sample_weight": np.random.RandomState(3).uniform(0.1, 3, 60)} if weighted else {}


def pair(kind: str, **params: Any) -> tuple[Any, Any]:
    """Return our estimator and theirs."""
    name = "MLPClassifier" if kind in CLASSIFIED else "MLPRegressor"
    if kind == "poisson":
        if not HAS_POISSON:
            pytest.skip("this scikit-learn has no Poisson loss")
        params["loss"] = "poisson"
    if kind == "binary" and params.get("early_stopping") and not HAS_WEIGHTS:
        pytest.skip("this scikit-learn cannot score the text of labels")
    params = {"hidden_layer_sizes": (6, 4), "random_state": 5, "max_iter": 8} | params
    return getattr(fastmlp, name)(**params), getattr(neural_network, name)(**params)


def heard(call: Callable[[], Any]) -> list[tuple[type[Warning], str]]:
    """Call, and return the warnings."""
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        call()
    return [(record.category, str(record.message)) for record in records]


def fit_both(kind: str, dtype: str = "float64", weighted: bool = False, **params: Any) -> tuple[Any, Any]:
    """Fit ours and theirs, which must warn of the same; the L-BFGS texts are compared elsewhere."""
    ours, theirs = pair(kind, **params)
    keywords = weights_keyword(weighted)
    mine, expected = (heard(lambda e=e: e.fit(*data(kind, dtype), **keywords)) for e in (ours, theirs))
    if params.get("solver") == "lbfgs":
        mine, expected = [w[0] for w in mine], [w[0] for w in expected]
    assert mine == expected
    return ours, theirs


def assert_same_fit(ours: Any, theirs: Any, rtol: float = 1e-7, atol: float = 1e-10) -> None:
    """Compare every fitted attribute that theirs has, and what both predict."""
    expected = {name: value for name, value in vars(theirs).items() if name.endswith("_")}
    assert {"coefs_", "intercepts_", "n_iter_", "t_", "loss_", "n_layers_", "out_activation_"} <= set(
        expected
    )
    for name, value in expected.items():
        mine = getattr(ours, name)
        if value is None:
            assert mine is None, name
        elif name in ("coefs_", "intercepts_"):
            assert [a.shape for a in mine] == [a.shape for a in value]
            for a, b in zip(mine, value, strict=True):
                assert_allclose(a, b, rtol=rtol, atol=max(atol, rtol), err_msg=name)
        elif isinstance(value, (int, str)) or np.asarray(value).dtype.kind in "iuUOb":
            assert_array_equal(mine, value, err_msg=name)
        else:
            assert_allclose(mine, value, rtol=rtol, atol=atol, err_msg=name)
    X, _ = data("binary", str(theirs.coefs_[0].dtype))
    for method in ("predict_proba", "predict_log_proba", "predict"):
        if hasattr(theirs, method):
            with np.errstate(divide="ignore"):  # theirs warns of log(0)
                mine, value = getattr(ours, method)(X), getattr(theirs, method)(X)
            assert mine.shape == value.shape
            if value.dtype.kind == "f":
                assert_allclose(mine, value, rtol=rtol, atol=max(atol, rtol), err_msg=method)
            else:
                assert_array_equal(mine, value, err_msg=method)


# Signatures


@both_names
def test_every_parameter_of_theirs_is_ours_with_its_default_and_place(name: str) -> None:
    ours = inspect.signature(getattr(fastmlp, name).__init__).parameters
    theirs = inspect.signature(getattr(neural_network, name).__init__).parameters
    for parameter in theirs.values():
        mine = ours[parameter.name]
        assert (mine.kind, mine.default) == (parameter.kind, parameter.default)
    positional = [p.name for p in theirs.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    if name == "MLPClassifier" or HAS_POISSON:
        assert [p.name for p in ours.values() if p.kind is p.POSITIONAL_OR_KEYWORD] == positional


@both_names
def test_methods_take_the_arguments_of_theirs_in_the_same_places(name: str) -> None:
    ours, theirs = getattr(fastmlp, name), getattr(neural_network, name)
    for method in (n for n in vars(theirs) if not n.startswith(("_", "set_"))):
        expected = list(inspect.signature(getattr(theirs, method)).parameters)
        mine = list(inspect.signature(getattr(ours, method)).parameters)
        if HAS_WEIGHTS or method != "partial_fit":  # which took classes third before it took weights
            assert mine[: len(expected)] == expected
    for method in ("fit", "score"):
        expected = list(inspect.signature(getattr(theirs, method)).parameters)
        assert list(inspect.signature(getattr(ours, method)).parameters)[: len(expected)] == expected


@both_names
def test_parameters_of_our_own_are_keywords_with_defaults_that_change_nothing(name: str) -> None:
    ours = inspect.signature(getattr(fastmlp, name).__init__).parameters
    theirs = inspect.signature(getattr(neural_network, name).__init__).parameters
    own = {n: p for n, p in ours.items() if n not in theirs and n != "loss"}
    assert all(p.kind is p.KEYWORD_ONLY and p.default in (None, 0.0) for p in own.values())


@both_names
def test_every_parameter_and_fitted_attribute_is_documented(name: str) -> None:
    estimator = getattr(fastmlp, name)
    X, y = data("binary" if name == "MLPClassifier" else "regression")
    fitted = vars(estimator(solver="lbfgs", max_iter=50, tol=1).fit(X, y))
    named = [*inspect.signature(estimator).parameters]
    named += [n for n in fitted if n.endswith("_") and not n.startswith("_")]
    assert [n for n in named if n not in estimator.__doc__] == []


# Initial weights


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("kind", KINDS)
def test_initial_weights_are_theirs_bit_for_bit(kind: str, activation: str) -> None:
    X, y = data(kind, "float32")
    ours, theirs = pair(kind, activation=activation, solver="sgd", learning_rate_init=1e-30, max_iter=1)
    heard(lambda: (ours.initialize(X, y), theirs.fit(X, y)))
    for mine, expected in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        assert mine.dtype == np.float32
        assert_array_equal(mine, expected)


@pytest.mark.parametrize("batch_size", [60, 20])
def test_fits_that_share_a_random_state_draw_as_much_from_it_as_theirs(batch_size: int) -> None:
    X, y = data("binary")
    ours, theirs = pair("binary", batch_size=batch_size)
    states = [np.random.RandomState(0) for _ in range(2)]
    for _ in range(2):
        for estimator, state in zip((ours, theirs), states, strict=True):
            heard(lambda e=estimator, s=state: e.set_params(random_state=s).fit(X, y))
        assert_same_fit(ours, theirs)


# Whole runs

SOLVERS: dict[str, dict[str, Any]] = {
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "momentum 1": {"solver": "sgd", "nesterovs_momentum": False, "momentum": 1},
    "nesterov": {"solver": "sgd", "momentum": 0.5},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.3},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.1, "n_iter_no_change": 2},
    "adam": {"solver": "adam"},
    "adam's numbers": {"solver": "adam", "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-2},
    "adam has no schedules": {"solver": "adam", "learning_rate": "adaptive", "tol": 1, "n_iter_no_change": 2},
    "lbfgs": {"solver": "lbfgs"},
}


def skip_theirs_of_two_minds(solver: str, kind: str) -> None:
    if solver == "lbfgs" and kind == "multioutput":
        pytest.skip("theirs hands L-BFGS a mean over the outputs with the gradient of the sum")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_full_batches_give_their_curves_and_weights(solver: str, kind: str) -> None:
    skip_theirs_of_two_minds(solver, kind)
    ours, theirs = fit_both(kind, batch_size=60, learning_rate_init=0.05, **SOLVERS[solver])
    assert_same_fit(ours, theirs, rtol=1e-5 if solver == "lbfgs" else 1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_activations_are_theirs(solver: str, activation: str, kind: str) -> None:
    skip_theirs_of_two_minds(solver, kind)
    ours, theirs = fit_both(kind, solver=solver, activation=activation, learning_rate_init=0.02, max_iter=5)
    assert_same_fit(ours, theirs, rtol=1e-5 if solver == "lbfgs" else 1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [0, 5.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_the_penalty_and_weights_count_as_theirs_do(
    solver: str, weighted: bool, alpha: float, kind: str
) -> None:
    skip_theirs_of_two_minds(solver, kind)
    params = {"batch_size": 60, "learning_rate_init": 0.02, "max_iter": 5}  # later, theirs clips its log loss
    ours, theirs = fit_both(kind, weighted=weighted, solver=solver, alpha=alpha, **params)
    assert_same_fit(ours, theirs, rtol=1e-5 if solver == "lbfgs" else 1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["nesterov", "adam", "invscaling"])
def test_mini_batches_are_theirs(solver: str, weighted: bool, shuffle: bool, kind: str) -> None:
    ours, theirs = fit_both(  # 13 leaves a smaller last batch, which has a larger share of the penalty
        kind, weighted=weighted, shuffle=shuffle, batch_size=13, alpha=0.5, **SOLVERS[solver]
    )
    if kind == "poisson" and weighted:  # the constant in loss_ is weighted over all rows, not batch by batch
        ours.loss_curve_, ours.loss_, ours.best_loss_ = theirs.loss_curve_, theirs.loss_, theirs.best_loss_
    assert_same_fit(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_float32_runs_are_theirs_to_its_rounding(solver: str, kind: str) -> None:
    ours, theirs = fit_both(kind, "float32", solver=solver, batch_size=13, learning_rate_init=0.01)
    assert_same_fit(ours, theirs, rtol=2e-4, atol=1e-4)
    assert {a.dtype.name for a in ours.coefs_ + ours.intercepts_} == {"float32"}


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_type_of_x_is_that_of_weights_and_predictions(kind: str, solver: str) -> None:
    for given, kept in (("float32", "float32"), ("float64", "float64"), ("int64", "float64")):
        X, y = data(kind)
        X = (X * 3).astype(given)
        ours, _ = pair(kind, solver=solver, max_iter=2)
        heard(lambda e=ours, X=X, y=y: e.fit(X, y))
        assert {a.dtype.name for a in ours.coefs_ + ours.intercepts_} == {kept}
        assert (ours.predict_proba if kind in CLASSIFIED else ours.predict)(X).dtype == kept


@weights_needed
@pytest.mark.parametrize("weighted", [False, True])
def test_lbfgs_with_several_outputs_goes_to_where_theirs_has_no_gradient(weighted: bool) -> None:
    X, y = data("multioutput")
    w = weights_keyword(weighted).get("sample_weight", np.ones(60))
    ours, theirs = pair("multioutput", solver="lbfgs", activation="tanh", alpha=3.0, tol=1e-6, max_iter=2000)
    ours.fit(X, y, w)
    heard(lambda: theirs.set_params(max_iter=1).fit(X, y, w))
    theirs.coefs_, theirs.intercepts_ = ours.coefs_, ours.intercepts_
    hidden = [X, *(np.zeros(0) for _ in ours.coefs_)]
    _, *gradients = theirs._backprop(X, y, w, hidden, [None] * 3, [None] * 3, [None] * 3)
    assert max(abs(g).max() for layers in gradients for g in layers) <= 1e-3  # or the loss no longer falls
    squares = np.average((ours.predict(X) - y) ** 2, axis=0, weights=w).mean()
    penalty = 3.0 / w.sum() * sum((W**2).sum() for W in ours.coefs_)
    assert ours.loss_ == pytest.approx((squares + penalty) / 2, rel=1e-9)


@pytest.mark.parametrize("hidden", [(), [3], 4, np.array([5, 2]), np.int64(3)])
@pytest.mark.parametrize("kind", ["multiclass", "multioutput"])
def test_hidden_layers_may_be_given_in_all_their_ways(kind: str, hidden: Any) -> None:
    assert_same_fit(*fit_both(kind, hidden_layer_sizes=hidden, batch_size=13))


@pytest.mark.parametrize("make", ["csr_matrix", "csc_array", "coo_matrix"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_rows_are_dense_rows(solver: str, make: str) -> None:
    X, y = data("multiclass")
    X[np.abs(X) < 0.5] = 0
    ours, theirs = pair("multiclass", solver=solver, batch_size=13)
    sparse = getattr(scipy.sparse, make)(X)
    heard(lambda: (ours.fit(sparse, y), theirs.fit(X, y)))
    assert_same_fit(ours, theirs, rtol=1e-5)
    assert_array_equal(ours.predict(sparse), theirs.predict(X))


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_one_class_or_one_row_is_fitted_as_theirs(solver: str) -> None:
    for X, y in ((X0, np.full(60, "yes")), (X0[:1], Y0[:1])):
        ours, theirs = pair("binary", solver=solver)
        heard(lambda o=ours, t=theirs, X=X, y=y: (o.fit(X, y), t.fit(X, y)))
        assert_same_fit(ours, theirs, rtol=1e-5)
        assert ours.predict_proba(X).shape == (len(X), 2)


@pytest.mark.parametrize("values", [(0, 1), (False, True), (0.0, 1.0)])
@pytest.mark.parametrize("incremental", [False, True])
def test_multi_label_targets_mean_what_they_do_to_theirs(incremental: bool, values: tuple[Any, Any]) -> None:
    X, y = data("multilabel")
    y = np.array(values)[y]
    ours, theirs = pair("multilabel", shuffle=False)
    for estimator in (ours, theirs):
        if incremental:
            estimator.partial_fit(X, y, classes=[0, 1, 2])
            estimator.partial_fit(X, y)
        else:
            heard(lambda e=estimator: e.fit(X, y))
    assert_same_fit(ours, theirs)


@pytest.mark.parametrize("values", [(-1, 1), (0, 5)])
def test_multi_label_targets_other_than_0_and_1_are_refused(values: tuple[int, int]) -> None:
    X, y = data("multilabel")  # theirs takes everything but 0 for 1, also -1
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match="must hold 0 and 1 alone"):
            getattr(pair("multilabel")[0], method)(X, np.array(values)[y])


def test_sparse_multi_label_targets_give_sparse_predictions_as_theirs() -> None:
    X, y = data("multilabel")
    ours, theirs = pair("multilabel", batch_size=13)
    heard(lambda: [e.fit(X, scipy.sparse.csr_matrix(y)) for e in (ours, theirs)])
    expected = theirs.predict(X)
    assert scipy.sparse.issparse(expected)
    predicted = ours.predict(X)
    assert_array_equal(
        predicted.toarray() if scipy.sparse.issparse(predicted) else predicted, expected.toarray()
    )
    assert scipy.sparse.issparse(predicted)


# Early stopping


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["adam", "adaptive"])
def test_early_stopping_holds_back_the_same_rows_and_scores_them_the_same(
    solver: str, weighted: bool, kind: str
) -> None:
    params = SOLVERS[solver] | {"n_iter_no_change": 3, "tol": 1e-3, "learning_rate_init": 0.02}
    ours, theirs = fit_both(
        kind,
        weighted=weighted,
        early_stopping=True,
        validation_fraction=0.3,
        max_iter=40,
        batch_size=42,
        **params,
    )
    assert_same_fit(ours, theirs)
    assert len(ours.validation_scores_) == ours.n_iter_


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_early_stopping_holds_for_float32(kind: str) -> None:
    ours, theirs = fit_both(
        kind, "float32", early_stopping=True, validation_fraction=0.3, batch_size=13, learning_rate_init=0.01
    )
    assert_same_fit(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_constant_held_back_targets_score_as_theirs(constant: float) -> None:
    X, y = data("multioutput")
    y[:, 1] = constant
    for target in (y, y[:, 1]):
        ours, theirs = pair("regression", early_stopping=True)
        heard(lambda o=ours, t=theirs, y=target: (o.fit(X, y), t.fit(X, y)))
        assert_same_fit(ours, theirs)


@pytest.mark.parametrize("tol", [0.05, 1e-4])
@pytest.mark.parametrize("n_iter_no_change", [1, 4, np.inf])
@pytest.mark.parametrize("solver", ["sgd", "adam", "adaptive"])
def test_training_ends_with_theirs(solver: str, n_iter_no_change: float, tol: float) -> None:
    params = SOLVERS[solver] | {"n_iter_no_change": n_iter_no_change, "tol": tol, "learning_rate_init": 0.1}
    ours, theirs = fit_both("binary", max_iter=40, batch_size=20, **params)
    assert_same_fit(ours, theirs, rtol=1e-6)


def test_an_adaptive_rate_falls_until_it_is_too_small() -> None:
    params = SOLVERS["adaptive"] | {
        "learning_rate_init": 1e-5,
        "tol": 1,
        "n_iter_no_change": 1,
        "max_iter": 50,
    }
    ours, theirs = fit_both("regression", **params)
    assert_same_fit(ours, theirs)
    assert ours.n_iter_ < 50
    assert ours.early_stopped_


# Going on


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("solver", ["nesterov", "adam", "invscaling", "adaptive", "lbfgs"])
def test_warm_starts_go_on_as_theirs(solver: str, kind: str) -> None:
    skip_theirs_of_two_minds(solver, kind)
    X, y = data(kind)
    ours, theirs = pair(kind, warm_start=True, max_iter=4, batch_size=20, **SOLVERS[solver])
    for _ in range(3):
        heard(lambda: (ours.fit(X, y), theirs.fit(X, y)))
        assert_same_fit(ours, theirs, rtol=1e-4 if solver == "lbfgs" else 1e-7)


@pytest.mark.parametrize("kind", ["binary", "multilabel", "regression"])
def test_warm_starts_with_early_stopping_go_on_as_theirs(kind: str) -> None:
    X, y = data(kind)
    ours, theirs = pair(kind, warm_start=True, early_stopping=True, validation_fraction=0.3, batch_size=20)
    for rate in (
        0.02,
        0.5,
    ):  # the second run finds nothing better: ours ends with the first one's best weights
        heard(lambda r=rate: [e.set_params(learning_rate_init=r).fit(X, y) for e in (ours, theirs)])
        assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-7)
        assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-7)
        assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_)


@pytest.mark.parametrize("first", [False, True])
def test_early_stopping_may_be_turned_on_or_off_for_a_warm_start(first: bool) -> None:
    X, y = data("binary")  # theirs stumbles over its own None
    ours, _ = pair("binary", warm_start=True, early_stopping=first)
    heard(lambda: ours.fit(X, y))
    heard(lambda: ours.set_params(early_stopping=not first).fit(X, y))
    assert (ours.best_loss_ is None) == (not first)
    assert (ours.best_validation_score_ is None) == first
    assert len(ours.loss_curve_) == 16


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["nesterov", "adam", "invscaling"])
def test_partial_fits_go_on_as_theirs(solver: str, weighted: bool, kind: str) -> None:
    X, y = data(kind)
    w = weights_keyword(weighted).get("sample_weight", np.ones(60))
    ours, theirs = pair(kind, **SOLVERS[solver])
    labels = np.arange(3) if kind == "multilabel" else np.unique(y)
    first = {"classes": labels} if kind in CLASSIFIED else {}
    for rows in (slice(0, 25), slice(25, 60), slice(0, 60), slice(0, 25)):
        for estimator in (ours, theirs):
            estimator.partial_fit(
                X[rows], y[rows], **({"sample_weight": w[rows]} if weighted else {}), **first
            )
        first = {}
        assert_same_fit(ours, theirs)
    assert ours.n_iter_ == 1
    assert len(ours.loss_curve_) == 4


@pytest.mark.parametrize("solver", ["sgd", "adam", "invscaling"])
def test_partial_fit_goes_on_from_fit_and_fit_begins_anew(solver: str) -> None:
    X, y = data("multiclass")
    ours, theirs = pair("multiclass", batch_size=20, **SOLVERS[solver])
    for method in ("fit", "partial_fit", "partial_fit", "fit", "partial_fit"):
        heard(lambda m=method: [getattr(e, m)(X, y) for e in (ours, theirs)])
        assert_same_fit(ours, theirs)


def test_partial_fit_with_another_solver_starts_its_state_anew() -> None:
    X, y = data("binary")
    ours, _ = pair("binary", solver="sgd")
    heard(lambda: ours.fit(X, y))
    fresh, _ = pair("binary", solver="adam")
    fresh.initialize(X, y)
    fresh.coefs_, fresh.intercepts_ = [W.copy() for W in ours.coefs_], [b.copy() for b in ours.intercepts_]
    ours.set_params(solver="adam")
    for estimator in (ours, fresh):
        estimator.set_params(shuffle=False).partial_fit(X, y)
    for mine, expected in zip(ours.coefs_, fresh.coefs_, strict=True):
        assert_allclose(mine, expected, rtol=1e-12)


# What is printed and warned of


@pytest.mark.parametrize(
    "params",
    [
        {"max_iter": 3},
        {"max_iter": 30, "tol": 0.5, "n_iter_no_change": 2},
        {"max_iter": 30, "early_stopping": True, "n_iter_no_change": 2},
        {"max_iter": 30, "solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 2},
        {"max_iter": 60, "solver": "sgd", "learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 2,
         "early_stopping": True},
        {"max_iter": 3, "verbose": 2},
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_verbose_prints_the_same_lines(
    kind: str, params: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    for estimator in pair(kind, **{"verbose": True, "batch_size": 20, **params}):
        heard(lambda e=estimator: e.fit(*data(kind)))
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].startswith("Iteration 1, loss = ")


@both_names
def test_the_warning_of_too_few_iterations_has_their_text(name: str) -> None:
    kind = "binary" if name == "MLPClassifier" else "regression"
    ours, theirs = pair(kind, max_iter=2)
    texts = [heard(lambda e=e: e.fit(*data(kind))) for e in (ours, theirs)]
    assert texts[0] == texts[1]
    assert [category for category, _ in texts[0]] == [ConvergenceWarning]


@pytest.mark.parametrize("params", [{"max_iter": 2}, {"max_fun": 3}])
def test_the_warning_of_an_unfinished_lbfgs_says_what_theirs_does(params: dict[str, Any]) -> None:
    ours, theirs = pair("binary", solver="lbfgs", **{"max_iter": 200, **params})
    (mine,), (expected,) = (heard(lambda e=e: e.fit(*data("binary"))) for e in (ours, theirs))
    assert mine[0] is expected[0] is ConvergenceWarning
    assert f"lbfgs failed to converge after {theirs.n_iter_} iteration" in mine[1]
    assert expected[1].splitlines()[1].rstrip(".") in mine[1]  # SciPy's reason
    assert "scale the data" in mine[1]


def test_a_batch_larger_than_the_data_is_clipped_with_their_warning() -> None:
    ours, theirs = fit_both("binary", batch_size=61, max_iter=2)
    assert_same_fit(ours, theirs)
    X, y = data("regression")
    ours, theirs = pair("regression", batch_size=61)
    texts = [heard(lambda e=e: e.partial_fit(X, y)) for e in (ours, theirs)]
    assert texts[0] == texts[1]
    assert len(texts[0]) == 1


def test_a_column_of_targets_is_taken_with_a_warning() -> None:
    for kind in ("binary", "regression"):
        X, y = data(kind)
        ours, theirs = pair(kind, max_iter=2)
        texts = [heard(lambda e=e, X=X, y=y: e.fit(X, y[:, np.newaxis])) for e in (ours, theirs)]
        assert texts[0] == texts[1]
        assert texts[0][0][0] is DataConversionWarning
        assert_same_fit(ours, theirs)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_interrupt_ends_training_as_theirs_does(solver: str) -> None:
    X, y = data("binary")

    class Interrupting(list):  # type: ignore[type-arg]
        def append(self, value: Any) -> None:
            super().append(value)
            if len(self) == 3:
                raise KeyboardInterrupt

    ours, theirs = pair("binary", solver=solver, warm_start=True)
    heard(lambda: [e.fit(X, y) for e in (ours, theirs)])
    ours.loss_curve_ = Interrupting()
    if solver == "lbfgs":
        with pytest.raises(KeyboardInterrupt):
            ours.fit(X, y)
        return
    theirs.loss_curve_ = Interrupting()
    texts = [heard(lambda e=e: e.fit(X, y)) for e in (ours, theirs)]
    assert texts[0] == texts[1] == [(UserWarning, "Training interrupted by user.")]
    assert len(ours.loss_curve_) == len(theirs.loss_curve_) == 3


# Errors


def both_errors(calls: Callable[[Any], Any], kind: str, **params: Any) -> tuple[Exception, Exception]:
    """Return what ours and theirs raise; ours must be caught by whoever catches theirs."""
    errors = []
    for estimator in pair(kind, **params):
        with pytest.raises(Exception) as caught:  # noqa: PT011 (compared below)
            heard(lambda e=estimator: calls(e))
        errors.append(caught.value)
    mine, expected = errors
    kinds = (NotFittedError, ValueError, TypeError, AttributeError)
    public = next(t for t in type(expected).__mro__ if t in kinds)
    assert isinstance(mine, public), f"{mine!r} in place of {expected!r}"
    return mine, expected


X0, Y0 = data("binary")
XR, YR = data("regression")
XM, YM = data("multilabel")

SAME_TEXT: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "y has NaN": ("regression", lambda e: e.fit(XR, YR * np.nan)),
    "X has NaN": ("binary", lambda e: e.fit(X0 * np.nan, Y0)),
    "X is infinite": ("binary", lambda e: e.fit(X0 * np.inf, Y0)),
    "X is complex": ("regression", lambda e: e.fit(XR + 1j, YR)),
    "X has one dimension": ("regression", lambda e: e.fit(XR[:, 0], YR)),
    "no rows": ("regression", lambda e: e.fit(XR[:0], YR[:0])),
    "no columns": ("regression", lambda e: e.fit(XR[:, :0], YR)),
    "no y": ("binary", lambda e: e.fit(X0, None)),
    "y is short": ("binary", lambda e: e.fit(X0, Y0[:5])),
    "y has three dimensions": ("binary", lambda e: e.fit(X0, YM[np.newaxis])),
    "first partial_fit without classes": ("binary", lambda e: e.partial_fit(X0, Y0)),
    "partial_fit with a new label": (
        "binary",
        lambda e: e.partial_fit(X0, Y0, classes=["no", "yes"]).partial_fit(X0[:2], ["no", "perhaps"]),
    ),
    "a label not among the classes": ("binary", lambda e: e.partial_fit(X0, Y0, classes=["a", "no"])),
    "partial_fit with other classes": (
        "binary",
        lambda e: e.partial_fit(X0, Y0, classes=["no", "yes"]).partial_fit(X0, Y0, classes=["a", "no"]),
    ),
    "partial_fit of lbfgs": ("binary", lambda e: e.set_params(solver="lbfgs").partial_fit(X0, Y0)),
    "partial_fit of other columns": (
        "regression", lambda e: e.partial_fit(XR, YR).partial_fit(XR[:, 1:], YR),
    ),
    "warm start with other classes": (
        "binary", lambda e: e.set_params(warm_start=True).fit(X0, Y0).fit(X0[:3], ["no", "yes", "perhaps"]),
    ),
    "warm start with fewer classes": (
        "binary", lambda e: e.set_params(warm_start=True).fit(X0, Y0).fit(X0[Y0 == "no"], Y0[Y0 == "no"]),
    ),
    "warm start of other columns": (
        "regression", lambda e: e.set_params(warm_start=True).fit(XR, YR).fit(XR[:, 1:], YR),
    ),
    "too few rows to hold back": (
        "regression", lambda e: e.set_params(early_stopping=True).fit(XR[:9], YR[:9]),
    ),
    "weights that are not finite": (
        "regression",
        lambda e: e.set_params(solver="sgd", learning_rate_init=1e6, max_iter=60).fit(XR * 100, YR),
    ),
    "predict before fit": ("binary", lambda e: e.predict(X0)),
    "predict_proba before fit": ("binary", lambda e: e.predict_proba(X0)),
    "predict_log_proba before fit": ("binary", lambda e: e.predict_log_proba(X0)),
    "regress before fit": ("regression", lambda e: e.predict(XR)),
    "score before fit": ("regression", lambda e: e.score(XR, YR)),
    "predict other columns": ("regression", lambda e: e.fit(XR, YR).predict(XR[:, 1:])),
    "predict one dimension": ("regression", lambda e: e.fit(XR, YR).predict(XR[0])),
    "predict NaN": ("regression", lambda e: e.fit(XR, YR).predict(XR * np.nan)),
    "predict text": ("regression", lambda e: e.fit(XR, YR).predict(XR.astype(str))),
}  # fmt: skip


@pytest.mark.parametrize("what", SAME_TEXT)
def test_errors_have_the_type_and_text_of_theirs(what: str) -> None:
    if what == "too few rows to hold back" and not HAS_WEIGHTS:
        pytest.skip("this scikit-learn scores a single row")
    kind, calls = SAME_TEXT[what]
    mine, expected = both_errors(calls, kind)
    assert str(mine) == str(expected)


CAUGHT_ALIKE: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "y is continuous": ("binary", lambda e: e.fit(X0, YR)),
    "y has columns of labels": ("multiclass", lambda e: e.fit(X0, np.arange(120).reshape(60, 2) % 3)),
    "y is no number": ("regression", lambda e: e.fit(XR, np.array(["a", 1] * 30, object))),
    "multi-label warm start with fewer labels": (
        "multilabel", lambda e: e.set_params(warm_start=True).fit(XM, YM).fit(XM, YM[:, :2]),
    ),
    "warm start with other outputs": (
        "regression", lambda e: e.set_params(warm_start=True).fit(XR, YR).fit(XR, np.c_[YR, YR]),
    ),
    "partial_fit with early stopping": (
        "regression", lambda e: e.set_params(early_stopping=True).partial_fit(XR, YR),
    ),
    "nothing to hold back": (
        "regression", lambda e: e.set_params(early_stopping=True, validation_fraction=0.0).fit(XR, YR),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CAUGHT_ALIKE)
def test_errors_are_caught_by_who_catches_theirs(what: str) -> None:
    kind, calls = CAUGHT_ALIKE[what]
    both_errors(calls, kind)


@weights_needed
@pytest.mark.parametrize(
    "weights",
    [np.zeros(60), np.ones(5), np.ones((60, 1)), np.full(60, np.nan), "x"],
    ids=lambda w: str(w)[:12],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_wrong_weights_are_caught_by_who_catches_theirs(method: str, weights: Any) -> None:
    both_errors(lambda e: getattr(e, method)(XR, YR, sample_weight=weights), "regression")


@weights_needed
@pytest.mark.parametrize("weights", [2.0, [1] * 60, np.arange(60) % 3], ids=["number", "list", "some are 0"])
def test_weights_may_be_given_in_all_their_ways(weights: Any) -> None:
    ours, theirs = pair("regression", batch_size=60)
    heard(lambda: [e.fit(XR, YR, sample_weight=weights) for e in (ours, theirs)])
    assert_same_fit(ours, theirs)


WRONG: list[dict[str, Any]] = [
    {"hidden_layer_sizes": 0}, {"hidden_layer_sizes": (4, 0)}, {"hidden_layer_sizes": (3.0,)},
    {"hidden_layer_sizes": "x"}, {"activation": "foo"}, {"activation": None}, {"solver": "foo"},
    {"solver": None}, {"alpha": -1}, {"alpha": "x"}, {"batch_size": 0}, {"batch_size": "x"},
    {"learning_rate": "foo"}, {"learning_rate_init": 0}, {"power_t": -1}, {"max_iter": 0}, {"max_iter": 2.0},
    {"shuffle": 2}, {"random_state": "x"}, {"random_state": -1}, {"tol": -1}, {"tol": np.inf},
    {"verbose": -1}, {"verbose": "x"}, {"warm_start": "x"}, {"momentum": 2},
    {"momentum": -1, "solver": "sgd"},
    {"nesterovs_momentum": 2}, {"early_stopping": None}, {"validation_fraction": 1.0}, {"beta_1": 1},
    {"beta_2": -1}, {"beta_1": 1, "solver": "sgd"}, {"epsilon": 0}, {"epsilon": 0, "solver": "lbfgs"},
    {"n_iter_no_change": 0}, {"n_iter_no_change": 2.5}, {"max_fun": 0},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_wrong_parameters_are_named_and_are_value_errors(method: str, wrong: dict[str, Any]) -> None:
    if wrong.get("solver") == "lbfgs" and method == "partial_fit":
        pytest.skip("lbfgs has no partial_fit")
    mine, _ = both_errors(lambda e: getattr(e, method)(XR, YR), "regression", **wrong)
    assert next(iter(wrong)) in str(mine)


@pytest.mark.parametrize("wrong", [{"alpha": -1}, {"momentum": 5}, {"solver": "foo"}], ids=str)
def test_a_wrong_parameter_changes_nothing(wrong: dict[str, Any]) -> None:
    ours, _ = pair("binary", max_iter=2)
    heard(lambda: ours.fit(X0, Y0))
    before = ours.predict_proba(X0)
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ours.set_params(**wrong).fit(X0, Y0)
    ours.set_params(alpha=0.0001, momentum=0.9, solver="adam")
    assert_array_equal(ours.predict_proba(X0), before)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_fitted_estimator_still_predicts_after_data_it_refuses(method: str) -> None:
    ours, theirs = pair("binary", max_iter=2)
    heard(lambda: [e.fit(X0, Y0) for e in (ours, theirs)])
    before = ours.predict_proba(X0)
    for X, y in ((X0 * np.nan, Y0), (X0, Y0[:3]), (X0, None)):
        for estimator in (ours, theirs):
            with pytest.raises(ValueError, match=r"NaN|inconsistent|None"):
                getattr(estimator, method)(X, y)
        assert_allclose(theirs.predict_proba(X0), before, rtol=1e-7)
        assert_array_equal(ours.predict_proba(X0), before)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_an_estimator_whose_every_fit_failed_says_that_it_is_not_fitted(solver: str) -> None:
    ours, _ = pair("binary", solver=solver)
    with pytest.raises(ValueError, match="NaN"):
        ours.fit(X0 * np.nan, Y0)
    with pytest.raises(NotFittedError):
        ours.predict(X0)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_class_weights_that_leave_no_row_are_refused(solver: str) -> None:
    with pytest.raises(ValueError, match="class_weight"):
        fastmlp.MLPClassifier(solver=solver, class_weight={"no": 0, "yes": 0}, max_iter=2).fit(X0, Y0)


def test_methods_that_theirs_does_not_have_for_lbfgs_are_hidden() -> None:
    assert not hasattr(fastmlp.MLPClassifier(solver="lbfgs"), "partial_fit")
    assert not hasattr(fastmlp.MLPRegressor(solver="lbfgs"), "partial_fit")
    assert hasattr(fastmlp.MLPClassifier(solver="sgd"), "partial_fit")


@both_names
def test_tags_are_those_of_theirs(name: str) -> None:
    if not hasattr(sklearn.utils, "get_tags"):
        pytest.skip("this scikit-learn has no tags")
    ours, theirs = (sklearn.utils.get_tags(getattr(m, name)()) for m in (fastmlp, neural_network))
    for group in ("estimator_type", "classifier_tags", "regressor_tags", "input_tags"):
        assert getattr(ours, group) == getattr(theirs, group)
