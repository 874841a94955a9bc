"""L-BFGS: where it ends, what it says of it, and that targets of any scale are learned alike."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from sklearn import datasets

import fastmlp

X, Y = datasets.load_diabetes(return_X_y=True)
TARGET = (Y - Y.mean()) / Y.std()
NOT_CONVERGED = "L-BFGS has not converged"


def r2(net: fastmlp.Network, y: np.ndarray, rows: np.ndarray = X) -> float:
    residuals = net.predict(rows).astype(float) - y
    return float(1 - (residuals**2).sum() / ((y - y.mean()) ** 2).sum())


def trained(y: np.ndarray, **options: Any) -> fastmlp.Network:
    return fastmlp.train(X, y, **{"hidden": (), "optimizer": "lbfgs", "epochs": 400, **options})


def quietly_trained(y: np.ndarray, **options: Any) -> fastmlp.Network:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", NOT_CONVERGED, UserWarning)
        return trained(y, **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1.0, 1e4, 1e8])
def test_targets_of_any_scale_are_learned_alike(scale: float, dtype: str) -> None:
    """Of a convex problem, the minimum; R2 was 0.36, -4 and -6e6 by scale and type, called converged."""
    net = quietly_trained(TARGET * scale, dtype=dtype)
    assert r2(net, TARGET * scale) == pytest.approx(0.51775, abs=1e-4)


@pytest.mark.parametrize(("scale", "least"), [(1e-8, 0.3), (1e-4, 0.5), (1.0, 0.6), (1e8, 0.6)])
def test_a_hidden_layer_learns_targets_of_any_scale_or_says_that_it_did_not(
    scale: float, least: float
) -> None:
    rows, y = X / X.std(axis=0), TARGET * scale
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net = fastmlp.train(rows, y, hidden=(10,), optimizer="lbfgs", epochs=200)
    assert any(NOT_CONVERGED in str(warning.message) for warning in caught) == (
        net.stop_reason != "converged"
    )
    assert r2(net, y, rows) > least


def test_a_float32_network_is_the_float64_one_rounded() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 3)).astype(np.float32)
    y = (rows @ np.array([1.0, -2, 0.5], np.float32)).astype(np.float32)
    start = fastmlp.Network((3, 4, 1), activation="tanh", loss="squared_error", dtype="float32")
    layers = [(W.astype(float), b.astype(float)) for W, b in zip(start.weights, start.biases, strict=True)]
    options: dict[str, Any] = {
        "hidden": (4,), "activation": "tanh", "optimizer": "lbfgs", "epochs": 20, "init": layers,
    }  # fmt: skip
    nets = []
    for dtype in ("float32", "float64"):
        with pytest.warns(UserWarning, match=NOT_CONVERGED):
            nets.append(fastmlp.train(rows, y, dtype=dtype, **options))
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters.astype(np.float32))
    np.testing.assert_array_equal(nets[0].history["loss"], nets[1].history["loss"])
    with pytest.warns(UserWarning, match=NOT_CONVERGED):
        sparse = fastmlp.train(sp.csr_array(rows), y, **options)
    np.testing.assert_allclose(sparse.parameters, nets[0].parameters, rtol=1e-4, atol=1e-6)


def test_a_minimum_is_called_converged_without_a_warning() -> None:
    assert trained(TARGET).stop_reason == "converged"


def test_the_limit_of_epochs_is_no_minimum() -> None:
    message = (
        r"L-BFGS has not converged: its limit of epochs was reached, but a component of the gradient is "
        r"[0-9.e-]+, which should be at most 1e-05; allow more epochs, or scale X and y"
    )
    with pytest.warns(UserWarning, match=message):
        net = trained(TARGET, epochs=3)
    assert net.stop_reason == "epochs"


def test_a_search_without_a_lower_loss_is_no_minimum() -> None:
    """Of targets so large that SciPy's line search finds no step at once."""
    with pytest.warns(UserWarning, match="no step lowers the loss any more, but a component of the gradient"):
        net = trained(TARGET * 1e30, dtype="float64")
    assert net.stop_reason == "stalled"


@pytest.mark.parametrize(
    ("status", "success", "message", "reason"),
    [
        (0, True, "CONVERGENCE: NORM OF PROJECTED GRADIENT <= PGTOL", "converged"),
        (0, True, "CONVERGENCE: RELATIVE REDUCTION OF F <= FACTR*EPSMCH", "converged"),
        (1, False, "STOP: TOTAL NO. OF ITERATIONS REACHED LIMIT", "epochs"),
        (1, False, "STOP: TOTAL NO. OF F,G EVALUATIONS EXCEEDS LIMIT", "epochs"),
        (2, False, "ABNORMAL: ", "stalled"),
        (0, True, "ABNORMAL_TERMINATION_IN_LNSRCH", "stalled"),
    ],
)
def test_the_reason_is_that_of_scipy(
    status: int, success: bool, message: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def minimize(objective: Any, start: np.ndarray, **_: Any) -> Any:
        loss, gradient = objective(start)
        return SimpleNamespace(
            x=start, fun=loss, jac=gradient, status=status, success=success, message=message
        )

    monkeypatch.setattr(scipy.optimize, "minimize", minimize)
    assert quietly_trained(TARGET).stop_reason == reason


def test_callers_that_end_a_run_are_not_warned() -> None:
    assert trained(TARGET, callbacks=lambda net: True).stop_reason == "callback"
    assert trained(TARGET, loss_target=1e9).stop_reason == "loss_target"


def test_weights_too_large_for_float32_are_a_divergence(monkeypatch: pytest.MonkeyPatch) -> None:
    def minimize(objective: Any, start: np.ndarray, **_: Any) -> Any:
        loss, gradient = objective(start)
        return SimpleNamespace(x=start + 1e39, fun=loss, jac=gradient, status=0, success=True, message="")

    monkeypatch.setattr(scipy.optimize, "minimize", minimize)
    with pytest.warns(RuntimeWarning, match="diverged in epoch 1: .* the initial weights were restored"):
        net = trained(TARGET)
    assert net.stop_reason == "diverged"
    assert np.isfinite(net.parameters).all()


def test_a_warning_as_an_error_holds_the_network() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=NOT_CONVERGED) as caught:
            trained(TARGET, epochs=3)
    assert len(caught.value.network.history) == 3  # type: ignore[attr-defined]
