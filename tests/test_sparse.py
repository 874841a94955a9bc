"""Sparse X: the numbers of dense training without the dense matrix, for every format SciPy has."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import fastmlp

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")
OUTPUTS = {"softmax_cross_entropy": 3, "hinge": 3}


def sparse_rows(n: int, d: int, dtype: str = "float64", seed: int = 0, density: float = 0.1) -> sp.csr_array:
    """CSR with values that are float32 numbers, rows without any and columns without any."""
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(n, d)).astype(np.float32) * (rng.random((n, d)) < density)
    dense[n // 2], dense[:, d // 3] = 0, 0
    return sp.csr_array(dense.astype(dtype))


def target(n: int, loss: str, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if loss in OUTPUTS:
        return np.arange(n) % OUTPUTS[loss]
    return rng.random((n, 2)) if loss == "binary_cross_entropy" else rng.random(n)


def check_like_dense(X: sp.csr_array, y: np.ndarray, **options: Any) -> None:
    """Train on X and on its dense twin, and compare parameters, histories and what is predicted."""
    dtype = options.get("dtype", "float64")
    options = {"epochs": 3, "dtype": dtype, "restore_best": False, **options}
    dense = options.copy()
    if isinstance(options.get("validation"), tuple):
        dense["validation"] = (options["validation"][0].toarray(), options["validation"][1])
    net, twin = fastmlp.train(X, y, **options), fastmlp.train(X.toarray(), y, **dense)
    rtol = 1e-9 if dtype == "float64" else 2e-4
    np.testing.assert_allclose(net.parameters, twin.parameters, rtol=rtol, atol=rtol / 10)
    for column in set(net.history.columns) - {"seconds"}:
        np.testing.assert_allclose(net.history[column], twin.history[column], rtol=rtol, atol=rtol / 10)
    np.testing.assert_array_equal(twin.forward(X), twin.forward(X.toarray()))


# ----------------------------------------------------------------------------------------- as dense rows do


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("hidden", [(), (5,), (40, 7), (130,)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "binary_cross_entropy", "squared_error", "hinge"])
def test_sparse_rows_train_as_dense_ones_do(loss: str, dtype: str, hidden: tuple[int, ...]) -> None:
    X = sparse_rows(120, 70, dtype)
    check_like_dense(
        X, target(120, loss), loss=loss, dtype=dtype, hidden=hidden, activation="tanh", batch_size=32
    )


@pytest.mark.parametrize(
    "optimizer",
    [
        "sgd",
        fastmlp.SGD(momentum=0.9),
        fastmlp.SGD(momentum=0.9, nesterov=True),
        fastmlp.SGD(normalized=True),
        "rmsprop",
        "adagrad",
        "adam",
        "adamw",
        "lbfgs",
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:L-BFGS has not converged:UserWarning")
def test_each_optimizer_updates_features_that_no_row_has(optimizer: Any) -> None:
    X = sparse_rows(60, 30, density=0.02)
    assert (X.sum(axis=0) == 0).any()
    check_like_dense(
        X, target(60, "squared_error"), optimizer=optimizer, hidden=(20,), l2=0.1, activation="tanh"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": 1},
        {"batch_size": 17},
        {"batch_size": None},
        {"batch_size": 17, "shuffle": False},
        {"dropout": 0.3},
        {"clip_norm": 0.01},
        {"sample_weight": np.arange(150) % 4},
        {"l2": 0.1, "learning_rate": fastmlp.Cosine(0.01)},
        {"validation": 0.2},
        {"validation": (sparse_rows(40, 50, seed=5), target(40, "squared_error"))},
        {"activation": "gelu", "hidden": (33, 9)},
        {"hidden": (2,), "batch_size": None, "optimizer": "sgd"},
    ],
    ids=lambda options: ", ".join(options),
)
def test_every_option_goes_with_sparse_rows(options: dict[str, Any]) -> None:
    y = target(150, "squared_error")
    check_like_dense(sparse_rows(150, 50), y, **{"hidden": (20,), "activation": "tanh"} | options)


def test_a_tall_batch_trains_as_dense_rows_do_where_gradients_are_made_in_parts() -> None:
    X = sparse_rows(9000, 20)
    check_like_dense(X, target(9000, "squared_error"), hidden=(16,), activation="tanh", batch_size=None)


def test_dense_validation_rows_may_go_with_sparse_training_rows() -> None:
    X, y = sparse_rows(50, 20), target(50, "squared_error")
    nets = [fastmlp.train(X, y, validation=(Xv, y), epochs=2, hidden=(4,)) for Xv in (X, X.toarray())]
    np.testing.assert_array_equal(nets[0].history["validation_loss"], nets[1].history["validation_loss"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loss_gradient_and_trace_are_those_of_dense_rows(dtype: str) -> None:
    X, y, weights = sparse_rows(40, 30, dtype), np.arange(40) % 3, np.arange(40.0)
    net = fastmlp.Network((30, 20, 3), "tanh", l2=0.1, dtype=dtype)
    loss, gradient = net.loss_and_gradient(X, y, weights)
    dense_loss, dense_gradient = net.loss_and_gradient(X.toarray(), y, weights)
    assert loss == pytest.approx(dense_loss, rel=1e-6)
    np.testing.assert_allclose(gradient, dense_gradient, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(net.trace(X, y).a[0], X.toarray())
    np.testing.assert_array_equal(net.trace(X, y).dW[0], net.trace(X.toarray(), y).dW[0])


def test_a_single_row_and_rows_without_entries_train() -> None:
    check_like_dense(sparse_rows(1, 9, density=1), np.array([0.5]), hidden=(3,))
    check_like_dense(sp.csr_array((20, 9)), target(20, "squared_error"), hidden=(3,))
    check_like_dense(sp.csr_array((20, 9)), target(20, "squared_error"), hidden=(), batch_size=None)
    assert fastmlp.Network((9, 3)).forward(sp.csr_array((0, 9))).shape == (0, 3)


def test_a_network_trained_on_sparse_rows_is_like_any_other() -> None:
    X = sparse_rows(60, 20)
    net = fastmlp.train(X, np.arange(60) % 3, hidden=(4,), epochs=2)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X.toarray()))
    np.testing.assert_array_equal(again.predict(X), net.predict(X))


def test_estimators_fit_sparse_rows_as_dense_ones() -> None:
    pytest.importorskip("sklearn")
    X, y = sparse_rows(200, 30), np.arange(200) % 3
    estimator = fastmlp.MLPClassifier((9,), solver="sgd", max_iter=2, random_state=0, batch_size=50)
    with pytest.warns(UserWarning, match="converge"):
        sparse = estimator.fit(X, y).coefs_[0].copy()
    with pytest.warns(UserWarning, match="converge"):
        np.testing.assert_allclose(sparse, estimator.fit(X.toarray(), y).coefs_[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(estimator.predict_proba(X), estimator.predict_proba(X.toarray()))


# ----------------------------------------------------------------------------------------------- the promises


@pytest.mark.usefixtures("exact_threads")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "options",
    [
        {"hidden": (100,)},
        {"hidden": ()},
        {"hidden": (300, 20), "dropout": 0.2, "validation": 0.2},
        {"hidden": (20,), "clip_norm": 0.1, "optimizer": "sgd"},
        {"hidden": (7,), "batch_size": None},
    ],
    ids=str,
)
def test_sparse_training_gives_the_same_bits_on_any_number_of_threads(
    options: dict[str, Any], dtype: str
) -> None:
    X, y = sparse_rows(500, 300, dtype), np.arange(500) % 3
    one, *others = (
        fastmlp.train(X, y, epochs=2, dtype=dtype, threads=threads, **options).parameters.tobytes()
        for threads in (1, 2, 4, 7)
    )
    assert all(many == one for many in others)


@pytest.mark.usefixtures("exact_threads")
def test_gradients_and_predictions_have_the_same_bits_on_any_number_of_threads() -> None:
    X, y = sparse_rows(700, 400, "float32"), np.arange(700) % 3
    net = fastmlp.Network((400, 90, 3))
    results = []
    for threads in (1, 2, 4):
        fastmlp.set_num_threads(threads)
        results.append((net.loss_and_gradient(X, y)[1].tobytes(), net.forward(X).tobytes()))
    assert results[0] == results[1] == results[2]


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("sizes", [(50, 3), (50, 7, 3), (50, 100, 3)])
def test_a_sparse_rows_outputs_do_not_depend_on_the_rows_around_it(sizes: tuple[int, ...]) -> None:
    X, net = sparse_rows(230, 50, "float32"), fastmlp.Network(sizes)
    together = net.forward(X)
    alone = np.vstack([net.forward(X[[i]]) for i in range(X.shape[0])])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together[::-1], net.forward(X[::-1]))


def test_sparse_rows_are_never_made_dense() -> None:
    rng, y = np.random.default_rng(0), np.arange(2000) % 2
    indices = np.sort(rng.integers(2_000_000, size=(2000, 20)), axis=1).ravel()
    values = rng.normal(size=40_000).astype(np.float32)
    X = sp.csr_array((values, indices, np.arange(0, 40_001, 20)), shape=(2000, 2_000_000))
    tracemalloc.start()
    net = fastmlp.train(X, y, hidden=(2,), epochs=1, validation=0.1, batch_size=500)  # dense: 16 GB
    assert net.forward(X).shape == (2000, 2)
    assert np.isfinite(net.loss_and_gradient(X, y)[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * net.parameters.nbytes


def test_csr_of_the_right_type_is_not_copied() -> None:
    X = sp.random(20000, 1000, 0.05, format="csr", dtype=np.float32, random_state=0)
    net = fastmlp.Network((1000, 2))
    tracemalloc.start()
    fastmlp.train(X, np.arange(20000) % 2, hidden=(), epochs=1)
    net.forward(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.data.nbytes / 2


# ------------------------------------------------------------------------------------------------------ input


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_means_what_scipy_means(name: str, kind: str) -> None:
    X = getattr(sp, f"{name}_{kind}")(sparse_rows(30, 12).toarray())
    net = fastmlp.Network((12, 5, 3), dtype="float64")
    np.testing.assert_array_equal(net.forward(X), net.forward(X.toarray()))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", ">f8", "longdouble"])
def test_every_real_dtype_is_taken(dtype: str) -> None:
    X = sp.csr_array(np.eye(4, 6))
    X.data = X.data.astype(dtype)
    net = fastmlp.Network((6, 3), dtype="float64")
    np.testing.assert_array_equal(net.forward(X), net.forward(np.eye(4, 6)))


@pytest.mark.parametrize("dtype", ["bool", "float64"])
@pytest.mark.parametrize("index", ["int32", "int64"])
def test_duplicates_explicit_zeros_and_any_order_of_indices_mean_what_scipy_means(
    index: str, dtype: str
) -> None:
    indices = np.array([3, 1, 3, 0, 2, 2, 2, 0], dtype=index)
    values = np.array([1, 2, 3, 0, 5, 6, 7, 8]).astype(dtype)
    X = sp.csr_array((values, indices, np.array([0, 3, 3, 4, 8], dtype=index)), shape=(4, 4))
    before = X.indices.copy()
    net = fastmlp.Network((4, 5, 3), dtype="float64")
    np.testing.assert_array_equal(net.forward(X), net.forward(X.toarray()))
    np.testing.assert_array_equal(X.indices, before)  # it stays as it was
    assert len(X.data) == 8


def test_room_behind_the_last_entry_is_not_read() -> None:
    X = sparse_rows(10, 6)
    entries = X.nnz
    X.data = np.concatenate([X.data, [np.nan] * 3])
    X.indices = np.concatenate([X.indices, np.array([99, -1, 99], X.indices.dtype)])
    assert X.indptr[-1] == entries
    net = fastmlp.Network((6, 3), dtype="float64")
    np.testing.assert_array_equal(net.forward(X), net.forward(sparse_rows(10, 6).toarray()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["csr", "csc", "coo"])
def test_a_value_that_is_not_finite_is_named_with_its_place(name: str, value: float) -> None:
    X = sparse_rows(30, 12).tolil()
    X[17, 4] = value
    X = X.asformat(name)
    message = rf"X has {value} at row 17, column 4; only finite numbers"
    with pytest.raises(ValueError, match=message):
        fastmlp.train(X, np.arange(30) % 3)
    with pytest.raises(ValueError, match=message):
        fastmlp.Network((12, 3)).predict(X)
    with pytest.raises(ValueError, match=f"validation: {message}"):
        fastmlp.train(sparse_rows(30, 12), np.arange(30) % 3, validation=(X, np.arange(30) % 3))


def test_a_value_that_float32_cannot_hold_is_named() -> None:
    with pytest.raises(ValueError, match=r"X has 1e\+39 at row 1, column 1, more than float32 holds"):
        fastmlp.Network((2, 3)).forward(sp.csr_array(np.diag([1.0, 1e39])))


@pytest.mark.parametrize("dtype", ["complex64", "complex128", object])
def test_values_that_are_no_real_numbers_are_refused(dtype: Any) -> None:
    X = sp.csr_array(np.eye(3))
    X.data = X.data.astype(dtype)
    with pytest.raises(TypeError, match="X must hold real numbers, got dtype"):
        fastmlp.train(X, [0, 1, 2])


def test_the_shape_must_fit() -> None:
    net = fastmlp.Network((4, 3))
    with pytest.raises(ValueError, match="X must have 4 columns, got 5"):
        net.predict(sp.csr_array((2, 5)))
    with pytest.raises(ValueError, match="X must have at least one column"):
        fastmlp.train(sp.csr_array((2, 0)), [0, 1])
    with pytest.raises(ValueError, match="X must have at least one row"):
        fastmlp.train(sp.csr_array((0, 4)), [])
    with pytest.raises(ValueError, match="X must have at least one row"):
        net.loss_and_gradient(sp.csr_array((0, 4)), [])
    with pytest.raises(ValueError, match="y must have as many rows as X, 3, got 2"):
        fastmlp.train(sp.csr_array((3, 4)), [0, 1])
    with pytest.raises(ValueError, match=r"X must have fewer than 2\*\*31"):
        fastmlp.train(sp.csr_array((2, 2**31)), [0, 1])
    with pytest.raises(ValueError, match="validation: X must have 4 columns, got 5"):
        fastmlp.train(sp.csr_array((2, 4)), [0, 1], validation=(sp.csr_array((2, 5)), [0, 1]))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("csr", {"indices": [0, 1, 2, 3] * 2 + [0, 1, 2, 4]}),
        ("csr", {"indices": [0, 1, 2, 3] * 2 + [0, 1, 2, -1]}),
        ("csr", {"indices": [0, 1, 2, 3] * 2 + [0, 1, 2, 2**32]}),
        ("csr", {"indices": [0.5] * 12}),
        ("csr", {"indptr": [0, 9, 4, 12]}),
        ("csr", {"indptr": [0, 10**6, 0, 0]}),
        ("csr", {"indptr": [0, 4, 8, 10**9]}),
        ("csr", {"indptr": [1, 4, 8, 12]}),
        ("csr", {"indptr": [-5, 4, 8, 12]}),
        ("csr", {"indptr": [0, 4, 8, 12, 12, 12]}),
        ("csr", {"indptr": [0, 12]}),
        ("csr", {"data": [1.0] * 5}),
        ("csc", {"indices": [0, 1, 2] * 3 + [0, 1, 10**6]}),
        ("csc", {"indptr": [0, 10**6, 6, 9, 12]}),
        ("csc", {"indptr": [0, 3, 6, 9, 10**6]}),
        ("bsr", {"indptr": [0, 10**6, 0, 1]}),
        ("coo", {"coords": (np.full(12, 10**6), np.zeros(12, int))}),
        ("coo", {"coords": (np.zeros(12, int), np.full(12, -(10**6)))}),
        ("dia", {"offsets": np.arange(10**5)}),
        ("lil", {"rows": np.array([[0], [0], list(range(10**5))], dtype=object)}),
        ("lil", {"data": np.array([[0.0], [0.0], [1.0] * 10**5], dtype=object)}),
    ],
    ids=str,
)
def test_a_malformed_matrix_is_refused(name: str, parts: dict[str, Any]) -> None:
    X = sp.csr_array(np.arange(1.0, 13).reshape(3, 4)).asformat(name)
    for attribute, values in parts.items():
        setattr(X, attribute, np.array(values) if isinstance(values, list) else values)
    with pytest.raises(ValueError, match="X is not a valid sparse matrix"):
        fastmlp.Network((4, 3)).forward(X)


# ------------------------------------------------------------------------------------------------ interrupts


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("after", [0.1, 0.25, 0.4])
@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_inside_a_long_step_on_sparse_rows_is_served(threads: int, after: float) -> None:
    n, width, inputs = 4000, 500, 4000
    indices = np.tile(np.arange(0, inputs, inputs // width, dtype=np.int32), n)
    X = sp.csr_array((np.ones(n * width), indices, np.arange(0, n * width + 1, width)), shape=(n, inputs))
    start = fastmlp.Network((inputs, 1000, 1), loss="squared_error", dtype="float64")
    options = {"hidden": (1000,), "dtype": "float64", "init": start, "threads": threads}
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        with pytest.raises(KeyboardInterrupt) as interrupted:
            fastmlp.train(X, np.zeros(n), batch_size=None, epochs=10**6, **options)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    net = getattr(interrupted.value, "network", start)  # none, if training had not begun
    if len(net.history["loss"]) == 0:
        np.testing.assert_array_equal(net.parameters, start.parameters)
    assert np.isfinite(net.parameters).all()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's own counters")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_estimator_takes_the_memory_of_its_parameters_and_no_more(dtype: str) -> None:
    """Parameters twice, the last good ones, and Adam's two moments: dense X would take 125 times as much."""
    script = f"""if True:
        import resource, warnings
        import numpy as np, scipy.sparse
        from fastmlp import MLPClassifier
        rng = np.random.default_rng(0)
        X = scipy.sparse.random(2000, 400_000, 1e-4, "csr", "{dtype}", rng)
        y = rng.integers(0, 2, 2000)
        warnings.simplefilter("ignore")
        MLPClassifier((2,), max_iter=1).fit(X[:50, :50], y[:50])  # imports and threads
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        net = MLPClassifier((16,), max_iter=2, random_state=0).fit(X, y)
        taken = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
        print(taken / sum(part.nbytes for part in (*net.coefs_, *net.intercepts_)))
        """
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) < 6.5
