"""TableEncoder is a transformer as scikit-learn's are: pipelines, searches, clones and arrays."""

from __future__ import annotations

import datetime as dt
import pickle
import subprocess
import sys
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from estimator_tools import few_epochs
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.data import Table, TableEncoder

pytestmark = few_epochs

NAN = float("nan")
RNG = np.random.default_rng(0)
N = 120
SIZE = RNG.normal(size=N)
CITY = np.array(["Rome", "Oslo", "Bonn"], dtype=object)[RNG.integers(0, 3, N)]
FRAME = pd.DataFrame({"size": np.where(np.arange(N) % 9, SIZE, NAN), "city": CITY, "new": SIZE > 1})
LABELS = np.where((SIZE > 0) ^ (CITY == "Rome"), "yes", "no")


def model(**options: Any) -> MLPClassifier:
    return MLPClassifier((16,), learning_rate_init=0.02, max_iter=60, random_state=0, **options)


def test_a_pipeline_learns_a_frame_of_numbers_texts_and_gaps() -> None:
    pipeline = make_pipeline(TableEncoder(), model()).fit(FRAME, LABELS)
    assert pipeline.score(FRAME, LABELS) > 0.85
    assert (pipeline.predict(FRAME[["new", "city", "size"]]) == pipeline.predict(FRAME)).all()
    assert pipeline[:-1].get_feature_names_out().tolist() == [
        "size", "size is missing", "city=Bonn", "city=Oslo", "city=Rome", "city is other", "new",
    ]  # fmt: skip
    assert (pipeline.n_features_in_, pipeline.feature_names_in_.tolist()) == (3, ["size", "city", "new"])
    again = pickle.loads(pickle.dumps(pipeline))
    assert (again.predict(FRAME) == pipeline.predict(FRAME)).all()
    regression = make_pipeline(
        TableEncoder(), MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0)
    )
    assert regression.fit(FRAME, SIZE).predict(FRAME).shape == (N,)


def test_a_search_goes_through_the_parameters_of_the_encoder() -> None:
    pipeline = make_pipeline(TableEncoder(), model())
    grid = {"tableencoder__scale": ["standard", "robust"], "tableencoder__min_count": [1, 50]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(FRAME, LABELS)
    assert set(search.best_params_) == set(grid)
    assert search.best_params_["tableencoder__min_count"] == 1  # or no city would be known
    assert len(cross_val_score(pipeline, FRAME, LABELS, cv=2)) == 2


def test_each_fold_is_encoded_by_its_own_training_rows() -> None:
    first, second = (TableEncoder().fit(FRAME.iloc[rows]) for rows in (slice(0, 60), slice(60, N)))
    assert first.to_dict() != second.to_dict()
    fitted = make_pipeline(TableEncoder(), model()).fit(FRAME.iloc[:60], LABELS[:60])
    assert fitted[0].to_dict() == first.to_dict()


def test_a_column_transformer_takes_it_beside_others() -> None:
    transformer = ColumnTransformer(
        [("table", TableEncoder(), ["city", "new"]), ("size", StandardScaler(), ["size"])]
    )
    X = transformer.fit_transform(FRAME)
    names = ["table__city=Bonn", "table__city=Oslo", "table__city=Rome", "table__city is other", "table__new"]
    assert transformer.get_feature_names_out().tolist() == [*names, "size__size"]
    assert X.shape == (N, 6)
    rows = FRAME.to_numpy()
    transformer = ColumnTransformer([("table", TableEncoder(), [1, 2])]).fit(rows)
    names = ["table__x1=Bonn", "table__x1=Oslo", "table__x1=Rome", "table__x1 is other", "table__x2"]
    assert transformer.get_feature_names_out().tolist() == names


def test_clones_have_the_parameters_unchanged_and_are_not_fitted() -> None:
    ignore = ["new"]
    encoder = TableEncoder(
        ["size"], ignore=ignore, max_one_hot=np.int64(7), task="regression", scale="robust"
    )
    parameters = encoder.get_params()
    assert parameters == {
        "target": ["size"], "task": "regression", "scale": "robust", "scale_target": True, "ignore": ["new"],
        "max_one_hot": 7, "min_count": 2, "embedding_width": None, "binary": "plain", "unknown": "own",
        "target_transform": None,
    }  # fmt: skip
    assert parameters["ignore"] is ignore
    copy = clone(encoder.fit(FRAME.fillna(0.5)))
    assert copy.get_params() == parameters
    assert not copy.columns
    check_is_fitted(encoder)
    with pytest.raises(Exception, match="not fitted"):
        check_is_fitted(copy)


def test_parameters_are_set_and_checked() -> None:
    encoder = TableEncoder().fit(FRAME)
    assert encoder.set_params() is encoder
    assert encoder.columns
    assert encoder.set_params(scale="robust", task="regression") is encoder
    assert (encoder.scale, encoder.get_params()["task"]) == ("robust", "regression")
    assert not encoder.columns  # another encoder must be fitted again
    assert not hasattr(encoder, "feature_names_in_")
    with pytest.raises(
        ValueError, match="TableEncoder has no parameter 'scaling'; it has target, task, scale,"
    ):
        encoder.set_params(scaling="robust")
    with pytest.raises(ValueError, match="scale must be one of"):
        encoder.set_params(scale="none")
    assert encoder.scale == "robust"


def test_tags_say_that_texts_and_gaps_are_taken() -> None:
    tags = get_tags(TableEncoder())
    assert (tags.input_tags.string, tags.input_tags.allow_nan) == (True, True)
    assert tags.requires_fit
    assert not tags.target_tags.required


def test_numbers_of_categories_are_not_handed_to_estimators_unsaid() -> None:
    table = Table({"shop": [f"shop {i % 40}" for i in range(400)], "x": np.arange(400) % 7})
    with pytest.warns(UserWarning, match=r"their numbers: 'shop' \(41\); only fastmlp\.train\(embeddings"):
        TableEncoder().fit_transform(table)
    assert TableEncoder(max_one_hot=40).fit_transform(table).shape == (400, 42)


# ------------------------------------------------------------------------------------- columns without names


def test_columns_of_arrays_are_called_as_scikit_learn_calls_them() -> None:
    encoder = TableEncoder().fit(FRAME.to_numpy())
    assert encoder.input_names == ("x0", "x1", "x2")
    assert not hasattr(encoder, "feature_names_in_")
    np.testing.assert_array_equal(encoder.transform(FRAME.to_numpy()), TableEncoder().fit_transform(FRAME))
    np.testing.assert_array_equal(
        encoder.transform(FRAME.to_numpy().tolist()), encoder.transform(FRAME.to_numpy())
    )
    assert encoder.get_feature_names_out(["a", "b", "c"])[-1] == "c"
    pipeline = make_pipeline(TableEncoder(), model()).fit(FRAME.to_numpy(), LABELS)
    assert pipeline.score(FRAME.to_numpy(), LABELS) > 0.85
    target = TableEncoder("x2").fit(FRAME.to_numpy())
    assert target.transform_target(FRAME.to_numpy()).tolist() == FRAME["new"].tolist()
    assert target.transform(FRAME.to_numpy()).shape == target.transform(FRAME.to_numpy()[:, :2]).shape


def test_an_array_of_as_many_columns_has_those_of_the_fitted_frame() -> None:
    encoder = TableEncoder().fit(FRAME)
    np.testing.assert_array_equal(encoder.transform(FRAME.to_numpy()), encoder.transform(FRAME))
    with pytest.raises(ValueError, match="no column 'size'; its columns are 'x0', 'x1'"):
        encoder.transform(FRAME.to_numpy()[:, :2])


def test_names_that_are_whole_numbers_are_written_out() -> None:
    frame = FRAME.set_axis([0, 1, 2], axis=1)
    encoder = TableEncoder("2").fit(frame)
    assert encoder.input_names == ("0", "1")  # as those of a file without a header
    np.testing.assert_array_equal(encoder.transform(frame)[:, 0], TableEncoder().fit_transform(FRAME)[:, 0])
    assert make_pipeline(TableEncoder(), model()).fit(frame, LABELS).score(frame, LABELS) > 0.85


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, 2], "int64", [1, 2]),
        ([1, None], "float64", [1, NAN]),
        ([1, 0.5], "float64", [1, 0.5]),
        ([Decimal("0.5"), NAN], "float64", [0.5, NAN]),
        ([True, False], "bool", [True, False]),
        ([True, None], "float64", [1, NAN]),
        ([True, 2], "int64", [1, 2]),
        (["a", None], "object", ["a", None]),
        (["a", pd.NA], "object", ["a", None]),
        ([dt.date(2020, 1, 1), pd.NaT], "datetime64[us]", [dt.datetime(2020, 1, 1), None]),
        (
            [dt.datetime(2020, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2)))],
            "datetime64[us]",
            [dt.datetime(2020, 1, 1)],
        ),
        ([pd.Timestamp("2020-01-01")], "datetime64[us]", [dt.datetime(2020, 1, 1)]),
        ([None, NAN], "float64", [NAN, NAN]),
    ],
)
def test_kinds_of_columns_of_objects(values: list[Any], dtype: str, expected: list[Any]) -> None:
    from fastmlp.data._arrays import read_rows

    array = np.empty((len(values), 1), dtype=object)
    array[:, 0] = values
    column = read_rows(array)["x0"]
    assert column.dtype == dtype
    np.testing.assert_array_equal(column, np.array(expected, dtype=dtype))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.array([["a", 1]], dtype=object).T, TypeError, "column 'x0' must hold numbers, .* got int, str"),
        (np.array([[b"a", b"b"]]), TypeError, "column 'x0' has dtype"),
        ([["a"], ["b", "c"]], ValueError, "a list must hold rows of one length"),
        (["a", "b"], ValueError, "a list must hold rows of one length"),
        (np.arange(3), ValueError, r"must have the shape \(rows, columns\) to be a table, got \(3,\)"),
        (np.empty((3, 0)), ValueError, r"must have the shape \(rows, columns\) to be a table, got \(3, 0\)"),
        (pd.DataFrame([[1, 2]]).astype("Sparse[int]").sparse.to_coo(), TypeError, "got a sparse matrix"),
    ],
)
def test_rows_that_are_no_table_are_refused(X: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TableEncoder().fit(X)


def test_input_features_must_be_those_of_the_fitted_frame() -> None:
    encoder = TableEncoder().fit(FRAME)
    assert len(encoder.get_feature_names_out(FRAME.columns)) == 7
    with pytest.raises(ValueError, match="input_features must be the names of the columns"):
        encoder.get_feature_names_out(["a", "b", "c"])
    with pytest.raises(ValueError, match="not fitted"):
        TableEncoder().get_feature_names_out()


def test_the_encoder_needs_no_scikit_learn() -> None:
    code = (
        "import sys; sys.modules['sklearn'] = None; from fastmlp.data import Table, TableEncoder; "
        "print(TableEncoder().set_params(scale='robust').fit_transform(Table({'x': [1., 2.]})).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(2, 1)\n"
