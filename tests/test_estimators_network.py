"""The network of a fitted estimator: it is on the same memory, complete, and exported as it predicts."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import fastmlp
from estimator_tools import FRAME, TARGETS, X, estimator, few_epochs, kinds
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = few_epochs


@kinds
def test_the_network_is_there_after_fit_alone(kind: str) -> None:
    fresh = estimator(kind)
    fitted = estimator(kind).fit(X, TARGETS[kind])
    for without in (fresh, clone(fitted)):
        assert not hasattr(without, "network_")
        for method in ("save", "to_onnx", "to_c"):
            with pytest.raises(NotFittedError):
                getattr(without, method)("nowhere")
    assert isinstance(fitted.network_, fastmlp.Network)
    assert "network_" not in vars(fitted)


@kinds
def test_the_network_predicts_the_same_and_is_on_the_same_memory(kind: str) -> None:
    fitted = estimator(kind).fit(FRAME, TARGETS[kind])
    net = fitted.network_
    assert net is fitted.network_
    assert_array_equal(net.predict(FRAME), fitted.predict(FRAME))
    assert net.feature_names == tuple(FRAME.columns)
    assert net.history is fitted.history_
    assert net.seed is None
    if hasattr(fitted, "predict_proba"):
        assert_array_equal(net.predict_proba(FRAME), fitted.predict_proba(FRAME))
    assert all(np.shares_memory(W, mine) for W, mine in zip(net.weights, fitted.coefs_, strict=True))
    net.parameters[:] *= 0.5
    assert_array_equal(net.predict(FRAME), fitted.predict(FRAME))
    fitted.coefs_[0] = np.zeros_like(fitted.coefs_[0])  # replaced: the next network takes it over
    assert not fitted.network_.weights[0].any()
    assert_array_equal(fitted.network_.predict(FRAME), fitted.predict(FRAME))


@kinds
def test_the_network_scores_as_the_estimator(kind: str) -> None:
    fitted = estimator(kind).fit(X, TARGETS[kind])
    weights = np.linspace(0, 1, len(X))
    for w in (None, weights):
        assert fitted.network_.score(X, TARGETS[kind], w) == pytest.approx(fitted.score(X, TARGETS[kind], w))


@kinds
def test_copies_and_pickles_have_networks_of_their_own(kind: str) -> None:
    fitted = estimator(kind).fit(X, TARGETS[kind])
    net = fitted.network_
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.copy(fitted), copy.deepcopy(fitted)):
        assert_array_equal(twin.network_.parameters, net.parameters)
        assert not np.shares_memory(twin.network_.parameters, net.parameters)
        assert len(twin.network_.history) == len(net.history)


@kinds
def test_exports_are_those_of_the_network(kind: str, tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    fitted = estimator(kind).fit(X.astype(np.float32), TARGETS[kind])
    fitted.to_onnx(tmp_path / "m.onnx")
    session = ort.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    got = session.run(None, {"X": X.astype(np.float32)})[0]
    expected = fitted.predict(X.astype(np.float32))
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)
    else:
        assert_array_equal(got, expected)
    fitted.to_c(tmp_path / "a.h", name="one")
    fitted.network_.to_c(tmp_path / "b.h", "one")
    assert (tmp_path / "a.h").read_text() == (tmp_path / "b.h").read_text()


def test_a_classifier_that_saw_one_class_has_a_network() -> None:
    fitted = MLPClassifier((3,), max_iter=2).fit(X, np.full(len(X), "only"))
    assert set(fitted.network_.predict(X)) == {"only"}


def test_all_quantiles_are_in_the_network() -> None:
    options: dict[str, Any] = {"loss": "quantile", "quantiles": (0.1, 0.5, 0.9), "max_iter": 2}
    fitted = MLPRegressor(hidden_layer_sizes=(3,), **options).fit(X, X[:, 0])
    assert_array_equal(fitted.network_.predict(X), fitted.predict_quantiles(X))
    assert fitted.network_.score(X, X[:, 0]) == pytest.approx(fitted.score(X, X[:, 0]))
