"""Clones, copies, pickles and saved files hold what they should and predict the same bits."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import fastmlp
from estimator_tools import (
    FRAME,
    LOSSES,
    NAMES,
    SMALL,
    TARGETS,
    TWO,
    VALUES,
    X,
    assert_same_bits,
    assert_same_weights,
    estimator,
    few_epochs,
    good,
    kinds,
    outputs,
    parameters,
    quiet_lbfgs,
    solvers,
)
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = few_epochs


# Clones


@kinds
def test_a_clone_has_the_parameters_and_nothing_else(kind: str) -> None:
    fitted = estimator(kind, solver=fastmlp.SGD(0.5), dropout=0.1).fit(X, TARGETS[kind])
    cloned = clone(fitted)
    assert repr(cloned) == repr(fitted)
    with pytest.raises(NotFittedError):
        cloned.predict(X)
    assert_same_weights(cloned.fit(X, TARGETS[kind]), fitted)


def test_optimizers_schedules_and_quantiles_survive_clone_and_pickle() -> None:
    estimator = MLPRegressor(
        solver=fastmlp.Adam(weight_decay=0.1), learning_rate=fastmlp.Cosine(), loss="quantile",
        quantiles=(0.1, 0.9), activation=["tanh", "relu"], hidden_layer_sizes=(3, 2), max_iter=2,
        random_state=0,
    )  # fmt: skip
    copies = [clone(estimator), pickle.loads(pickle.dumps(estimator))]
    estimator.fit(X, VALUES)
    for copied in copies:
        assert copied.get_params() == estimator.get_params()
        assert_same_bits(copied.fit(X, VALUES), estimator)
    restored = pickle.loads(pickle.dumps(estimator))
    assert_same_bits(restored.partial_fit(X, VALUES), estimator.partial_fit(X, VALUES))


# Pickles and copies


def by_pickle(fitted: Any, path: Path) -> Any:
    return pickle.loads(pickle.dumps(fitted))


def by_joblib(fitted: Any, path: Path) -> Any:
    joblib.dump(fitted, path / "fitted.joblib")
    return joblib.load(path / "fitted.joblib")


def by_memory_map(fitted: Any, path: Path) -> Any:
    joblib.dump(fitted, path / "fitted.joblib")
    return joblib.load(path / "fitted.joblib", mmap_mode="r")


def by_deepcopy(fitted: Any, path: Path) -> Any:
    return copy.deepcopy(fitted)


def by_copy(fitted: Any, path: Path) -> Any:
    return copy.copy(fitted)


copied = pytest.mark.parametrize("again", [by_pickle, by_joblib, by_memory_map, by_deepcopy, by_copy])

Again = Callable[[Any, Path], Any]


@copied
@kinds
@quiet_lbfgs
@solvers
def test_copies_predict_the_same_bits(solver: str, kind: str, again: Again, tmp_path: Path) -> None:
    fitted = estimator(kind, solver=solver).fit(X, TARGETS[kind])
    copied = again(fitted, tmp_path)
    assert_array_equal(outputs(copied), outputs(fitted))
    assert copied.get_params() == fitted.get_params()
    assert copied.loss_curve_ == fitted.loss_curve_
    assert {n for n in vars(copied) if n.endswith("_")} == {n for n in vars(fitted) if n.endswith("_")}


@copied
@pytest.mark.parametrize(
    "params", [{}, {"solver": "sgd", "learning_rate": "invscaling"}, {"dropout": 0.3}], ids=str
)
def test_a_copy_goes_on_as_its_original(params: dict[str, Any], again: Again, tmp_path: Path) -> None:
    without = estimator(batch_size=20, **params).fit(X, TWO)
    for _ in range(3):
        without.partial_fit(X, TWO)
    fitted = estimator(batch_size=20, **params).fit(X, TWO).partial_fit(X, TWO)
    copied = again(fitted, tmp_path)
    for _ in range(2):
        copied.partial_fit(X, TWO)
    assert_same_weights(copied, without)
    assert copied.loss_curve_ == without.loss_curve_
    assert copied.t_ == without.t_
    # and the original has not moved
    assert len(fitted.loss_curve_) == len(fitted.history_) == len(without.loss_curve_) - 2
    for _ in range(2):
        fitted.partial_fit(X, TWO)
    assert_same_weights(fitted, without)


@copied
@quiet_lbfgs
@solvers
def test_training_a_copy_leaves_its_original_alone(solver: str, again: Again, tmp_path: Path) -> None:
    fitted = estimator(solver=solver, warm_start=True).fit(X, TWO)
    before, curve = parameters(fitted), list(fitted.loss_curve_)
    copied = again(fitted, tmp_path).set_params(max_iter=10)
    copied.fit(X, np.where(TWO == "no", "yes", "no"))
    copied.coefs_[0][:] = 0
    assert fitted.loss_curve_ == curve
    assert_array_equal(parameters(fitted), before)


def test_a_pickle_names_the_public_class() -> None:
    buffer = io.BytesIO()
    pickle.dump(estimator().fit(X, TWO), buffer, protocol=0)
    assert b"fastmlp\nMLPClassifier" in buffer.getvalue()
    assert fastmlp.MLPClassifier.__module__ == "fastmlp"


# Saved files


@kinds
def test_a_saved_estimator_predicts_the_same_as_a_network(kind: str, tmp_path: Path) -> None:
    fitted = estimator(kind).fit(FRAME, TARGETS[kind])
    fitted.save(tmp_path / "model.safetensors")
    network = fastmlp.load(tmp_path / "model.safetensors")
    assert network.feature_names == tuple(NAMES)
    assert_array_equal(network.predict(X), fitted.predict(FRAME))
    if kind in ("binary", "multiclass"):
        assert_array_equal(network.classes, fitted.classes_)
        assert_array_equal(network.predict_proba(X), fitted.predict_proba(FRAME))
    assert_array_equal(network.history["loss"], fitted.loss_curve_)


@pytest.mark.parametrize("kind", LOSSES)
def test_a_saved_network_predicts_the_same(kind: str, tmp_path: Any) -> None:
    make, options, y, _ = LOSSES[kind]
    estimator = make(**SMALL, **options).fit(FRAME, y)
    estimator.save(tmp_path / "model.safetensors")
    network = fastmlp.load(tmp_path / "model.safetensors")
    expected = estimator.predict_quantiles(FRAME) if kind == "quantiles" else estimator.predict(FRAME)
    np.testing.assert_array_equal(network.predict(X), expected)
    assert network.feature_names == tuple("abcd")
    assert list(network.history["loss"]) == estimator.loss_curve_


def test_no_pickle_is_needed_to_read_a_saved_estimator(tmp_path: Path) -> None:
    estimator().fit(X, TWO).save(tmp_path / "model.safetensors")
    code = (
        "import sys, pickle; pickle.loads = pickle.load = pickle.Unpickler = None; import fastmlp;"
        "net = fastmlp.load(sys.argv[1]); print(net.classes, 'sklearn' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.safetensors")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["['no'", "'yes']", "False"]


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Any) -> None:
    path = tmp_path / "model.safetensors"
    good().save(path)
    kept = path.read_bytes()
    with pytest.raises(NotFittedError):
        MLPClassifier().save(path)
    broken = good()
    broken.coefs_[0] = np.full((4, 6), np.nan)
    with pytest.raises(ValueError, match="coefs_"):
        broken.save(path)
    assert path.read_bytes() == kept
    with pytest.raises(ValueError, match="directory"):
        good().save(tmp_path)
    with pytest.raises(TypeError):
        good().save(None)
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
