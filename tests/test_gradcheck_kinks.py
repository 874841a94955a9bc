"""Kinks are reported and do not fail; a wrong gradient beside one does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastmlp import Network, gradcheck
from fastmlp.spec import ACTIVATIONS as SPEC

SCHEMES = ["forward", "backward", "central"]
Layers = list[tuple[Any, Any]]

#: One output (two for hinge) that is 0 for the first row, and what makes the loss have a kink there.
CHAIN: Layers = [([[1.0]], [0.0]), ([[2.0]], [0.25])]
LINEAR: Layers = [([[1.0]], [0.0])]
KINKED: dict[str, tuple[dict[str, Any], Layers, Any, tuple[str, ...]]] = {
    **{
        name: ({"activation": name, "loss": "squared_error"}, CHAIN, [1.0, 3.0], ("b0[0]",))
        for name, activation in SPEC.items()
        if activation.kink and any(activation.kink)
    },
    "output relu": ({"loss": "squared_error", "output_activation": "relu"}, LINEAR, [1.0, 3.0], ("b0[0]",)),
    "output leaky_relu": (
        {"loss": "huber", "output_activation": "leaky_relu"},
        LINEAR,
        [3.0, 3.5],
        ("b0[0]",),
    ),
    "absolute_error": ({"loss": "absolute_error"}, LINEAR, [0.0, 3.0], ("b0[0]",)),
    "quantile": ({"loss": "quantile(0.9)"}, LINEAR, [0.0, 3.0], ("b0[0]",)),
    "hinge": ({"loss": "hinge"}, [([[1.0, 2.0]], [0.0, -1.0])], [0, 0], ("b0[0]", "b0[1]")),
}
DTYPES = ["float32", "float64"]


def kinked(name: str, x: float, dtype: str) -> tuple[Network, np.ndarray, Any, tuple[str, ...]]:
    """A network whose kink is x away in the first row, where only the bias reaches it."""
    options, layers, y, kinks = KINKED[name]
    net = Network((1, *(len(b) for _, b in layers)), init=layers, dtype=dtype, **options)
    net.biases[0][0] += x
    return net, np.array([[0.0], [2.0]]), y, kinks


def wrong_by(monkeypatch: pytest.MonkeyPatch, k: int, amount: float) -> None:
    right = Network.loss_and_gradient

    def wrong(self: Network, *rows: Any) -> tuple[float, np.ndarray]:
        loss, gradient = right(self, *rows)
        gradient[k] += amount
        return loss, gradient

    monkeypatch.setattr(Network, "loss_and_gradient", wrong)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("x", [0.0, 1e-7, -1e-7, 3e-6, -3e-6])
@pytest.mark.parametrize("name", KINKED)
def test_a_kink_within_the_step_is_reported_and_passes(name: str, x: float, dtype: str) -> None:
    net, X, y, kinks = kinked(name, x, dtype)
    check = gradcheck(net, X, y)
    assert check, str(check)
    assert check.kinks == (() if name == "absolute_error" and x == 0 else kinks)  # |t| is even: they agree
    assert (check.errors[check.at_kink] > 1e-3).all()
    assert check.largest_error < check.tolerance
    assert f"kinks: {', '.join(check.kinks) or 'none'}\nPASS" in str(check)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", KINKED)
def test_a_kink_outside_of_the_step_is_none(name: str, dtype: str) -> None:
    for x in (1e-4, -1e-4):
        net, X, y, _ = kinked(name, x, dtype)
        check = gradcheck(net, X, y)
        assert check, str(check)
        assert check.kinks == ()


@pytest.mark.parametrize("name", KINKED)
def test_one_sided_quotients_meet_the_kinks_on_their_side(name: str) -> None:
    net, X, y, _ = kinked(name, 5e-9, "float64")
    found = {scheme: gradcheck(net, X, y, scheme) for scheme in SCHEMES}
    assert all(found.values())
    if name == "hinge":  # the biases move the margin in opposite directions
        assert {scheme: check.kinks for scheme, check in found.items()} == {
            "forward": ("b0[1]",),
            "backward": ("b0[0]",),
            "central": ("b0[0]", "b0[1]"),
        }
    else:
        kinks = {"forward": (), "backward": ("b0[0]",), "central": ("b0[0]",)}
        assert {scheme: check.kinks for scheme, check in found.items()} == kinks


@pytest.mark.parametrize("amount", [0.0137, -0.0137, 0.4321, -0.4321, 1.234])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("x", [0.0, 1e-7, -3e-6])
@pytest.mark.parametrize("name", KINKED)
def test_a_wrong_gradient_at_a_kink_fails(
    name: str, x: float, dtype: str, amount: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    net, X, y, _ = kinked(name, x, dtype)
    index = net.weights[0].size
    wrong_by(monkeypatch, index, amount)
    check = gradcheck(net, X, y)
    assert not check
    assert check.where == "b0[0]"
    assert "b0[0]" not in check.kinks


def test_the_gradient_of_the_other_side_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    net, X, y, _ = kinked("relu", 1e-7, "float64")
    other = kinked("relu", -1e-7, "float64")[0].loss_and_gradient(X, y)[1][1]
    here = net.loss_and_gradient(X, y)[1][1]
    wrong_by(monkeypatch, 1, other - here)
    assert not gradcheck(net, X, y)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_kinks_in_opposite_directions_do_not_hide_each_other(
    activation: str, dtype: str, scheme: str
) -> None:
    """Two units at their kinks, moved apart by one parameter, so that the one-sided quotients are equal."""
    init = [([[1.0]], [0.0]), ([[1.0, -1.0]], [0.0, 0.0]), ([[1.0], [-1.0]], [0.0])]
    net = Network((1, 1, 2, 1), ["tanh", activation], "squared_error", init=init, dtype=dtype)
    check = gradcheck(net, [[0.0]], [1.0], scheme)
    assert check, str(check)
    assert "b0[0]" in check.kinks


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "hinge", "softmax_cross_entropy"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
def test_networks_of_zeros_pass(activation: str, loss: str) -> None:
    X = np.random.default_rng(0).normal(size=(6, 3))
    y = np.arange(6) % 2 if loss in ("hinge", "softmax_cross_entropy") else np.zeros((6, 2))
    check = gradcheck(Network((3, 4, 2), activation, loss, init="zeros"), X, y)
    assert check, str(check)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_units_that_float32_sees_on_the_other_side_are_kinks(activation: str, loss: str) -> None:
    """Biases that cancel what float32 makes of x W: z is 0 there, and above or below it in float64."""
    random = np.random.default_rng(1)
    X = random.normal(size=(1, 20)).astype(np.float32)
    net = Network((20, 30, 1), activation, loss, dtype="float32")
    for _ in range(3):  # the bias may be added first or last
        net.biases[0][:] -= net.trace(X, [5.0]).z[0][0]
    check = gradcheck(net, X, [5.0])
    assert check, str(check)
    assert len(check.kinks) > 30
    assert check.unchecked == ("W1",)  # activations of 1e-8, all of them rounding
    assert "more\nnot checked: too small: W1\nPASS" in str(check)


@pytest.mark.parametrize("output", ["identity", "relu", "tanh"])
@pytest.mark.parametrize(("activation", "loss"), [("elu", "squared_error"), ("identity", "huber")])
def test_jumps_of_the_second_derivative_pass(activation: str, loss: str, output: str) -> None:
    """elu at z = 0 and huber at |a - y| = delta; a relu output whose row has no loss yet."""
    init = [(np.eye(2), [0.0, 0.0]), (np.eye(2), [0.0, 0.0])]
    net = Network((2, 2, 2), activation, loss, output, init=init, dtype="float64")
    check = gradcheck(net, [[0.0, 0.0], [2.0, 1.0]], [[0.0, 0.0], [1.0, 1.0]])
    assert check, str(check)


ACTIVATIONS = ["relu", "leaky_relu", "tanh", "elu", "identity", "softplus"]
LOSSES = ["squared_error", "absolute_error", "huber", "quantile(0.3)", "quantile(0.2, 0.7)", "hinge"]


def on_a_grid(seed: int) -> tuple[Network, np.ndarray, np.ndarray, dict[str, Any]]:
    """Small integers everywhere, so that kinks are met all the time, exactly or nearly."""
    random = np.random.default_rng(seed)

    def pick(choices: list[Any]) -> Any:
        return choices[random.integers(len(choices))]

    sizes = (2, *random.integers(1, 4, size=random.integers(0, 4)), 2)
    loss, rows = LOSSES[seed % len(LOSSES)], int(random.integers(1, 6))
    net = Network(
        sizes,
        [pick(ACTIVATIONS) for _ in sizes[1:-1]],
        loss,
        pick(["identity", "relu", "leaky_relu", "tanh"]),
        l2=pick([0.0, 0.1]),
        dtype=pick(DTYPES),
    )
    net.parameters[:] = random.integers(-1, 2, net.n_parameters)
    net.parameters[:] += pick([0.0, 1e-9, 1e-7]) * random.normal(size=net.n_parameters)
    y = random.integers(-1, 2, rows if "," in loss else (rows, 2)).astype(float)
    y = random.integers(2, size=rows) if loss == "hinge" else y
    options = {"scheme": pick(SCHEMES), "sample_weight": pick([None, random.integers(1, 4, rows)])}
    return net, random.integers(-1, 2, (rows, 2)), y, options


def test_kinks_everywhere_pass_and_wrong_gradients_among_them_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    found = 0
    for seed in range(150):
        net, X, y, options = on_a_grid(seed)
        check = gradcheck(net, X, y, **options)
        assert check, f"{seed}: {check}"
        found += len(check.kinks)
        random = np.random.default_rng(seed)
        among = np.flatnonzero(check.at_kink) if check.kinks else np.arange(net.n_parameters)
        with monkeypatch.context() as patch:
            wrong_by(patch, int(random.choice(among)), float(random.choice([0.0471, -0.0371, 0.9713])))
            assert not gradcheck(net, X, y, **options), seed
    assert found > 100
