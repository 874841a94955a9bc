"""The rows of a run: complete when they are made, the same at each reading, and held only once."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

import fastmlp
from fastmlp._rows.blocks import PROCESS_BYTES
from fastmlp._rows.memory import MemoryRows
from fastmlp._rows.read import RunRows, divide_rows, read_rows
from fastmlp._rows.shards import Shards

Array = NDArray[Any]

N, D = 5000, 4
LIMIT = PROCESS_BYTES + 250_000  # a window of some of the rows fits into it, beside what a process takes


def data() -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, D)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(np.int64)


def run_rows(X: Any, y: Array, memory_limit: int | None = None, validation: Any = None) -> RunRows:
    given = read_rows(X, y, "auto", "auto", None, None, "float32", memory_limit)
    network = fastmlp.Network((D, 3, 2))
    return divide_rows(given, network, validation, 0, Shards(1), clipped=False)


def read_epochs(rows: RunRows, epochs: int) -> list[Array]:
    """Return the rows of each epoch, with their labels in the last column."""
    read: list[list[Array]] = [[] for _ in range(epochs)]
    with rows.windows(50, range(epochs), shuffle=True, seed=3) as (train, next_window):
        for parts in read:
            while sum(map(len, parts)) < len(rows):
                X, labels, _, _, index = train if next_window is None else next_window()
                if index is not None:
                    X, labels = X[index], labels[index]
                parts.append(np.column_stack([X, labels]))
    return [np.concatenate(parts) for parts in read]


@pytest.mark.parametrize("memory_limit", [None, LIMIT])
@pytest.mark.parametrize("validation", [None, 0.2])
def test_rows_are_the_same_at_each_reading(memory_limit: int | None, validation: Any) -> None:
    rows = run_rows(*data(), memory_limit, validation)
    assert (rows.window_rows is not None) == (memory_limit is not None)
    before = rows.fingerprint()
    first, again = read_epochs(rows, 2), read_epochs(rows, 2)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert rows.fingerprint() == before


@pytest.mark.parametrize("memory_limit", [None, LIMIT])
def test_every_row_is_trained_on_or_validated_on(memory_limit: int | None) -> None:
    X, y = data()
    rows = run_rows(X, y, memory_limit, 0.2)
    assert rows.held_out is not None
    held_X, labels, _, _, index = rows.held_out
    held = np.column_stack([held_X, labels] if index is None else [held_X[index], labels[index]])
    trained = read_epochs(rows, 1)[0]
    assert len(rows) == len(trained) == N - len(held)
    everything = np.concatenate([trained, held])
    expected = np.column_stack([X, y])
    np.testing.assert_array_equal(everything[np.lexsort(everything.T)], expected[np.lexsort(expected.T)])


@pytest.mark.parametrize("make", [np.asarray, csr_matrix])
def test_other_rows_have_another_fingerprint(make: Callable[[Array], Any]) -> None:
    X, y = data()
    original = run_rows(make(X), y).fingerprint()
    assert run_rows(make(X), y).fingerprint() == original
    X[-1, 0] += 1
    assert run_rows(make(X), y).fingerprint() != original
    assert run_rows(make(X[:-1]), y[:-1]).fingerprint() != original


def test_a_run_holds_no_second_copy_of_x_beside_the_parts_it_is_divided_into() -> None:
    X, y = data()
    gc.collect()
    of_others = {id(thing) for thing in gc.get_objects() if isinstance(thing, MemoryRows)}
    held: list[int] = []

    def count(net: fastmlp.Network) -> None:
        rows = [thing for thing in gc.get_objects() if isinstance(thing, MemoryRows)]
        held.append(sum(id(thing) not in of_others for thing in rows))

    fastmlp.train(X.astype(np.float64), y, validation=0.5, epochs=1, callbacks=count)
    assert held == [0]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": "all"}, "batch_size must be an integer, None or 'auto', got 'all'"),
        ({"learning_rate": 1e-60}, "learning_rate must be at least"),
        ({"learning_rate": fastmlp.ReduceOnPlateau(0.1, min_rate=1)}, "min_rate must be at most"),
    ],
)
def test_wrong_settings_are_refused_before_any_row_is_read(setting: dict[str, Any], message: str) -> None:
    def batches() -> Iterator[tuple[Array, Array]]:
        raise AssertionError("a batch was read")
        yield data()

    with pytest.raises(ValueError, match=message):
        fastmlp.train(batches(), **setting)
