"""TabularClassifier and TabularRegressor: raw tables in, sound models out."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastmlp
from fastmlp import TabularClassifier, TabularRegressor
from fastmlp._training import recipe, tabular
from fastmlp.spec.schedules import OneCycle

SAME_AS_REPEATED = {
    "check_sample_weight_equivalence_on_dense_data": "rows are dealt out by chance: a row that counts twice "
    "is in one fold, the same row given twice may be in two"
}


@pytest.fixture(autouse=True)
def small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train networks that take a moment, with the rest of the recipe as it is."""
    small = {"hidden": (32, 32), "activation": "mish", "learning_rate": OneCycle(0.02)}
    monkeypatch.setattr(recipe, "_MOST_EPOCHS", dict.fromkeys(recipe._MOST_EPOCHS, 60))
    original = recipe.tabular_recipe
    monkeypatch.setattr(tabular, "tabular_recipe", lambda task, rows: original(task, rows) | small)
    monkeypatch.setattr(tabular, "PORTFOLIO", recipe.PORTFOLIO[:2])


@parametrize_with_checks(
    [TabularClassifier("fast", random_state=0), TabularRegressor("fast", random_state=0)],
    expected_failed_checks=lambda estimator: SAME_AS_REPEATED,
)
def test_scikit_learns_checks_pass(estimator: Any, check: Callable[[Any], None]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tables with columns that are left out
        check(estimator)


def people(n: int = 240, seed: int = 0) -> pd.DataFrame:
    """Return a table as people have them: text, dates, booleans, gaps and a column of many categories."""
    random = np.random.default_rng(seed)
    size = random.normal(50, 10, n)
    frame = pd.DataFrame(
        {
            "size": np.where(random.random(n) < 0.1, np.nan, size),
            "place": random.choice(["Rome", "Oslo", None, "Kiel"], n),
            "street": [f"street {i}" for i in random.integers(0, 60, n)],
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 700, n), "D"),
            "new": random.random(n) < 0.3,
            "kind": pd.Categorical(random.choice(["a", "b"], n)),
        }
    )
    effect = frame["place"].map({"Rome": 2.0, "Oslo": -2.0}).fillna(0.0).to_numpy(float)
    frame["price"] = (size - 50) / 10 + effect + 2 * frame["new"] + 0.1 * random.normal(size=n)
    return frame


def rows_of(task: str, seed: int = 0) -> tuple[pd.DataFrame, Any]:
    frame = people(seed=seed)
    y = frame.pop("price")
    return frame, y.to_numpy() if task == "regression" else np.where(y > 1, "dear", "cheap")


ESTIMATORS = {"regression": TabularRegressor, "classification": TabularClassifier}


@pytest.mark.parametrize("quality", tabular.QUALITIES)
@pytest.mark.parametrize("task", ESTIMATORS)
def test_raw_tables_are_learned_and_new_rows_predicted(task: str, quality: str, tmp_path: Path) -> None:
    X, y = rows_of(task)
    model = ESTIMATORS[task](quality, random_state=0).fit(X, y)
    held_out, truth = rows_of(task, seed=1)
    held_out.loc[:5, "street"] = "a new street"
    assert model.score(held_out, truth) > 0.8
    assert model.evaluation_.score > 0.8
    assert len(model.evaluation_.truth) == (48 if quality == "fast" else 240)
    model.save(tmp_path / "model.safetensors")
    loaded = fastmlp.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(held_out), model.predict(held_out))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


@pytest.mark.parametrize("task", ESTIMATORS)
def test_the_bits_do_not_depend_on_threads_and_the_seed_decides(task: str) -> None:
    X, y = rows_of(task)

    def parameters(**options: Any) -> Any:
        model = ESTIMATORS[task]("good", **options).fit(X, y)
        return np.concatenate([net.parameters for net in model.model_.networks])

    first = parameters(random_state=3, n_jobs=1)
    np.testing.assert_array_equal(parameters(random_state=3, n_jobs=2), first)
    assert not np.array_equal(parameters(random_state=4, n_jobs=1), first)


def test_deviations_are_those_of_the_networks() -> None:
    X, y = rows_of("regression")
    model = TabularRegressor("good", random_state=0).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    each = np.array([net.predict(X) for net in model.model_.networks])
    np.testing.assert_allclose(mean, each.mean(axis=0), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(std, each.std(axis=0), rtol=1e-3, atol=1e-5)
    one = TabularRegressor("fast", random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="return_std needs several networks: quality='good' or 'best'"):
        one.predict(X, return_std=True)


def test_columns_that_tell_are_important() -> None:
    X, y = rows_of("regression")
    importances = TabularRegressor("good", random_state=0).fit(X, y).feature_importances_
    assert importances.shape == (6,)
    assert set(np.argsort(importances)[-3:]) == {0, 1, 4}  # size, place, new


def test_importances_are_those_of_the_last_fit() -> None:
    X, y = rows_of("regression")
    model = TabularRegressor("fast", random_state=0).fit(X, y)
    assert model.feature_importances_.shape == (6,)
    assert model.fit(X[["size", "new"]], y).feature_importances_.shape == (2,)


def test_rows_of_weight_zero_are_as_if_they_were_not_there() -> None:
    X, y = rows_of("regression")
    weights = np.r_[np.ones(200), np.zeros(40)]
    weighted = TabularRegressor("fast", random_state=0).fit(X, y, sample_weight=weights)
    without = TabularRegressor("fast", random_state=0).fit(X[:200], y[:200], sample_weight=np.ones(200))
    np.testing.assert_array_equal(weighted.predict(X), without.predict(X))


@pytest.mark.parametrize("quality", tabular.QUALITIES)
def test_rows_of_ones_own_choose_the_best_epoch(quality: str) -> None:
    X, y = rows_of("classification")
    X_val, y_val = rows_of("classification", seed=2)
    model = TabularClassifier(quality, random_state=0).fit(X, y, X_val=X_val, y_val=y_val)
    np.testing.assert_array_equal(model.evaluation_.truth, y_val)
    assert model.feature_importances_[0] > 0
    with pytest.raises(ValueError, match="X_val and y_val must both be given"):
        TabularClassifier(quality).fit(X, y, X_val=X_val)


def test_a_class_of_one_row_is_known_to_all_networks() -> None:
    X, y = rows_of("classification")
    y = np.where(np.arange(len(y)) == 7, "unique", y)
    model = TabularClassifier("good", random_state=0).fit(X, y)
    assert model.classes_.tolist() == ["cheap", "dear", "unique"]
    assert all(net.classes.tolist() == model.classes_.tolist() for net in model.model_.networks)


def test_a_short_time_means_fewer_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = rows_of("regression")
    seconds = iter(np.arange(0.0, 1e6, 1.0))  # a clock by which each look at it takes a second
    monkeypatch.setattr(tabular.time, "monotonic", lambda: float(next(seconds)))
    model = TabularRegressor("fast", max_time=20, random_state=0).fit(X, y)
    assert 1 <= len(model.model_.history) < 60


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"quality": "great"}, "quality must be one of fast, good, best; got 'great'"),
        ({"max_time": 0}, "max_time must be greater than 0"),
        ({"n_jobs": 0}, "n_jobs must not be 0"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        TabularRegressor(**parameters).fit(*rows_of("regression"))


def test_wrong_rows_are_named() -> None:
    X, y = rows_of("classification")
    with pytest.raises(ValueError, match="y must hold at least two classes, got one class: 'cheap'"):
        TabularClassifier().fit(X, np.full(len(X), "cheap"))
    with pytest.raises(ValueError, match="must have as many rows"):
        TabularClassifier().fit(X, y[:-1])
    model = TabularClassifier("fast").fit(X, y)
    with pytest.raises(ValueError, match="now missing:\n- size"):
        model.predict(X.drop(columns="size"))


def test_models_are_written_as_onnx_and_c(tmp_path: Path) -> None:
    X, y = rows_of("regression")
    model = TabularRegressor("good", random_state=0).fit(X[["size", "new"]], y)
    model.to_onnx(tmp_path / "model.onnx")
    model.to_c(tmp_path / "model.h")
    assert (tmp_path / "model.onnx").stat().st_size > 0
    assert "model_predict" in (tmp_path / "model.h").read_text()
