"""Rows in windows: the same training as in memory where they fit, and every row once where they do not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import fastmlp
from fastmlp._rows import blocks
from fastmlp._rows.shards import Shards
from fastmlp._rows.stream import read_stream
from fastmlp._rows.windows import WindowedRows, divide_stream

Array = NDArray[Any]

N, D = 5000, 6
ROW_BYTES = 4 * (D + 2 + 2) + 4
SMALL = {"hidden": (8,), "epochs": 3, "batch_size": 50, "seed": 2}


def rows(dtype: str = "float32") -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D)).astype(dtype)
    return X, (X @ rng.normal(size=D) > 0).astype(np.int64)


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return a limit that makes windows of 1,024 rows in 4 blocks, where there are two classes."""
    monkeypatch.setattr(blocks, "PROCESS_BYTES", 0)
    monkeypatch.setattr(blocks, "_BATCH_ROWS", 0)
    return 2 * 1024 * ROW_BYTES + 8 * 4 * (8 * (D + 1) + 2 * (8 + 1))


def windowed(X: Any, y: Array, limit: int, validation: Any = None) -> WindowedRows:
    """Return labelled rows of X as a run reads them."""
    source = read_stream(X, y, (), "softmax_cross_entropy", "auto", None, None, "float32", limit)
    return divide_stream(source, fastmlp.Network((D, 8, 2)), validation, 0, clipped=False, shards=Shards())


def same(a: fastmlp.Network, b: fastmlp.Network) -> bool:
    return np.array_equal(a.parameters, b.parameters) and np.array_equal(a.history["loss"], b.history["loss"])


class Seen:
    """An array that remembers which of its rows were read."""

    def __init__(self, array: Array) -> None:
        self.array, self.dtype, self.shape = array, array.dtype, array.shape
        self.slices: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, at: slice) -> Array:
        self.slices.append((at.start, at.stop))
        return self.array[at]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise AssertionError("all rows were read at once")


# ---------------------------------------------------------------------------------- the same as in memory


@pytest.mark.parametrize("target", ["labels", "strings", "values", "several values"])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_that_fit_train_as_in_memory(isa: str, target: str, weighted: bool) -> None:
    X, y = rows()
    targets: Any = {
        "labels": y,
        "strings": np.array(["no", "yes"])[y],
        "values": X[:, 0] * 2.0,
        "several values": X[:, :2] * 2.0,
    }[target]
    options: dict[str, Any] = dict(SMALL)
    if weighted:
        options["sample_weight"] = np.random.default_rng(1).uniform(0, 2, N)
        if target in ("labels", "strings"):
            options["class_weight"] = "balanced"
    in_memory = fastmlp.train(X, targets, **options)
    assert same(fastmlp.train(X, targets, memory_limit="1 GB", **options), in_memory)


def test_other_types_are_converted_in_the_windows(small_windows: int) -> None:
    X, y = rows()
    whole = np.round(X * 100)
    expected = fastmlp.train(whole, y, memory_limit=small_windows, **SMALL)
    for dtype in ("float64", "int16", "int64"):
        assert same(fastmlp.train(whole.astype(dtype), y, memory_limit=small_windows, **SMALL), expected)


# ------------------------------------------------------------------------------------------------ windows


def test_every_row_is_read_once_an_epoch_in_an_order_that_changes(small_windows: int) -> None:
    X, y = rows()
    seen = Seen(X)
    source = windowed(seen, y, small_windows)
    epochs: list[Array] = []
    with source.windows(50, range(3), shuffle=True, seed=7) as (_, next_window):
        for _ in range(3):
            read: list[Array] = []
            while sum(map(len, read)) < N:
                part, labels, values, weights, _ = next_window()
                assert len(part) <= 1024
                assert values is None
                assert weights is None
                read.append(np.column_stack([part, labels]))
            epochs.append(np.concatenate(read))
    everything = np.column_stack([X, y])
    for epoch in epochs:
        assert not np.array_equal(epoch, everything)
        np.testing.assert_array_equal(
            epoch[np.lexsort(epoch.T)], everything[np.lexsort(everything.T)].astype("float32")
        )
    assert not np.array_equal(epochs[0], epochs[1])
    assert max(stop - start for start, stop in seen.slices) == 256


@pytest.mark.parametrize("threads", [1, 2])
def test_windows_give_the_same_bits_on_any_number_of_threads(
    exact_threads: None, small_windows: int, threads: int
) -> None:
    X, y = rows()
    options = {**SMALL, "memory_limit": small_windows + 1001 * ROW_BYTES, "validation": 0.2, "dropout": 0.2}
    expected = fastmlp.train(X, y, threads=1, **options)
    assert same(fastmlp.train(X, y, threads=threads, **options), expected)
    assert len(expected.history) == 3


def test_windows_learn_what_memory_learns(small_windows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_LEAST_BLOCK", 16)  # so that a window has its 64 blocks
    X, y = rows()
    order = np.argsort(y, kind="stable")  # the worst order for a file: one label after the other
    options = {**SMALL, "epochs": 10, "validation": (X, y)}
    streamed = fastmlp.train(X[order], y[order], memory_limit=small_windows, **options)
    in_memory = fastmlp.train(X, y, **options)
    assert streamed.history["validation_accuracy"][-1] > in_memory.history["validation_accuracy"][-1] - 0.01


def test_without_shuffling_rows_come_in_their_order(small_windows: int) -> None:
    X, y = rows()
    options = {**SMALL, "batch_size": 64, "shuffle": False}  # divides blocks and windows
    assert same(fastmlp.train(X, y, memory_limit=small_windows, **options), fastmlp.train(X, y, **options))


def test_a_fraction_is_held_back_from_every_block(small_windows: int) -> None:
    X, y = rows()
    X[:, 0] = np.arange(N)
    source = windowed(X, y, small_windows + 1251 * ROW_BYTES, 0.25)
    held, block_rows = source.held_out, source.reader.plan.parts[0].block_rows
    assert held is not None
    held_of_blocks = np.bincount(held[0][:, 0].astype(int) // block_rows)
    assert set(held_of_blocks[:-1]) == {round(0.25 * block_rows)}
    np.testing.assert_array_equal(held[1], y[held[0][:, 0].astype(int)])
    assert len(source) == N - len(held[0])


@pytest.mark.parametrize("balanced", [False, True])
def test_class_weights_count_all_rows(small_windows: int, balanced: bool) -> None:
    X, y = rows()
    y[:4000] = 0  # so that the windows differ
    weights = dict(enumerate(N / (2 * np.bincount(y)))) if balanced else {0: 0.5, 1: 2.0}
    as_weights = np.array([weights[label] for label in y])
    expected = fastmlp.train(X, y, memory_limit=small_windows, sample_weight=as_weights, **SMALL)
    wanted = "balanced" if balanced else weights
    assert same(fastmlp.train(X, y, memory_limit=small_windows, class_weight=wanted, **SMALL), expected)


def test_windows_divide_by_the_mean_weight_of_all_rows(small_windows: int) -> None:
    X, y = rows()
    weights = np.where(np.arange(N) < 3000, 0.0625, 4.0)  # so that the windows differ; their sums are exact
    options = {**SMALL, "batch_size": 64, "shuffle": False, "sample_weight": weights}
    assert same(fastmlp.train(X, y, memory_limit=small_windows, **options), fastmlp.train(X, y, **options))


def test_the_epoch_loss_of_windows_is_the_weighted_mean_over_all_rows(small_windows: int) -> None:
    X, y = rows()
    weights = np.random.default_rng(1).uniform(0.1, 5, N) * np.where(np.arange(N) < 3000, 0.1, 1)
    net = fastmlp.train(
        X, y, memory_limit=small_windows, sample_weight=weights, class_weight={1: 7}, learning_rate=1e-37,
        **SMALL,
    )  # fmt: skip
    expected = net.loss_and_gradient(X, y, weights * np.where(y == 1, 7, 1))[0]
    np.testing.assert_allclose(net.history["loss"], expected, rtol=1e-6)


# ------------------------------------------------------------------------------------------------ sources


def write_parquet(folder: Path, X: Array, y: Array) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({f"x{i}": column for i, column in enumerate(X.T)} | {"label": np.array(["n", "y"])[y]})
    (folder / "data").mkdir()
    for part, first in enumerate(range(0, N, 2000)):  # several files, of several row groups
        pq.write_table(table.slice(first, 2000), folder / "data" / f"{part}.parquet", row_group_size=700)
    return folder / "data"


@pytest.mark.parametrize("source", ["generator", "npy", "memmap", "parquet", "dataset", "record batches"])
def test_sources_of_rows_give_the_same_network(source: str, tmp_path: Path, small_windows: int) -> None:
    import pyarrow as pa
    import pyarrow.dataset as ds

    X, y = rows()
    expected = fastmlp.train(X, y, memory_limit=small_windows, **SMALL)
    given: tuple[Any, ...]
    if source == "generator":
        given = (((X[i : i + 333], y[i : i + 333]) for i in range(0, N, 333)),)
    elif source in ("npy", "memmap"):
        np.save(tmp_path / "X.npy", X)
        np.save(tmp_path / "y.npy", y)
        given = (tmp_path / "X.npy", tmp_path / "y.npy")
        if source == "memmap":
            given = tuple(np.load(path, mmap_mode="r") for path in given)
    else:
        path = write_parquet(tmp_path, X, y)
        dataset = ds.dataset(path)
        batches = pa.RecordBatchReader.from_batches(dataset.schema, dataset.to_batches())
        given = ({"parquet": path, "dataset": dataset, "record batches": batches}[source], "label")
    net = fastmlp.train(*given, memory_limit=small_windows, **SMALL)
    assert same(net, expected)
    if isinstance(given[-1], str):
        assert net.classes is not None
        assert net.classes.tolist() == ["n", "y"]
        assert net.feature_names == tuple(f"x{i}" for i in range(D))


def test_a_map_is_not_changed_and_neither_is_one_of_the_users_own_changes(
    tmp_path: Path, small_windows: int
) -> None:
    X, y = rows()
    np.save(tmp_path / "X.npy", X)
    private = np.load(tmp_path / "X.npy", mmap_mode="c")
    private *= 2
    fastmlp.train(private, y, memory_limit=small_windows, **SMALL)
    np.testing.assert_array_equal(private, X * 2)


def test_a_reader_leaves_no_thread_and_no_file(tmp_path: Path, small_windows: int, monkeypatch: Any) -> None:
    import _thread
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    threads = _thread._count()
    X, y = rows()
    for stop in (False, True):
        fastmlp.train(
            ((X[i : i + 500], y[i : i + 500]) for i in range(0, N, 500)),
            memory_limit=small_windows, callbacks=lambda net, stop=stop: stop, **SMALL,
        )  # fmt: skip
    assert _thread._count() == threads
    assert list(tmp_path.iterdir()) == []


def fails(X: Array, y: Array) -> Iterator[tuple[Array, Array]]:
    yield X, y
    raise OSError("the line is dead")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (lambda X, y: (iter([]),), ValueError, "at least one batch, got none"),
        (lambda X, y: (iter([(X[:0], y[:0])]),), ValueError, "X must have at least one row, got 0"),
        (lambda X, y: (iter([(X, y), (X[:, :2], y)]),), ValueError, "batch 1: rows have the shape"),
        (lambda X, y: (iter([(X, y[:3])]),), ValueError, "batch 0: y must have as many rows as X"),
        (lambda X, y: (iter([X]),), TypeError, "batch 0: must be a pair"),
        (lambda X, y: (iter([(X, y), (X, y / 3)]),), TypeError, "batch 1: y has dtype float64"),
        (lambda X, y: (iter([(X, y), (X, y.astype(str))]),), TypeError, "batch 1: y has dtype <U21"),
        (lambda X, y: (iter([(X, y.astype(str)), (X, y)]),), TypeError, "batch 1: y has dtype int64"),
        (lambda X, y: (iter([(X, y.astype("i1")), (X, y)]),), TypeError, "batch 1: y has dtype int64"),
        (lambda X, y: (iter([(X * np.nan, y)]),), ValueError, "batch 0: X has nan at row 0, column 0"),
        (lambda X, y: (fails(X, y),), OSError, "the line is dead"),
        (lambda X, y: (X,), TypeError, "y is needed"),
        (lambda X, y: ("nowhere.parquet", "y"), FileNotFoundError, "nowhere.parquet"),
        (lambda X, y: (__file__, "y"), ValueError, "test_stream.py: .*not CSV"),
        (lambda X, y: ("nowhere.parquet", None), TypeError, "y must be the name of a column"),
    ],
)  # fmt: skip
def test_bad_sources_are_named(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fastmlp.train(*given(*rows()))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"memory_limit": 1000}, ValueError, "memory_limit must be at least [0-9]+ bytes"),
        ({"memory_limit": "5 apples"}, ValueError, "memory_limit must be like '500 MB'"),
        ({"memory_limit": 0}, ValueError, "memory_limit must be at least 1"),
        ({"memory_limit": 1.5}, TypeError, "memory_limit must be an integer"),
        ({"memory_limit": "200 MB", "optimizer": "lbfgs"}, ValueError, "needs all rows in memory"),
        ({"memory_limit": "200 MB", "sample_weight": [1.0]}, ValueError, "sample_weight must have as"),
    ],
)  # fmt: skip
def test_bad_limits_are_named(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fastmlp.train(*rows(), **options)


def test_empty_batches_are_passed_over() -> None:
    X, y = rows()
    net = fastmlp.train(iter([(X[:0], []), (X, y), (X[:0], [])]), **SMALL)
    assert same(net, fastmlp.train(X, y, **SMALL))


@pytest.mark.parametrize("unit", ["D", "us", "ns"])
def test_labels_of_dates_come_back_as_dates(unit: str, tmp_path: Path) -> None:
    X, y = rows()
    dates = np.array(["2026-01-01", "2026-02-01"], f"datetime64[{unit}]")
    options = {**SMALL, "loss": "softmax_cross_entropy"}
    net = fastmlp.train(iter([(X, dates[y])]), **options)
    assert net.classes is not None
    assert net.classes.dtype == dates.dtype
    assert same(net, fastmlp.train(X, dates[y], **options))
    net.save(tmp_path / "m.safetensors")


def test_copies_of_maps_and_frames_are_streamed(tmp_path: Path, small_windows: int) -> None:
    import pandas as pd

    X, y = rows()
    np.save(tmp_path / "X.npy", X)
    expected = fastmlp.train(X, y, memory_limit=small_windows, **SMALL)
    copied = np.load(tmp_path / "X.npy", mmap_mode="r").copy()
    assert same(fastmlp.train(copied, y, memory_limit=small_windows, **SMALL), expected)
    frame = pd.DataFrame(X).assign(flag=True)  # numbers and booleans, which pandas hands over as objects
    assert fastmlp.train(frame, y, encode=False, memory_limit="200 MB", **SMALL).layer_sizes[0] == D + 1


def test_a_fraction_of_one_window_is_that_of_memory() -> None:
    X, y = rows()
    rare = (np.arange(N) % 100 == 0).astype(int)
    for target in (y, rare, X[:, 0]):
        streamed = fastmlp.train(X, target, memory_limit="1 GB", validation=0.2, **SMALL)
        assert same(streamed, fastmlp.train(X, target, validation=0.2, **SMALL))


def test_weights_of_zeros_are_refused() -> None:
    X, y = rows()
    with pytest.raises(ValueError, match="sample_weight must be greater than 0 somewhere"):
        fastmlp.train(X, y, memory_limit="200 MB", sample_weight=np.zeros(N))
    with pytest.raises(ValueError, match="class_weight must leave some rows a weight above 0"):
        fastmlp.train(X, y, memory_limit="200 MB", class_weight={0: 0, 1: 0})


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x93NUMPY\x01\x00"])
def test_a_damaged_npy_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "X.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"X\.npy"):
        fastmlp.train(tmp_path / "X.npy", np.zeros(3))


def test_lbfgs_takes_no_streamed_rows() -> None:
    X, y = rows()
    with pytest.raises(ValueError, match="optimizer 'lbfgs' needs all rows in memory"):
        fastmlp.train(iter([(X, y)]), optimizer="lbfgs")


@pytest.mark.parametrize("target", ["values", "several"])
def test_class_weights_need_labels(target: str) -> None:
    X, _ = rows()
    y = X[:, 0] if target == "values" else np.abs(X[:, :2])
    with pytest.raises(ValueError, match="class_weight needs y to be labels"):
        fastmlp.train(X, y, memory_limit="200 MB", class_weight="balanced")


def test_another_order_of_windows_is_another_run(small_windows: int, tmp_path: Path) -> None:
    X, y = rows()
    fastmlp.train(X, y, memory_limit=small_windows, checkpoint=tmp_path, **SMALL)
    with pytest.raises(ValueError, match="window_rows=1024, this one window_rows=2048"):
        fastmlp.train(X, y, memory_limit=small_windows + 2048 * ROW_BYTES, resume=tmp_path, **SMALL)


def test_a_batch_must_fit_into_a_window(small_windows: int) -> None:
    with pytest.raises(ValueError, match="batch_size must be at most 1024, the rows of a window"):
        fastmlp.train(*rows(), memory_limit=small_windows, **{**SMALL, "batch_size": None})


@pytest.mark.parametrize("what", ["X", "y", "weight"])
def test_a_bad_row_far_into_the_file_is_named(small_windows: int, what: str) -> None:
    X, _ = rows()
    values, weights = X[:, 0].astype(float), np.ones(N)
    {"X": X[:, 2], "y": values, "weight": weights}[what][4321] = np.nan
    with pytest.raises(ValueError, match=r"nan at row") as error:
        fastmlp.train(X, values, memory_limit=small_windows, sample_weight=weights, **SMALL)
    row = int(re.findall(r"nan at row ([0-9]+)", str(error.value))[0])
    first = re.findall(r"rows ([0-9]+) to [0-9]+, counted from 0: ", str(error.value))
    assert row + (int(first[0]) if first else 0) == 4321


# ------------------------------------------------------------------------------------------------- memory

MEASURE = """
import sys, numpy as np, fastmlp
path, limit = sys.argv[1:]
if path.endswith(".npy"):
    X = np.load(path, mmap_mode="r")
    source = X, np.lib.stride_tricks.as_strided(np.zeros(2), (len(X),), (0,))  # takes no memory
else:
    source = path, "y"
fastmlp.train(*source, hidden=(4,), epochs=1, batch_size=4096, memory_limit=limit)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures resident memory as Linux counts it")
@pytest.mark.parametrize("source", ["npy", "parquet", "large.parquet"])
def test_the_process_stays_within_the_limit(source: str, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / f"X.{source}"
    if source == "npy":
        file = np.lib.format.open_memmap(path, "w+", "float32", (1_500_000, 100))  # 600 MB
        file[:, 0] = 1
        del file
    elif source == "large.parquet":  # one row group whose rows in float32, 320 MB, are more than the limit
        column = pa.array(np.random.default_rng(0).integers(0, 9, 400_000) / 9)
        names = [*(f"x{i}" for i in range(200)), "y"]
        pq.write_table(pa.table([column] * 201, names), path, row_group_size=400_000)
    else:  # one row group of many columns, 160 MB
        columns = np.random.default_rng(0).standard_normal((200, 100_000), np.float64)
        pq.write_table(pa.table({f"x{i}": c for i, c in enumerate(columns)} | {"y": columns[0]}), path)
    script = [sys.executable, "-c", MEASURE, os.fspath(path), "300 MB"]
    used = int(subprocess.run(script, check=True, capture_output=True, text=True).stdout) * 1024
    assert used < 300e6


MEASURE_CHECKPOINTS = """
import sys, numpy as np, fastmlp
X, folder = np.load(sys.argv[1], mmap_mode="r"), sys.argv[2]
fastmlp.train(X, np.zeros(len(X)), hidden=(4000,), epochs=int(sys.argv[3]), batch_size=500, restore_best=True,
              clip_norm=1, memory_limit="600 MB", checkpoint=folder, resume=folder)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures resident memory as Linux counts it")
def test_checkpoints_are_within_the_limit(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", np.zeros((1000, 2000), np.float32))  # 8 million weights
    for epochs in ("1", "2"):  # the second run goes on from the first one's checkpoint
        paths = [os.fspath(tmp_path / "X.npy"), os.fspath(tmp_path / "run")]
        script = [sys.executable, "-c", MEASURE_CHECKPOINTS, *paths, epochs]
        used = int(subprocess.run(script, check=True, capture_output=True, text=True).stdout) * 1024
        assert used < 600e6


def test_a_clipped_gradient_is_within_the_limit() -> None:
    least = []
    for clip_norm in (None, 1.0):
        with pytest.raises(ValueError, match="memory_limit must be at least") as error:
            fastmlp.train(*rows(), memory_limit=1000, clip_norm=clip_norm, **SMALL)
        least.append(int(re.findall("at least ([0-9]+) bytes", str(error.value))[0]))
    assert least[1] - least[0] == 4 * (8 * (D + 1) + 2 * (8 + 1))
