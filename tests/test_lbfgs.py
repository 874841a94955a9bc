"""L-BFGS: where it ends, what it says of it, and that targets of any scale are learned alike."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp
from sklearn import datasets

import fastmlp
from fastmlp._model.model import Model
from fastmlp._native import core as _core
from fastmlp._training.lbfgs import Minimization, Minimum

X, Y = datasets.load_diabetes(return_X_y=True)
TARGET = (Y - Y.mean()) / Y.std()
NOT_CONVERGED = "L-BFGS has not converged"


def r2(net: fastmlp.Network, y: np.ndarray, rows: np.ndarray = X) -> float:
    residuals = net.predict(rows).astype(float) - y
    return float(1 - (residuals**2).sum() / ((y - y.mean()) ** 2).sum())


def trained(y: np.ndarray, **options: Any) -> fastmlp.Network:
    return fastmlp.train(X, y, **{"hidden": (), "optimizer": "lbfgs", "epochs": 400, **options})


def quietly_trained_on(rows: np.ndarray, y: np.ndarray, **options: Any) -> fastmlp.Network:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", NOT_CONVERGED, UserWarning)
        return fastmlp.train(rows, y, **{"hidden": (), "optimizer": "lbfgs", "epochs": 400, **options})


def quietly_trained(y: np.ndarray, **options: Any) -> fastmlp.Network:
    return quietly_trained_on(X, y, **options)


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


def test_scipy_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "scipy"]:
        monkeypatch.setitem(sys.modules, name, None)
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


def run_both(
    net: Model, rows: tuple[Any, ...], limits: dict[str, Any], threads: int = 1
) -> tuple[np.ndarray, str, Minimum, Any, list[float]]:
    """Run ours, and SciPy's over the core's loss and gradient; return what both made of it."""
    start, theirs = net.parameters.copy(), []
    batch = net._core.full_batch(*rows, threads)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        net.parameters[:] = parameters
        return batch.loss_and_gradient()

    expected = scipy.optimize.minimize(
        objective, start, method="L-BFGS-B", jac=True, options=limits,
        callback=lambda intermediate_result: theirs.append(intermediate_result.fun),
    )  # fmt: skip
    net.parameters[:] = start
    options = _core.TrainOptions()
    options.threads = threads
    run = Minimization(net, (*rows, None), None, limits)
    records, reason, exception, minimum = run.ended(
        *run.core.minimize(*run.rows, options, run.limits, run.on_epoch)
    )
    assert exception is None
    assert minimum is not None
    return records, reason, minimum, expected, theirs


def problem(kind: str) -> tuple[Model, tuple[Any, ...]]:
    rows = X / X.std(axis=0)
    if kind == "classes":
        net = fastmlp.Network((10, 8, 3), activation="tanh", dtype="float64", l2=1e-3, seed=1)
        labels = np.digitize(Y, np.quantile(Y, [1 / 3, 2 / 3])).astype(np.int32)
        return net, (rows, labels, None, np.linspace(0.1, 2, len(rows)))
    hidden = () if kind == "linear" else (30,)
    net = fastmlp.Network((10, *hidden, 1), loss="squared_error", dtype="float64", l2=1e-4, seed=1)
    if kind == "sparse":
        csr = sp.csr_array(rows)
        rows = (csr.data, csr.indices.astype(np.int32), csr.indptr.astype(np.int64))
    return net, (rows, None, TARGET[:, np.newaxis].copy(), None)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize(
    ("kind", "together"), [("linear", 20), ("classes", 30), ("relu", 30), ("sparse", 30)]
)
def test_iterates_are_those_of_scipy(kind: str, together: int) -> None:
    """As far as rounding lets two computations of a chaotic path stay together."""
    records, _, minimum, expected, losses = run_both(*problem(kind), {"maxiter": together, "maxfun": 1000})
    np.testing.assert_allclose(records[:, 1], losses, rtol=1e-8)
    assert (len(records), minimum.nfev) == (expected.nit, expected.nfev)
    assert minimum.gradient == pytest.approx(np.abs(expected.jac).max(), rel=1e-4)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"gtol": 1e-4, "ftol": 0}, "converged"),
        ({"ftol": 1e-3}, "converged"),
        ({"maxiter": 4}, "epochs"),
        ({"maxfun": 4}, "epochs"),
        ({"maxiter": 4, "gtol": 1e9}, "converged"),
        ({"maxiter": 7, "maxcor": 2}, "epochs"),
    ],
    ids=str,
)
def test_a_run_ends_where_scipy_ends_it(limits: dict[str, Any], reason: str) -> None:
    limits = {"maxiter": 1000, "maxfun": 1000, **limits}
    records, why, minimum, expected, _ = run_both(*problem("linear"), limits)
    assert (minimum.message, minimum.status) == (expected.message, expected.status)
    assert (len(records), minimum.nfev) == (expected.nit, expected.nfev)
    assert minimum.fun == pytest.approx(expected.fun, rel=1e-6)
    assert why == reason


def test_a_search_without_a_lower_loss_ends_as_in_scipy() -> None:
    net, (rows, _, values, _) = problem("linear")
    limits = {"maxiter": 1000, "maxfun": 1000}
    _, why, minimum, expected, _ = run_both(net, (rows, None, values * 1e30, None), limits)
    assert (minimum.message, minimum.status, why) == (expected.message, expected.status, "stalled")
    assert minimum.message == "ABNORMAL: "


@pytest.mark.parametrize("scale", [1e200, 1e155])
def test_a_loss_that_is_not_finite_is_a_divergence(scale: float) -> None:
    start = fastmlp.Network((10, 1), loss="squared_error", dtype="float64", seed=1)
    with pytest.warns(RuntimeWarning, match="diverged in epoch 1: .* the initial weights were restored"):
        net = trained(TARGET * scale, dtype="float64", init=start)
    assert net.stop_reason == "diverged"
    np.testing.assert_array_equal(net.parameters, start.parameters)


def test_a_step_to_where_the_loss_overflows_is_shortened() -> None:
    """SciPy's line search ends there, and calls it a minimum."""
    rows = np.linspace(-1000, 1000, 40)[:, np.newaxis]
    counts = np.exp(rows[:, 0] / 1000)
    start = fastmlp.Network((1, 1), loss="poisson", dtype="float64")
    start.parameters[:] = 0
    net = quietly_trained_on(rows, counts, init=start, loss="poisson", dtype="float64")
    np.testing.assert_allclose(net.predict(rows), counts, rtol=1e-3)


def test_callers_that_end_a_run_are_not_warned() -> None:
    assert trained(TARGET, callbacks=lambda net: True).stop_reason == "callback"
    assert trained(TARGET, loss_target=1e9).stop_reason == "loss_target"


@pytest.mark.parametrize(("largest", "epochs", "kept"), [(0.3, 0, "initial"), (1.0, 1, "best")])
def test_weights_too_large_for_float32_are_a_divergence(
    largest: float, epochs: int, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last weights that fit are kept; here less counts as too large than is."""
    rows = X / X.std(axis=0)
    start = fastmlp.Network((10, 1), loss="squared_error", seed=1)
    start.parameters[:] = 0
    monkeypatch.setattr("fastmlp._training.lbfgs._FLOAT32_ENDS", largest)
    with pytest.warns(RuntimeWarning, match=f"diverged in epoch .* the {kept} weights"):
        net = fastmlp.train(rows, TARGET + 3, hidden=(), optimizer="lbfgs", init=start)
    assert net.stop_reason == "diverged"
    assert np.abs(net.parameters).max() < largest
    assert net.parameters.any() == (len(net.history) > 0)
    assert (len(net.history) > 0) == (epochs > 0)


def test_a_warning_as_an_error_holds_the_network() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=NOT_CONVERGED) as caught:
            trained(TARGET, epochs=3)
    assert len(caught.value.network.history) == 3  # type: ignore[attr-defined]
