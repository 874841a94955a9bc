"""Unnamed files of rows, which are written once and read by slices."""

from __future__ import annotations

import mmap
import os
import tempfile
from contextlib import suppress
from io import FileIO
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray


class CodedLabels:
    """Labels of any type, as codes in a file; a slice gives the labels."""

    def __init__(self, codes: NDArray[np.int64], labels: NDArray[Any]) -> None:
        self._codes, self._labels = codes, labels
        self.base = codes  # whose pages can be released

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        return self._labels[self._codes[rows]]


class NoRoomError(OSError):
    """The folder for temporary files is full."""


_AnyFile = TypeVar("_AnyFile", bound="TemporaryFile")


class TemporaryFile:
    """An unnamed file in the folder for temporary ones, gone with the last map of it, or with the process.

    It is written without a buffer: what does not fit is found at once, not when the file is closed. What is
    written has its room: a map of it cannot fail later, as one of a file that was only made longer can.
    """

    def __init__(self) -> None:
        self._file = _unnamed_file()
        self._written = 0

    def __enter__(self: _AnyFile) -> _AnyFile:  # noqa: PYI019 (Self is not in Python 3.10)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def _write(self, array: NDArray[Any]) -> None:
        left: Any = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        try:
            while len(left):
                done = self._file.write(left)
                self._written += done
                left = left[done:]
        except OSError as error:
            folder, size = tempfile.gettempdir(), self._written / 1e6
            raise NoRoomError(
                error.errno,
                f"{error.strerror}: after {size:.1f} MB of rows, which are copied to the folder for "
                f"temporary files, {folder}; set the environment variable TMPDIR to another one",
            ) from None


def _unnamed_file() -> Any:
    """Create a file without a name, or one whose name is removed at once."""
    if hasattr(os, "O_TMPFILE"):
        folder, flags = tempfile.gettempdir(), os.O_RDWR | os.O_TMPFILE
        with suppress(OSError):  # not every file system has such files
            # One call, in whose midst no signal is handled: an interrupt of tempfile may leave a descriptor.
            return next(map(FileIO, map(os.open, (folder,), (flags,), (0o600,)), ("r+",)))
    return tempfile.TemporaryFile(prefix="fastmlp-", buffering=0)


class _Labels:
    """Labels that are no numbers, numbered as they appear."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._numbers: dict[Any, int] = {}

    def codes(self, y: NDArray[Any]) -> NDArray[np.int64]:
        """Return the numbers of labels."""
        same = y.dtype.kind == self._dtype.kind and (y.dtype.kind in "US" or y.dtype == self._dtype)
        if not same:
            raise TypeError(f"y has dtype {y.dtype}, that of the first batch {self._dtype}")
        distinct, inverse = np.unique(y, return_inverse=True)
        numbers = self._numbers
        found = [numbers.setdefault(label, len(numbers)) for label in distinct.tolist()]
        return np.array(found, np.int64)[inverse.reshape(y.shape)]

    def array(self) -> NDArray[Any]:
        """Return the labels, in the order of their numbers."""
        return np.array(list(self._numbers), None if self._dtype.kind in "US" else self._dtype)


class Rows(TemporaryFile):
    """An unnamed file of rows of one width and type."""

    def __init__(self, dtype: np.dtype[Any] | None) -> None:
        super().__init__()
        self.dtype, self._rows = dtype, 0
        self._width: tuple[int, ...] = ()

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows at the end."""
        if self._rows == 0:
            self.dtype, self._width = self.dtype or rows.dtype, rows.shape[1:]
        if rows.shape[1:] != self._width:
            raise ValueError(f"rows have the shape {rows.shape[1:]}, those of the first batch {self._width}")
        if self.dtype is None or not np.can_cast(rows.dtype, self.dtype, "safe"):
            raise TypeError(f"y has dtype {rows.dtype}, that of the first batch {self.dtype}")
        self._write(np.asarray(rows, self.dtype))
        self._rows += len(rows)

    def array(self) -> Any:
        """Return all rows, as a map of the file."""
        if self._rows == 0 or self.dtype is None:
            raise ValueError("X must have at least one row, got 0")
        mapped: NDArray[Any] = np.memmap(self._file, self.dtype, "r", shape=(self._rows, *self._width))
        return mapped


class TargetRows(Rows):
    """An unnamed file of targets: numbers of one type, or the numbers of labels."""

    def __init__(self) -> None:
        super().__init__(None)
        self._labels: _Labels | None = None

    def append(self, rows: NDArray[Any]) -> None:
        if self.dtype is None and rows.dtype.kind not in "biuf":
            self._labels = _Labels(rows.dtype)
        super().append(rows if self._labels is None else self._labels.codes(rows))

    def array(self) -> Any:
        numbers = super().array()
        return numbers if self._labels is None else CodedLabels(numbers, self._labels.array())


def release(source: Any) -> None:
    """Give back the memory of the pages of a file that have been used; they stay in the system's cache."""
    array: Any = source
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    mapping: Any = getattr(array, "_mmap", None)  # a copy of a map has none
    if array is None or mapping is None or array.mode == "c":  # "c" may have been changed
        return
    if hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)
