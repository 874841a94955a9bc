"""A search that is kept in a storage goes on from it, and refuses one of something else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

import fastmlp
from fastmlp._training.fits import Fits
from search_tools import IRIS, SPACE, iris_search, same_trials


@pytest.mark.parametrize("name", ["search.db", "search.log"])
def test_a_finished_search_goes_on_as_if_it_had_not_ended(tmp_path: Path, name: str) -> None:
    storage = tmp_path / name
    first = iris_search(trials=16, storage=storage)
    both = iris_search(trials=40, storage=str(storage))
    assert same_trials(both, iris_search(trials=40))
    assert both.table["loss"][:16].tolist() == first.table["loss"].tolist()
    again = iris_search(trials=40, storage=storage)
    assert len(again.runs) == 0  # nothing is left to train
    np.testing.assert_array_equal(again.best.parameters, both.best.parameters)


def test_a_network_whose_training_again_was_interrupted_is_not_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = iris_search(storage=tmp_path / "search.log")
    again = iris_search(storage=tmp_path / "search.log")

    def interrupt(*given: Any, **settings: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Fits, "run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            _ = again.best
    np.testing.assert_array_equal(again.best.parameters, first.best.parameters)


def test_what_was_cut_off_is_tried_again(tmp_path: Path) -> None:
    storage = tmp_path / "search.log"

    def stop(search: fastmlp.Search) -> bool:
        return len(search) == 32  # after the first rung of the second batch

    first = iris_search(trials=48, storage=storage, callbacks=stop)
    cut = {trial.parameters["learning_rate"] for trial in first.trials if trial.state == "cut off"}
    second = iris_search(trials=48, storage=storage)
    assert len(second) == 48
    assert cut <= set(second.table["learning_rate"])
    assert not set(second.table["state"]) & {"cut off", "failed"}


@pytest.mark.parametrize("sampler", ["tpe", "grid"])
@pytest.mark.parametrize("rungs", [1, 2, 4, 5])
def test_a_search_that_was_interrupted_goes_on_as_if_it_had_not_been(
    tmp_path: Path, rungs: int, sampler: str
) -> None:
    space = SPACE if sampler == "tpe" else {"hidden": SPACE["hidden"], "batch_size": range(8, 24)}
    settings = {"space": space, "sampler": sampler, "trials": 40, "storage": tmp_path / "search.log"}
    left = [0]

    def interrupt(search: fastmlp.Search) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    for count in (rungs, 1):  # the second time soon after it has gone on
        left[0] = count
        with pytest.raises(KeyboardInterrupt):
            iris_search(callbacks=interrupt, **settings)
    assert same_trials(iris_search(**settings), iris_search(**{**settings, "storage": None}))


def test_ctrl_c_while_the_lock_of_the_storage_is_released_is_an_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, added = optuna.Study.add_trial, []

    def interrupted(study: optuna.Study, trial: Any) -> None:
        add(study, trial)
        added.append(trial)
        if len(added) == 3:
            try:
                raise KeyboardInterrupt
            except BaseException:
                (tmp_path / "lock that is gone").unlink()
                raise

    monkeypatch.setattr(optuna.Study, "add_trial", interrupted)
    with pytest.raises(KeyboardInterrupt) as raised:
        iris_search(trials=32, storage=tmp_path / "search.log")
    assert len(raised.value.search) == 16  # type: ignore[attr-defined]
    monkeypatch.undo()
    assert same_trials(iris_search(trials=32, storage=tmp_path / "search.log"), iris_search(trials=32))


_KILLED = """
import os, sys
import fastmlp
from fastmlp._training.many import Fits
iris = fastmlp.datasets.load_iris()
space = {"hidden": [(4,), (8,), (6, 6)], "learning_rate": {"low": 1e-3, "high": 0.3, "log": True}}
def die(search):
    if len(search) == 32:
        os._exit(9)
fastmlp.search(iris.data, iris.target, space, trials=48, epochs=18, storage=sys.argv[1], callbacks=die)
"""


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    storage = tmp_path / "search.log"
    done = subprocess.run([sys.executable, "-c", _KILLED, str(storage)], check=False)
    assert done.returncode == 9
    search = iris_search(trials=48, storage=storage)
    whole = iris_search(trials=48)
    for name in ("hidden", "learning_rate", "loss", "state"):
        assert search.table[name].tolist() == whole.table[name].tolist()


def test_a_grid_goes_on(tmp_path: Path) -> None:
    space = {"batch_size": range(8, 40)}
    for trials in (16, 32):
        search = iris_search(space, sampler="grid", trials=trials, storage=tmp_path / "grid.log")
    assert sorted(search.table["batch_size"]) == list(range(8, 40))


def test_a_function_goes_on(tmp_path: Path) -> None:
    def suggest(trial: optuna.Trial) -> dict[str, Any]:
        return {"hidden": (trial.suggest_int("width", 2, 8),)}

    for trials in (4, 8):
        search = iris_search(suggest, trials=trials, storage=tmp_path / "function.log")
    assert len(search) == 8
    assert all(trial.spec["hidden"] == (trial.parameters["width"],) for trial in search.trials)


def test_a_storage_of_optunas_may_be_given() -> None:
    storage = optuna.storages.InMemoryStorage()
    iris_search(trials=4, storage=storage)
    assert len(iris_search(trials=6, storage=storage)) == 6


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"space": {"dropout": [0.0, 0.1]}}, "storage holds a search of other space: "),
        ({"epochs": 9}, "storage holds a search of other arguments: "),
        ({"seed": 1}, "storage holds a search of other arguments: "),
        ({"halving": None}, "storage holds a search of other arguments: "),
        ({"metric": "score"}, "storage holds a search of other arguments: "),
        ({"sample_weight": np.ones(150)}, "storage holds a search of other arguments: "),
        ({"folds": 3}, "storage holds a search of other arguments: "),
    ],
)
def test_a_storage_of_another_search_is_refused(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    storage = tmp_path / "search.log"
    iris_search(trials=2, storage=storage)
    with pytest.raises(ValueError, match=message):
        iris_search(changed.pop("space", SPACE), trials=4, storage=storage, **changed)


def test_a_storage_of_other_data_is_refused(tmp_path: Path) -> None:
    storage = tmp_path / "search.log"
    iris_search(trials=2, storage=storage)
    X = IRIS.data.copy()
    X[7, 1] += 1e-6
    for data in ((X, IRIS.target), (IRIS.data, IRIS.target[::-1])):
        with pytest.raises(ValueError, match="storage holds a search of other data; give another storage"):
            fastmlp.search(*data, SPACE, trials=4, epochs=18, storage=storage)


def test_a_storage_must_be_one() -> None:
    with pytest.raises(TypeError, match=r"a path, a URL or a storage of Optuna.*, got 3"):
        iris_search(storage=3)


def test_a_line_that_was_half_written_is_dropped(tmp_path: Path) -> None:
    storage = tmp_path / "search.log"
    whole = iris_search(storage=storage)
    storage.write_bytes(storage.read_bytes()[:-40])
    assert same_trials(iris_search(storage=storage), whole)
    assert len(iris_search(storage=storage).runs) == 0  # what was added can be read


def test_a_damaged_storage_is_an_error(tmp_path: Path) -> None:
    storage = tmp_path / "search.log"
    iris_search(trials=2, storage=storage)
    storage.write_bytes(storage.read_bytes() + b"garbage\n")
    with pytest.raises(ValueError, match=r"storage: .*search.log: is damaged"):
        iris_search(trials=4, storage=storage)


def test_a_folder_is_no_storage(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="storage must name a file, got the directory"):
        iris_search(storage=tmp_path)


@pytest.mark.parametrize("name", ["data.csv", "data.db"])
@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b'{"a": 1}\n'])
def test_another_file_is_left_as_it_is(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"is there already and is not .*; it is left as it is"):
        iris_search(storage=tmp_path / name)
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("name", ["search.log", "search.db"])
def test_a_storage_needs_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="the folder is not there"):
        iris_search(storage=tmp_path / "absent" / name)


def test_a_table_is_told_from_another(tmp_path: Path) -> None:
    columns = {"a": np.arange(40.0), "b": ["x", "y"] * 20, "t": np.arange(40.0) / 7}
    table = fastmlp.data.Table(columns)
    storage = tmp_path / "table.log"
    for trials in (2, 4):
        search = fastmlp.search(table, "t", SPACE, trials=trials, epochs=3, storage=storage)
    assert len(search) == 4
    other = fastmlp.data.Table({**columns, "b": ["y", "x"] * 20})
    with pytest.raises(ValueError, match="storage holds a search of other data"):
        fastmlp.search(other, "t", SPACE, trials=4, epochs=3, storage=storage)
