"""What is printed, warned of and raised is what scikit-learn prints, warns of and raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError

from estimator_tools import (
    HAS_WEIGHTS,
    assert_same_fit,
    both_names,
    data,
    fit_both,
    heard,
    pair,
    weights_needed,
)

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
        ours.set_params(verbose=True)  # else the losses are added at the end
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


# After an error


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
