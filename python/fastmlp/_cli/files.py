"""Files that the commands read and write."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Callable, Collection
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.files import replace_file
from fastmlp._cli.reading import Reading
from fastmlp._model.files import may_replace
from fastmlp._network.files import load
from fastmlp.data import Table, read, read_csv, read_idx, read_jsonl, read_svmlight
from fastmlp.data._read import choose_reader
from fastmlp.data._source import resolve

if TYPE_CHECKING:
    from fastmlp._network.ensemble import Ensemble
    from fastmlp._network.network import Network

IRIS = "iris"

_PLAIN = Reading()
_TEXT_READERS = (read_csv, read_jsonl)

#: What the reader of CSV files calls its arguments, and what the options are called.
_OPTIONS = {
    "header=False (--no-header)": "--no-header",
    "header=True (--header)": "--header",
    "; encoding says": "; --encoding says",
}

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


def load_data(
    name: str,
    reading: Reading = _PLAIN,
    labels: str | None = None,
    n_features: int | None = None,
    asked: bool = True,
) -> Loaded:
    """Read a file of any format, standard input, or the iris data that comes with the package.

    Columns of arrays are called "0", "1" and so on, and the target that comes with them "target".

    Parameters
    ----------
    name : str
    reading : Reading
        How a CSV or JSON Lines file is read.
    labels : str, optional
        The file of the labels, if there is one of this name and images are in a file of their own (IDX).
    n_features : int, optional
        The width of svmlight files, whose last columns may have no entries.
    asked : bool, default True
        Whether options ask for this reading, rather than a model that may have learned from other files:
        then it is an error if the file is none of these.
    """
    if name == IRIS:
        with (files("fastmlp.datasets") / "iris.csv").open("rb") as file:
            table = read_csv(file)
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
        if reader in _TEXT_READERS:
            return Loaded(_read_text(reader, name, content, reading))
        _refuse_reading(name, reading, asked, "CSV file")
        has_labels = reader is read_idx and labels is not None and Path(labels).is_file()
        options = {"n_features": n_features} if reader is read_svmlight else {}
        X, y = read(content, labels if has_labels else None, **options)
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename}: no such file") from None
    return Loaded(X) if isinstance(X, Table) else _load_array(X, y, name)._replace(has_labels=has_labels)


def _read_text(reader: Any, name: str, content: Any, reading: Reading) -> Table:
    """Read a CSV or JSON Lines file; errors name the options of the command line."""
    if reader is read_jsonl:
        for_csv = Reading(header=reading.header, delimiter=reading.delimiter)
        _refuse_reading(name, for_csv, True, "CSV file")
    try:
        table: Table = reader(content, **reading.given())
    except ValueError as error:
        raise ValueError(_as_options(str(error))) from None
    table.notes = [_as_options(note) for note in table.notes]
    return table


def _as_options(message: str) -> str:
    for argument, option in _OPTIONS.items():
        message = message.replace(argument, option)
    return message


def _refuse_reading(name: str, reading: Reading, asked: bool, what: str) -> None:
    """Raise ValueError if options ask for a way to read text files, and this is none."""
    given = next(iter(reading.given()), None)
    if asked and given is not None:
        option = "header or --no-header" if given == "header" else given
        raise ValueError(f"--{option}: {name} is no {what}")


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


def load_model(name: str) -> Network | Ensemble:
    """Load a network or an ensemble; a file that is not there is named in the error."""
    if not Path(name).is_file():
        raise ValueError(f"{name}: {'this is a directory' if Path(name).is_dir() else 'no such file'}")
    return load(name)


def load_rows(network: Network | Ensemble, name: str, reading: Reading = _PLAIN) -> Table:
    """Read rows for a model as those that it learned from were read, its texts as texts."""
    encoder = network._reader
    if encoder is None:
        return load_data(name, reading, asked=bool(reading.given())).table
    asked = bool(reading.given())
    labels = network.classes is not None and network.classes.dtype.kind == "U"
    texts = [*encoder.text_columns, *(encoder.target_names if labels else ())]
    reading = reading.or_else(network.origin.get("reading")).with_texts(texts, encoder.decimal)
    return load_data(name, reading, n_features=len(encoder.input_names), asked=asked).table


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


#: What suffixes of files promise; others promise nothing.
_TEXTS = (".csv", ".tsv", ".txt", ".md", ".json", ".jsonl", ".html", ".htm", ".toml", ".yaml", ".h", ".c")
_TABLES = (".parquet", ".arrow", ".feather", ".npy", ".npz", ".xlsx", ".xls", ".h5")
_MODELS = (".safetensors", ".onnx", ".pt", ".pth", ".pkl", ".pickle")
_PACKED = (".zip", ".gz", ".bz2", ".xz", ".zst")
_PROMISES = frozenset((*_TEXTS, *_TABLES, *_MODELS, *_PACKED, ".png", ".svg", ".pdf"))


def check_suffix(option: str, name: str | None, what: str, accepted: tuple[str, ...]) -> None:
    """Refuse a file's name that promises another format than the one that will be written."""
    suffix = "" if name is None else Path(name).suffix.lower()
    if suffix in _PROMISES and suffix not in accepted:
        raise ValueError(
            f"{option}: {name}: {what} cannot be written as {suffix}; "
            f"the name may end in {' or '.join(accepted)}"
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
    check_suffix("--save", name, "a model", (".safetensors",))


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
