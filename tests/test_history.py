"""A history reads without copies, takes little memory, and keeps at most a million rows."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp import History
from fastmlp._model import history as _history

COLUMNS = ("epoch", "loss", "learning_rate", "seconds")


def row(epoch: int) -> tuple[Any, ...]:
    return epoch, 1 / epoch, 0.1, epoch / 8


def after(epochs: int) -> History:
    history = History()
    for epoch in range(1, epochs + 1):
        history.append(row(epoch))
    return history


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many rows a history keeps, which is few."""
    monkeypatch.setattr(_history, "MOST_ROWS", 10)
    return 10


def test_a_history_of_ten_thousand_epochs_is_what_was_added() -> None:
    rows = [row(epoch) for epoch in range(1, 10_001)]
    for history in (after(10_000), History(COLUMNS, rows), History.from_table(COLUMNS, np.array(rows))):
        assert history.rows() == rows
        assert history.last() == rows[-1]
        assert len(history) == 10_000
        assert history["epoch"].dtype == np.int64
        assert history["loss"].dtype == np.float64
        assert [type(value) for value in history.last()] == [int, float, float, float]
        np.testing.assert_array_equal(history.table(), rows)
        assert repr(history) == "History(10000 epochs: epoch, loss, learning_rate, seconds)"


def test_reading_a_column_each_epoch_copies_the_values_a_few_times_only() -> None:
    history, memories = History(), set()
    for epoch in range(1, 10_001):
        history.append(row(epoch))
        losses = history["loss"]
        assert losses[-1] == 1 / epoch
        memories.add(losses.__array_interface__["data"][0])
    assert len(memories) <= 15


def test_an_epoch_takes_the_bytes_of_its_numbers() -> None:
    assert sum(values.nbytes for values in after(10_000)._stored) <= 2 * 10_000 * 8 * len(COLUMNS)


def test_a_column_that_was_read_stays_and_cannot_be_written() -> None:
    history = after(3)
    losses = history["loss"]
    for epoch in range(4, 1000):
        history.append(row(epoch))
    assert losses.tolist() == [1, 1 / 2, 1 / 3]
    with pytest.raises(ValueError, match="read-only"):
        losses[0] = 5


def test_a_copy_and_a_pickle_are_tables_of_their_own() -> None:
    history = after(100)
    twins = (history.copy(), copy.deepcopy(history), copy.copy(history), pickle.loads(pickle.dumps(history)))
    for twin in twins:
        twin.append(row(101))
        assert twin.rows() == after(101).rows()
    history.append((101, 7.0, 7.0, 7.0))
    assert twins[0].last() == row(101)
    assert twins[2].last() == row(101)


def test_a_pickle_takes_the_bytes_of_the_rows() -> None:
    assert len(pickle.dumps(after(1025))) < 1.1 * 1025 * 8 * len(COLUMNS)


def test_values_beyond_the_columns_are_left_out_and_missing_ones_refused() -> None:
    history = History(COLUMNS, [(*row(1), 5.0)])
    history.append((*row(2), 6.0))
    assert history.rows() == [row(1), row(2)]
    with pytest.raises(ValueError, match=r"row must have the values of epoch, loss, .*, got \(3, 0.5\)"):
        history.append((3, 0.5))
    with pytest.raises(IndexError):
        History().last()


# ----------------------------------------------------------------------------------------------- thinning


@pytest.mark.parametrize("epochs", [9, 10, 11, 12, 20, 21, 22, 40, 41, 57, 1000])
def test_beyond_the_most_rows_a_history_is_thinned_evenly_and_keeps_the_last(few: int, epochs: int) -> None:
    history = after(epochs)
    stride = 1
    while -(-epochs // stride) > few:
        stride *= 2
    kept = sorted({*range(1, epochs + 1, stride), epochs})
    assert history["epoch"].tolist() == kept
    assert history.rows() == [row(epoch) for epoch in kept]
    assert history.last() == row(epochs)
    assert len(history) == len(kept) <= few + 1
    assert _history.epochs_of(history) == epochs


@pytest.mark.parametrize("first", [1, 9, 10, 11, 23, 41])
def test_rows_added_together_copied_or_read_are_thinned_as_rows_added_one_by_one(
    few: int, first: int
) -> None:
    begun = after(first)
    twins = [
        begun.copy(),
        pickle.loads(pickle.dumps(begun)),
        History.from_table(COLUMNS, begun.table()),
        History.from_table(COLUMNS, np.array([row(epoch) for epoch in range(1, first + 1)])),
    ]
    for last in range(first + 1, 100):
        expected = after(last).rows()
        for twin in twins:
            twin.append(row(last))
            assert twin.rows() == expected
        whole = begun.copy()
        whole.extend(row(epoch) for epoch in range(first + 1, last + 1))
        assert whole.rows() == expected


def test_a_model_of_more_epochs_keeps_its_history(few: int, tmp_path: Path) -> None:
    X, y = np.arange(8.0).reshape(4, 2), [0.0, 1.0, 2.0, 3.0]
    seen = []
    net = fastmlp.train(X, y, hidden=(), epochs=25, callbacks=lambda net: seen.append(net.history.last()[0]))
    assert seen == [*range(1, 26)]
    assert net.history["epoch"].tolist() == [1, 5, 9, 13, 17, 21, 25]
    np.testing.assert_array_equal(
        net.history["loss"], fastmlp.train(X, y, hidden=(), epochs=25).history["loss"]
    )
    net.save(tmp_path / "model")
    assert fastmlp.load(tmp_path / "model").history.rows() == net.history.rows()


def test_an_epoch_that_cannot_be_counted_is_refused() -> None:
    for epoch in (np.nan, np.inf, 1e300):
        with pytest.raises(ValueError, match="epochs of a history must be numbers below"):
            History.from_table(COLUMNS, np.array([[epoch, 1, 1, 1]]))
