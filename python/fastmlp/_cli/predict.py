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
from fastmlp._inspect.evaluate import plain_inputs
from fastmlp._rows.targets import gives_probabilities
from fastmlp.data import Table
from fastmlp.data._table import quoted
from fastmlp.data._target import learns_log, target_units

if TYPE_CHECKING:
    from fastmlp._network.ensemble import Ensemble
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
    encoder = network._reader
    X: Any
    if encoder is None:
        X = plain_inputs(network, table.drop(*named) if named else table)
    else:
        known = {*encoder.input_names, *encoder.target_names, *encoder.ignore, *encoder.dropped}
        X = table.drop(*(name for name in named if name not in known)) if named else table
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


def _predictions(network: Network | Ensemble, X: Any, proba: bool) -> dict[str, NDArray[Any]]:
    """Return the columns to write, by name."""
    if proba and network.classes is None:
        raise ValueError("--proba: the model predicts numbers, which have no classes")
    if proba and not gives_probabilities(network._loss):
        network.predict_proba(X)  # which says why there are none
    outputs, in_units = network.forward(X), network._in_units(X)
    predicted = network._predicted(outputs, in_units)
    if in_units:
        predicted = _rounded(network, predicted)
    names = () if network._reader is None else network._reader.target_names
    probabilities = network._probabilities(outputs) if proba else None
    return prediction_columns(predicted, names, network.classes, probabilities)


def _rounded(network: Network | Ensemble, predicted: NDArray[Any]) -> NDArray[Any]:
    """Return predictions in the units of the target, without digits that float32 networks cannot tell.

    Those of a target that is standardised keep the digits of float64, as values near 1e9 with a deviation of
    10 need them.
    """
    target = network._reader._target  # type: ignore[union-attr]
    single = any(net.dtype == np.float32 for net in getattr(network, "networks", (network,)))
    if learns_log(target):  # a relative error of the values
        fits = np.abs(predicted).max(initial=0) < np.finfo(np.float32).max
        return predicted.astype(np.float32) if single and fits else predicted
    scale, mean = target_units(target)
    if not mean.any() and (scale == 1).all():
        return predicted.astype(network.dtype)
    return rounded(predicted, scale) if single else predicted
