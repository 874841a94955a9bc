"""The same bits at any number of threads, in any company of rows, and for a repeated seed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fastmlp
from problems import Case, make_problem, train

pytestmark = pytest.mark.usefixtures("exact_threads")

DTYPES = ("float32", "float64")
OPTIMIZERS = [
    ("sgd", {}),
    ("sgd", {"momentum": 0.9, "nesterov": True}),
    ("sgd", {"normalized": True}),
    ("rmsprop", {}),
    ("adagrad", {}),
    ("adam", {}),
    ("adam", {"weight_decay": 0.01}),
]


def bits(net: fastmlp.Network, validated: bool = False) -> list[bytes]:
    """The parameters and the history, but for the time it took."""
    columns = ("loss", "learning_rate", *(["validation_loss"] if validated else []))
    return [net.parameters.tobytes(), *(np.asarray(net.history[name]).tobytes() for name in columns)]


def check_threads(case: Case, thread_counts: tuple[int, ...] = (2, 3, 8), **more: Any) -> None:
    problem, validated = make_problem(case), case.validation_rows > 0
    one = bits(train(case, problem, threads=1, **more), validated)
    assert np.isfinite(np.frombuffer(one[0], case.dtype)).all()
    for threads in thread_counts:
        many = bits(train(case, problem, threads=threads, **more), validated)
        assert many == one, f"{threads} threads differ from 1"


# --------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("sizes", "rows", "batch_size"),
    [
        ((4, 6, 3), 75, None),
        ((4, 32, 16, 4), 10_000, None),
        ((4, 32, 16, 4), 3_000, 1_000),
        ((10, 1), 500, 33),
        ((1, 1, 1), 100, 7),
        ((64, 100, 10), 600, 200),
        ((30, 300, 301, 2), 300, 128),
        ((5, 777, 3), 64, 64),
        ((600, 3, 600), 50, 17),
        ((17, 31, 33, 65, 7), 257, 63),
        ((8, 16, 4), 5, 1),
    ],
    ids=str,
)
def test_training_gives_the_same_bits_on_any_number_of_threads(
    sizes: tuple[int, ...], rows: int, batch_size: int | None, dtype: str
) -> None:
    check_threads(
        Case(
            sizes=sizes,
            activation="relu",
            rows=rows,
            batch_size=batch_size,
            epochs=2,
            optimizer="adam",
            learning_rate=0.01,
            dtype=dtype,
        )
    )


@pytest.mark.parametrize("clip_norm", [None, 0.1])
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=str)
def test_each_optimizer_gives_the_same_bits_on_any_number_of_threads(
    name: str, options: dict[str, float], clip_norm: float | None
) -> None:
    check_threads(
        Case(
            sizes=(11, 70, 33, 3),
            loss="softmax_cross_entropy",
            rows=200,
            batch_size=60,
            epochs=2,
            optimizer=name,
            optimizer_options=tuple(options.items()),
            learning_rate=0.01,
            clip_norm=clip_norm,
            l2=0.01,
            dtype="float32",
        )
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "loss", ["softmax_cross_entropy", "binary_cross_entropy", "huber", "poisson", "hinge"]
)
def test_everything_else_gives_the_same_bits_on_any_number_of_threads(loss: str, dtype: str) -> None:
    check_threads(
        Case(
            sizes=(11, 40, 25, 3),
            activation=("gelu", "tanh"),
            loss=loss,
            rows=300,
            validation_rows=100,
            batch_size=128,
            epochs=3,
            dropout=0.3,
            clip_norm=0.5,
            weighted=True,
            schedule="OneCycle",
            learning_rate=0.01,
            dtype=dtype,
        )
    )


@pytest.mark.filterwarnings("ignore:L-BFGS has not converged:UserWarning")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [(5, 30, 2), (40, 150, 3)])
def test_lbfgs_gives_the_same_bits_on_any_number_of_threads(sizes: tuple[int, ...], dtype: str) -> None:
    check_threads(Case(sizes=sizes, rows=200, epochs=15, dtype=dtype), optimizer="lbfgs", learning_rate=None)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_repeated_seed_gives_the_same_bits_and_another_does_not(threads: int) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(90, 5)), rng.integers(3, size=90)

    def run(seed: int, **options: Any) -> list[bytes]:
        return bits(
            fastmlp.train(X, y, hidden=(20,), epochs=3, batch_size=16, seed=seed, threads=threads, **options)
        )

    assert run(3, dropout=0.2) == run(3, dropout=0.2)
    assert run(3) != run(4)
    start = [(np.full((5, 20), 0.1), np.zeros(20)), (np.full((20, 3), 0.1), np.zeros(3))]
    assert run(3, init=start) != run(4, init=start)  # the order of the rows
    whole = {"init": start, "shuffle": False}
    assert run(3, **whole) == run(4, **whole)
    assert run(3, dropout=0.2, **whole) != run(4, dropout=0.2, **whole)  # the masks


def test_a_callback_that_only_looks_does_not_change_the_bits() -> None:
    case = Case(sizes=(5, 40, 3), rows=100, batch_size=32, epochs=3, optimizer="adam", dtype="float32")
    problem = make_problem(case)
    plain = train(case, problem, threads=2)
    looking = train(case, problem, threads=2, callbacks=[lambda net: net.parameters.sum() > 1e30])
    assert bits(plain) == bits(looking)


# ------------------------------------------------------------------------------------------------- prediction


NETWORKS = [
    ((4, 6, 3), "relu"),
    ((10, 32, 32, 2), "tanh"),
    ((64, 100, 10), "gelu"),
    ((3, 130, 257, 5), "silu"),
    ((700, 9, 1), "elu"),
    ((5, 1), "relu"),
]


def network(sizes: tuple[int, ...], activation: str, dtype: str, loss: str = "softmax_cross_entropy") -> Any:
    loss = loss if sizes[-1] > 1 else "squared_error"
    return fastmlp.Network(sizes, activation=activation, loss=loss, dtype=dtype, seed=2)


def rows_for(net: Any, n: int) -> np.ndarray:
    return np.random.default_rng(6).normal(size=(n, net.layer_sizes[0])).astype(net.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("sizes", "activation"), NETWORKS, ids=str)
def test_prediction_gives_the_same_bits_on_any_number_of_threads(
    sizes: tuple[int, ...], activation: str, dtype: str
) -> None:
    net = network(sizes, activation, dtype)
    for n in (1, 7, 100, 1037):
        X = rows_for(net, n)
        fastmlp.set_num_threads(1)
        one = net.forward(X).tobytes()
        for threads in (2, 3, 4, 8):
            fastmlp.set_num_threads(threads)
            assert net.forward(X).tobytes() == one, f"{threads} threads, {n} rows"


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("sizes", "activation"), NETWORKS, ids=str)
def test_a_row_is_predicted_alike_alone_and_in_any_company(
    sizes: tuple[int, ...], activation: str, dtype: str, threads: int
) -> None:
    fastmlp.set_num_threads(threads)
    net = network(sizes, activation, dtype)
    X = rows_for(net, 203)
    together = net.forward(X)
    for row in (0, 1, 5, 100, 201, 202):
        np.testing.assert_array_equal(net.forward(X[row : row + 1])[0], together[row])
    for first, last in [(0, 2), (1, 4), (3, 12), (10, 27), (17, 202), (199, 203)]:
        np.testing.assert_array_equal(net.forward(X[first:last]), together[first:last])
    order = np.random.default_rng(1).permutation(203)
    np.testing.assert_array_equal(net.forward(X[order]), together[order])
    predict = net.predictor()
    np.testing.assert_array_equal(predict(X[5]), together[5])
    np.testing.assert_array_equal(predict(X[10:17]), together[10:17])


@pytest.mark.parametrize("dtype", DTYPES)
def test_layout_and_alignment_of_the_rows_do_not_change_the_bits(dtype: str) -> None:
    net = network((13, 40, 7), "tanh", dtype)
    X = rows_for(net, 50)
    together = net.forward(X)
    unaligned = np.ndarray(X.shape, dtype, np.empty(X.nbytes + 1, np.uint8).data, offset=1)
    unaligned[:] = X
    wide = np.zeros((100, 39), dtype)
    wide[::2, ::3] = X
    swapped = X.astype(X.dtype.newbyteorder())
    for same in (np.asfortranarray(X), unaligned, wide[::2, ::3], X[::-1].copy()[::-1], swapped, X.tolist()):
        np.testing.assert_array_equal(net.forward(same), together)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_and_trace_give_the_same_bits_on_any_number_of_threads(dtype: str) -> None:
    case = Case(sizes=(9, 70, 33, 4), loss="softmax_cross_entropy", rows=500, l2=0.1, dtype=dtype)
    problem = make_problem(case)
    net = fastmlp.Network(case.sizes, activation="tanh", l2=0.1, init=problem.layers, dtype=dtype)
    found = []
    for threads in (1, 2, 3, 4, 8):
        fastmlp.set_num_threads(threads)
        loss, gradient = net.loss_and_gradient(problem.X, problem.y)
        trace = net.trace(problem.X, problem.y)
        found.append(
            (loss, gradient.tobytes(), [part.tobytes() for part in (*trace.dW, *trace.db, *trace.delta)])
        )
    assert all(one == found[0] for one in found)


def test_going_on_from_a_network_is_the_same_on_any_number_of_threads() -> None:
    case = Case(sizes=(6, 50, 3), rows=90, batch_size=20, epochs=2, dtype="float32")
    start = train(case, make_problem(case), threads=2)
    check_threads(replace(case, seed=5), init=start)
