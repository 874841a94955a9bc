"""Files that the commands read and write."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Collection
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

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
        if not path.is_file() or not is_model(path):
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


def is_model(path: Path) -> bool:
    """Tell by the header of a safetensors file whether fastmlp wrote it."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > path.stat().st_size:
                return False
            header = json.loads(file.read(length))
        return "fastmlp" in header["__metadata__"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def write_text(name: str, content: str) -> None:
    """Write a file whole or not at all; pipes and devices are written directly."""
    path = Path(os.path.realpath(name))
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="") as file:
            file.write(content)
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".fastmlp-")
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123
            file.write(content)
        Path(temporary).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
