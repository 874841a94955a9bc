"""`read`: one function for every kind of file and frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from fastmlp.data._arrow import ARROW_FILE, ARROW_STREAM, FEATHER_1, PARQUET, read_arrow, read_parquet
from fastmlp.data._csv import read_csv
from fastmlp.data._frames import read_frame
from fastmlp.data._idx import is_idx, labels_beside, read_idx
from fastmlp.data._jsonl import is_jsonl, read_jsonl
from fastmlp.data._npy import NPY, read_npy, read_npz
from fastmlp.data._select import Dataset, Name, select
from fastmlp.data._source import ZIP, Buffer, Source, name_of, opened, resolve
from fastmlp.data._svmlight import is_svmlight, read_svmlight
from fastmlp.data._table import quoted

Reader = Callable[..., Any]

_BY_CONTENT: dict[bytes, Reader] = {
    PARQUET: read_parquet,
    ARROW_FILE: read_arrow,
    ARROW_STREAM: read_arrow,
    FEATHER_1: read_arrow,
    NPY: read_npy,
    **dict.fromkeys(ZIP, read_npz),
}
_BY_SUFFIX: dict[str, Reader] = {
    ".parquet": read_parquet,
    **dict.fromkeys((".arrow", ".feather", ".ipc"), read_arrow),
    ".npy": read_npy,
    ".npz": read_npz,
    ".idx": read_idx,
    **dict.fromkeys((".svm", ".svmlight", ".libsvm"), read_svmlight),
    **dict.fromkeys((".csv", ".tsv"), read_csv),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), read_jsonl),
}
_PAIRS = (("X", "y"), ("x", "y"), ("data", "target"))
_HEAD = 2**16


def read(
    source: Any,
    target: Any = None,
    *,
    x: Name | Iterable[Name] | None = None,
    y: Any = None,
    **options: Any,
) -> Dataset:
    """Read inputs and target from a file or a data frame.

    What the file begins with tells its format, then its suffix; text that is nothing else is CSV. Gzip, and a
    zip archive that holds one file, are looked into.

    ===================  ======================================================  =======================
    format               suffix                                                  X
    ===================  ======================================================  =======================
    CSV, TSV             .csv .tsv .txt                                          Table
    JSON Lines           .jsonl .ndjson                                          Table
    Parquet              .parquet                                                Table
    Arrow, Feather       .arrow .feather .ipc                                    Table
    NumPy                .npy                                                    array, mapped (memmap)
    NumPy, several       .npz                                                    array
    IDX (MNIST)          .idx                                                    array, an image a row
    svmlight (libsvm)    .svm .svmlight .libsvm                                  CSR matrix
    data frames          (pandas, polars and Arrow objects)                      Table
    ===================  ======================================================  =======================

    Parameters
    ----------
    source : path, open binary file, pandas or polars data frame, or Arrow table
    target : str, int or path, optional
        The name or the index of the target's column. Of .npz, the name of its array; by default the arrays X
        and y, x and y, or data and target are taken. Of IDX images, the file of the labels; by default the
        one beside them that is called labels-idx1 where they are called images-idx3. svmlight files hold
        their targets themselves.
    x : str, int, or several of them, optional
        The columns that are inputs; all but the target by default. Of .npz, a name is that of an array.
    y : optional
        Another name for target.
    **options
        What the format's own reader takes, such as ``delimiter`` of `read_csv`.

    Returns
    -------
    Dataset
        X and y; y is None without a target.

    Raises
    ------
    ImportError
        If the format needs a package that is not installed; the message says which.
    OSError
        If the file cannot be read.
    TypeError
        If an argument or a column has the wrong type.
    ValueError
        If the file is damaged, or there is no such column; the message names the file.
    """
    if target is not None and y is not None:
        raise TypeError("target and y mean the same; give one of them")
    y = target if y is None else y
    if not isinstance(source, (str, os.PathLike)) and not hasattr(source, "read"):
        if options:
            raise TypeError(f"a data frame takes no options, got {quoted(options)}")
        return select(read_frame(source), x, y)
    data = resolve(source)
    reader = choose_reader(data)
    read_pair = _READ_PAIR.get(reader)
    if read_pair is not None:
        return read_pair(data, x, y, **options)
    columns = reader(data, **options)
    try:
        return select(columns, x, y)
    except (TypeError, ValueError) as error:
        what = f"target{text[1:]}" if (text := str(error)).startswith("y") else text
        raise type(error)(f"{name_of(data)}: {what}") from None


def choose_reader(source: Path | Buffer) -> Reader:
    """Return the reader of a file's format, by its content and its name."""
    with opened(source) as (file, _):
        head = file.read(_HEAD)
    for magic, reader in _BY_CONTENT.items():
        if head.startswith(magic):
            return reader
    if is_idx(head):
        return read_idx
    name = source.unpacked_name if isinstance(source, Buffer) else str(source)
    by_suffix = _BY_SUFFIX.get(Path(name.lower()).suffix)
    if by_suffix is not None:
        return by_suffix
    return read_jsonl if is_jsonl(head) else read_svmlight if is_svmlight(head) else read_csv


def _read_npz(source: Path | Buffer, x: Any, y: Any) -> Dataset:
    arrays = read_npz(source)
    name = name_of(source)
    for argument, wanted in (("x", x), ("target", y)):
        if isinstance(wanted, str) and wanted not in arrays:
            raise ValueError(f"{name}: {argument}: no array {wanted!r}; its arrays are {quoted(arrays)}")
    inputs, labels = _pair(arrays, x, y, name)
    if labels is None:
        return select(arrays[inputs], None if isinstance(x, str) else x, y)
    return _paired(select(arrays[inputs], None if isinstance(x, str) else x).X, arrays[labels], name)


def _pair(arrays: dict[str, NDArray[Any]], x: Any, y: Any, name: str) -> tuple[str, str | None]:
    """Return the names of the arrays of the inputs and of the target, None if that is a column or nothing."""
    for first, second in _PAIRS:
        inputs = x if isinstance(x, str) else first
        labels = second if y is None else y if isinstance(y, str) else None
        if inputs in arrays and inputs != labels and (labels is None or labels in arrays):
            return inputs, labels
    if len(arrays) == 1 and not isinstance(y, str):
        return next(iter(arrays)), None
    raise ValueError(
        f"{name}: which arrays are the inputs and the target? Give their names as x and y; "
        f"its arrays are {quoted(arrays)}"
    )


def _read_idx(source: Path | Buffer, x: Any, y: Any) -> Dataset:
    X = read_idx(source)
    if y is None:
        y = labels_beside(Path(name_of(source)))
    if not isinstance(y, (str, os.PathLike)):
        return select(X, x, y)
    return _paired(select(X, x).X, read_idx(y), str(y))


def _paired(X: Any, y: NDArray[Any], name: str) -> Dataset:
    if y.ndim != 1 or len(y) != len(X):
        raise ValueError(f"{name}: the target must have shape ({len(X)},), one value a row, got {y.shape}")
    return Dataset(X, y)


def _read_svmlight(source: Source, x: Any, y: Any, **options: Any) -> Dataset:
    X, labels = read_svmlight(source, **options)
    if y is not None:
        raise ValueError(f"target: an svmlight file holds its targets itself, got {y!r}")
    return Dataset(select(X, x).X, labels)


_READ_PAIR = {read_npz: _read_npz, read_idx: _read_idx, read_svmlight: _read_svmlight}


def holds_table(reader: Reader) -> bool:
    """Whether files of this reader hold a table, rather than arrays."""
    return reader not in _READ_PAIR and reader is not read_npy
