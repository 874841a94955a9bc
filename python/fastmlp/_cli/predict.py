"""The command `fastmlp predict`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._cli.files import load_model, load_rows
from fastmlp._cli.option_values import read_names
from fastmlp._cli.origin import remembered_ids
from fastmlp._cli.predictions import (
    OWN,
    check_predictions,
    check_replaces,
    prediction_columns,
    rounded,
    write_predictions,
)
from fastmlp._cli.reading import Reading
from fastmlp._cli.stderr import warn
from fastmlp._inspect.evaluation import plain_inputs
from fastmlp.data import Table, TableEncoder
from fastmlp.data._match import encoder_inputs
from fastmlp.data._table import quoted

if TYPE_CHECKING:
    from fastmlp._network.network import Network


def run_predict(
    model: str, file: str, output: str | None, proba: bool, given_ids: str | None, reading: Reading
) -> int:
    """Predict the rows of a table and write the predictions as CSV or Parquet."""
    check_predictions("--output", output, (model, file))
    network = load_model(model)
    ids = remembered_ids(network) if given_ids is None else read_names("--id", given_ids)
    check_replaces("--output", output, ids)
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
    write_predictions(output, named | _predictions(network, X, proba))
    return 0


def _ids(table: Table, names: tuple[str, ...], asked: bool) -> dict[str, NDArray[Any]]:
    """Return the columns that name the rows; those that training had need not be there."""
    for name in names:
        if name.startswith(OWN):
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
    names = () if encoder is None else encoder.target_names
    if not proba:
        return prediction_columns(predicted, names, None, None)
    if network.classes is None:
        raise ValueError("--proba: the model predicts numbers, which have no classes")
    return prediction_columns(predicted, names, network.classes, np.asarray(network.predict_proba(X)))


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
    return rounded(values, scale) if predicted.dtype == np.float32 else values
