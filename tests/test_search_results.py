"""What a search gives: tables, pictures, importances, a network of all rows, an ensemble."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest

import fastmlp
from search_tools import IRIS, SPACE, iris_search, same_trials

mpl.use("Agg")


def small_table() -> fastmlp.data.Table:
    numbers = np.arange(60.0)
    return fastmlp.data.Table({"a": numbers, "b": ["x", "y", "z"] * 20, "t": numbers % 7 / 3})


def test_the_table_prints_and_becomes_a_frame() -> None:
    search = iris_search()
    lines = str(search.table).splitlines()
    measured = ["loss", "score", "epochs", "seconds", "state"]
    assert lines[0].split() == ["trial", "hidden", "learning_rate", *measured]
    assert len(lines) == 17
    frame = search.table.to_frame()
    assert frame["trial"].tolist() == list(range(16))
    assert repr(search).startswith("<Search: 16 trials, best loss ")


def test_refit_trains_all_rows_as_long_as_was_best() -> None:
    search = iris_search({**SPACE, "learning_rate": [fastmlp.Cosine(0.1)]}, patience=3)
    epochs = search.best_trial.best_epochs[0]
    network = search.refit()
    history: list[float] = []

    def stop(net: fastmlp.Network) -> bool:
        history.append(float(net.history["loss"][-1]))
        return len(history) == epochs

    alone = fastmlp.train(IRIS.data, IRIS.target, epochs=18, callbacks=stop, **search.best_spec)
    np.testing.assert_array_equal(network.parameters, alone.parameters)
    assert network.history["loss"].tolist() == history


def test_refit_after_folds_takes_the_mean_of_the_best_epochs() -> None:
    search = iris_search(folds=3, trials=4, halving=None)
    best = search.best_trial.best_epochs
    assert len(search.refit().history) == round(sum(best) / 3)


def test_refit_encodes_all_rows_of_a_table() -> None:
    table = small_table()
    search = fastmlp.search(table, "t", SPACE, trials=2, epochs=4)
    network = search.refit()
    assert network.encoder is not None
    assert network.predict(table).shape == (60,)


def test_folds_end_with_an_ensemble_of_their_networks() -> None:
    search = iris_search(folds=3, trials=4, halving=None)
    networks = [search.runs[place] for place in search.best_trial.fits]
    assert isinstance(search.best, fastmlp.Ensemble)
    np.testing.assert_array_equal(
        search.best.predict_proba(IRIS.data), fastmlp.Ensemble(networks).predict_proba(IRIS.data)
    )


def test_an_ensemble_is_chosen_by_the_rows_held_back() -> None:
    search = iris_search(halving=None)
    _, held = search._rows.parts[0]
    X, y = IRIS.data[held], IRIS.target[held]
    mine = fastmlp.Ensemble.greedy(list(search.runs), X, y, size=8)
    np.testing.assert_array_equal(search.ensemble(size=8).predict_proba(X), mine.predict_proba(X))


@pytest.mark.parametrize("own", [False, True])
def test_an_ensemble_is_chosen_by_the_weights_of_rows(own: bool) -> None:
    weights = np.where(IRIS.target == 2, 50.0, 0.01)
    given = {"validation": (IRIS.data, IRIS.target, weights)} if own else {}
    search = iris_search(sample_weight=weights, halving=None, epochs=4, **given)
    held = np.arange(150) if own else search._rows.parts[0][1]
    X, y = IRIS.data[held], IRIS.target[held]
    mine = fastmlp.Ensemble.greedy(list(search.runs), X, y, size=8, sample_weight=weights[held])
    others = fastmlp.Ensemble.greedy(list(search.runs), X, y, size=8)
    found = search.ensemble(size=8).predict_proba(X)
    np.testing.assert_array_equal(found, mine.predict_proba(X))
    assert not np.array_equal(found, others.predict_proba(X))


def test_an_ensemble_takes_no_trial_that_was_dropped() -> None:
    search = iris_search(trials=32)
    complete = {id(search.runs[trial.number]) for trial in search.trials if trial.state == "complete"}
    assert {id(network) for network in search.ensemble().networks} <= complete


def test_an_ensemble_of_folds_has_networks_of_each() -> None:
    search = iris_search(folds=3, trials=4, halving=None)
    ensemble = search.ensemble(size=4)
    assert ensemble.score(IRIS.data, IRIS.target) > 0.5
    places = {place for trial in search.trials for place in trial.fits}
    chosen = {i for i in places if any(search.runs[i] is network for network in ensemble.networks)}
    assert {i % 3 for i in chosen} == {0, 1, 2}


def test_an_ensemble_of_a_table_is_of_its_rows() -> None:
    table = small_table()
    search = fastmlp.search(table, "t", SPACE, trials=4, epochs=4, halving=None)
    assert search.ensemble(size=4).predict(table).shape == (60,)


def test_without_complete_trials_there_is_no_ensemble() -> None:
    search = iris_search(callbacks=lambda search: True)
    with pytest.raises(ValueError, match="ensemble needs trials of this call"):
        search.ensemble()


@pytest.mark.parametrize("without_sklearn", [False, True])
def test_what_matters_is_important(without_sklearn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if without_sklearn:
        monkeypatch.setattr("fastmlp._search.importance.find_spec", lambda name: None)
    rates = {"low": 1e-5, "high": 0.1, "log": True}
    space = {"learning_rate": rates, "min_delta": {"low": 0.0, "high": 1e-9}}
    found = iris_search(space, trials=40, halving=None, sampler="random").importances()
    assert list(found) == ["learning_rate", "min_delta"]
    assert found["learning_rate"] > 0.8
    assert sum(found.values()) == pytest.approx(1)


def test_a_few_trials_tell_no_importance() -> None:
    assert iris_search(trials=4).importances() == {}
    assert iris_search({"dropout": [0.1]}).importances() == {}


@pytest.mark.parametrize(
    "settings", [{}, {"trials": 2}, {"metric": "score"}, {"callbacks": lambda search: True}]
)
def test_a_search_is_drawn(settings: dict[str, Any]) -> None:
    search = iris_search(**settings)
    ax = search.plot()
    assert ax.get_xlabel() == "trial"
    assert ax.get_ylabel() == f"{search.metric} of rows held back"
    lines = {line.get_label(): np.asarray(line.get_ydata(), float) for line in ax.lines}
    drawn = np.where(np.isnan(lines["complete"]), lines["not to the end"], lines["complete"])
    np.testing.assert_array_equal(drawn, search.table[search.metric])
    if search.importances():
        names = [label.get_text() for label in ax.figure.axes[1].get_yticklabels()]
        assert names == list(search.importances())
    figure = search.plot(backend="plotly")
    assert figure.layout.xaxis.title.text == "trial"
    assert "hidden: " in figure.data[0].text[0]
    mpl.pyplot.close("all")


def test_a_search_is_drawn_where_one_asks() -> None:
    ax = mpl.pyplot.figure().subplots()
    assert iris_search(trials=2).plot(ax) is ax
    with pytest.raises(ValueError, match="ax must be None for backend 'plotly'"):
        iris_search(trials=2).plot(ax, backend="plotly")
    mpl.pyplot.close("all")


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match=r"search needs optuna: pip install 'fastmlp\[search\]'"):
        iris_search()


def test_a_search_can_be_pickled() -> None:
    search = iris_search(trials=4)
    same = pickle.loads(pickle.dumps(search))
    assert same_trials(same, search)
    np.testing.assert_array_equal(same.refit().parameters, search.refit().parameters)
