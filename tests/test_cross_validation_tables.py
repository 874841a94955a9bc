"""Cross-validation of tables: encoders of each fold's training rows alone, groups and targets by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.model_selection import StratifiedGroupKFold

import fastmlp
from fastmlp.data import TableEncoder

RNG = np.random.default_rng(2)
N = 80
FRAME = pd.DataFrame(
    {
        "area": RNG.normal(80, 20, N).round(1),
        "city": RNG.choice(["Oslo", "Rome", "Bonn"], N),
        "sold": pd.Timestamp("2026-01-01") + pd.to_timedelta(RNG.integers(0, 300, N), unit="D"),
        "owner": RNG.integers(0, 16, N),
        "price": RNG.normal(300, 50, N).round(),
    }
)
FRAME.loc[3, "area"] = None
FRAME["kind"] = np.where(FRAME["price"] > 300, "dear", "cheap")
OPTIONS: dict[str, Any] = {"hidden": (4,), "epochs": 3, "folds": 4}
INPUTS = ["area", "city", "sold"]


def table(frame: pd.DataFrame) -> fastmlp.data.Table:
    return fastmlp.data.read_frame(frame)


@pytest.mark.parametrize("target", ["kind", "price"])
@pytest.mark.parametrize(
    "form",
    [lambda f: f, pl.from_pandas, pa.Table.from_pandas, table],
    ids=["pandas", "polars", "arrow", "table"],
)
def test_each_fold_is_what_train_gives_of_its_rows(form: Any, target: str) -> None:
    frame = FRAME[[*INPUTS, target]]
    found = fastmlp.cross_validate(form(frame), target, **OPTIONS)
    for (train, test), network, score in zip(found.folds, found.networks, found.scores, strict=True):
        part = form(frame.iloc[train].reset_index(drop=True))
        alone = fastmlp.train(part, target, hidden=(4,), epochs=3)
        np.testing.assert_array_equal(network.parameters, alone.parameters)
        assert network.encoder is not None
        assert alone.encoder is not None
        assert network.encoder.to_dict() == alone.encoder.to_dict()
        held_out = frame.iloc[test].reset_index(drop=True)
        np.testing.assert_array_equal(found.predictions[test], alone.predict(held_out))
        assert score == alone.score(held_out)
    assert found.evaluation.target == target


def test_nothing_of_the_rows_of_a_fold_is_in_its_encoder() -> None:
    frame = pd.DataFrame({"x": np.arange(40.0), "city": ["Rome", "Oslo"] * 20, "y": RNG.normal(size=40)})
    frame.loc[[0, 1], "city"] = "Atlantis"
    frame.loc[0, "x"], frame.loc[1, "y"] = 1e6, 1e6
    train, test = np.arange(2, 40), np.arange(2)
    found = fastmlp.cross_validate(frame, "y", hidden=(), epochs=1, folds=[(train, test)])
    (network,) = found.networks
    assert network.encoder is not None
    x, city = network.encoder.to_dict()["columns"]
    assert x["center"] == pytest.approx(frame["x"][2:].mean())
    assert "Atlantis" not in str(city)
    target = network.encoder.to_dict()["target"]
    assert target["mean"] == pytest.approx(frame["y"][2:].mean())
    assert target["scale"] == pytest.approx(frame["y"][2:].std(ddof=0))
    # Other values in the test rows change neither the network nor the prediction of a row that stays.
    frame.loc[1, ["x", "y"]] = -5.0
    again = fastmlp.cross_validate(frame, "y", hidden=(), epochs=1, folds=[(train, test)])
    np.testing.assert_array_equal(again.networks[0].parameters, network.parameters)
    assert again.predictions[0] == found.predictions[0]


def test_a_part_for_validation_comes_from_the_training_rows() -> None:
    frame = FRAME[[*INPUTS, "kind"]]
    given = {**OPTIONS, "validation": 0.25, "patience": 1, "epochs": 20}
    found = fastmlp.cross_validate(frame, "kind", **given)
    folds = given.pop("folds")
    assert len(found) == folds
    for (train, _), network in zip(found.folds, found.networks, strict=True):
        alone = fastmlp.train(frame.iloc[train].reset_index(drop=True), "kind", **given)
        np.testing.assert_array_equal(network.parameters, alone.parameters)
        np.testing.assert_array_equal(network.history["validation_loss"], alone.history["validation_loss"])


@pytest.mark.parametrize("form", [lambda f: f, pl.from_pandas, pa.Table.from_pandas, table])
def test_groups_may_be_a_column_which_is_then_no_input(form: Any) -> None:
    frame = FRAME[["area", "city", "owner", "price"]]
    found = fastmlp.cross_validate(form(frame), "price", groups="owner", **OPTIONS)
    for train, test in found.folds:
        assert not {*frame["owner"][train]} & {*frame["owner"][test]}
    assert found.networks[0].encoder is not None
    assert found.networks[0].encoder.input_names == ("area", "city")
    without = fastmlp.cross_validate(
        form(frame.drop(columns="owner")), "price", groups=frame["owner"].to_numpy(), **OPTIONS
    )
    np.testing.assert_array_equal(found.predictions, without.predictions)


def test_rows_without_a_target_are_in_no_fold() -> None:
    frame = FRAME[[*INPUTS, "price", "owner"]].copy()
    frame.loc[[5, 50], "price"] = None
    groups = frame.pop("owner")
    with pytest.warns(UserWarning, match="left out 2 rows without a target") as said:
        found = fastmlp.cross_validate(frame, "price", groups=groups, **OPTIONS)
    assert len(said) == 1
    assert np.flatnonzero(~found.tested).tolist() == [5, 50]
    assert np.isnan(found.predictions[[5, 50]]).all()
    assert not {5, 50} & {*np.concatenate([np.r_[train, test] for train, test in found.folds]).tolist()}
    kept = fastmlp.cross_validate(
        frame.dropna(subset="price").reset_index(drop=True),
        "price",
        groups=groups.drop([5, 50]),
        **OPTIONS,
    )
    np.testing.assert_array_equal(found.predictions[found.tested], kept.predictions)


@pytest.mark.parametrize("form", [lambda f: f, pl.from_pandas, pa.Table.from_pandas, table])
def test_a_splitter_is_given_the_rows_that_have_a_target(form: Any) -> None:
    frame = FRAME[[*INPUTS, "kind", "owner"]].copy()
    frame.loc[[5, 50], "kind"] = None
    there = np.delete(np.arange(N), [5, 50])
    splitter = StratifiedGroupKFold(3)
    with pytest.warns(UserWarning, match="left out 2 rows without a target"):
        found = fastmlp.cross_validate(
            form(frame), "kind", groups="owner", folds=splitter, hidden=(), epochs=1
        )
    y, groups = frame["kind"][there], frame["owner"][there]
    for fold, (train, test) in zip(found.folds, splitter.split(y, y, groups), strict=True):
        assert fold[0].tolist() == there[train].tolist()
        assert fold[1].tolist() == there[test].tolist()


def test_pairs_of_rows_count_rows_without_a_target() -> None:
    frame = FRAME[[*INPUTS, "price"]].copy()
    frame.loc[[5, 50], "price"] = None
    folds = [(np.arange(40, N), np.arange(40)), (np.arange(N) < 40, np.arange(N) >= 40)]
    with pytest.warns(UserWarning, match="left out 2 rows without a target"):
        found = fastmlp.cross_validate(frame, "price", **{**OPTIONS, "folds": folds})
    assert found.folds[0][0].tolist() == [row for row in range(40, N) if row != 50]
    assert found.folds[0][1].tolist() == [row for row in range(40) if row != 5]
    for one, other in zip(found.folds[0], reversed(found.folds[1]), strict=True):
        np.testing.assert_array_equal(one, other)
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match=r"folds\[0\]\[1\] must have a row with a target"),
    ):
        fastmlp.cross_validate(frame, "price", **{**OPTIONS, "folds": [([1, 2, 3, 4], [5])]})


class OfMornings:
    """Tests the rows whose first column is above 0: a splitter that looks at X."""

    def split(self, X: Any, y: Any, groups: Any) -> Any:
        above = np.asarray(X)[:, 0] > 0
        yield np.flatnonzero(~above), np.flatnonzero(above)


def test_a_splitter_may_look_at_the_rows() -> None:
    X, y = RNG.normal(size=(40, 2)), RNG.normal(size=40)
    found = fastmlp.cross_validate(X, y, folds=OfMornings(), hidden=(), epochs=1)
    assert found.folds[0][1].tolist() == np.flatnonzero(X[:, 0] > 0).tolist()


def test_the_file_of_a_path_is_read(tmp_path: Path) -> None:
    frame = FRAME[["area", "city", "kind"]]
    frame.to_csv(tmp_path / "homes.csv", index=False)
    found = fastmlp.cross_validate(tmp_path / "homes.csv", "kind", **OPTIONS)
    expected = fastmlp.cross_validate(frame, "kind", **OPTIONS)
    np.testing.assert_array_equal(found.predictions, expected.predictions)
    numbers = pd.DataFrame({"a": RNG.normal(size=30), "y": RNG.normal(size=30)})
    numbers.to_csv(tmp_path / "numbers.csv", index=False)
    encoded = fastmlp.cross_validate(tmp_path / "numbers.csv", "y", hidden=(), epochs=1)
    assert all(network.encoder is not None for network in encoded.networks)
    numbers.to_parquet(tmp_path / "numbers.parquet")
    plain = fastmlp.cross_validate(tmp_path / "numbers.parquet", "y", hidden=(), epochs=1)
    assert all(network.encoder is None for network in plain.networks)
    (tmp_path / "parts").mkdir()
    numbers.to_parquet(tmp_path / "parts" / "0.parquet")
    with pytest.raises(TypeError, match=r"X must be rows in memory, .* that are streamed, of the folder"):
        fastmlp.cross_validate(tmp_path / "parts", "y")
    assert encoded.evaluation.metrics.rows == plain.evaluation.metrics.rows == 30


def test_a_table_of_numbers_is_not_encoded() -> None:
    frame = pd.DataFrame(RNG.normal(size=(40, 3)), columns=["a", "b", "y"])
    found = fastmlp.cross_validate(frame, "y", **OPTIONS)
    X, y = frame[["a", "b"]].to_numpy(), frame["y"].to_numpy()
    expected = fastmlp.cross_validate(X, y, **OPTIONS)
    np.testing.assert_array_equal(found.predictions, expected.predictions)
    assert found.networks[0].feature_names == ("a", "b")
    assert found.evaluation.target == "y"


def test_targets_may_come_beside_a_table_and_be_several() -> None:
    frame = FRAME[["area", "city"]]
    beside = fastmlp.cross_validate(frame, FRAME["price"], **OPTIONS)
    named = fastmlp.cross_validate(FRAME[["area", "city", "price"]], "price", **OPTIONS)
    np.testing.assert_array_equal(beside.predictions, named.predictions)
    assert (beside.evaluation.target, named.evaluation.target) == ("y", "price")
    both = FRAME[["area", "city", "price"]].assign(rent=FRAME["price"] / 100)
    found = fastmlp.cross_validate(both, ["price", "rent"], **OPTIONS)
    assert found.predictions.shape == (N, 2)
    assert [name for name, _ in found.evaluation.metrics.outputs] == ["price", "rent"]  # type: ignore[union-attr]
    matrix = fastmlp.cross_validate(frame, both[["price", "rent"]].to_numpy(), **OPTIONS)
    assert matrix.predictions.shape == (N, 2)


def test_the_ensemble_takes_the_table_through_the_encoder_of_each_fold() -> None:
    frame = FRAME[[*INPUTS, "price"]]
    found = fastmlp.cross_validate(frame, "price", **OPTIONS)
    mean = np.mean([network.predict(frame) for network in found.networks], axis=0)
    np.testing.assert_allclose(found.ensemble.predict(frame), mean, rtol=1e-6)


def test_columns_that_cannot_be_are_named() -> None:
    frame = FRAME[["area", "city", "owner", "price"]]
    for groups, message in (
        (
            "patient",
            "groups must be values or one of the columns of X, got 'patient'; its columns are 'area'",
        ),
        ("price", "groups must be another column than the target, got 'price'"),
    ):
        with pytest.raises(ValueError, match=message):
            fastmlp.cross_validate(frame, "price", groups=groups)
    with pytest.raises(ValueError, match="y must be one of the columns"):
        fastmlp.cross_validate(frame, "cost")


def test_an_encoder_that_is_not_fitted_says_how_each_fold_encodes() -> None:
    frame = FRAME[[*INPUTS, "owner", "price"]]
    like = TableEncoder(scale="robust", ignore=["owner"], max_one_hot=2)
    found = fastmlp.cross_validate(frame, "price", encode=like, **OPTIONS)
    for (train, _), network in zip(found.folds, found.networks, strict=True):
        alone = fastmlp.train(frame.iloc[train], "price", encode=like, hidden=(4,), epochs=3)
        np.testing.assert_array_equal(network.parameters, alone.parameters)
        assert network.encoder is not None
        assert alone.encoder is not None
        assert network.encoder.to_dict() == alone.encoder.to_dict()
        assert (network.encoder.scale, network.encoder.input_names) == ("robust", ("area", "city", "sold"))
