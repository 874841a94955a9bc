"""The command `fastmlp predict`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._cli.files import check_output, load_model, load_rows, write_output
from fastmlp._inspect.evaluation import plain_inputs
from fastmlp.data._match import encoder_inputs

if TYPE_CHECKING:
    from fastmlp._network.network import Network


def run_predict(model: str, file: str, output: str | None, proba: bool) -> int:
    """Predict the rows of a table and write the predictions as CSV."""
    check_output("--output", output, (model, file), begins=("prediction",))
    network = load_model(model)
    encoder = network.encoder
    table = load_rows(network, file)
    X = (
        plain_inputs(network, table)
        if encoder is None
        else encoder.transform(encoder_inputs(encoder, table), network.dtype)
    )
    columns = _predictions(network, X, proba)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_output(output, text.getvalue())
    return 0


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
