"""`fastmlp.dask.train`: the method, what partitions may be, and how rounds end."""

from __future__ import annotations

from typing import Any

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from dask.delayed import delayed
from distributed import Client
from scipy.sparse import csr_matrix

import fastmlp
from fastmlp._dask.learning import task_seed
from fastmlp.dask import train

RNG = np.random.default_rng(7)
N, SPLIT = 90, (40, 0, 20, 30)  # rows, and those of each partition, of which one is empty
X = RNG.normal(size=(N, 3)).astype(np.float32)
LABELS = np.array(["ant", "bee", "cat"])[np.digitize(X[:, 0] + X[:, 1] ** 2, [0.0, 1.5])]
VALUES = (np.sin(X[:, 0]) + X[:, 1] * X[:, 2]).astype(np.float32)
SMALL: dict[str, Any] = {"hidden": (5,), "rounds": 3, "learning_rate": 0.01}


def parts_of(array: np.ndarray) -> list[np.ndarray]:
    return np.split(array, np.cumsum(SPLIT)[:-1])


def in_parts(array: np.ndarray) -> da.Array:
    """Return an array in chunks, one of which is empty."""
    return da.from_array(array, chunks=(SPLIT, *array.shape[1:]))


def frame() -> pd.DataFrame:
    return pd.DataFrame(X, columns=["a", "b", "c"]).assign(kind=LABELS, value=VALUES)


def reference(y: np.ndarray, weights: np.ndarray | None = None, **arguments: Any) -> np.ndarray:
    """Return the parameters that rounds give, by `fastmlp.train` on each part and NumPy."""
    rounds, local = arguments.pop("rounds"), arguments.pop("local_epochs", 1)
    rate, momentum = arguments.pop("outer_learning_rate", 0.7), arguments.pop("outer_momentum", 0.9)
    net = fastmlp.train(X, y, epochs=1, restore_best=False, **arguments | {"learning_rate": 1e-30})
    start = fastmlp.Network(net.layer_sizes, loss=net.loss, dtype=net.dtype, l2=net.l2, seed=0)
    theta, velocity = start.parameters.copy(), np.zeros(start.n_parameters)
    net.parameters[:] = theta
    for round_ in range(rounds):
        total, sums = np.zeros(len(theta)), []
        for place, (rows, targets) in enumerate(zip(parts_of(X), parts_of(y), strict=True)):
            if not len(rows):
                continue
            w = None if weights is None else parts_of(weights)[place]
            sums.append(float(len(rows) if w is None else w.sum(dtype=np.float64)))
            net.parameters[:] = theta
            seed = task_seed(0, round_, place)
            more = arguments | {"seed": seed, "epochs": local, "init": net, "sample_weight": w}
            learned = fastmlp.train(rows, targets, **more)
            total += sums[-1] * (learned.parameters.astype(float) - theta.astype(float))
        velocity = momentum * velocity - total / sum(sums)
        theta = (theta + rate * (total / sum(sums) - momentum * velocity)).astype(theta.dtype)
    return theta


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_rounds_are_those_of_train_on_each_partition(
    dask_threads: Client, dtype: str, optimizer: str
) -> None:
    arguments = {
        "hidden": (5,), "rounds": 3, "local_epochs": 2, "optimizer": optimizer, "batch_size": 16,
        "l2": 0.01, "dtype": dtype, "shuffle": False, "task": "regression",
    }  # fmt: skip
    net = train(dask_threads, in_parts(X), in_parts(VALUES), **arguments)
    expected = reference(VALUES, **arguments)
    np.testing.assert_allclose(net.parameters, expected, rtol=1e-12 if dtype == "float64" else 1e-6)
    assert net.dtype == dtype
    assert net.history["epoch"].tolist() == [2, 4, 6]
    assert net.stop_reason == "epochs"


def test_labels_are_those_of_all_partitions(dask_threads: Client) -> None:
    ordered = np.argsort(LABELS, kind="stable")  # partitions of one label or two
    arguments = SMALL | {"shuffle": False}
    net = train(dask_threads, in_parts(X[ordered]), in_parts(LABELS[ordered]), **arguments)
    assert net.classes.tolist() == ["ant", "bee", "cat"]
    assert net.layer_sizes == (3, 5, 3)
    assert set(net.predict(X)) <= {"ant", "bee", "cat"}


def test_one_partition_is_plain_training(dask_threads: Client) -> None:
    one = da.from_array(X, chunks=(-1, -1)), da.from_array(LABELS, chunks=-1)
    net = train(
        dask_threads, *one, hidden=(5,), rounds=1, local_epochs=4, outer_learning_rate=1.0, outer_momentum=0.0
    )
    start = fastmlp.Network((3, 5, 3), seed=0)
    alone = fastmlp.train(X, LABELS, hidden=(5,), epochs=4, seed=task_seed(0, 0, 0), init=start)
    assert np.array_equal(net.parameters, alone.parameters)


@pytest.mark.parametrize("weighted", [None, "rows", "labels", "balanced"])
def test_a_round_of_one_step_is_that_of_all_rows(dask_threads: Client, weighted: str | None) -> None:
    given: dict[str, Any] = {"optimizer": "sgd", "batch_size": None, "learning_rate": 0.3, "dtype": "float64"}
    weights = RNG.uniform(0.1, 3, N)
    mine: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    if weighted == "rows":
        mine, theirs = {"sample_weight": in_parts(weights)}, {"sample_weight": weights}
    elif weighted is not None:
        mine = theirs = {"class_weight": "balanced" if weighted == "balanced" else {"bee": 5.0, "cat": 0.0}}
    outer = {"outer_learning_rate": 1.0, "outer_momentum": 0.0}
    net = train(dask_threads, in_parts(X), in_parts(LABELS), hidden=(5,), rounds=4, **given, **outer, **mine)
    whole = fastmlp.train(X, LABELS, hidden=(5,), epochs=4, restore_best=False, **given, **theirs)
    np.testing.assert_allclose(net.parameters, whole.parameters, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(net.history["loss"], whole.history["loss"], rtol=1e-9)


def test_unknown_chunks_and_data_frames_have_the_same_bits(dask_threads: Client) -> None:
    net = train(dask_threads, in_parts(X), in_parts(LABELS), **SMALL)
    unknown = [in_parts(X)[in_parts(X[:, 0]) > -9], in_parts(LABELS)]
    table = dd.from_delayed(
        [delayed(frame().iloc[end - size : end]) for size, end in zip(SPLIT, np.cumsum(SPLIT), strict=True)],
        meta=frame(),
    )
    features = table[["a", "b", "c"]]
    given = [
        unknown,
        (features, table["kind"]),
        (features.to_dask_array(), table["kind"]),
        (table.drop(columns=["value"]), "kind"),
    ]
    assert np.isnan(given[0][0].shape[0])
    for rows, targets in given:
        same = train(dask_threads, rows, targets, **SMALL)
        assert np.array_equal(same.parameters, net.parameters)
    assert (same.feature_names, same.target_names) == (("a", "b", "c"), ("kind",))
    several = train(dask_threads, table.drop(columns=["kind"]), ["value", "c"], **SMALL)
    assert several.layer_sizes == (2, 5, 2)
    assert several.target_names == ("value", "c")


def test_sparse_blocks_have_the_bits_of_dense_ones(dask_threads: Client) -> None:
    holes = X * (X > 0)
    dense = da.from_array(holes, chunks=(30, -1))
    targets = da.from_array(VALUES, chunks=30)
    same = [
        train(dask_threads, rows, targets, hidden=(), batch_size=1, rounds=2)
        for rows in (dense, dense.map_blocks(csr_matrix))
    ]
    np.testing.assert_allclose(same[0].parameters, same[1].parameters, rtol=1e-5)


def test_codes_of_embeddings(dask_threads: Client) -> None:
    codes = np.c_[X[:, :2], RNG.integers(0, 4, N)]
    tables = [(2, 4, 2)]
    net = train(dask_threads, in_parts(codes), in_parts(LABELS), embeddings=tables, **SMALL)
    assert net.tables[0].shape == (4, 2)
    with pytest.raises(ValueError, match=r"partition \d: X has 3.0 .* must be a code"):
        train(dask_threads, in_parts(codes), in_parts(LABELS), embeddings=[(2, 3, 2)], **SMALL)


def test_a_fitted_encoder_makes_numbers_of_tables(dask_threads: Client) -> None:
    table = frame().assign(city=RNG.choice(["Oslo", "Rome"], N)).drop(columns=["kind"])
    encoder = fastmlp.data.TableEncoder("value", task="regression").fit(fastmlp.data.read_frame(table))
    parts = dd.from_pandas(table, npartitions=3)
    net = train(dask_threads, parts, "value", encode=encoder, **SMALL)
    assert net.encoder is encoder
    assert net.predict(table).shape == (N,)
    with pytest.raises((TypeError, ValueError), match=r"partition \d: X must hold real numbers"):
        train(dask_threads, parts, "value", **SMALL)
    with pytest.raises(ValueError, match="encode must be a TableEncoder that is fitted"):
        train(dask_threads, parts, "value", encode=fastmlp.data.TableEncoder("value"), **SMALL)


@pytest.mark.parametrize("y", [LABELS, VALUES, np.c_[VALUES, -VALUES], (X > 0).astype(int)])
def test_validation_is_measured_on_the_weights_after_the_round(dask_threads: Client, y: np.ndarray) -> None:
    new, truth = X[:45] + np.float32(0.1), y[:45]
    w = RNG.uniform(1, 2, 45).astype(np.float32)
    chunks = (13, 20, 12)
    collections = [da.from_array(part, chunks=(chunks, *part.shape[1:])) for part in (new, truth, w)]
    nets = [
        train(dask_threads, in_parts(X), in_parts(y), validation=given, restore_best=False, **SMALL)
        for given in ((new, truth, w), tuple(collections))
    ]
    assert np.array_equal(nets[0].parameters, nets[1].parameters)
    for net in nets:
        score = "validation_r2" if y.dtype.kind == "f" else "validation_accuracy"
        predicted = net.predict(new)
        if y.dtype.kind == "f":
            residual, total = (
                ((truth - predicted) ** 2).sum(axis=0),
                ((truth - truth.mean(axis=0)) ** 2).sum(axis=0),
            )
            expected = float(np.mean(1 - residual / total))
        else:
            expected = float(np.mean((predicted == truth).reshape(45, -1).all(axis=1)))
        assert net.history[score][-1] == pytest.approx(expected, rel=1e-4)
        loss, _ = net.loss_and_gradient(new, truth, w)
        assert net.history["validation_loss"][-1] == pytest.approx(loss, rel=1e-5)


def test_a_fraction_of_each_partition_is_held_back(dask_threads: Client) -> None:
    net = train(dask_threads, in_parts(X), in_parts(LABELS), validation=0.25, **SMALL)
    assert "validation_accuracy" in net.history
    again = train(dask_threads, in_parts(X), in_parts(LABELS), validation=0.25, **SMALL)
    assert np.array_equal(net.parameters, again.parameters)
    whole = train(dask_threads, in_parts(X), in_parts(LABELS), **SMALL)
    assert not np.array_equal(net.parameters, whole.parameters)


def test_the_best_weights_are_restored(dask_threads: Client) -> None:
    seen: list[np.ndarray] = []
    net = train(
        dask_threads, in_parts(X), in_parts(VALUES), hidden=(5,), rounds=30, learning_rate=0.3, patience=3,
        validation=(X, VALUES), callbacks=lambda net: seen.append(net.parameters.copy()),
    )  # fmt: skip
    losses = net.history["validation_loss"]
    assert net.stop_reason == "patience"
    assert len(losses) == len(seen) == int(losses.argmin()) + 4
    assert np.array_equal(net.parameters, seen[int(losses.argmin())])


@pytest.mark.parametrize(
    ("arguments", "reason", "rounds"),
    [
        ({"loss_target": 1e9}, "loss_target", 1),
        ({"max_time": 1e-9}, "max_time", 1),
        ({"callbacks": [lambda net: len(net.history) == 2]}, "callback", 2),
    ],
)
def test_what_ends_the_rounds(
    dask_threads: Client, arguments: dict[str, Any], reason: str, rounds: int
) -> None:
    net = train(dask_threads, in_parts(X), in_parts(LABELS), **SMALL | {"rounds": 9}, **arguments)
    assert (net.stop_reason, len(net.history)) == (reason, rounds)


def test_a_schedule_goes_over_all_rounds(dask_threads: Client) -> None:
    schedule = fastmlp.StepDecay(0.1, every=3, factor=0.1)
    net = train(
        dask_threads,
        in_parts(X),
        in_parts(LABELS),
        hidden=(),
        rounds=4,
        local_epochs=2,
        learning_rate=schedule,
    )
    np.testing.assert_allclose(net.history["learning_rate"], [0.1, 0.01, 0.01, 0.001])


def test_a_loss_that_diverges(dask_threads: Client) -> None:
    arguments: dict[str, Any] = {"hidden": (5,), "rounds": 5, "optimizer": "sgd", "learning_rate": 1e30}
    with pytest.raises(FloatingPointError, match="the loss diverged in epoch 2") as caught:
        train(dask_threads, in_parts(X), in_parts(VALUES), restore_best=False, **arguments)
    assert np.isfinite(caught.value.network.parameters).all()
    with pytest.warns(RuntimeWarning, match="the initial weights were restored"):
        train(dask_threads, in_parts(X), in_parts(VALUES), local_epochs=2, **arguments)


def test_a_network_to_go_on_from(dask_threads: Client) -> None:
    first = train(dask_threads, in_parts(X), in_parts(LABELS), **SMALL)
    few = LABELS != "cat"
    rows = [da.from_array(part[few], chunks=(20, *part.shape[1:])) for part in (X, LABELS)]
    second = train(dask_threads, *rows, init=first, **SMALL)
    assert second.classes.tolist() == ["ant", "bee", "cat"]
    assert second.history["loss"][0] < first.history["loss"][0]


def broken(place: int) -> pd.DataFrame:
    """Return a part whose second one is another table."""
    part = frame()[["a", "b", "c"]][place * 30 : place * 30 + 30]
    return part.rename(columns={"c": "d"}) if place == 1 else part


def of_delayed(make: Any) -> Any:
    meta = make(0)
    return dd.from_delayed([delayed(make)(i) for i in range(3)], meta=meta, verify_meta=False)


def changed(array: np.ndarray, row: int, value: Any) -> da.Array:
    copy = array.copy()
    copy[row] = value
    return da.from_array(copy, chunks=(30, *copy.shape[1:]))


CHUNKED = {"X": da.from_array(X, chunks=(30, -1)), "y": da.from_array(LABELS, chunks=30)}

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"X": X}, "X must be a dask array or data frame, got ndarray"),
    ({"y": LABELS}, "y must be a dask array or data frame, got ndarray"),
    ({"X": CHUNKED["X"].rechunk((30, 1))}, r"X must be chunked along rows only, got 3 chunks of columns"),
    ({"X": CHUNKED["X"][:, 0]}, r"X must have 2 dimensions"),
    ({"y": da.from_array(LABELS[:60], chunks=30)}, "y must have 3 partitions as X, got 2"),
    ({"X": dd.from_pandas(frame(), npartitions=3), "y": "dog"}, "y must be one of the columns"),
    ({"y": "kind"}, "y may name columns only where X is a dask data frame"),
    ({"X": changed(X, 61, np.nan)}, "partition 2: X has nan at row 1, column 0"),
    ({"y": changed(VALUES, 31, np.nan)}, "partition 1: y has nan at row 1"),
    ({"sample_weight": changed(VALUES * 0, 32, -1.0)}, "partition 1: sample_weight must be at least 0"),
    ({"sample_weight": changed(VALUES * 0, 32, 0.0)}, "must leave some of the rows a weight above 0"),
    ({"X": of_delayed(broken)}, "partition 1: X has other columns than that of partition 0: .*'d'.*'c'"),
    ({"y": da.concatenate([CHUNKED["y"][:60], da.from_array(VALUES[60:], chunks=30)]).astype(object)},
     "labels of one type|texts|numbers"),
    ({"validation": (changed(X, 3, np.inf), CHUNKED["y"])}, "validation, partition 0: X "),
    ({"validation": (X[:3], np.array(["ant", "dog", "cat"]))}, "validation, partition 0: .*'dog'"),
    ({"validation": (X[:, :2], LABELS)}, "validation: X must have 3 columns, got 2"),
    ({"validation": (CHUNKED["X"][:, :2], CHUNKED["y"])}, "validation: X must have 3 columns, got 2"),
    ({"X": dd.from_pandas(frame()[["a", "b", "c"]], npartitions=3),
      "validation": (frame()[["b", "a", "c"]], LABELS)}, "validation: X must have the columns 'a', 'b', 'c'"),
    ({"validation": "a"}, "validation must be a fraction"),
    ({"rounds": 0}, "rounds must be an integer of at least 1, got 0|rounds must be at least 1, got 0"),
    ({"local_epochs": 1.5}, "local_epochs must be an integer"),
    ({"outer_learning_rate": 0}, "outer_learning_rate must be greater than 0"),
    ({"outer_momentum": 1}, "outer_momentum must be"),
    ({"timeout": -1}, "timeout must be"),
    ({"optimizer": "lbfgs"}, "optimizer 'lbfgs' needs all rows at once"),
    ({"learning_rate": fastmlp.ReduceOnPlateau()}, "ReduceOnPlateau does not go with rounds"),
    ({"class_weight": {"dog": 1}}, "class_weight has the label 'dog'"),
    ({"X": da.zeros((0, 3)), "y": da.zeros(0)}, "X must have at least one row, got none in any partition"),
    ({"y": da.full(90, "ant", chunks=30)}, "y has only one class"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=range(len(WRONG)))
def test_errors_say_what_is_wrong(dask_threads: Client, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        train(dask_threads, **CHUNKED | SMALL | arguments)
