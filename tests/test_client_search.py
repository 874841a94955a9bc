"""search and cross_validate with client=: the same results; proposals, callbacks and files stay here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from distributed import Client

import fastmlp
from client_tools import LABELS, VALUES, WEIGHTS, N, X, assert_same_network, assert_same_runs, sent_arrays
from search_tools import IRIS, SPACE, iris_search, same_trials

EPOCHS: dict[str, Any] = {"epochs": 3, "hidden": (8,)}


# ------------------------------------------------------------------------------------- cross_validate


@pytest.mark.parametrize(
    ("y", "arguments"),
    [
        (LABELS, {"folds": 3, "repeats": 2}),
        (VALUES, {"sample_weight": WEIGHTS, "validation": 0.2, "patience": 1}),
        (VALUES, {"split": "time", "metric": "mae", "threads": 2}),
        (LABELS, {"groups": np.arange(N) % 40, "seed": None}),
    ],
    ids=["labels", "values", "time", "groups"],
)
def test_folds_have_the_same_scores_and_networks(dask_client: Client, y: Any, arguments: Any) -> None:
    there = fastmlp.cross_validate(X, y, client=dask_client, **EPOCHS, **arguments)
    seeds = {"seed": there.networks[0].seed} if "seed" in arguments else {}
    here = fastmlp.cross_validate(X, y, **EPOCHS, **(arguments | seeds))
    assert_same_runs(there.runs, here.runs)
    assert np.array_equal(there.scores, here.scores)
    assert np.array_equal(there.predictions, here.predictions, equal_nan=here.predictions.dtype.kind == "f")


def test_folds_of_a_table(dask_client: Client) -> None:
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "city": np.array(["Rome", "Oslo"])[np.arange(N) % 2]})
    table["price"] = VALUES
    there = fastmlp.cross_validate(table, "price", client=dask_client, **EPOCHS)
    here = fastmlp.cross_validate(table, "price", **EPOCHS)
    assert np.array_equal(there.predictions, here.predictions)
    assert there.networks[0].encoder is not None
    assert there.networks[0].encoder.input_names == ("a", "b", "city")


def test_errors_of_folds_are_those_of_this_process(dask_client: Client) -> None:
    with pytest.raises(TypeError, match=r"^cross_validate has no argument 'rows'"):
        fastmlp.cross_validate(X, LABELS, rows=[1], client=dask_client)
    with pytest.raises(ValueError, match=r"^folds\[0\]: epochs must be at least 1"):
        fastmlp.cross_validate(X, LABELS, epochs=0, client=dask_client)
    with pytest.raises(ValueError, match=r"^callbacks must be empty with client"):
        fastmlp.cross_validate(X, LABELS, callbacks=print, client=dask_client)
    with pytest.raises(FloatingPointError, match=r"^folds\[0\]: the loss diverged"):
        fastmlp.cross_validate(
            X, VALUES, optimizer="sgd", learning_rate=1e35, restore_best=False, client=dask_client
        )


# --------------------------------------------------------------------------------------------- search


@pytest.mark.parametrize(
    "settings",
    [
        {"trials": 40},
        {"folds": 3, "sampler": "random", "halving": None, "epochs": 5},
        {"space": "auto", "patience": 3},
        {"metric": "score", "dtype": "float64", "sample_weight": np.linspace(0.1, 2, 150), "threads": 2},
        {"space": {"learning_rate": [1e35, 0.01], "hidden": [(4,), (8,)]}, "sampler": "grid"},
    ],
    ids=["tpe", "folds", "auto", "score", "grid"],
)
def test_a_search_has_the_same_trials(dask_client: Client, settings: dict[str, Any]) -> None:
    there, here = iris_search(client=dask_client, **settings), iris_search(**settings)
    assert len(there) >= 4
    assert "folds" in settings or same_trials(there, here)
    assert [trial.loss for trial in there.trials] == [trial.loss for trial in here.trials]
    assert_same_runs(there.runs, here.runs)
    assert_same_network(there.refit(), here.refit())


def test_a_search_sends_its_rows_once(dask_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with sent_arrays(monkeypatch) as sent:
        found = fastmlp.search(X, VALUES, SPACE, trials=32, epochs=4, client=dask_client)
    assert len(found) == 32
    assert [array.shape for array in sent if array.ndim == 2 and array.shape[1] > 1] == [X.shape]


def test_storage_and_callbacks_stay_here(dask_client: Client, tmp_path: Path) -> None:
    seen: list[int] = []
    storage = tmp_path / "search.log"
    first = iris_search(
        trials=16, client=dask_client, storage=storage, callbacks=lambda search: seen.append(len(search))
    )
    assert len(first) == 16
    assert len(seen) >= 3
    more = iris_search(trials=32, storage=storage)  # goes on here with what was found there
    assert same_trials(more, iris_search(trials=32))


def test_what_was_found_outlives_the_client(dask_client: Client) -> None:
    with Client(dask_client.scheduler.address) as own:
        found = iris_search(client=own)
    assert_same_network(found.refit(), iris_search().refit())
    assert found.best.predict(IRIS.data).shape == (150,)


def test_a_wrong_trial_is_named(dask_client: Client) -> None:
    with pytest.raises(ValueError, match=r"^trial 0, .*: epochs must be at least 1"):
        iris_search({"epochs": [0, -1]}, client=dask_client)
    with pytest.raises(TypeError, match=r"^client must be a dask.distributed.Client, got 'tcp"):
        iris_search(client="tcp://127.0.0.1:8786")
