"""The command `fastmlp predict`."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import fastmlp
from fastmlp._cli.files import load_table, write_stdout
from fastmlp._files import replace_file
from fastmlp.data import Table
from fastmlp.data._columns import as_numbers

if TYPE_CHECKING:
    from fastmlp import Network


def load_model(name: str) -> Network:
    """Load a model; a file that is not there is named in the error."""
    if not Path(name).is_file():
        raise ValueError(f"{name}: {'this is a directory' if Path(name).is_dir() else 'no such file'}")
    return fastmlp.load(name)


def run_predict(model: str, file: str, output: str | None, proba: bool) -> int:
    """Predict the rows of a table and write the predictions as CSV."""
    if output is not None:
        _check_output(output, model, file)
    network = load_model(model)
    encoder = network.encoder
    table = load_table(file, text=() if encoder is None else encoder.text_columns)
    X = _plain_inputs(network, table) if encoder is None else encoder.transform(table, network.dtype)
    columns = _predictions(network, X, proba)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    if output is None:
        write_stdout(text.getvalue())
    else:
        replace_file(output, text.getvalue().encode())
    return 0


def _check_output(output: str, model: str, file: str) -> None:
    path = Path(output)
    if not output or path.is_dir():
        raise ValueError(f"--output: {output!r} is {'a directory' if output else 'no file name'}")
    if not path.parent.is_dir():
        raise ValueError(f"--output: {output}: there is no folder {str(path.parent)!r}")
    for source in (model, file):
        if path.exists() and os.path.exists(source) and path.samefile(source):  # noqa: PTH110
            raise ValueError(f"--output: {output} is the file to read from")


def _plain_inputs(network: Network, table: Table) -> NDArray[Any]:
    """Take the columns as they are, for a model that was trained on arrays."""
    width = network.layer_sizes[0]
    if len(table.names) != width:
        raise ValueError(
            f"{table.source}: {len(table.names)} columns; the model was trained on arrays and takes "
            f"its {width} inputs in order, with no other column"
        )
    X = np.stack([as_numbers(table, name) for name in table.names], axis=1)
    missing = np.argwhere(np.isnan(X))
    if len(missing):
        row, column = missing[0]
        raise ValueError(
            f"{table.source}: {table.place(row)}, column {table.names[column]!r}: the value is missing"
        )
    return np.ascontiguousarray(X, dtype=network.dtype)


def _predictions(network: Network, X: NDArray[Any], proba: bool) -> dict[str, Iterable[Any]]:
    """Return the columns to write, by name."""
    predicted = np.asarray(network.predict(X))
    encoder = network.encoder
    if network.classes is None and encoder is not None and encoder.task == "regression":
        # The units' values in the network's precision: more digits would promise what is not there.
        predicted = encoder.inverse_target(predicted).astype(network.dtype)
    columns: dict[str, Iterable[Any]] = {}
    if predicted.ndim == 1:
        columns["prediction"] = map(str, predicted)
    else:
        columns |= {f"prediction_{i}": map(str, column) for i, column in enumerate(predicted.T)}
    if proba:
        if network.classes is None:
            raise ValueError("--proba: the model predicts numbers, which have no classes")
        probabilities = np.asarray(network.predict_proba(X))
        columns |= {
            f"probability_{label}": map(str, column)
            for label, column in zip(network.classes, probabilities.T, strict=True)
        }
    return columns
