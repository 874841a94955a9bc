"""Networks as objects: views of one memory, kinds of input and target, threads and configuration."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import tracemalloc
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse

import fastmlp

IRIS = fastmlp.datasets.load_iris()
NAMES = np.array(IRIS.target_names)[IRIS.target]


def test_weights_and_biases_are_writable_views_of_the_parameters() -> None:
    net = fastmlp.Network((2, 3, 2), dtype="float64")
    assert net.n_parameters == len(net.parameters) == 2 * 3 + 3 + 3 * 2 + 2
    net.parameters[:] = np.arange(net.n_parameters)
    np.testing.assert_array_equal(net.weights[0], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(net.biases[1], [15, 16])
    net.weights[1][...] = 0
    net.biases[1][...] = [0, np.log(3)]
    np.testing.assert_allclose(net.forward([[1, 1]]), [[0.25, 0.75]])
    net.weights[1] = [[1, 2], [3, 4], [5, 6]]  # copied in
    net.biases[1] -= 1
    np.testing.assert_array_equal(net.parameters[9:], [1, 2, 3, 4, 5, 6, -1, np.log(3) - 1])
    net.parameters = 0
    assert not net.weights[1].any()
    for name in ("weights", "biases", "layer_sizes", "l2"):
        with pytest.raises(AttributeError):
            setattr(net, name, getattr(net, name))
    view = net.parameters
    del net
    assert view[0] == 0  # the view keeps its memory


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_predictor_gives_the_bits_of_forward(isa: str, dtype: str) -> None:
    net = fastmlp.Network((5, 33, 4), dtype=dtype)
    X = np.random.default_rng(0).normal(size=(200, 5)).astype(dtype)
    predictor = net.predictor()
    expected = net.forward(X)
    np.testing.assert_array_equal(predictor(X), expected)
    for i in range(0, 200, 17):
        np.testing.assert_array_equal(predictor(X[i]), expected[i])
    net.parameters[:] = 0
    np.testing.assert_array_equal(predictor(X[0]), [0.25] * 4)
    for wrong_shape in (X[:, :4].copy(), X[0, 0], X.reshape(2, 100, 5)):
        with pytest.raises(ValueError, match=r"\(5,\) or \(rows, 5\)"):
            predictor(np.asarray(wrong_shape))
    for wrong in (X.astype("float16"), X[:, ::-1], X.tolist(), None):
        with pytest.raises(TypeError, match=rf"x must be a C-contiguous {dtype} array of shape \(5,\)"):
            predictor(wrong)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_row_a_few_and_many_give_the_same_bits(isa: str, dtype: str) -> None:
    net = fastmlp.Network((40, 555, 130, 3), "tanh", dtype=dtype)
    X = np.random.default_rng(0).normal(size=(300, 40)).astype(dtype)
    expected = net.forward(X)
    for rows in (1, 2, 7, 20, 100):
        np.testing.assert_array_equal(net.forward(X[:rows]), expected[:rows])
        np.testing.assert_array_equal(net.forward(X[:rows].tolist()), expected[:rows])
    np.testing.assert_array_equal(net.forward(np.asfortranarray(X)), expected)
    assert net.forward(X[:0]).shape == (0, 3)


TABLES = {
    "pandas": lambda: pd.DataFrame(IRIS.data, columns=IRIS.feature_names).assign(species=NAMES),
    "polars": lambda: pl.DataFrame(IRIS.data, schema=list(IRIS.feature_names)).with_columns(
        species=pl.Series(NAMES)
    ),
    "arrow": lambda: pa.table(dict(zip(IRIS.feature_names, IRIS.data.T, strict=True)) | {"species": NAMES}),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_with_a_target_column_trains_as_the_arrays_do(kind: str) -> None:
    net = fastmlp.train(TABLES[kind](), "species", hidden=(4,), epochs=2)
    twin = fastmlp.train(IRIS.data, NAMES, hidden=(4,), epochs=2)
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    assert net.predict(IRIS.data).tolist() == twin.predict(IRIS.data).tolist()


def test_a_table_must_have_the_columns_of_training() -> None:
    table = TABLES["pandas"]()
    net = fastmlp.train(table, "species", hidden=(4,), epochs=2)
    rows = table.drop(columns="species")
    assert net.feature_names == tuple(rows.columns)
    np.testing.assert_array_equal(net.forward(rows), net.forward(rows.to_numpy()))
    np.testing.assert_array_equal(net.forward(rows[rows.columns[::-1]]), net.forward(rows))
    with pytest.raises(ValueError, match="X: no column 'sepal_length'; its columns are 'sepal_width'"):
        net.predict(rows.drop(columns="sepal_length"))
    twice = pd.concat([table, table["species"]], axis=1)
    with pytest.raises(ValueError, match="got 'species', the name of 2"):
        fastmlp.train(twice, "species")


def test_outputs_that_are_not_finite_are_warned_of() -> None:
    net = fastmlp.Network((2, 3, 2), "identity")
    net.weights[0] = 3e38
    with pytest.warns(RuntimeWarning, match="outputs of row 1 are not finite"):
        net.predict(np.array([[0.0, 1e-38], [1.0, 1.0]]))


def test_sparse_rows_train_as_dense_ones_do() -> None:
    X = scipy.sparse.random(50, 10, 0.2, format="csr", random_state=0)
    y = np.arange(50) % 3
    net, twin = (fastmlp.train(rows, y, hidden=(4,), epochs=2) for rows in (X, X.toarray()))
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_rows_of_the_right_type_are_not_copied() -> None:
    X = np.zeros((20000, 100), dtype=np.float32)
    y = np.arange(20000) % 2
    net = fastmlp.Network((100, 2))
    tracemalloc.start()
    fastmlp.train(X, y, hidden=(), epochs=1)
    net.forward(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 2


def test_one_hot_rows_are_labels_by_another_name() -> None:
    one_hot = np.eye(3)[IRIS.target]
    options = {"hidden": (4,), "epochs": 3, "dtype": "float64"}
    net = fastmlp.train(IRIS.data, one_hot, loss="softmax_cross_entropy", **options)
    twin = fastmlp.train(IRIS.data, IRIS.target, **options)
    np.testing.assert_allclose(net.parameters, twin.parameters, rtol=1e-12, atol=1e-14)


def test_multi_label_targets_give_a_matrix_of_zeros_and_ones() -> None:
    y = np.stack([IRIS.target == 0, IRIS.target == 2], axis=1).astype(int)
    net = fastmlp.train(IRIS.data, y, epochs=100, validation=0.2)
    assert net.loss == "binary_cross_entropy"
    assert net.predict(IRIS.data).shape == net.predict_proba(IRIS.data).shape == (150, 2)
    right = (net.predict(IRIS.data) == y).all(axis=1).mean()
    assert right > 0.8
    held_out = fastmlp.train(IRIS.data, y, epochs=5, validation=(IRIS.data, y), restore_best=False)
    assert held_out.history["validation_accuracy"][-1] == pytest.approx(
        (held_out.predict(IRIS.data) == y).all(axis=1).mean()
    )


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [0.0, 1.0], [5, 3]])
def test_two_classes_of_any_type_with_one_output(labels: list[object]) -> None:
    y = np.array(labels)[(IRIS.target == 0).astype(int)]
    net = fastmlp.train(IRIS.data, y, loss="binary_cross_entropy", hidden=(4,), epochs=300, batch_size=20)
    assert net.layer_sizes == (4, 4, 1)
    assert net.predict(IRIS.data).dtype == y.dtype
    assert (net.predict(IRIS.data) == y).mean() > 0.95
    np.testing.assert_allclose(net.predict_proba(IRIS.data).sum(axis=1), 1, rtol=1e-6)


def test_probabilities_may_be_targets_of_one_output() -> None:
    net = fastmlp.train(
        IRIS.data, np.full(150, 0.3), loss="binary_cross_entropy", hidden=(), optimizer="lbfgs"
    )
    np.testing.assert_allclose(net.forward(IRIS.data), 0.3, atol=0.05)


def test_rows_held_back_of_probabilities_are_a_fraction_of_all() -> None:
    X = np.random.default_rng(0).normal(size=(200, 3))
    y = 1 / (1 + np.exp(-X[:, 0]))
    net = fastmlp.train(X, y, loss="binary_cross_entropy", validation=0.2, epochs=1)
    kept, held = fastmlp.data.holdout(200, 0.2)
    assert len(held) == 40
    again = fastmlp.train(
        X[kept], y[kept], loss="binary_cross_entropy", validation=(X[held], y[held]), epochs=1
    )
    np.testing.assert_array_equal(net.history["validation_loss"], again.history["validation_loss"])


def test_objects_that_are_numbers_with_fractions_are_values() -> None:
    X = np.arange(8.0).reshape(4, 2)
    for y in ([1, 2.5, 3, 4], [Decimal("1.5"), 2, 3, 4]):
        assert fastmlp.train(X, np.array(y, dtype=object), epochs=1).loss == "squared_error"
    assert fastmlp.train(X, np.array([1, 2, 1, 2], dtype=object), epochs=1).loss == "softmax_cross_entropy"


def test_class_weights_are_weights_of_the_rows() -> None:
    weights = np.array([1.0, 2.0, 0.5])
    options = {"hidden": (4,), "epochs": 3}
    net = fastmlp.train(IRIS.data, NAMES, class_weight={"versicolor": 2.0, "virginica": 0.5}, **options)
    twin = fastmlp.train(IRIS.data, NAMES, sample_weight=weights[IRIS.target], **options)
    np.testing.assert_array_equal(net.parameters, twin.parameters)
    uneven = np.r_[0:50, 50:60, 100:120]
    net = fastmlp.train(IRIS.data[uneven], NAMES[uneven], class_weight="balanced", **options)
    balanced = 80 / (3 * np.array([50, 10, 20]))
    twin = fastmlp.train(
        IRIS.data[uneven], NAMES[uneven], sample_weight=balanced[IRIS.target[uneven]], **options
    )
    np.testing.assert_array_equal(net.parameters, twin.parameters)


def test_lbfgs_reaches_the_minimum_of_a_convex_problem() -> None:
    net = fastmlp.train(IRIS.data, NAMES, hidden=(), l2=0.01, optimizer="lbfgs", epochs=500, dtype="float64")
    _, gradient = net.loss_and_gradient(IRIS.data, NAMES)
    assert np.abs(gradient).max() < 2e-5
    assert (np.diff(net.history["loss"]) <= 1e-12).all()


def test_the_history_is_a_table() -> None:
    net = fastmlp.train(IRIS.data, NAMES, epochs=4, validation=0.2)
    frame = net.history.to_frame()
    assert list(frame.columns) == list(net.history) == list(net.history.columns)
    assert frame["epoch"].tolist() == [1, 2, 3, 4]
    assert (np.diff(net.history["seconds"]) > 0).all()
    with pytest.raises(KeyError, match="validation_r2"):
        net.history["validation_r2"]


def test_the_history_is_drawn() -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    axes = fastmlp.train(IRIS.data, NAMES, epochs=4, validation=0.2).history.plot()
    assert [line.get_label() for line in axes.lines][:2] == ["training", "validation"]
    mpl.pyplot.close("all")


def test_show_config_tells_what_a_bug_report_needs(isa: str, capsys: pytest.CaptureFixture[str]) -> None:
    fastmlp.show_config()
    text = capsys.readouterr().out
    for expected in (f"{isa} in use", "compiler:", "-ffp-contract=off", "threads:", fastmlp.__version__):
        assert expected in text


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | environment
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60)


def test_the_environment_chooses_the_instruction_set() -> None:
    code = "import fastmlp; from fastmlp._native import core; print(core.ISA)"
    for isa in fastmlp.available_isas():
        assert run(code, FASTMLP_ISA=isa).stdout.strip() == isa
    failed = run(code, FASTMLP_ISA="v9")
    assert failed.returncode == 1
    assert "ImportError: FASTMLP_ISA: 'v9' is not an instruction set fastmlp knows. Built: " in failed.stderr


def test_the_environment_and_the_user_limit_the_threads() -> None:
    code = "import fastmlp as f; print(f.get_num_threads()); f.set_num_threads(3); print(f.get_num_threads())"
    assert run(code, OMP_NUM_THREADS="1").stdout.split() == ["1", "3"]


def test_threadpoolctl_limits_the_threads() -> None:
    code = """if True:
        import fastmlp, threadpoolctl
        assert "openmp" in {info["user_api"] for info in threadpoolctl.threadpool_info()}
        fastmlp._native.threads.available_cpus = lambda: 8
        for limit in (3, 1):
            with threadpoolctl.threadpool_limits(limit, user_api="openmp"):
                print(fastmlp.get_num_threads())
        """
    assert run(code).stdout.split() == ["3", "1"]


def test_a_subclass_with_a_constructor_of_its_own_is_copied() -> None:
    class Narrow(fastmlp.Network):
        def __init__(self, width: int) -> None:
            super().__init__([5, width, 2])

    net = Narrow(3)
    twin = copy.deepcopy(net)
    assert type(twin) is Narrow
    np.testing.assert_array_equal(twin.parameters, net.parameters)
