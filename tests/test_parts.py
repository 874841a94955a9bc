"""Periodic columns, input scales and parametric activations: what is learned besides W and b."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

import fastmlp
import reference
import reference_parts
from test_embeddings import by_hand

Array = NDArray[Any]

PERIODIC = ((3, 5, 4), (0, 17, 2))  # column, frequencies, width: not in the order of the columns
PARTS: dict[str, dict[str, Any]] = {
    "periodic": {"periodic": PERIODIC},
    "scale": {"input_scale": True},
    "parametric": {"parametric": True},
    "all": {
        "periodic": PERIODIC, "embeddings": ((4, 3, 2), (1, 7, 4)), "input_scale": True, "parametric": True,
    },
}  # fmt: skip
each_part = pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
EVERYTHING = PARTS["all"]


def rows(n: int = 60, dtype: str = "float64") -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 6))
    X[:, 1], X[:, 4] = rng.integers(0, 7, n), rng.integers(0, 3, n)
    return X.astype(dtype), rng.integers(0, 3, n)


def network(parts: dict[str, Any], dtype: str = "float64", **options: Any) -> fastmlp.Network:
    """Return a network whose scales and alphas are not 1."""
    net = fastmlp.Network((6, 9, 5, 3), ("tanh", "mish"), dtype=dtype, **parts, **options)
    net.parameters[:] += np.random.default_rng(7).normal(scale=0.1, size=net.n_parameters)
    return net


def test_the_flat_buffer_and_its_views() -> None:
    net = fastmlp.Network((6, 9, 5, 3), seed=3, **EVERYTHING)
    assert net.weights[0].shape == (2 + 4 + 2 + 2 + 4, 9)
    arrays = [array for pair in zip(net.weights, net.biases, strict=True) for array in pair]
    arrays += [
        *net.tables,
        *(a for column in net.periodic_parameters for a in column),
        net.scale,
        *net.alphas,
    ]
    np.testing.assert_array_equal(net.parameters, np.concatenate([a.ravel() for a in arrays]))
    assert [a.shape for a in net.periodic_parameters[0]] == [(5,), (5,), (5, 3), (3,)]
    assert (net.periodic, net.input_scale, net.parametric) == (PERIODIC, True, True)
    assert net.scale is not None
    assert all((array == 1).all() for array in (net.scale, *net.alphas))
    net.alphas[1] = 0.5
    assert net.parameters[-5:].tolist() == [0.5] * 5
    plain = fastmlp.Network((6, 9, 3))
    assert (plain.periodic_parameters, plain.scale, plain.alphas) == ((), None, ())


def test_the_initial_values_of_waves() -> None:
    net = fastmlp.Network((2, 1), loss="squared_error", periodic=((0, 4096, 3),), dtype="float64", seed=1)
    w, b, V, c = net.periodic_parameters[0]
    assert w.std() == pytest.approx(0.1, rel=0.05)
    assert abs(w.mean()) < 0.01
    assert np.abs(b).max() <= np.pi
    assert b.std() == pytest.approx(np.pi / np.sqrt(3), rel=0.05)
    bound = 1 / np.sqrt(4096)
    assert max(np.abs(V).max(), np.abs(c).max()) <= bound
    assert V.std() == pytest.approx(bound / np.sqrt(3), rel=0.05)
    other = fastmlp.Network((2, 1), loss="squared_error", periodic=((0, 4096, 3),), dtype="float64", seed=2)
    assert not np.array_equal(other.periodic_parameters[0][0], w)


def test_new_networks_with_scales_and_alphas_compute_what_others_do(isa: str) -> None:
    X, _ = rows()
    plain = fastmlp.Network((6, 9, 3), "tanh", dtype="float64")
    learned = fastmlp.Network((6, 9, 3), "tanh", dtype="float64", input_scale=True, parametric=True)
    np.testing.assert_allclose(learned.forward(X), plain.forward(X), rtol=1e-14)


@each_part
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_outputs_are_the_references(isa: str, parts: dict[str, Any], dtype: str) -> None:
    net, (X, _) = network(parts, dtype), rows(200, dtype)
    expected = reference_parts.forward(net, X)[1][-1]
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(net.forward(X), expected, rtol=200 * eps, atol=200 * eps)
    np.testing.assert_array_equal(net.predictor()(X[7]), net.forward(X)[7])
    np.testing.assert_array_equal(net.forward(X[10:50]), net.forward(X)[10:50])
    both = fastmlp.Ensemble([net, net])
    np.testing.assert_array_equal(both.forward(X), net.forward(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_waves_are_right_to_the_last_bits_also_of_large_numbers(isa: str, dtype: str) -> None:
    net = fastmlp.Network(
        (1, 1), loss="squared_error", dtype=dtype, periodic=((0, 1, 2),), init=[([[0.0], [1.0]], [0.0])]
    )
    w, b, V, c = net.periodic_parameters[0]
    V[:], c[:] = 1, 0
    rng = np.random.default_rng(2)
    for shift in (0.0, 3.0, -500.0):
        w[0], b[0] = 1, shift
        x = np.concatenate([rng.uniform(-2, 2, 500), 10.0 ** rng.uniform(-9, 9, 500)]).astype(dtype)
        turns = x.astype(np.longdouble) - np.round(x.astype(np.longdouble))  # w is 1: whole turns are exact
        expected = np.cos(2 * np.longdouble(np.pi) * turns + np.longdouble(shift))
        tolerance = 4 * np.finfo(dtype).eps * max(1, abs(shift))
        assert np.abs(net.forward(x[:, None])[:, 0] - expected).max() < tolerance


@each_part
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_the_gradient_is_the_references(isa: str, parts: dict[str, Any], loss: str, l2: float) -> None:
    net, (X, y) = network(parts, loss=loss, l2=l2), rows()
    Y = np.eye(3)[y]
    value, gradient = net.loss_and_gradient(X, y if loss == "softmax_cross_entropy" else Y)
    expected_value, expected = reference_parts.gradient(net, X, Y)
    assert value == pytest.approx(expected_value, rel=1e-13)
    np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-13)


@each_part
def test_the_gradient_is_the_numeric_one(isa: str, parts: dict[str, Any]) -> None:
    net, (X, y) = network(parts), rows()
    gradient = net.loss_and_gradient(X, y)[1]
    h = 1e-6
    for i in range(net.n_parameters):
        before = net.parameters[i]
        losses = []
        for step in (h, -h):
            net.parameters[i] = before + step
            losses.append(net.loss_and_gradient(X, y)[0])
        net.parameters[i] = before
        assert gradient[i] == pytest.approx((losses[0] - losses[1]) / (2 * h), abs=5e-9)


@pytest.mark.parametrize("activation", sorted(reference.ACTIVATIONS))
def test_every_activation_can_be_parametric(isa: str, activation: str) -> None:
    X, y = rows()
    net = fastmlp.Network((6, 9, 5, 3), activation, dtype="float64", parametric=True, seed=4)
    for alpha in net.alphas:
        alpha[:] = np.random.default_rng(1).uniform(-1, 2, len(alpha))
    _, gradient = net.loss_and_gradient(X, y)
    np.testing.assert_allclose(
        gradient, reference_parts.gradient(net, X, np.eye(3)[y])[1], rtol=1e-9, atol=1e-13
    )


@each_part
def test_the_trace_shows_gradients_of_all_parts(parts: dict[str, Any]) -> None:
    net, (X, y) = network(parts, l2=0.1), rows()
    trace = net.trace(X, y)
    z, a = reference_parts.forward(net, X)
    for layer in range(3):
        np.testing.assert_allclose(trace.z[layer], z[layer], atol=1e-14)
        np.testing.assert_allclose(trace.a[layer], a[layer], atol=1e-14)
    shown = [array for pair in zip(trace.dW, trace.db, strict=True) for array in pair]
    shown += [*trace.dE, *(array for column in trace.dP for array in column)]
    shown += ([] if trace.ds is None else [trace.ds]) + trace.dalpha
    gradient = net.loss_and_gradient(X, y)[1]
    np.testing.assert_array_equal(np.concatenate([part.ravel() for part in shown]), gradient)


def test_the_text_of_a_trace_has_the_formulas_of_all_parts(capsys: pytest.CaptureFixture[str]) -> None:
    net, (X, y) = network(EVERYTHING), rows()
    net.trace(X[:1], y[:1]).show()
    text = capsys.readouterr().out
    for formula in (
        "a0 = s * (x, with cos(2 pi x w + b) V + c of P and rows of E for codes)",
        "a1 = z0 + alpha0 (tanh(z0) - z0)",
        "dalpha0 = (delta1 W1^T) * (tanh(z0) - z0)",
        "delta0 = (delta1 W1^T) * (1 + alpha0 (tanh'(z0) - 1))",
        "ds = (delta0 W0^T) * a0 / s",
        "dE0: its part of (delta0 W0^T) * s at the row's code",
        "P1.V <- P1.V - 0.1 dP1.V",
        "s <- s - 0.1 ds",
        "alpha1 <- alpha1 - 0.1 dalpha1",
    ):
        assert formula in text
    net.trace(X, y).show(3)
    assert "dalpha1 = sum over all rows" in capsys.readouterr().out


@each_part
def test_gradcheck_and_diagnose_take_them(parts: dict[str, Any]) -> None:
    net, (X, y) = network(parts), rows()
    assert fastmlp.gradcheck(net, X, y).passed
    assert len(net.diagnose(X, y)) == len(net.diagnose(X)) == 3


@each_part
@pytest.mark.parametrize("optimizer", [fastmlp.Adam(), fastmlp.SGD(momentum=0.9)])
@pytest.mark.parametrize("options", [{}, {"clip_norm": 1e9}], ids=["in place", "whole gradient"])
def test_training_follows_the_optimizers_formula(
    isa: str, parts: dict[str, Any], optimizer: Any, options: dict[str, Any]
) -> None:
    X, y = rows()
    common = {"activation": "tanh", "l2": 0.01, "dtype": "float64", "seed": 3} | parts
    expected = fastmlp.Network((6, 9, 5, 3), **common)
    by_hand(expected, X, y, optimizer, 0.01, 4, 16)
    net = fastmlp.train(
        X, y, hidden=(9, 5), optimizer=optimizer, learning_rate=0.01, epochs=4, batch_size=16, shuffle=False,
        **common, **options,
    )  # fmt: skip
    np.testing.assert_allclose(net.parameters, expected.parameters, rtol=1e-8, atol=1e-11)


def test_decoupled_decay_takes_weights_and_tables_alone(isa: str) -> None:
    X, y = rows()
    nets = [
        fastmlp.train(
            X, y, hidden=(9, 5), optimizer=fastmlp.Adam(weight_decay=decay), learning_rate=0.01, epochs=1,
            batch_size=None, dtype="float64", **EVERYTHING,
        )
        for decay in (0.0, 0.5)
    ]  # fmt: skip
    without, decayed = (net.loss_and_gradient(X, y) and net for net in nets)
    begun = fastmlp.Network((6, 9, 5, 3), dtype="float64", **EVERYTHING)
    for name in ("weights", "tables"):
        for a, b, first in zip(*(getattr(net, name) for net in (without, decayed, begun)), strict=True):
            np.testing.assert_allclose(a - b, 0.01 * 0.5 * first, rtol=1e-9, atol=1e-15)
    start = sum(part.size for part in (*begun.weights, *begun.biases, *begun.tables))
    np.testing.assert_array_equal(without.parameters[start:], decayed.parameters[start:])


def test_dropout_leaves_alphas_their_share(isa: str) -> None:
    """A step of plain descent changes alpha by the mean over rows that were not dropped, and nothing else.

    A layer of one input with equal weights and f(z) - z = -z for z < 0 makes the gradient known.
    """
    n, rate = 512, 0.5
    X, y = np.ones((n, 1)), np.zeros(n)
    init = [([[-1.0]], [0.0]), ([[1.0]], [0.0])]
    net = fastmlp.train(
        X, y, hidden=(1,), activation="relu", parametric=True, dropout=rate, loss="squared_error", init=init,
        optimizer="sgd", learning_rate=1.0, epochs=1, batch_size=None, dtype="float64",
    )  # fmt: skip
    # z = -1, relu(z) - z = 1, a = 0 whether it is dropped or not: so is the loss, and no gradient is left ..
    assert net.alphas[0][0] == 1
    net = fastmlp.train(
        X, y + 1, hidden=(1,), activation="relu", parametric=True, dropout=rate, loss="squared_error",
        init=init, optimizer="sgd", learning_rate=1.0, epochs=1, batch_size=None, dtype="float64",
    )  # fmt: skip
    # .. else dLoss/da = -1 and each kept row adds -1 / (1 - rate) to n dLoss/dalpha.
    kept = (net.alphas[0][0] - 1) * (1 - rate) * n
    assert kept == pytest.approx(round(kept))
    assert abs(kept - n / 2) < 60


@pytest.mark.parametrize("size", [7, 256, 3000])
@each_part
def test_the_bits_do_not_depend_on_the_threads(exact_threads: None, size: int, parts: dict[str, Any]) -> None:
    X, y = rows(min(60 * size, 3000), "float32")
    nets = [
        fastmlp.train(
            X, y, hidden=(64, 5), activation="mish", epochs=2, batch_size=size, validation=0.2, dropout=0.1,
            threads=threads, **parts,
        )
        for threads in (1, 2, 3)
    ]  # fmt: skip
    for net in nets[1:]:
        np.testing.assert_array_equal(net.parameters, nets[0].parameters)
        assert net.history["validation_loss"].tolist() == nets[0].history["validation_loss"].tolist()


@each_part
def test_runs_together_are_those_alone(isa: str, parts: dict[str, Any]) -> None:
    X, y = rows(300)
    options: dict[str, Any] = {"hidden": (9, 5), "epochs": 3, "batch_size": 32}
    runs = fastmlp.train_many(X, y, [parts, {}, parts | {"seed": 3}], **options)
    for net, spec in zip(runs, [parts, {}, parts | {"seed": 3}], strict=True):
        np.testing.assert_array_equal(net.parameters, fastmlp.train(X, y, **options, **spec).parameters)


@each_part
@pytest.mark.filterwarnings("ignore:L-BFGS has not converged:UserWarning")
def test_lbfgs_learns_them(isa: str, parts: dict[str, Any]) -> None:
    X, y = rows()
    net = fastmlp.train(
        X,
        y,
        hidden=(9, 5),
        activation="tanh",
        optimizer="lbfgs",
        epochs=200,
        l2=0.01,
        dtype="float64",
        **parts,
    )
    first, last = net.history["loss"][0], net.history["loss"][-1]
    assert last < first
    assert last == pytest.approx(net.loss_and_gradient(X, y)[0], rel=1e-12)


@each_part
def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path, parts: dict[str, Any]) -> None:
    X, y = rows()
    options: dict[str, Any] = {"hidden": (9, 5), "batch_size": 16, "dropout": 0.1} | parts
    whole = fastmlp.train(X, y, epochs=6, **options)
    fastmlp.train(X, y, epochs=3, checkpoint=tmp_path, **options)
    resumed = fastmlp.train(X, y, epochs=6, resume=tmp_path, **options)
    np.testing.assert_array_equal(resumed.parameters, whole.parameters)


@each_part
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_saved_network_predicts_the_same(tmp_path: Path, parts: dict[str, Any], dtype: str) -> None:
    net, (X, _) = network(parts, dtype, seed=4), rows(50, dtype)
    net.save(tmp_path / "m.safetensors")
    for other in (fastmlp.load(tmp_path / "m.safetensors"), pickle.loads(pickle.dumps(net))):
        for name in ("embeddings", "periodic", "input_scale", "parametric"):
            assert getattr(other, name) == getattr(net, name)
        np.testing.assert_array_equal(other.parameters, net.parameters)
        np.testing.assert_array_equal(other.forward(X), net.forward(X))
    fastmlp.Ensemble([net, net]).save(tmp_path / "e.safetensors")
    np.testing.assert_array_equal(fastmlp.load(tmp_path / "e.safetensors").forward(X), net.forward(X))


def test_training_goes_on_from_a_network_whose_columns_have_another_order() -> None:
    pd = pytest.importorskip("pandas")
    X, y = rows(100)
    names = list("abcdef")
    table = pd.DataFrame(X, columns=names)
    options: dict[str, Any] = {"hidden": (9,), "encode": False, "epochs": 1, "dtype": "float64"}
    first = fastmlp.train(table, y, **options, **EVERYTHING)
    order = [5, 4, 3, 2, 1, 0]
    place = {old: new for new, old in enumerate(order)}
    moved = {
        name: tuple((place[column], *rest) for column, *rest in reversed(EVERYTHING[name]))
        for name in ("periodic", "embeddings")
    }
    parts = EVERYTHING | moved
    still = {"optimizer": "sgd", "learning_rate": 1e-300} | options
    second = fastmlp.train(table[[names[i] for i in order]], y, init=first, **still, **parts)
    np.testing.assert_allclose(second.forward(X[:, order]), first.forward(X), rtol=1e-13)
    with pytest.raises(ValueError, match="init has parametric True, but False are needed"):
        fastmlp.train(table, y, init=first, **options, **EVERYTHING | {"parametric": False})
    with pytest.raises(ValueError, match="init has periodic"):
        fastmlp.train(table, y, init=first, **options, **EVERYTHING | {"periodic": PERIODIC[:1]})


def test_a_wave_is_learned_that_a_small_network_does_not_follow() -> None:
    x = np.random.default_rng(0).uniform(-3, 3, (2000, 1))
    y = np.sin(6 * x[:, 0])
    options: dict[str, Any] = {"hidden": (16,), "epochs": 60, "learning_rate": 0.01, "task": "regression"}
    plain = fastmlp.train(x, y, **options)
    waves = fastmlp.train(x, y, **options, periodic=((0, 16, 4),))
    assert waves.score(x, y) > 0.95 > 0.5 > plain.score(x, y)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"periodic": "abc"}, TypeError, r"periodic must be a sequence of \(column, frequencies, width\)"),
        ({"periodic": [(0, 3)]}, TypeError, r"periodic\[0\] must be \(column, frequencies, width\)"),
        ({"periodic": [(6, 3, 2)]}, ValueError, r"periodic\[0\] column must be at least 0 and at most 5"),
        ({"periodic": [(0, 0, 2)]}, ValueError, r"periodic\[0\] frequencies must be at least 1"),
        ({"periodic": [(0, 3, 1)]}, ValueError, r"periodic\[0\] width must be at least 2"),
        ({"periodic": [(0, 3, 129)]}, ValueError, r"periodic\[0\] width must be .*at most 128"),
        ({"periodic": [(0, 3, 2), (0, 2, 2)]}, ValueError, r"periodic\[1\]: column 0 is periodic already"),
        (
            {"periodic": [(0, 3, 2)], "embeddings": [(0, 3, 2)]},
            ValueError, r"periodic\[0\]: column 0 has an embedding",
        ),
        ({"input_scale": 1}, TypeError, "input_scale must be True or False, got 1"),
        ({"parametric": "yes"}, TypeError, "parametric must be True or False, got 'yes'"),
    ],
)  # fmt: skip
def test_wrong_parts_are_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fastmlp.Network((6, 3), **options)
    with pytest.raises(error, match=message):
        fastmlp.train(*rows(), epochs=1, **options)


def test_sparse_rows_are_refused_where_inputs_are_made_and_else_taken(isa: str) -> None:
    X, y = rows()
    rare = sparse.csr_array(np.where(np.abs(X) > 1, X, 0))
    with pytest.raises(TypeError, match="X must be dense for a network with periodic columns"):
        fastmlp.train(rare, y, periodic=PERIODIC)
    with pytest.raises(TypeError, match="X must be dense for a network with input_scale"):
        fastmlp.Network((6, 3), input_scale=True).forward(rare)
    options: dict[str, Any] = {"hidden": (9,), "activation": "mish", "parametric": True, "dtype": "float64"}
    net = fastmlp.train(rare, y, epochs=2, **options)
    dense = fastmlp.train(rare.toarray(), y, epochs=2, **options)
    np.testing.assert_allclose(net.parameters, dense.parameters, rtol=1e-10, atol=1e-13)
    assert np.ptp(net.alphas[0]) > 0
