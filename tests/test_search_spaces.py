"""What a space may be, how its samplers go through it, and the default space."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

import fastmlp
from fastmlp._search.default_space import default_space
from fastmlp._search.space import as_space
from search_tools import SPACE, iris_search, same_trials


@pytest.mark.parametrize(
    ("given", "distribution"),
    [
        ({"low": 1e-4, "high": 0.1, "log": True}, FloatDistribution(1e-4, 0.1, log=True)),
        ({"low": 0.0, "high": 0.5}, FloatDistribution(0.0, 0.5)),
        ({"low": 0, "high": 0.5, "step": 0.1}, FloatDistribution(0.0, 0.5, step=0.1)),
        ({"low": 1, "high": 64, "log": True}, IntDistribution(1, 64, log=True)),
        (range(2, 9, 3), CategoricalDistribution([2, 5, 8])),
        (np.array([0.1, 0.2]), CategoricalDistribution([0.1, 0.2])),
        ([None, 32], CategoricalDistribution([None, 32])),
        ([(64,), (64, 32), ()], CategoricalDistribution(["64", "64,32", "none"])),
        (IntDistribution(16, 64), IntDistribution(16, 64)),
    ],
)
def test_a_parameter_may_be_given_in_each_form(given: Any, distribution: Any) -> None:
    space = as_space({"batch_size": given})
    assert space.distributions == {"batch_size": distribution}


def test_choices_may_be_of_any_kind() -> None:
    optimizers = [fastmlp.SGD(momentum=0.9), fastmlp.Adam(), "rmsprop"]
    search = iris_search({"optimizer": optimizers, "hidden": [(), (8,)]}, sampler="random")
    assert {repr(trial.spec["optimizer"]) for trial in search.trials} == {repr(one) for one in optimizers}
    assert {trial.spec["hidden"] for trial in search.trials} == {(), (8,)}
    assert set(search.table["hidden"]) == {"none", "8"}


def test_a_function_may_suggest_what_depends_on_each_other() -> None:
    def suggest(trial: optuna.Trial) -> dict[str, Any]:
        layers = trial.suggest_int("layers", 0, 2)
        hidden = tuple(trial.suggest_int(f"width {i}", 2, 8) for i in range(layers))
        return {"hidden": hidden, "learning_rate": trial.suggest_float("rate", 1e-3, 0.1, log=True)}

    one, two = (iris_search(suggest, trials=40, threads=threads) for threads in (1, 2))
    assert same_trials(one, two)
    assert {len(trial.spec["hidden"]) for trial in one.trials} == {0, 1, 2}
    deep = next(trial for trial in one.trials if len(trial.spec["hidden"]) == 2)
    assert deep.spec["hidden"] == (deep.parameters["width 0"], deep.parameters["width 1"])
    assert one.table["width 1"][deep.number] == deep.parameters["width 1"]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({}, "space must have at least one argument that varies, got {}"),
        ({"depth": [1, 2]}, "space must name arguments of train, got 'depth'"),
        ({"validation": [0.1, 0.2]}, "space cannot vary validation, which search sets itself"),
        ({"dropout": 0.3}, r"space\['dropout'\] must be a list of choices, .*; got 0.3"),
        ({"dropout": (0.1, 0.3)}, r"space\['dropout'\] must be a list of choices, .*; got \(0.1, 0.3\)"),
        ({"dropout": []}, r"space\['dropout'\] must have at least one choice, got \[\]"),
        ({"dropout": [0.1, 0.1]}, r"space\['dropout'\] must have each choice once"),
        ({"dropout": {"low": 0.1}}, r"space\['dropout'\] must have low and high"),
        ({"dropout": {"low": 0.1, "high": 0.2, "base": 2}}, r"space\['dropout'\] must have low and high"),
        ({"dropout": {"low": "0", "high": 1}}, r"space\['dropout'\]: low and high must be numbers"),
        (
            {"l2": {"low": 0.0, "high": float("inf")}},
            r"space\['l2'\]: low and high must be finite, got 0.0 and",
        ),
        ({"dropout": {"low": 0.5, "high": 0.1}}, r"space\['dropout'\]: "),
        ({"dropout": {"low": 0.0, "high": 0.1, "log": True}}, r"space\['dropout'\]: "),
        ("small", "space must be 'auto', a dict of train's arguments, or a function of a trial; got 'small'"),
        (lambda trial: None, "space must return a dict of train's arguments, got None"),
        (lambda trial: {"depth": 3}, "space must name arguments of train, got 'depth'"),
    ],
)
def test_a_wrong_space_is_an_error(space: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        iris_search(space)


def test_a_grid_tries_each_combination_once() -> None:
    space = {"hidden": [(4,), (8,)], "batch_size": range(16, 49, 16), "dropout": [0.0, 0.1, 0.2]}
    search = iris_search(space, sampler="grid", trials=64)
    points = [tuple(trial.spec[name] for name in space) for trial in search.trials]
    assert sorted(points) == sorted(itertools.product([(4,), (8,)], [16, 32, 48], [0.0, 0.1, 0.2]))


def test_a_part_of_a_grid_is_spread_over_all_of_it() -> None:
    search = iris_search({"batch_size": range(8, 40)}, sampler="grid", trials=8)
    sizes = search.table["batch_size"]
    assert len(set(sizes)) == 8
    assert sizes.max() - sizes.min() > 8


@pytest.mark.parametrize("space", [SPACE, lambda trial: {"dropout": trial.suggest_float("dropout", 0, 0.5)}])
def test_a_grid_needs_lists(space: Any) -> None:
    with pytest.raises(ValueError, match="sampler 'grid' needs a"):
        iris_search(space, sampler="grid")


def test_a_sampler_of_optunas_may_be_given() -> None:
    one, two = (iris_search(sampler=optuna.samplers.NSGAIISampler(seed=3)) for _ in range(2))
    assert same_trials(one, two)


def test_optuna_writes_nothing_and_stays_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    iris_search(trials=32)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before


def test_tpe_draws_the_proposals_of_a_batch_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The densities are built once a batch, not once a trial."""
    calls = []
    whole = optuna.samplers.TPESampler._sample

    def count(self: Any, *given: Any) -> Any:
        calls.append(given)
        return whole(self, *given)

    monkeypatch.setattr(optuna.samplers.TPESampler, "_sample", count)
    iris_search(trials=48)
    assert len(calls) == 2  # the first batch is random


def table(rows: int = 120) -> fastmlp.data.Table:
    """A table with texts and gaps whose target follows from two columns."""
    rng = np.random.default_rng(0)
    area, city = rng.uniform(20, 200, rows), rng.choice(["Rome", "Oslo", "Lima"], rows)
    price = area * np.where(city == "Oslo", 3.0, 2.0) + rng.normal(0, 5, rows)
    area[::17] = np.nan
    return fastmlp.data.Table({"area": area, "city": city, "price": price})


def test_the_default_space_searches_a_table_as_it_is() -> None:
    homes = table()
    search = fastmlp.search(homes, "price", trials=16, epochs=30)
    assert list(search.table)[1:8] == [
        "layers",
        "width",
        "activation",
        "rate",
        "weight_decay",
        "dropout",
        "batch_size",
    ]
    assert set(search.best_spec) == {
        "hidden",
        "activation",
        "learning_rate",
        "optimizer",
        "dropout",
        "batch_size",
    }
    assert (
        search.best_spec["hidden"]
        == (search.best_trial.parameters["width"],) * search.best_trial.parameters["layers"]
    )
    assert search.best.predict(homes).shape == (120,)
    assert search.best.encoder is not None
    rows, held = search._rows.parts[0]
    validation = (homes.take(held), homes.take(held)["price"])
    alone = fastmlp.train(homes.take(rows), "price", epochs=30, validation=validation, **search.best_spec)
    np.testing.assert_array_equal(alone.parameters, search.best.parameters)


def test_rows_without_a_target_are_left_out() -> None:
    columns = {name: table()[name] for name in table().names}
    columns["price"] = columns["price"].copy()
    columns["price"][:20] = np.nan
    with pytest.warns(UserWarning, match="20 rows"):
        search = fastmlp.search(fastmlp.data.Table(columns), "price", trials=2, epochs=4)
    rows, held = search._rows.parts[0]
    assert sorted([*rows, *held]) == list(range(20, 120))


def test_a_file_is_searched_as_a_table(tmp_path: Any) -> None:
    homes = table()
    rows = zip(*(homes[name] for name in homes.names), strict=True)
    lines = [",".join(homes.names), *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "homes.csv").write_text("\n".join(lines).replace("nan", ""))
    search = fastmlp.search(tmp_path / "homes.csv", "price", trials=2, epochs=4)
    assert search.best.encoder is not None


def test_arguments_that_are_given_are_not_searched() -> None:
    names = set(default_space(100, ("hidden", "optimizer")).distributions or ())
    assert names == {"activation", "rate", "dropout", "batch_size"}
    everything = ("hidden", "activation", "learning_rate", "optimizer", "dropout", "batch_size")
    with pytest.raises(ValueError, match="space 'auto' has nothing left to vary"):
        default_space(100, everything)
    search = iris_search("auto", hidden=(3,), trials=2)
    assert search.best.layer_sizes == (4, 3, 3)


def test_large_tables_have_larger_batches() -> None:
    small, large = (default_space(rows, ()).distributions for rows in (100, 100_000))
    assert small is not None
    assert large is not None
    assert max(small["batch_size"].choices) < max(large["batch_size"].choices)  # type: ignore[attr-defined]
