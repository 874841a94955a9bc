"""The estimators look like scikit-learn's: its own checks pass; signatures, tags and documentation fit."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import sklearn
from sklearn import neural_network
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastmlp
from estimator_tools import (
    COUNTS,
    FRAME,
    HAS_POISSON,
    HAS_WEIGHTS,
    SMALL,
    both_names,
    data,
    unfinished_fits,
)
from fastmlp import MLPClassifier, MLPRegressor


def each_check(*estimators: Any) -> Any:
    checks = parametrize_with_checks(list(estimators))  # whose generator pytest 9 does not want
    return pytest.mark.parametrize(checks.args[0], list(checks.args[1]), **checks.kwargs)


@each_check(MLPClassifier(), MLPRegressor())
def test_scikit_learns_checks_pass_with_no_exception(estimator: Any, check: Callable[[Any], None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checks themselves fit for few iterations
        check(estimator)


LINEAR: dict[str, Any] = {"hidden_layer_sizes": (), "learning_rate_init": 0.1}


@unfinished_fits
@each_check(MLPClassifier(**LINEAR), MLPRegressor(**LINEAR))
def test_linear_models_pass_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


# Signatures and documentation


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
    defaults = {n: 1 if n == "n_estimators" else None for n in own} | {"dropout": 0.0}
    assert all(p.kind is p.KEYWORD_ONLY for p in own.values())
    assert {n: p.default for n, p in own.items()} == defaults


@both_names
def test_every_parameter_and_fitted_attribute_is_documented(name: str) -> None:
    estimator = getattr(fastmlp, name)
    X, y = data("binary" if name == "MLPClassifier" else "regression")
    fitted = vars(estimator(solver="lbfgs", max_iter=50, tol=1).fit(X, y))
    named = [*inspect.signature(estimator).parameters]
    named += [n for n in fitted if n.endswith("_") and not n.startswith("_")]
    assert [n for n in named if n not in estimator.__doc__] == []


@both_names
def test_the_documented_parameters_are_those_of_the_signature_with_their_defaults(name: str) -> None:
    estimator = getattr(fastmlp, name)
    section = inspect.getdoc(estimator).partition("Parameters\n")[2].partition("Attributes\n")[0]
    documented: dict[str, Any] = {}
    for names, text in re.findall(r"^(\w+(?:, \w+)*) : (.+)$", section, re.MULTILINE):
        defaults = text.partition("default ")[2] or "None"
        documented |= zip(names.split(", "), ast.literal_eval(f"[{defaults}]"), strict=True)
    parameters = inspect.signature(estimator).parameters.values()
    assert documented == {p.name: p.default for p in parameters}
    assert list(documented) == [p.name for p in parameters]


@both_names
def test_errors_of_the_constructor_name_the_estimator(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^{name}\.__init__\(\) got an unexpected keyword argument 'wide'"):
        getattr(fastmlp, name)(wide=1)


@unfinished_fits
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
def test_every_documented_attribute_is_there_after_fit(make: type[Any], solver: str) -> None:
    one, several = (make(**SMALL, solver=solver, n_estimators=n).fit(FRAME, COUNTS) for n in (1, 2))
    section = inspect.getdoc(make).partition("Attributes\n")[2].partition("References\n")[0]
    names = re.findall(r"^(\w+_(?:, \w+_)*)", section, re.MULTILINE)
    for name in ", ".join(names).split(", "):
        assert hasattr(several if name in ("estimators_", "ensemble_") else one, name), name


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


def test_importing_fastmlp_does_not_import_scikit_learn() -> None:
    code = (
        "import sys, fastmlp; dir(fastmlp); print('sklearn' in sys.modules, 'MLPClassifier' in dir(fastmlp))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
