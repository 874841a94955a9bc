"""`fastmlp.search`: the same trials at any number of threads, halving without training twice, how it ends."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import optuna
import pytest
from sklearn.model_selection import ShuffleSplit

import fastmlp
from fastmlp._search.halving import Halving
from fastmlp._search.samplers import batch_size
from fastmlp.data import holdout, kfold
from search_tools import IRIS, SPACE, iris_search, same_trials


def trained(search: Any, trial: Any, part: int = 0, **settings: Any) -> fastmlp.Network:
    """Train the spec of a trial alone, on the rows of one of its fits."""
    rows, held = search._rows.parts[part]
    X, y = IRIS.data, IRIS.target
    return fastmlp.train(
        X[rows], y[rows], validation=(X[held], y[held]), **{"epochs": 18, **trial.spec, **settings}
    )


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_trials_are_the_same_at_any_number_of_threads(sampler: str) -> None:
    one, two = (iris_search(sampler=sampler, trials=40, threads=threads) for threads in (1, 2))
    assert same_trials(one, two)


def test_another_seed_proposes_other_trials() -> None:
    one, two = iris_search(seed=1), iris_search(seed=2)
    assert not set(one.table["learning_rate"]) & set(two.table["learning_rate"])
    assert iris_search(seed=None, trials=2).seed != iris_search(seed=None, trials=2).seed


def test_batches_propose_trials_that_were_not_there_before() -> None:
    rates = iris_search(trials=48).table["learning_rate"]
    assert len(set(rates)) == 48


def test_where_optuna_compares_candidates_elsewhere_each_proposal_has_its_usual_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compares, counts = optuna.samplers.TPESampler._compute_acquisition_func, []

    def renamed(self: Any, *arguments: Any) -> Any:
        counts.append(len(arguments[0]["learning_rate"]))
        return compares(self, *arguments)

    monkeypatch.setattr(optuna.samplers.TPESampler, "_compute_acquisition_func", renamed)
    one, two = iris_search(trials=32), iris_search(trials=32)
    assert counts == [24] * 32  # one for each proposal after the first 16 of a search
    assert same_trials(one, two)


def test_tpe_proposes_better_trials_than_chance() -> None:
    """Of a parameter that alone matters, later proposals lie near the good ones."""
    space = {"learning_rate": {"low": 1e-6, "high": 0.1, "log": True}}
    tpe, chance = (
        iris_search(space, sampler=sampler, trials=64, halving=None, epochs=8).table["loss"][32:]
        for sampler in ("tpe", "random")
    )
    assert np.median(tpe) < np.median(chance)


def test_a_survivor_of_halving_is_the_network_that_train_gives() -> None:
    search = iris_search()
    complete = [trial for trial in search.trials if trial.state == "complete"]
    assert len(complete) == 1
    alone = trained(search, complete[0])
    np.testing.assert_array_equal(search.best.parameters, alone.parameters)
    assert search.best.history["validation_loss"].tolist() == alone.history["validation_loss"].tolist()
    assert search.best_score == alone.history["validation_loss"].min()


def test_halving_drops_two_thirds_at_each_rung_and_trains_no_epoch_twice() -> None:
    search = iris_search()
    assert Counter(search.table["epochs"].tolist()) == {2: 11, 6: 4, 18: 1}
    assert [len(network.history) for network in search.runs] == search.table["epochs"].tolist()
    for epochs in (2, 6):  # those that go on are the best of their rung
        reached = [trial for trial in search.trials if trial.epochs >= epochs]
        losses = {t.number: search.runs[t.number].history["validation_loss"][:epochs].min() for t in reached}
        on = [losses[t.number] for t in reached if t.epochs > epochs]
        assert max(on) <= min(losses[t.number] for t in reached if t.epochs == epochs)


@pytest.mark.parametrize(
    ("factor", "rungs"), [(2, [2, 3, 5, 10, 20]), (3, [3, 7, 20]), (4, [2, 5, 20]), (5, [4, 20])]
)
def test_rungs_are_powers_of_the_factor_apart(factor: int, rungs: list[int]) -> None:
    halving = Halving(factor, 16)
    assert [halving.until(rung, 20) or 20 for rung in range(halving.cuts + 1)] == rungs


def test_without_halving_every_trial_is_trained_to_its_end() -> None:
    table = iris_search(halving=None).table
    assert set(table["epochs"]) == {18}
    assert set(table["state"]) == {"complete"}


def test_a_trial_that_ends_early_is_complete() -> None:
    search = iris_search({"learning_rate": {"low": 0.2, "high": 0.4}}, patience=1, epochs=60)
    ended = [trial for trial in search.trials if trial.state == "complete"]
    assert any(search.runs[trial.number].stop_reason == "patience" for trial in ended)


def test_epochs_may_vary() -> None:
    search = iris_search({**SPACE, "epochs": [9, 18]})
    halves = {(trial.spec["epochs"], trial.epochs) for trial in search.trials}
    assert halves <= {(9, 1), (9, 3), (9, 9), (18, 2), (18, 6), (18, 18)}


def test_batches_grow_with_what_is_known() -> None:
    sizes = [batch_size(done) for done in (0, 16, 127, 128, 255, 256, 10_000)]
    assert sizes == [16, 16, 16, 32, 32, 64, 64]


def test_folds_judge_by_the_mean_of_the_loss() -> None:
    search = iris_search(folds=3, trials=8, halving=None)
    rows = kfold(IRIS.target, 3, 0)
    for (train, test), (mine, held) in zip(rows, search._rows.parts, strict=True):
        np.testing.assert_array_equal(train, mine)
        np.testing.assert_array_equal(test, held)
    trial = search.best_trial
    alone = [trained(search, trial, part) for part in range(3)]
    assert search.best_score == np.mean([network.history["validation_loss"].min() for network in alone])
    assert trial.epochs == 3 * 18
    assert search.table["loss"].min() == search.best_score


def test_folds_may_be_given_as_rows() -> None:
    half = np.arange(150) % 2 == 0
    search = iris_search(folds=[(half, ~half), (np.flatnonzero(~half), np.flatnonzero(half))], trials=4)
    assert [len(rows) for rows, _ in search._rows.parts] == [75, 75]


def test_folds_may_be_a_splitter_which_is_given_the_rows_that_have_a_target() -> None:
    labels = np.array(IRIS.target_names)[IRIS.target].astype(object)
    labels[::7] = None
    table = fastmlp.data.Table({"a": IRIS.data[:, 2], "odd": np.array(["x", "y"] * 75), "kind": labels})
    folds = ShuffleSplit(3, random_state=0)
    with pytest.warns(UserWarning, match="left out 22 rows"):
        search = fastmlp.search(table, "kind", SPACE, folds=folds, trials=2, epochs=4)
    present = np.flatnonzero(np.arange(150) % 7)
    for (train, test), (rows, held) in zip(folds.split(present), search._rows.parts, strict=True):
        np.testing.assert_array_equal(rows, present[train])
        np.testing.assert_array_equal(held, present[test])


def test_pairs_of_rows_count_rows_without_a_target() -> None:
    rng = np.random.default_rng(0)
    price = rng.normal(size=60)
    price[:10] = np.nan
    table = fastmlp.data.Table({"area": rng.normal(size=60), "town": ["a", "b", "c"] * 20, "price": price})
    folds = [(np.arange(40), np.arange(40, 60))]
    with pytest.warns(UserWarning, match="left out 10 rows without a target"):
        search = fastmlp.search(table, "price", SPACE, folds=folds, trials=2, epochs=2)
    (part,) = search._rows.parts
    assert (part[0].tolist(), part[1].tolist()) == ([*range(10, 40)], [*range(40, 60)])


def test_validation_holds_back_the_rows_that_train_does() -> None:
    search = iris_search(validation=0.3, seed=5)
    train, held = holdout(IRIS.target, 0.3, 5)
    np.testing.assert_array_equal(search._rows.parts[0][0], train)
    np.testing.assert_array_equal(search._rows.parts[0][1], held)
    alone = fastmlp.train(IRIS.data, IRIS.target, epochs=18, validation=0.3, seed=5, **search.best_spec)
    np.testing.assert_array_equal(alone.parameters, search.best.parameters)


def test_validation_may_be_rows_of_the_users_own() -> None:
    X, y = IRIS.data[::2], IRIS.target[::2]
    held = (IRIS.data[1::2], IRIS.target[1::2])
    search = fastmlp.search(X, y, SPACE, trials=4, epochs=18, validation=held)
    alone = fastmlp.train(X, y, epochs=18, validation=held, **search.best_spec)
    np.testing.assert_array_equal(alone.parameters, search.best.parameters)


def test_the_metric_may_be_the_score() -> None:
    search = iris_search(metric="score", halving=None)
    assert search.best_score == search.table["score"].max()
    assert search.study.direction.name == "MAXIMIZE"
    assert search.study.best_value == search.best_score


WEIGHTS = [None, "balanced"]


def test_losses_are_compared_without_the_l2_term() -> None:
    search = iris_search({"l2": [0.0, 1.0]}, sampler="grid", halving=None)
    plain = {}
    _, held = search._rows.parts[0]
    for trial in search.trials:
        network = trained(search, trial)
        penalty = network.l2 / 2 * sum(float((W**2).sum()) for W in network.weights)
        plain[trial.number] = network.loss_and_gradient(IRIS.data[held], IRIS.target[held])[0] - penalty
    assert search.metric == "loss"
    np.testing.assert_allclose(search.table["loss"], list(plain.values()), rtol=1e-5)


@pytest.mark.parametrize(
    "space",
    [
        {"class_weight": WEIGHTS},
        lambda trial: {"class_weight": trial.suggest_categorical("class_weight", WEIGHTS)},
    ],
)
def test_scores_are_compared_where_losses_are_not_comparable(space: Any) -> None:
    assert iris_search(space, trials=4).metric == "score"
    assert iris_search(trials=4).metric == "loss"
    with pytest.raises(ValueError, match="metric must be 'score' where the space varies class_weight"):
        iris_search(space, metric="loss")


@pytest.mark.parametrize("named", [True, False])
def test_weights_of_rows_and_encoders_are_in_the_loss(named: bool) -> None:
    weights = [np.ones(150), np.where(np.arange(150) == 75, 2.0, 1.0)]
    encoders = [fastmlp.data.TableEncoder("t"), fastmlp.data.TableEncoder("t", scale_target=False)]
    table = fastmlp.data.Table({"a": np.arange(60.0), "t": np.arange(60.0) % 7 / 3})

    def space(name: str, values: list[Any]) -> Any:
        if named:
            return {name: values}
        return lambda trial: {name: values[trial.suggest_int("which", 0, 1)]}

    assert iris_search(space("sample_weight", weights), trials=4).metric == "score"
    if not named:  # a list of choices tells encoders apart by what they print
        assert fastmlp.search(table, "t", space("encode", encoders), trials=4, epochs=3).metric == "score"
    with pytest.raises(ValueError, match="metric must be 'score' where the space varies sample_weight"):
        iris_search(space("sample_weight", weights), metric="loss")


@pytest.mark.parametrize("restore_best", [True, False])
def test_trials_that_diverge_are_the_worst_and_end_nothing(restore_best: bool) -> None:
    space = {"learning_rate": [1e30, 0.01], "optimizer": ["sgd"]}
    search = iris_search(space, sampler="random", restore_best=restore_best)
    states = dict(zip(search.table["learning_rate"].tolist(), search.table["state"].tolist(), strict=True))
    assert states[1e30] == "diverged"
    assert search.best_spec["learning_rate"] == 0.01
    pruned = {trial.number for trial in search.study.trials if trial.state.name == "PRUNED"}
    assert {trial.number for trial in search.trials if trial.state == "diverged"} <= pruned


def test_a_search_in_which_all_diverge_says_so() -> None:
    search = iris_search({"learning_rate": [1e30], "optimizer": ["sgd"]}, trials=2)
    assert len(search) == 2
    assert "2 trials" in repr(search)
    with pytest.raises(ValueError, match="no trial of 2 has a finite loss"):
        _ = search.best


def test_a_wrong_spec_is_named_with_its_trial() -> None:
    with pytest.raises(ValueError, match=r"trial 0, \{'dropout': 1.5\}: dropout must be at least 0"):
        iris_search({"dropout": [1.5]})


def test_a_search_ends_after_max_time() -> None:
    search = iris_search(trials=100_000, epochs=2000, max_time=0.3)
    assert 0 < len(search) < 100_000
    assert set(search.table["state"]) <= {"complete", "pruned", "cut off"}
    assert np.isfinite(search.best_score)


def test_a_trial_that_the_end_cuts_off_is_told_apart() -> None:
    search = iris_search(trials=2, epochs=10**8, halving=None, max_time=0.2)
    assert search.table["state"].tolist() == ["cut off", "cut off"]
    assert search.table["epochs"].min() > 1
    assert search.best_score == search.table["loss"].min()


def test_a_callback_sees_each_rung_and_may_end_the_search() -> None:
    seen: list[tuple[int, int]] = []

    def look(search: fastmlp.Search) -> bool:
        seen.append((len(search), sum(trial.state is not None for trial in search.trials)))
        return len(seen) == 4

    search = iris_search(trials=64, callbacks=look)
    assert seen == [(16, 11), (16, 15), (16, 16), (32, 27)]
    assert Counter(search.table["state"].tolist()) == {"pruned": 26, "complete": 1, "cut off": 5}


def test_ctrl_c_keeps_what_is_done() -> None:
    def interrupt(search: fastmlp.Search) -> None:
        if len(search) == 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as raised:
        iris_search(trials=64, callbacks=interrupt)
    search = raised.value.search  # type: ignore[attr-defined]
    assert Counter(search.table["state"].tolist()) == {"pruned": 26, "complete": 1, "cut off": 5}
    assert search.best.score(IRIS.data, IRIS.target) > 0.3
    assert not [trial for trial in search.study.trials if not trial.state.is_finished()]


def test_progress_is_told_in_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastmlp._search.progress.SECONDS_BETWEEN_LINES", 0.0)
    iris_search(progress=True)
    assert capsys.readouterr().err.splitlines()[-1].startswith("trial 16/16  best loss ")


def test_a_terminal_has_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastmlp._search.progress.on_terminal", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")  # by which rich takes standard error for a terminal
    monkeypatch.setenv("COLUMNS", "120")
    search = iris_search(progress=True)
    shown = capsys.readouterr().err
    assert "trial 16/16" in shown
    assert f"best loss {search.best_score:.4g}" in shown


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trials": 0}, "trials must be at least 1, got 0"),
        ({"halving": 1}, "halving must be at least 2, got 1"),
        ({"halving": 2.5}, "halving must be an integer, got 2.5"),
        ({"metric": "f1"}, "metric must be one of auto, loss, score; got 'f1'"),
        ({"sampler": "gp"}, "sampler must be one of tpe, random, grid; got 'gp'"),
        ({"sampler": 3}, "sampler must be one of tpe, random, grid, or Optuna's object; got 3"),
        ({"validation": None}, "validation must hold rows to judge trials by"),
        ({"validation": 2.0}, "validation must be greater than 0 and less than 1, got 2.0"),
        ({"folds": 1}, "folds must be at least 2, got 1"),
        ({"folds": 51}, "folds must be at most"),
        ({"folds": "five"}, "folds must be an integer of at least 2, pairs"),
        ({"folds": [(np.arange(5), np.array([200]))]}, r"folds\[0\].*200"),
        ({"max_time": 0}, "max_time must be greater than 0, got 0"),
        ({"checkpoint": "x"}, "search does not take checkpoint, got 'x'"),
        ({"epoch": 3}, "search has no argument 'epoch'; of train it takes hidden, "),
        ({"callbacks": 3}, "callbacks must be a callable or callables, got 3"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"progress": "yes"}, "progress must be True or False, got 'yes'"),
    ],
)
def test_wrong_arguments_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        iris_search(**given)


def test_streamed_rows_are_refused() -> None:
    batches = iter([(IRIS.data, IRIS.target)])
    with pytest.raises(TypeError, match="rows in memory"):
        fastmlp.search(batches, None, SPACE)
