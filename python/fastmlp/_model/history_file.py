"""The first epochs of a long run, in a file beside its checkpoints that only grows.

A checkpoint names the file and how many of its rows are the checkpoint's; rows behind those are of a later
checkpoint, or of one that a killed run did not complete. So the cost of a checkpoint does not grow with the
number of epochs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAME = re.compile(r"history-[0-9a-f]{8}\.f64")

_NUMBER = np.dtype("<f8")


class HistoryFile:
    """Rows of float64 that are appended; the file is made with the first of them."""

    def __init__(self, folder: Path, columns: int, name: str | None = None, rows: int = 0) -> None:
        self.name = f"history-{os.urandom(4).hex()}.f64" if name is None else name
        self.rows = rows
        self._path, self._row_bytes = folder / self.name, columns * _NUMBER.itemsize

    def append(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows behind those that are counted, and have them on the disk."""
        end = self.rows * self._row_bytes
        with self._path.open("r+b" if self.rows else "wb") as file:
            if os.fstat(file.fileno()).st_size < end:
                raise ValueError(
                    f"{os.fspath(self._path)}: it has fewer than the {self.rows} rows written to it"
                )
            file.seek(end)
            file.write(np.array(rows, _NUMBER).tobytes())
            file.truncate()  # what a killed run wrote
            file.flush()
            os.fsync(file.fileno())
        self.rows += len(rows)


def read_rows(folder: Path, name: str, rows: int, columns: int) -> NDArray[np.float64]:
    """Return the first rows of a file, (rows, columns).

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it has fewer rows.
    """
    path = folder / name
    if path.stat().st_size < rows * columns * _NUMBER.itemsize:
        raise ValueError(f"{name}, which holds its first {rows} epochs, has fewer rows")
    table: NDArray[np.float64] = np.fromfile(path, _NUMBER, rows * columns).reshape(rows, columns)
    return table


def remove_others(folder: Path, name: str) -> None:
    """Delete the files of this kind in a folder but for the one of this name: no checkpoint needs them."""
    for path in folder.glob("history-*"):
        if NAME.fullmatch(path.name) and path.name != name:
            path.unlink(missing_ok=True)
