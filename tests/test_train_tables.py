"""`train` takes tables as they are, encoded on the rows it learns from; `predict` takes the same frame."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastmlp
from fastmlp.data import Table, TableEncoder, holdout, read_frame

N = 200
QUICK: dict[str, Any] = {"hidden": (8,), "epochs": 5}


def people(n: int = N, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 70, n).astype(float)
    job = rng.choice(["clerk", "smith", "baker"], n)
    income = np.where(age + 10 * (job == "smith") > 45, "high", "low")
    pay = 1000.0 * age + 20_000 * (job == "smith") + rng.normal(0, 500, n)
    age[::11] = np.nan
    since = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D")
    return pd.DataFrame(
        {"age": age, "job": job, "since": since, "member": rng.random(n) > 0.4, "pay": pay, "income": income}
    )


FRAME = people()
FORMS: dict[str, Any] = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "arrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
    "Table": read_frame,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("target", ["pay", "income"])
def test_a_raw_table_is_encoded_and_predicted_as_it_is(form: str, target: str, tmp_path: Path) -> None:
    frame = FORMS[form](FRAME)
    net = fastmlp.train(frame, target, validation=0.2, **QUICK)
    assert net.encoder is not None
    assert net.encoder.target == target
    net.save(tmp_path / "m.safetensors")
    predicted = net.predict(frame)  # the target's column is left out without a word
    np.testing.assert_array_equal(fastmlp.load(tmp_path / "m.safetensors").predict(frame), predicted)
    assert net.evaluate(frame).target == target
    assert net.trace(frame, target).loss == pytest.approx(net.loss_and_gradient(frame, target)[0])
    if target == "pay":
        assert abs(predicted.mean() - FRAME["pay"].mean()) < FRAME["pay"].std()
    else:
        assert set(predicted) <= {"high", "low"}
        assert net.predict_proba(frame).shape == (N, 2)


@pytest.mark.parametrize("target", ["pay", "income"])
def test_it_is_what_six_statements_did(target: str) -> None:
    net = fastmlp.train(FRAME, target, validation=0.25, seed=3, **QUICK)
    labels: Any = FRAME[target].to_numpy(str) if target == "income" else N
    train, held = holdout(labels, 0.25, 3)
    encoder = TableEncoder(target).fit(FRAME.iloc[train])
    pair = encoder.transform(FRAME.iloc[held]), encoder.transform_target(FRAME.iloc[held])
    by_hand = fastmlp.train(
        encoder.transform(FRAME.iloc[train]), encoder.transform_target(FRAME.iloc[train]), validation=pair,
        embeddings=encoder.embeddings, seed=3, **QUICK,
    )  # fmt: skip
    np.testing.assert_array_equal(net.parameters, by_hand.parameters)
    assert net.encoder is not None
    assert net.encoder.to_dict() == encoder.to_dict() | {"settings": net.encoder.to_dict()["settings"]}
    np.testing.assert_array_equal(net.history["validation_loss"], by_hand.history["validation_loss"])


def test_held_back_rows_do_not_decide_the_encoding() -> None:
    frame = FRAME.assign(age=np.arange(N) % 50 + 0.5)
    held = holdout(frame["income"].to_numpy(str), 0.5, 0)[1]
    frame.loc[held, "age"] += 1e6
    net = fastmlp.train(frame, "income", validation=0.5, **QUICK)
    (age,) = (column for column in net.encoder.columns if column.name == "age")  # type: ignore[union-attr]
    assert age.center < 100


def test_validation_rows_of_a_table_and_their_weights() -> None:
    other = people(60, seed=1)
    weights = np.where(np.arange(60) < 30, 1.0, 0.0)
    options = {**QUICK, "seed": 2}
    whole = fastmlp.train(FRAME, "income", validation=(other[:30], "income"), **options)
    weighted = fastmlp.train(FRAME, "income", validation=(other, "income", weights), **options)
    apart = fastmlp.train(
        FRAME, "income", validation=(other[:30].drop(columns="income"), other["income"][:30]), **options
    )
    for net in (weighted, apart):
        np.testing.assert_allclose(
            net.history["validation_loss"], whole.history["validation_loss"], rtol=1e-6
        )
    with pytest.warns(UserWarning, match="validation: left out the column 'more'"):
        fastmlp.train(FRAME, "income", validation=(other.assign(more=1), "income"), **QUICK)
    with pytest.raises(ValueError, match=r"validation: .*no column 'job'"):
        fastmlp.train(FRAME, "income", validation=(other.drop(columns="job"), "income"), **QUICK)
    with pytest.raises(TypeError, match="validation: X must be a table"):
        fastmlp.train(FRAME, "income", validation=(np.zeros((3, 4)), np.array(["high"] * 3)), **QUICK)


@pytest.mark.parametrize("form", FORMS)
def test_numbers_without_gaps_stay_as_they_are(form: str) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(50, 3)), columns=["a", "b", "c"])
    frame["n"], frame["y"] = rng.integers(0, 100, 50), rng.normal(size=50)
    table = FORMS[form](frame)
    net = fastmlp.train(table, "y", **QUICK)
    assert net.encoder is None
    X, y = frame[["a", "b", "c", "n"]].to_numpy(), frame["y"].to_numpy()
    np.testing.assert_array_equal(net.parameters, fastmlp.train(X, y, **QUICK).parameters)
    np.testing.assert_array_equal(net.predict(table), net.predict(X))
    scaled = fastmlp.train(table, "y", encode=True, **QUICK)
    assert scaled.encoder is not None
    assert scaled.encoder.input_names == ("a", "b", "c", "n")


@pytest.mark.parametrize(
    ("column", "encodes"),
    [
        ([1, 2, 3, 4], False),
        (pd.array([1, 2, 3, 4], "Int64"), False),
        (np.array([1, 2.5, 3, 4], object), False),
        ([1.0, np.nan, 3, 4], True),
        (pd.array([1, None, 3, 4], "Int64"), True),
        ([True, False, True, True], True),
        (["a", "b", "a", "b"], True),
        (pd.Categorical(["a", "b", "a", "b"]), True),
        (pd.date_range("2026-01-01", periods=4), True),
        (np.array([1, None, 3, 4], object), True),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_what_is_encoded(form: str, column: Any, encodes: bool) -> None:
    frame = FORMS[form](pd.DataFrame({"a": [0.5, 1.5, 2.5, 3.5], "x": column, "y": [0.5, 1, 2, 3]}))
    net = fastmlp.train(frame, "y", **QUICK)
    assert (net.encoder is not None) == encodes


def test_what_is_left_out_of_a_table_is_said_and_may_stay_in_it() -> None:
    frame = FRAME.assign(id=np.arange(N) + 1)
    frame.loc[4:6, "pay"] = np.nan
    with pytest.warns(UserWarning, match="left out|dropped") as said:
        net = fastmlp.train(frame, "pay", sample_weight=np.ones(N), **QUICK)
    texts = [str(warning.message) for warning in said]
    assert any("dropped 3 rows without a value in 'pay'" in text for text in texts)
    assert any("column 'id' is left out" in text for text in texts)
    assert {warning.filename for warning in said} == {__file__}
    assert len(net.predict(frame)) == N  # without a word on what training left out


def test_a_frame_to_predict_may_have_more_columns_but_no_fewer() -> None:
    net = fastmlp.train(FRAME, "pay", **QUICK)
    with pytest.warns(UserWarning, match="X: left out the columns 'x1', 'x2'") as said:
        predicted = net.predict(FRAME.assign(x1=1, x2="a"))
    assert len(said) == 1
    np.testing.assert_array_equal(predicted, net.predict(FRAME[["job", "member", "since", "income", "age"]]))
    with pytest.raises(ValueError, match="X: no columns 'age', 'job'; its columns are 'since'"):
        net.predict(FRAME.drop(columns=["age", "job"]))


def test_a_frame_of_numbers_is_matched_by_name_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "y"])
    fastmlp.train(frame, "y", **QUICK).save(tmp_path / "m.safetensors")
    net = fastmlp.load(tmp_path / "m.safetensors")
    expected = net.predict(frame[["a", "b"]].to_numpy())
    for form in FORMS.values():
        np.testing.assert_array_equal(net.predict(form(frame)), expected)
        np.testing.assert_array_equal(net.predict(form(frame[["y", "b", "a"]])), expected)
        with pytest.warns(UserWarning, match="X: left out the column 'z'"):
            net.predict(form(frame.assign(z=1.0)))
    with pytest.raises(ValueError, match="X: no column 'b'; its columns are 'a', 'y'"):
        net.predict(frame[["a", "y"]])
    assert net.evaluate(frame).target == "y"


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet", "arrow"])
def test_a_file_is_read_encoded_and_learned(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"people.{suffix}"
    frame = FRAME.drop(columns="member")  # CSV knows no booleans
    if suffix.startswith("csv"):
        frame.to_csv(path, index=False)
    elif suffix == "parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_feather(path)
    net = fastmlp.train(path, "pay", validation=0.2, **QUICK)
    same = fastmlp.train(frame, "pay", validation=0.2, **QUICK)
    np.testing.assert_allclose(net.parameters, same.parameters, rtol=1e-6)
    np.testing.assert_allclose(net.predict(frame), same.predict(frame), rtol=1e-6)


def test_files_of_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(50, 2)), columns=["a", "b"]).assign(y=rng.normal(size=50))
    frame.to_csv(tmp_path / "n.csv", index=False)
    frame.to_parquet(tmp_path / "n.parquet", index=False)
    np.savez(tmp_path / "n.npz", X=frame[["a", "b"]].to_numpy(), y=frame["y"].to_numpy())
    assert fastmlp.train(tmp_path / "n.csv", "y", **QUICK).encoder is not None
    assert fastmlp.train(tmp_path / "n.csv", "y", encode=False, **QUICK).encoder is None
    streamed = fastmlp.train(tmp_path / "n.parquet", "y", **QUICK)
    assert streamed.encoder is None
    assert fastmlp.train(tmp_path / "n.parquet", "y", encode=True, **QUICK).encoder is not None
    arrays = fastmlp.train(tmp_path / "n.npz", **QUICK)
    assert arrays.encoder is None
    np.testing.assert_array_equal(arrays.parameters, streamed.parameters)
    np.savez(tmp_path / "named.npz", X=frame[["a", "b"]].to_numpy(), price=frame["y"].to_numpy())
    named = fastmlp.train(tmp_path / "named.npz", "price", **QUICK)
    np.testing.assert_array_equal(named.parameters, streamed.parameters)


def test_gaps_of_a_parquet_file_are_encoded_unless_it_is_too_large(tmp_path: Path) -> None:
    table = pa.table({"a": [1.0, None, 3.0, 4.0] * 10, "y": list(np.arange(40) / 7)})
    pq.write_table(table, tmp_path / "gaps.parquet")
    assert fastmlp.train(tmp_path / "gaps.parquet", "y", **QUICK).encoder is not None
    with pytest.raises(ValueError, match=r"gaps.parquet: the column 'a' holds gaps, .* memory_limit"):
        fastmlp.train(tmp_path / "gaps.parquet", "y", memory_limit=100, **QUICK)


def test_a_target_beside_the_table() -> None:
    X = FRAME.drop(columns=["pay", "income"])
    for y in (FRAME["pay"], FRAME["pay"].to_numpy(), list(FRAME["pay"]), pl.Series(FRAME["pay"].to_numpy())):
        net = fastmlp.train(X, y, **QUICK)
        assert abs(net.predict(X).mean() - FRAME["pay"].mean()) < FRAME["pay"].std()
    several = fastmlp.train(X, FRAME[["pay", "pay"]].to_numpy() / 1e4, **QUICK)
    assert several.predict(X).shape == (N, 2)
    labels = (FRAME["income"] == "high").to_numpy()
    assert fastmlp.train(X, labels, **QUICK).predict(X).dtype == bool


def test_several_columns_to_learn() -> None:
    frame = FRAME.assign(bonus=FRAME["pay"] / 10)
    net = fastmlp.train(frame, ["pay", "bonus"], validation=0.2, **QUICK)
    predicted = net.predict(frame)
    assert predicted.shape == (N, 2)
    assert abs(predicted[:, 1].mean() - frame["bonus"].mean()) < frame["bonus"].std()


def test_a_run_with_checkpoints_goes_on_with_its_encoder(tmp_path: Path) -> None:
    options = {**QUICK, "validation": 0.2, "checkpoint": tmp_path}
    fastmlp.train(FRAME, "income", **{**options, "epochs": 2})
    net = fastmlp.train(FRAME, "income", **options, resume=tmp_path)
    whole = fastmlp.train(FRAME, "income", **{**options, "checkpoint": None})
    np.testing.assert_array_equal(net.parameters, whole.parameters)
    last = fastmlp.load(max(tmp_path.glob("*.safetensors")))
    np.testing.assert_array_equal(last.predict(FRAME), net.predict(FRAME))


def test_a_callback_may_predict_the_frame() -> None:
    seen = []
    fastmlp.train(FRAME, "pay", callbacks=lambda net: seen.append(net.predict(FRAME)), **QUICK)
    assert len(seen) == 5


def test_many_categories_are_embedded_without_a_word() -> None:
    frame = FRAME.assign(shop=[f"shop {i % 40}" for i in range(N)])
    net = fastmlp.train(frame, "income", **QUICK)
    assert len(net.embeddings) == 1
    with pytest.raises(ValueError, match="embeddings are the encoder's own"):
        fastmlp.train(frame, "income", embeddings=[(0, 3, 2)], **QUICK)


def test_values_with_bounds_are_not_scaled() -> None:
    frame = FRAME.assign(count=np.arange(N) % 7 * 1.0)
    net = fastmlp.train(frame, "count", loss="poisson", **QUICK)
    assert (net.predict(frame) >= 0).all()


def test_an_encoder_that_is_not_fitted_says_how_to_encode() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=60),
            "b": rng.normal(size=60),
            "c": rng.choice(list("uvwxyz"), 60),
            "key": [f"k{i}" for i in range(60)],
            "y": rng.integers(0, 30, 60),
        }
    )
    like = TableEncoder(task="regression", scale="common", ignore=["key"], max_one_hot=3, scale_target=False)
    net = fastmlp.train(frame, "y", encode=like, hidden=(3,), epochs=2)
    own = TableEncoder("y", **{k: v for k, v in like.get_params().items() if k != "target"}).fit(frame)
    assert net.encoder is not None
    assert net.encoder.to_dict() == own.to_dict()
    assert net.loss == "squared_error"
    assert net.embeddings == own.embeddings != ()
    assert like.columns == ()
    numbers = frame[["a", "b", "y"]]
    assert fastmlp.train(numbers, "y", encode=TableEncoder(task="regression"), epochs=1).encoder is not None
    with pytest.raises(ValueError, match="encode must be a TableEncoder that is not fitted"):
        fastmlp.train(frame, "y", encode=own)
    with pytest.raises(TypeError, match="needs a table of named columns, got X of type ndarray"):
        fastmlp.train(numbers.to_numpy(), frame["y"], encode=like)
    with pytest.raises(ValueError, match="encode must be 'auto' or True where init has an encoder"):
        fastmlp.train(frame, "y", encode=like, init=net)


def test_a_guess_of_the_task_is_said_of_a_table_too() -> None:
    frame = FRAME.assign(pay=FRAME["pay"].astype(int))
    with pytest.warns(UserWarning, match="the target column 'pay' holds more than 20 different whole"):
        assert fastmlp.train(frame, "pay", **QUICK).classes is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fastmlp.train(frame, "pay", task="regression", **QUICK).classes is None


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"encode": "yes"}, ValueError, "encode must be 'auto', True, False or a TableEncoder, got 'yes'"),
        ({"encode": TableEncoder("area")}, ValueError, "encode has the target 'area', y is 'income'"),
        ({"X": np.zeros((3, 2)), "y": [0, 1, 0], "encode": True}, TypeError, "encode=True needs a table"),
        ({"y": "wage"}, ValueError, "y must be one of the columns .*got 'wage'"),
        ({"y": None}, TypeError, "y is needed"),
        ({"y": "since"}, ValueError, "y must hold numbers where they are not taken for labels, got dates"),
        ({"y": "job", "task": "regression"}, ValueError, "numbers where task is 'regression', got labels"),
        ({"y": "pay", "task": "classification"}, ValueError, "labels where task is 'classification', got"),
        ({"y": [1.0, 2.0]}, ValueError, "y must have as many rows as X, 200, got 2"),
        ({"task": "ranking"}, ValueError, "task must be one of auto"),
        ({"y": "pay", "task": "regression", "loss": "hinge"}, ValueError, "does not go with loss"),
        ({"validation": (FRAME,)}, TypeError, "validation must be"),
        ({"validation": 2}, ValueError, "validation must be greater than 0 and less than 1"),
        ({"sample_weight": [1.0]}, ValueError, "sample_weight must have as many rows as X, 200, got 1"),
        ({"encode": False}, TypeError, "X must hold real numbers"),
    ],
)
def test_bad_arguments_are_refused(given: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fastmlp.train(**{"X": FRAME, "y": "income", **QUICK, **given})


def test_tables_of_our_own_go_the_same_way() -> None:
    table = Table({"x": ["a", "b"] * 20, "y": np.arange(40) / 3})
    assert fastmlp.train(table, "y", **QUICK).predict(table).shape == (40,)


def test_rows_without_a_target_are_left_out_of_the_score_as_of_the_training(tmp_path: Path) -> None:
    frame = people()
    frame.loc[::10, "income"] = None
    known, weights = frame[frame["income"].notna()], np.arange(1.0, N + 1)
    frame.to_csv(tmp_path / "people.csv", index=False)
    with pytest.warns(UserWarning, match="dropped 20 rows without a value in 'income'"):
        net = fastmlp.train(frame, "income", **QUICK)
    for rows in (frame, tmp_path / "people.csv"):
        with pytest.warns(UserWarning, match="dropped 20 rows without a value in 'income'"):
            assert net.score(rows) == net.score(known)
    with pytest.warns(UserWarning, match="dropped 20 rows"):
        weighted = net.score(frame, "income", weights)
    assert weighted == net.score(known, "income", weights[frame["income"].notna()])


def test_a_target_that_is_a_number_is_refused_in_words() -> None:
    with pytest.raises(
        ValueError, match=r"y must hold a target for each row, or be a text, the name .* got 2"
    ):
        fastmlp.train(pd.DataFrame(np.zeros((9, 3))), 2, epochs=1)


def test_weights_named_by_a_column_are_refused_in_words() -> None:
    frame = pd.DataFrame({"a": ["u", "v"] * 20, "w": np.ones(40), "y": ["p", "q"] * 20})
    with pytest.raises(
        ValueError, match="sample_weight must hold a number for each row, got 'w'; give the col"
    ):
        fastmlp.train(frame, "y", sample_weight="w", epochs=1)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "csv.gz"])
def test_files_are_predicted_and_scored_as_the_tables_that_they_hold(suffix: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "area": np.where(np.arange(120) % 7, rng.uniform(20, 90, 120).round(1), np.nan),
            "zip": rng.choice(["00501", "10001", "x"], 120),  # text in training, whole numbers in a new file
            "label": rng.choice(["1", "2", "n"], 120),
        }
    )
    path = tmp_path / f"rows.{suffix}"
    net = fastmlp.train(frame, "label", epochs=3)
    new = frame[frame["zip"] == "10001"]
    if suffix == "parquet":
        new.to_parquet(path)
    elif suffix == "jsonl":
        new.to_json(path, orient="records", lines=True)
    else:
        new.to_csv(path, index=False)
    np.testing.assert_array_equal(net.predict(path), net.predict(new))
    np.testing.assert_array_equal(net.predict_proba(str(path)), net.predict_proba(new))
    np.testing.assert_array_equal(net.forward(path), net.forward(new))
    assert net.score(path) == net.score(new)
    assert net.evaluate(path, "label").metrics.accuracy == net.score(new)
    assert net.loss_and_gradient(path, "label")[0] == net.loss_and_gradient(new, "label")[0]


def test_files_of_arrays_are_predicted_too(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(50, 3))
    np.save(tmp_path / "rows.npy", X)
    net = fastmlp.train(X, X[:, 0] > 0, epochs=2)
    np.testing.assert_array_equal(net.predict(tmp_path / "rows.npy"), net.predict(X))
    with pytest.raises(FileNotFoundError, match="absent"):
        net.predict("absent.csv")


def test_what_is_guessed_of_a_file_to_predict_is_said(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": ["ä", "b"] * 20, "y": [0.5, 1.25] * 20})
    net = fastmlp.train(frame, "y", epochs=1)
    (tmp_path / "rows.csv").write_bytes("a\nä\nb\n".encode("cp1252"))
    with pytest.warns(UserWarning, match="rows.csv: read as cp1252"):
        predicted = net.predict(tmp_path / "rows.csv")
    np.testing.assert_array_equal(predicted, net.predict(frame[:2]))


@pytest.mark.parametrize("texts", [True, False], ids=["encoded", "streamed"])
def test_the_index_that_pandas_writes_is_no_input(texts: bool, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(40.0) % 7, "b": np.arange(40) % 3, "y": [0.5, 1.25] * 20})
    frame = (frame.assign(b=list("uvwu") * 10) if texts else frame).sample(frac=1, random_state=0)
    frame.to_parquet(tmp_path / "rows.parquet")
    with pytest.warns(UserWarning, match="'__index_level_0__' is left out: it is the index of the frame"):
        net = fastmlp.train(tmp_path / "rows.parquet", "y", epochs=1)
    assert (net.encoder.input_names if net.encoder else net.feature_names) == ("a", "b")
    np.testing.assert_array_equal(net.predict(tmp_path / "rows.parquet"), net.predict(frame))


def test_texts_of_a_frame_are_read_as_those_of_a_file() -> None:
    rng = np.random.default_rng(0)
    ages = [str(age) for age in rng.integers(18, 62, 600)]
    pay = [f"${pay:,.2f}" for pay in rng.uniform(1e3, 1e5, 600)]
    frame = pd.DataFrame(
        {
            "age": ["-", "unknown", *ages[2:]],
            "height": ["N/A", *(f"{h}.5" for h in rng.integers(150, 199, 599))],
            "pay": pay,
            "day": [f"2020-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(600)],
            "code": rng.choice(["10", "20", "30"], 600),  # texts on purpose
            "label": rng.choice(["a", "b"], 600),
        }
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        net = fastmlp.train(frame, "label", epochs=1)
    said = "\n".join(str(warning.message) for warning in caught)
    assert "table: age: 2 cells that are no numbers ('-', 'unknown') count as missing" in said
    assert "table: height: 'N/A' counts as missing: 1 cell in 1 column" in said
    assert re.search(r"table: pay: read as numbers, '\$[0-9,.]*' as", said)
    assert "table: column 'day': read as dates" in said
    encoder = net.encoder
    assert encoder is not None
    assert [column.kind for column in encoder.columns] == ["number", "number", "number", "date", "category"]
    with pytest.warns(
        UserWarning, match="row 1, column 'age': 'unknown' is not a number, and counts as missing"
    ):
        predicted = net.predict_proba(frame)
    plain = frame.assign(
        age=[np.nan, np.nan, *map(float, ages[2:])], pay=[float(p[1:].replace(",", "")) for p in pay]
    )
    np.testing.assert_array_equal(predicted, net.predict_proba(plain))


def test_a_table_that_was_read_keeps_its_texts() -> None:
    table = Table(
        {"age": np.array(["-", *map(str, range(20, 60))] * 3, dtype=object), "y": ["a", "b", "c"] * 41}
    )
    net = fastmlp.train(table, "y", epochs=1, encode=True)
    assert net.encoder is not None
    assert net.encoder.text_columns == ("age",)
