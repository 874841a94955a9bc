"""The published 4-6-3 run on iris comes out digit for digit, on every instruction set.

The table is printed with 7 significant digits: for every 50th of 3,000 steps the loss before its update, and
the accuracy on the test rows after it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp import datasets

RUN = json.loads((Path(__file__).parent / "data" / "iris_published_run.json").read_text(encoding="utf-8"))


def printed(value: float) -> str:
    return f"{value:.7g}"


@pytest.mark.usefixtures("exact_threads")
@pytest.mark.parametrize("threads", [1, 2])
def test_all_rows_of_the_published_run(threads: int) -> None:
    iris = datasets.load_iris()
    rows = np.array(RUN["train_rows"])
    others = np.setdiff1d(np.arange(150), rows)
    W1, W2 = np.array(RUN["W1"]), np.array(RUN["W2"])
    net = fastmlp.train(
        iris.data[rows],
        iris.target[rows],
        hidden=(6,),
        activation="relu",
        loss="softmax_cross_entropy",
        init=[(W1, np.zeros(6)), (W2, np.zeros(3))],
        batch_size=None,
        optimizer="sgd",
        learning_rate=0.01,
        l2=0.001,
        epochs=3000,
        dtype="float64",
        validation=(iris.data[others], iris.target[others]),
        threads=threads,
    )
    loss, accuracy = net.history["loss"], net.history["validation_accuracy"]
    found = [[step, printed(loss[step - 1]), printed(accuracy[step - 1])] for step, _, _ in RUN["table"]]
    assert len(found) == 60
    assert found == RUN["table"]
