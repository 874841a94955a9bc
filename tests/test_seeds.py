"""A seed of None is drawn, and the one that was drawn makes the same network again."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

import fastmlp

IRIS = fastmlp.datasets.load_iris()
RUN: dict[str, Any] = {
    "hidden": (5,), "epochs": 4, "batch_size": 16, "dropout": 0.2, "validation": 0.2,
}  # fmt: skip


def test_a_drawn_seed_makes_the_same_run_again(tmp_path: Path) -> None:
    nets = [fastmlp.train(IRIS.data, IRIS.target, seed=None, **RUN) for _ in range(2)]
    assert nets[0].seed != nets[1].seed  # of 2**32
    again = fastmlp.train(IRIS.data, IRIS.target, seed=nets[0].seed, **RUN)
    np.testing.assert_array_equal(again.parameters, nets[0].parameters)
    np.testing.assert_array_equal(again.history["validation_loss"], nets[0].history["validation_loss"])
    assert (nets[1].parameters != again.parameters).any()


def test_an_untrained_network_draws_one_too() -> None:
    net = fastmlp.Network((4, 8, 3), seed=None)
    assert net.seed is not None
    np.testing.assert_array_equal(fastmlp.Network((4, 8, 3), seed=net.seed).parameters, net.parameters)
    assert fastmlp.Network((4, 3)).seed == 0


@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1, None])
def test_the_seed_is_kept_in_files_copies_and_pickles(seed: int | None, tmp_path: Path) -> None:
    net = fastmlp.train(IRIS.data, IRIS.target, hidden=(), epochs=1, seed=seed)
    net.save(tmp_path / "m.safetensors")
    for same in (fastmlp.load(tmp_path / "m.safetensors"), pickle.loads(pickle.dumps(net)), copy.copy(net)):
        assert same.seed == net.seed
        assert type(same.seed) is int


def test_files_and_models_without_a_seed_do_not_invent_one(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = tmp_path / "m.safetensors"
    fastmlp.Network((4, 3), seed=5).save(path)
    with safe_open(path, "np") as file:
        described = json.loads(file.metadata()["fastmlp"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del described["seed"]
    save_file(tensors, path, {"fastmlp": json.dumps(described)})
    assert fastmlp.load(path).seed is None
    for wrong in (-1, 2**64, "0", 0.5, True):
        save_file(tensors, path, {"fastmlp": json.dumps(described | {"seed": wrong})})
        with pytest.raises(ValueError, match="not a fastmlp model: seed must be"):
            fastmlp.load(path)


def test_a_run_that_goes_on_has_the_seed_it_began_with(tmp_path: Path) -> None:
    first = fastmlp.train(IRIS.data, IRIS.target, seed=None, checkpoint=tmp_path, **{**RUN, "epochs": 2})
    gone_on = fastmlp.train(IRIS.data, IRIS.target, seed=None, checkpoint=tmp_path, resume=tmp_path, **RUN)
    assert gone_on.seed == first.seed
    whole = fastmlp.train(IRIS.data, IRIS.target, seed=first.seed, **RUN)
    np.testing.assert_array_equal(gone_on.parameters, whole.parameters)
    empty = tmp_path / "new"
    assert (
        fastmlp.train(IRIS.data, IRIS.target, seed=None, checkpoint=empty, resume=empty, **RUN).seed
        is not None
    )


def test_all_runs_of_a_study_have_the_seed_that_was_drawn() -> None:
    def studies(seed: int | None) -> list[Any]:
        options: dict[str, Any] = {"hidden": (5,), "epochs": 3, "seed": seed, "progress": False}
        return [
            fastmlp.compare_inits(IRIS.data, IRIS.target, ("glorot_normal", "he_normal"), **options),
            fastmlp.study_learning_rate(IRIS.data, IRIS.target, (0.01, 0.02), **options),
            fastmlp.study_batch_size(IRIS.data, IRIS.target, (75, 150), learning_rate=0.02, **options),
        ]

    drawn = studies(None)
    for study, column in zip(drawn, ("last_loss", "loss", "lowest_loss"), strict=True):
        at = drawn.index(study)
        np.testing.assert_array_equal(studies(study.seed)[at][column], study[column])
    assert len({study.seed for study in drawn}) == 3
    assert [study.seed for study in studies(4)] == [4, 4, 4]


@pytest.mark.parametrize("seed", [None, 0.5, "0", True])
def test_a_split_needs_a_seed_that_is_an_integer(seed: Any) -> None:
    for split, rows in (
        (fastmlp.data.holdout, 10),
        (fastmlp.data.kfold, 10),
        (fastmlp.data.group_folds, range(10)),
    ):
        with pytest.raises(TypeError, match=f"seed must be an integer, got {seed!r}"):
            split(rows, 0.5 if split is fastmlp.data.holdout else 2, seed)
