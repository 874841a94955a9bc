"""Files that the commands read and write."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path

from fastmlp._serialization import may_replace
from fastmlp.data import Table, read_csv

IRIS = "iris"
IRIS_TARGET = "species"


def load_table(name: str, text: Collection[str] = ()) -> Table:
    """Read a CSV file, or the iris data that comes with the package."""
    if name == IRIS:
        with (files("fastmlp.datasets") / "iris.csv").open("rb") as file:
            table = read_csv(file, text=text)
        table.source = IRIS
        return table
    if Path(name).is_dir():
        raise ValueError(f"{name}: this is a directory, not a CSV file")
    try:
        return read_csv(name, text=text)
    except FileNotFoundError:
        raise ValueError(f"{name}: no such file") from None


def check_save_path(name: str) -> None:
    """Make sure that a model can be saved, before the time to train it is spent.

    Raises
    ------
    ValueError
        If the folder is not there, or what is there already is not a model of fastmlp.
    OSError
        If the folder or the file cannot be written.
    """
    path = Path(name)
    if not name or path.is_dir():
        raise ValueError(f"--save: {name!r} is {'a directory' if name else 'no file name'}")
    if not path.parent.is_dir():
        raise ValueError(f"--save: {name}: there is no folder {str(path.parent)!r}")
    if path.exists():
        if not path.is_file() or not may_replace(path):
            raise ValueError(
                f"--save: {name}: is there already and is not a fastmlp model; it is left as it is"
            )
        if not os.access(path, os.W_OK):
            raise ValueError(f"--save: {name}: may not be written")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ValueError(f"--save: {name}: the folder cannot be written ({error.strerror})") from None


def write_stdout(content: str) -> None:
    """Write to standard output as UTF-8, with a buffer of our own.

    Where Python runs unbuffered, its own standard output takes a write that was cut short for a whole one.
    """
    try:
        descriptor = sys.stdout.fileno()
    except OSError:  # it stands for no real file
        sys.stdout.write(content)
        return
    sys.stdout.flush()
    with open(descriptor, "w", encoding="utf-8", newline="", closefd=False) as file:
        file.write(content)
