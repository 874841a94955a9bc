"""The command `fastmlp predict`."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.files import replace_file
from fastmlp._cli.files import STREAM, check_output, check_suffix, load_model, load_rows, write_output
from fastmlp._cli.option_values import read_names
from fastmlp._cli.origin import remembered_ids
from fastmlp._cli.reading import Reading
from fastmlp._cli.stderr import warn
from fastmlp._inspect.evaluation import plain_inputs
from fastmlp.data import Table, TableEncoder
from fastmlp.data._arrow import PARQUET
from fastmlp.data._match import encoder_inputs
from fastmlp.data._table import quoted

if TYPE_CHECKING:
    from fastmlp._network.network import Network

_PARQUET = ".parquet"
_OWN = ("prediction", "probability_")
_DIGITS = 8  # after that of the standard deviation; a float32 network tells 7


def run_predict(
    model: str, file: str, output: str | None, proba: bool, given_ids: str | None, reading: Reading
) -> int:
    """Predict the rows of a table and write the predictions as CSV or Parquet."""
    check_output("--output", output, (model, file))
    check_suffix("--output", output, "predictions", (".csv", ".txt", _PARQUET))
    network = load_model(model)
    ids = remembered_ids(network) if given_ids is None else read_names("--id", given_ids)
    if output is not None and output != STREAM:
        _check_replaces(Path(output), ids)
    table = load_rows(network, file, reading.with_texts(ids))
    named = _ids(table, ids, given_ids is not None)
    encoder = network.encoder
    if encoder is None:
        inputs = table.drop(*named) if named else table
        X = plain_inputs(network, inputs)
    else:
        known = {*encoder.input_names, *encoder.target_names, *encoder.ignore, *encoder.dropped}
        inputs = table.drop(*(name for name in named if name not in known)) if named else table
        X = encoder.transform(encoder_inputs(encoder, inputs), network.dtype)
    _write(output, named | _predictions(network, X, proba))
    return 0


def _ids(table: Table, names: tuple[str, ...], asked: bool) -> dict[str, NDArray[Any]]:
    """Return the columns that name the rows; those that training had need not be there."""
    for name in names:
        if name.startswith(_OWN):
            raise ValueError(f"--id: {name!r} is what a column of predictions is called; rename that column")
        if name not in table:
            if asked:
                raise ValueError(f"--id: {table.source} has no column {name!r}; it has {quoted(table.names)}")
            warn(f"{table.source}: no column {name!r}, which named the rows in training")
    return {name: table[name] for name in names if name in table}


def _predictions(network: Network, X: NDArray[Any], proba: bool) -> dict[str, NDArray[Any]]:
    """Return the columns to write, by name."""
    predicted = np.asarray(network.predict(X))
    encoder = network.encoder
    if network.classes is None and encoder is not None and encoder.task == "regression":
        predicted = _in_units(encoder, predicted)
    columns: dict[str, NDArray[Any]] = {}
    if predicted.ndim == 1:
        columns["prediction"] = predicted
    else:
        names = () if encoder is None else encoder.target_names
        named = len(names) == predicted.shape[1]
        columns |= {f"prediction_{names[i] if named else i}": c for i, c in enumerate(predicted.T)}
    if proba:
        if network.classes is None:
            raise ValueError("--proba: the model predicts numbers, which have no classes")
        probabilities = np.asarray(network.predict_proba(X))
        columns |= {
            f"probability_{label}": column
            for label, column in zip(network.classes, probabilities.T, strict=True)
        }
    return columns


def _in_units(encoder: TableEncoder, predicted: NDArray[Any]) -> NDArray[Any]:
    """Return predictions in the units of the target.

    A target that is standardised keeps the digits of float64, as values near 1e9 with a deviation of 10 need
    them; those that a float32 network cannot tell are rounded away.
    """
    zero = encoder.inverse_target(np.zeros_like(predicted[:1]))
    scale = np.abs(encoder.inverse_target(np.ones_like(predicted[:1])) - zero).reshape(-1)
    values = encoder.inverse_target(predicted)
    if not zero.any() and (scale == 1).all():
        return values.astype(predicted.dtype)
    if predicted.dtype == np.float32:
        columns = values.reshape(len(values), -1)
        for column, deviation in zip(columns.T, np.broadcast_to(scale, columns.shape[1]), strict=True):
            if 0 < deviation < np.inf:
                column[:] = column.round(_DIGITS - int(np.floor(np.log10(deviation))))
    return values


def _write(output: str | None, columns: Mapping[str, NDArray[Any]]) -> None:
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
        raise ImportError("--output: Parquet needs pyarrow: pip install 'fastmlp[data]'") from None
    buffer = io.BytesIO()
    parquet.write_table(pa.table({name: pa.array(column) for name, column in columns.items()}), buffer)
    return buffer.getvalue()


def _check_replaces(path: Path, ids: tuple[str, ...]) -> None:
    """Refuse to replace a file that this command did not write: one of other columns than its own."""
    if not path.is_file() or not path.stat().st_size:
        return
    names = _names(path)
    own = [name for name in names if name not in ids]
    if not own or not own[0].startswith("prediction") or not all(name.startswith(_OWN) for name in own):
        raise ValueError(
            f"--output: {path}: is there already and was not written by this command; it is left as it is"
        )


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
