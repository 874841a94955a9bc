"""Files of predictions: how they are named, rounded and written, and which may be replaced."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.files import replace_file
from fastmlp._cli.files import STREAM, check_output, check_suffix, write_output
from fastmlp.data._arrow import PARQUET

#: What the names of columns of predictions begin with.
OWN = ("prediction", "probability_")

_PARQUET = ".parquet"
_DIGITS = 8  # after that of the standard deviation; a float32 network tells 7


def check_predictions(option: str, name: str | None, sources: tuple[str, ...]) -> None:
    """Make sure that predictions can be written to a file of this name."""
    check_output(option, name, sources)
    check_suffix(option, name, "predictions", (".csv", ".txt", _PARQUET))


def check_replaces(option: str, name: str | None, ids: tuple[str, ...]) -> None:
    """Refuse to replace a file that does not hold predictions: one of other columns."""
    if name is None or name == STREAM:
        return
    path = Path(name)
    if not path.is_file() or not path.stat().st_size:
        return
    own = [column for column in _names(path) if column not in ids]
    if not own or not own[0].startswith("prediction") or not all(column.startswith(OWN) for column in own):
        raise ValueError(
            f"{option}: {path}: is there already and was not written by this command; it is left as it is"
        )


def prediction_columns(
    predicted: NDArray[Any], targets: Sequence[str], classes: NDArray[Any] | None, probabilities: Any
) -> dict[str, NDArray[Any]]:
    """Return the columns to write, by name.

    Parameters
    ----------
    predicted : array, (n,) or (n, columns)
    targets : sequence of str
        The columns that were predicted, as far as they are known.
    classes, probabilities : array or None
        Those to write, if they are wanted.
    """
    if predicted.ndim == 1:
        columns = {"prediction": predicted}
    else:
        named = len(targets) == predicted.shape[1]
        columns = {f"prediction_{targets[i] if named else i}": column for i, column in enumerate(predicted.T)}
    if classes is None or probabilities is None:
        return columns
    return columns | {
        f"probability_{label}": column for label, column in zip(classes, probabilities.T, strict=True)
    }


def rounded(predicted: NDArray[Any], deviations: NDArray[Any]) -> NDArray[Any]:
    """Return values without digits that float32 networks cannot tell, of targets of these deviations."""
    columns = predicted.reshape(len(predicted), -1).copy()
    for column, deviation in zip(columns.T, np.broadcast_to(deviations, columns.shape[1]), strict=True):
        if 0 < deviation < np.inf:
            column[:] = column.round(_DIGITS - int(np.floor(np.log10(deviation))))
    return columns.reshape(predicted.shape)


def write_predictions(output: str | None, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write columns as CSV or, where the name says so, as Parquet; None is an empty cell."""
    if output is not None and output.lower().endswith(_PARQUET):
        replace_file(output, _parquet(columns))
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    cells = (["" if value is None else str(value) for value in column] for column in columns.values())
    writer.writerows(zip(*cells, strict=True))
    write_output(output, text.getvalue())


def _parquet(columns: Mapping[str, NDArray[Any]]) -> bytes:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ImportError("Parquet needs pyarrow: pip install 'fastmlp[data]'") from None
    buffer = io.BytesIO()
    parquet.write_table(pa.table({name: pa.array(column) for name, column in columns.items()}), buffer)
    return buffer.getvalue()


def _names(path: Path) -> list[str]:
    """Return the names of a file's columns, none if it is neither CSV nor Parquet."""
    with path.open("rb") as file:
        head = file.read(2**16)
    if head.startswith(PARQUET):
        try:
            from pyarrow import ArrowException, parquet

            return list(parquet.read_schema(path).names)
        except (ImportError, ArrowException):
            return []
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r")
    try:
        return next(csv.reader([first]), [])
    except csv.Error:
        return []
