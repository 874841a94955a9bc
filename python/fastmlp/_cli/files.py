"""Files that the commands read and write."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.files import replace_file
from fastmlp._model.files import may_replace
from fastmlp._network.files import load
from fastmlp.data import Table, read, read_csv, read_idx, read_jsonl, read_svmlight
from fastmlp.data._read import choose_reader
from fastmlp.data._source import resolve

if TYPE_CHECKING:
    from fastmlp._network.network import Network

IRIS = "iris"

_MOST_DENSE = 4 * 10**9  # bytes

#: Stands for standard input or output in place of a file's name.
STREAM = "-"


class _StandardInput(io.BytesIO):
    name = "standard input"


class Loaded(NamedTuple):
    """A table, with the target and the scaling (see `TableEncoder`) that its kind of data suggests.

    `has_labels` tells whether the labels come from a file of their own, as was wanted.
    """

    table: Table
    target: str | None = None
    scale: str = "standard"
    has_labels: bool = False


def load_table(
    name: str,
    text: Collection[str] = (),
    n_features: int | None = None,
    decimal: Mapping[str, str] | None = None,
) -> Table:
    """Read a file of any format, standard input, or the iris data; see `load_data`."""
    return load_data(name, text, n_features=n_features, decimal=decimal).table


def load_data(
    name: str,
    text: Collection[str] = (),
    labels: str | None = None,
    n_features: int | None = None,
    decimal: Mapping[str, str] | None = None,
) -> Loaded:
    """Read a file of any format, standard input, or the iris data that comes with the package.

    Columns of arrays are called "0", "1" and so on, and the target that comes with them "target".

    Parameters
    ----------
    name : str
    text : collection of str
        Columns of a CSV or JSON Lines file to keep as texts.
    labels : str, optional
        The file of the labels, if there is one of this name and images are in a file of their own (IDX).
    n_features : int, optional
        The width of svmlight files, whose last columns may have no entries.
    decimal : mapping of str to str, optional
        The decimal marks of columns of a CSV or JSON Lines file.
    """
    if name == IRIS:
        with (files("fastmlp.datasets") / "iris.csv").open("rb") as file:
            table = read_csv(file, text=text)
        table.source = IRIS
        return Loaded(table, "species")
    source: Any = name
    if name == STREAM:
        if sys.stdin is None:
            raise ValueError("standard input is closed")
        source = _StandardInput(sys.stdin.buffer.read())
    elif Path(name).is_dir():
        raise ValueError(f"{name}: this is a directory, not a file")
    try:
        content = resolve(source)
        reader = choose_reader(content)
        if reader in (read_csv, read_jsonl):
            return Loaded(reader(content, text=text, decimal=decimal))
        has_labels = reader is read_idx and labels is not None and Path(labels).is_file()
        options = {"n_features": n_features} if reader is read_svmlight else {}
        X, y = read(content, labels if has_labels else None, **options)
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename}: no such file") from None
    return Loaded(X) if isinstance(X, Table) else _load_array(X, y, name)._replace(has_labels=has_labels)


def _load_array(X: Any, y: NDArray[Any] | None, source: str) -> Loaded:
    if len(X.shape) != 2:
        raise ValueError(f"{source}: an array of shape (rows, columns) is needed, got {X.shape}")
    if hasattr(X, "tocsr"):
        if 8 * X.shape[0] * X.shape[1] > _MOST_DENSE:
            raise ValueError(
                f"{source}: {X.shape[0]} x {X.shape[1]} sparse elements are too many for a table; "
                "use fastmlp.train, which does not make them dense"
            )
        X = X.toarray()
    columns = {str(i): column for i, column in enumerate(np.ascontiguousarray(X.T))}
    scale = "common" if X.dtype == np.uint8 else "standard"  # pixels, whose columns have one unit
    if y is None:
        return Loaded(Table(columns, source=source), None, scale)
    return Loaded(Table(columns | {"target": y}, source=source), "target", scale)


def load_model(name: str) -> Network:
    """Load a model; a file that is not there is named in the error."""
    if not Path(name).is_file():
        raise ValueError(f"{name}: {'this is a directory' if Path(name).is_dir() else 'no such file'}")
    return load(name)


def load_rows(network: Network, name: str) -> Table:
    """Read the rows that a model is to be evaluated on, its texts as texts whatever they look like."""
    encoder = network.encoder
    if encoder is None:
        return load_table(name)
    labels = network.classes is not None and network.classes.dtype.kind == "U"
    texts = [*encoder.text_columns, *(encoder.target_names if labels else ())]
    return load_table(name, texts, len(encoder.input_names), encoder.decimal)


def check_place(option: str, name: str) -> Path:
    """Make sure that an option names a file in a folder that is there, and return it."""
    path = Path(name)
    if not name or path.is_dir():
        raise ValueError(f"{option}: {name!r} is {'a directory' if name else 'no file name'}")
    folder = path.resolve().parent if path.is_symlink() else path.parent
    if not folder.is_dir():
        raise ValueError(f"{option}: {name}: there is no folder {str(folder)!r}")
    return path


def check_output(
    option: str, name: str | None, sources: Collection[str] = (), begins: tuple[str, ...] | None = None
) -> None:
    """Make sure that an output has a place, and replaces none of the files to read from.

    With `begins`, a file that is there must be empty or begin with one of these texts.
    """
    if name is None or name == STREAM:
        return
    path = check_place(option, name)
    for source in sources:
        if path.exists() and os.path.exists(source) and path.samefile(source):  # noqa: PTH110
            raise ValueError(f"{option}: {name} is the file to read from")
    if begins is not None and path.is_file() and path.stat().st_size:
        with path.open("rb") as file:
            head = file.read(256)
        if not any(head.startswith(text.encode()) for text in begins):
            raise ValueError(
                f"{option}: {name}: is there already and was not written by this command; it is left as it is"
            )


def check_replaceable(option: str, name: str, what: str, replaceable: Callable[[Path], bool]) -> None:
    """Make sure that a file can be written, before the time to make its content is spent.

    Parameters
    ----------
    option : str
        What names the file, for messages.
    name : str
    what : str
        What may be replaced, such as "a fastmlp model".
    replaceable : callable
        Tells whether a file is that, or empty.

    Raises
    ------
    ValueError
        If the folder is not there or cannot be written, or what is there already is something else.
    """
    if name == STREAM:
        raise ValueError(f"{option}: {what} goes to a file, not to standard output")
    path = check_place(option, name)
    if path.exists():
        if not path.is_file() or not replaceable(path):
            raise ValueError(f"{option}: {name}: is there already and is not {what}; it is left as it is")
        if not os.access(path, os.W_OK):
            raise ValueError(f"{option}: {name}: may not be written")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ValueError(f"{option}: {name}: the folder cannot be written ({error.strerror})") from None


def check_save_path(name: str) -> None:
    """Make sure that a model can be saved there."""
    check_replaceable("--save", name, "a fastmlp model", may_replace)


def write_output(name: str | None, content: str) -> None:
    """Write a text to a file, whole or not at all, or to standard output."""
    if name is None or name == STREAM:
        write_stdout(content.encode())
    else:
        replace_file(name, content.encode())


def write_stdout(content: bytes) -> None:
    """Write to standard output, texts as UTF-8, with a buffer of our own.

    Where Python runs unbuffered, its own standard output takes a write that was cut short for a whole one.
    """
    try:
        descriptor = sys.stdout.fileno()
    except OSError:  # it stands for no real file
        sys.stdout.write(content.decode())
        return
    sys.stdout.flush()
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
