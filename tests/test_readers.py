"""Readers: what comes out of each format, how `read` tells them apart, and how columns are selected."""

from __future__ import annotations

import gzip
import io
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from pyarrow import feather, ipc, parquet
from sklearn.datasets import dump_svmlight_file

import fastmlp
from fastmlp.data import (
    Dataset,
    Table,
    read,
    read_arrow,
    read_csv,
    read_idx,
    read_npy,
    read_npz,
    read_parquet,
    read_svmlight,
    select,
)

COLUMNS = {"age": [20, 30, 40], "rent": [1.5, None, 2.5], "city": ["Rome", None, "Oslo"]}
ARROW = pa.table(COLUMNS)


def idx(array: np.ndarray) -> bytes:
    """Write an array as an IDX file."""
    codes = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}
    head = bytes([0, 0, codes[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_ipc(path: Path, new: Callable[..., Any]) -> None:
    with new(path, ARROW.schema) as writer:
        writer.write_table(ARROW)


def write_csv(path: Path) -> None:
    path.write_text("age,rent,city\n20,1.5,Rome\n30,,\n40,2.5,Oslo\n", encoding="utf-8")


TABLE_WRITERS: dict[str, Callable[[Path], Any]] = {
    "csv": write_csv,
    "parquet": lambda path: parquet.write_table(ARROW, path),
    "arrow": lambda path: write_ipc(path, ipc.new_file),
    "stream": lambda path: write_ipc(path, ipc.new_stream),
    "feather": lambda path: feather.write_feather(ARROW, str(path)),
    "feather uncompressed": lambda path: feather.write_feather(ARROW, str(path), compression="uncompressed"),
}


# ------------------------------------------------------------------------------------------ tables from files


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", TABLE_WRITERS)
def test_a_table_is_known_by_its_content(form: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "data"  # no suffix
    TABLE_WRITERS[form](path)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    X, y = read(path, "age")
    assert isinstance(X, Table)
    assert X.names == ("rent", "city")
    np.testing.assert_array_equal(X["rent"], [1.5, np.nan, 2.5])
    assert X["city"].tolist() == ["Rome", None, "Oslo"]
    assert y is not None
    assert y.tolist() == [20, 30, 40]
    with path.open("rb") as file:
        assert read(file, y=0).X.names == ("rent", "city")


@pytest.mark.parametrize("reader", [read_parquet, read_arrow])
def test_readers_by_name_give_the_table_and_name_the_file(
    reader: Callable[[Any], Table], tmp_path: Path
) -> None:
    path = tmp_path / "some.bin"
    TABLE_WRITERS["parquet" if reader is read_parquet else "arrow"](path)
    assert reader(path).names == ("age", "rent", "city")
    assert reader(str(path)).source == str(path)


def test_columns_of_other_types_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"a": [1], "b": [[1, 2]]}), path)
    with pytest.raises(TypeError, match=r"a\.parquet: column 'b' cannot be read .*: its type is list"):
        read(path)


@pytest.mark.parametrize(
    "frame", [pd.DataFrame(COLUMNS), pl.DataFrame(COLUMNS), ARROW, ARROW.to_batches()[0]]
)
def test_frames_are_read_too(frame: Any) -> None:
    X, y = read(frame, "city", x=["rent"])
    assert X.names == ("rent",)
    assert y is not None
    assert y.tolist() == ["Rome", None, "Oslo"]
    with pytest.raises(TypeError, match="a data frame takes no options, got 'delimiter'"):
        read(frame, delimiter=";")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("a,b\n1,2\n",))
    writer.start()
    assert read(pipe, "b").X["a"].tolist() == [1]
    writer.join()


def test_options_go_to_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a|b\n1|2\n", encoding="utf-8")
    assert read(path, delimiter="|").X.names == ("a", "b")
    assert read(path, delimiter="|", text=["b"], y="b").y.tolist() == ["2"]  # type: ignore[union-attr]


def test_target_and_y_are_one_argument(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="target and y mean the same"):
        read(tmp_path / "a.csv", "a", y="a")


def test_what_is_no_file_and_no_frame_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a pandas or polars data frame or an Arrow table, got int"):
        read(5)
    with pytest.raises(TypeError, match="expected a path or an open binary file, got int"):
        read_npy(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the file must be open in binary mode"):
        read(io.StringIO("a\n1\n"))
    with pytest.raises(FileNotFoundError):
        read("absent.csv")


# ---------------------------------------------------------------------------------------------- NumPy's files


@pytest.mark.parametrize("array", [np.arange(12.0).reshape(3, 4), np.array(["a", "bc"]), np.zeros((0, 3))])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_is_mapped_into_memory(array: np.ndarray, order: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.asarray(array, order=order))
    mapped = read_npy(path)
    np.testing.assert_array_equal(mapped, array)
    assert isinstance(mapped, np.memmap) == (array.size > 0)
    path.with_suffix(".gz").write_bytes(gzip.compress(path.read_bytes()))
    unpacked = read_npy(path.with_suffix(".gz"))
    np.testing.assert_array_equal(unpacked, array)
    assert not isinstance(unpacked, np.memmap)


def test_columns_of_a_mapped_array_are_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(12.0).reshape(3, 4))
    X, y = read(path, 3)
    assert isinstance(X, np.memmap)
    assert X.shape == (3, 3)
    assert y is not None
    assert y.tolist() == [3, 7, 11]
    assert read(path).y is None


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(("inputs", "labels"), [("X", "y"), ("x", "y"), ("data", "target")])
def test_npz_has_its_usual_names(inputs: str, labels: str, tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", **{inputs: np.eye(2), labels: np.array(["u", "v"]), "more": [1]})
    X, y = read(path)
    assert X.tolist() == [[1, 0], [0, 1]]
    assert y is not None
    assert y.tolist() == ["u", "v"]
    assert read(path, x=[1]).X.tolist() == [[0], [1]]


def test_npz_arrays_are_chosen_by_name(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", x_train=np.eye(2), y_train=[0, 1], x_test=np.ones((1, 2)), y_test=[1])
    X, y = read(path, x="x_test", y="y_test")
    assert (X.tolist(), y.tolist()) == ([[1, 1]], [1])  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="which arrays are the inputs and the target"):
        read(path)
    with pytest.raises(
        ValueError, match=r"a\.npz: target: no array 'z'; its arrays are 'x_train', 'y_train'"
    ):
        read(path, "z")
    with pytest.raises(ValueError, match=r"the target must have shape \(2,\), one value a row, got \(1,\)"):
        read(path, x="x_train", y="y_test")


def test_a_column_of_the_inputs_of_an_npz_may_be_the_target(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", X=np.array([[1, 2], [3, 4]]), y=[0, 0])
    X, y = read(path, y=1)
    assert (X.tolist(), y.tolist()) == ([[1], [3]], [2, 4])  # type: ignore[union-attr]


def test_a_single_array_in_npz_is_the_inputs(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", table=[[1, 2, 3]])
    assert read(path, 2).X.tolist() == [[1, 2]]
    assert list(read_npz(path)) == ["table"]


# ----------------------------------------------------------------------------------------- IDX and svmlight


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float32", "float64"])
def test_idx_of_every_type(dtype: str, tmp_path: Path) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    path = tmp_path / "a"
    path.write_bytes(idx(array))
    rows = read_idx(path)
    assert rows.dtype == np.dtype(dtype)
    assert rows.flags.writeable
    np.testing.assert_array_equal(rows, array.reshape(2, 12))
    path.write_bytes(gzip.compress(idx(array[:, 0, 0])))
    assert read(path).X.tolist() == [0, 12]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_mnist_finds_its_labels(suffix: str, tmp_path: Path) -> None:
    images, labels = (
        tmp_path / f"train-images-idx3-ubyte{suffix}",
        tmp_path / f"train-labels-idx1-ubyte{suffix}",
    )
    pack = gzip.compress if suffix else bytes
    images.write_bytes(pack(idx(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))))
    assert read(images).y is None
    labels.write_bytes(pack(idx(np.array([7, 0, 9], dtype=np.uint8))))
    X, y = read(images)
    assert X.shape == (3, 4)
    assert y is not None
    assert y.tolist() == [7, 0, 9]
    other = tmp_path / "other"
    other.write_bytes(idx(np.array([1, 2, 3], dtype=np.uint8)))
    assert read(images, other).y.tolist() == [1, 2, 3]  # type: ignore[union-attr]
    other.write_bytes(idx(np.array([1, 2], dtype=np.uint8)))
    with pytest.raises(
        ValueError, match=r"other: the target must have shape \(3,\), one value a row, got \(2,\)"
    ):
        read(images, other)


@pytest.mark.parametrize("name", ["a.svm", "a.svmlight", "a.libsvm.gz", "a.txt", "a"])
@pytest.mark.parametrize(("labels", "dtype"), [([1, -1, 1], "int64"), ([0.5, 1.0, 2.0], "float64")])
def test_svmlight_is_a_csr_matrix(name: str, labels: list[float], dtype: str, tmp_path: Path) -> None:
    path, dense = tmp_path / name, np.array([[0, 1.5, 0], [2, 0, 0], [0, 0, -3]])
    dump_svmlight_file(dense, labels, str(path.with_suffix("")), zero_based=False)
    content = path.with_suffix("").read_bytes()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    X, y = read(path)
    assert X.format == "csr"
    np.testing.assert_array_equal(X.toarray(), dense)
    assert y is not None
    assert y.dtype == dtype
    assert y.tolist() == labels
    assert read(path, x=[1, 0]).X.toarray().tolist() == [[1.5, 0], [0, 2], [0, 0]]
    assert read_svmlight(path, n_features=5).X.shape == (3, 5)
    with pytest.raises(ValueError, match="an svmlight file holds its targets itself, got 'y'"):
        read(path, "y")


@pytest.mark.parametrize(
    "content",
    [
        b"# made by hand\n\n1 qid:3 1:2 # first\n",
        b"1" + b"".join(b" %d:1" % i for i in range(1, 20_000)),
        b"+1.5e3 7:.5\r\n",
    ],
    ids=["comment", "long line", "numbers"],
)
def test_svmlight_is_told_by_its_first_line(content: bytes) -> None:
    assert read(io.BytesIO(content)).X.format == "csr"


@pytest.mark.parametrize("content", [b"a b:1\n1 2\n", b"time\n1 10:30 x\n", b"x\n1:2\n"])
def test_other_text_is_csv(content: bytes) -> None:
    assert isinstance(read(io.BytesIO(content)).X, Table)


# ---------------------------------------------------------------------------------------------------- select


@pytest.mark.parametrize(
    "data",
    [
        np.arange(10.0).reshape(2, 5),
        sp.csr_matrix(np.arange(10.0).reshape(2, 5)),
        sp.coo_array(np.arange(10.0).reshape(2, 5)),
        Table({name: [float(i), 5.0 + i] for i, name in enumerate("abcde")}),
        pd.DataFrame(np.arange(10.0).reshape(2, 5), columns=list("abcde")),
    ],
    ids=["array", "csr", "coo", "Table", "pandas"],
)
@pytest.mark.parametrize(
    ("x", "y", "inputs", "target"),
    [
        ([0, 1, 2, 3], 4, [0, 1, 2, 3], 4),
        (None, 4, [0, 1, 2, 3], 4),
        (None, -1, [0, 1, 2, 3], 4),
        (None, 1, [0, 2, 3, 4], 1),
        (range(2), None, [0, 1], None),
        ([3, 0], 1, [3, 0], 1),
        (2, np.int64(0), [2], 0),
        (None, None, [0, 1, 2, 3, 4], None),
    ],
)
def test_columns_are_selected_by_index(
    data: Any, x: Any, y: Any, inputs: list[int], target: int | None
) -> None:
    values = np.arange(10.0).reshape(2, 5)
    X, labels = select(data, x=x, y=y)
    dense = X.toarray() if hasattr(X, "toarray") else X if isinstance(X, np.ndarray) else X.to_numpy()
    np.testing.assert_array_equal(dense, values[:, inputs])
    if target is None:
        assert labels is None
    else:
        assert labels is not None
        np.testing.assert_array_equal(labels, values[:, target])


def test_columns_are_selected_by_name() -> None:
    iris = read_csv(Path(fastmlp.datasets.__file__).parent / "iris.csv")
    chosen = select(iris, x=["petal_width", "sepal_length"], y="species")
    assert isinstance(chosen, Dataset)
    assert chosen.X.names == ("petal_width", "sepal_length")
    assert set(chosen.y) == {"setosa", "versicolor", "virginica"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "x", "y", "error", "message"),
    [
        (np.eye(3), None, 3, ValueError, "y: no column 3; there are 3, 0 to 2"),
        (np.eye(3), [-4], None, ValueError, "x: no column -4; there are 3, 0 to 2"),
        (np.eye(3), "a", None, TypeError, "x: 'a' is a name; the columns have indices, 0 to 2"),
        (np.eye(3), [0, True], None, TypeError, "x must be the name or the index of a column, got True"),
        (np.eye(3), 1.0, None, TypeError, "x must be the name or the index of a column, got 1.0"),
        (np.eye(3), [0, 0], None, ValueError, "x: column 0 is chosen twice"),
        (np.eye(3), [0, 1], 1, ValueError, "x: column 1 is the target, y, and cannot be an input"),
        (np.eye(3), [], 1, ValueError, "x: no column is left to be an input"),
        (np.ones((3, 1)), None, 0, ValueError, "x: no column is left to be an input"),
        (np.ones(3), None, 0, ValueError, r"of data of shape \(n, columns\), got shape \(3,\)"),
        (Table({"a": [1], "b": [2]}), ["c"], None, ValueError, "x: no column 'c'; the columns are 'a', 'b'"),
        (Table({"a": [1], "b": [2]}), ["b", 1], None, ValueError, "x: column 'b' is chosen twice"),
        (Table({"a": [1], "b": [2]}), None, "A", ValueError, "y: no column 'A'; the columns are 'a', 'b'"),
    ],
)
def test_a_bad_choice_of_columns_is_refused(
    data: Any, x: Any, y: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        select(data, x=x, y=y)


def test_what_is_read_can_be_trained_on(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.c_[np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2])
    X, y = read(path, y=-1)
    assert y is not None
    assert fastmlp.train(X, y.astype(int), hidden=(), epochs=1).predict(X).shape == (20,)
