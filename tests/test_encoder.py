"""TableEncoder: what each kind of column becomes, what is an error, and that JSON gives it back unchanged."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastmlp.data import Table, TableEncoder, choose_task, read_csv

NAN = float("nan")


def mixed() -> Table:
    return Table(
        {
            "age": [20, 30, 40, 50],
            "rooms": [1.0, NAN, 2.0, 6.0],
            "city": np.array(["Rome", "Oslo", None, "Rome"], dtype=object),
            "flat": [7.0, 7.0, 7.0, 7.0],
            "price": [100.0, 200.0, 300.0, 400.0],
        },
        source="homes",
    )


def fitted() -> TableEncoder:
    return TableEncoder("price").fit(mixed())


# ------------------------------------------------------------------------------------------------- the inputs


def test_columns_become_the_documented_inputs() -> None:
    encoder = fitted()
    assert encoder.feature_names == [
        *("age", "rooms", "rooms is missing", "city=Rome", "city is other", "city is missing", "flat"),
    ]
    assert encoder.input_names == ("age", "rooms", "city", "flat")
    assert encoder.text_columns == ("city",)
    s, r = np.sqrt(125.0), np.sqrt(14 / 3)  # population deviations of age, and of the rooms present
    expected = [
        [-15 / s, (1 - 3) / r, 0, 1, 0, 0, 0],
        [-5 / s, (2 - 3) / r, 1, 0, 1, 0, 0],  # the median, 2, stands for the missing value
        [5 / s, (2 - 3) / r, 0, 0, 0, 1, 0],
        [15 / s, (6 - 3) / r, 0, 1, 0, 0, 0],
    ]
    np.testing.assert_allclose(encoder.transform(mixed(), "float64"), expected, rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.dtype(np.float64)])
def test_the_inputs_are_contiguous_and_of_the_wanted_type(dtype: Any) -> None:
    X = fitted().transform(mixed(), dtype)
    assert X.dtype == dtype
    assert X.flags.c_contiguous
    assert X.shape == (4, 7)


@pytest.mark.parametrize("dtype", ["float16", "int64", "object"])
def test_other_types_are_refused(dtype: str) -> None:
    with pytest.raises(ValueError, match=f"dtype must be 'float32' or 'float64', got '{dtype}'"):
        fitted().transform(mixed(), dtype)


def test_columns_are_matched_by_name_and_the_target_may_be_absent() -> None:
    table = mixed()
    shuffled = Table({name: table[name] for name in ("flat", "city", "rooms", "age")})
    np.testing.assert_array_equal(fitted().transform(shuffled), fitted().transform(table))


@pytest.mark.parametrize("city", ["Bonn", "Oslo", ""])
def test_categories_that_training_did_not_have_or_had_once_share_an_input(city: str) -> None:
    table = Table({"age": [20], "rooms": [1.0], "city": [city], "flat": [7.0]})
    assert fitted().transform(table)[0, 3:6].tolist() == [0, 1, 0]


def test_a_value_missing_where_training_had_none_is_the_median() -> None:
    table = Table({"age": [NAN], "rooms": [NAN], "city": ["Rome"], "flat": [NAN]})
    X = fitted().transform(table, "float64")
    assert X[0, 0] == 0  # the median of age, 35, is its mean too
    assert X[0, 2] == 1
    assert X[0, 6] == 0


def test_a_constant_column_is_zero_whatever_comes_later() -> None:
    table = Table({"age": [20], "rooms": [1.0], "city": ["Rome"], "flat": [1e9]})
    assert fitted().transform(table)[0, 6] == 0
    third = Table({"x": [0.1] * 10})  # its mean is not exactly 0.1
    assert not TableEncoder().fit(third).transform(third).any()


def test_a_column_without_values_is_zero_and_an_indicator() -> None:
    table = Table({"empty": [NAN, NAN], "x": [1.0, 2.0]})
    encoder = TableEncoder().fit(table)
    assert encoder.transform(table, "float64").tolist() == [[0, 1, -1], [0, 1, 1]]
    later = Table({"empty": [5.0], "x": [1.0]})
    assert encoder.transform(later, "float64").tolist() == [[0, 0, -1]]


def test_huge_and_tiny_values_are_standardised_without_overflow() -> None:
    table = Table({"huge": [1e308, -1e308, 1e308, -1e308], "tiny": [1e-310, 3e-310, 1e-310, 3e-310]})
    X = TableEncoder().fit(table).transform(table, "float64")
    np.testing.assert_allclose(X[:, 0], [1, -1, 1, -1])
    np.testing.assert_allclose(X[:, 1], [-1, 1, -1, 1], rtol=1e-9)


def test_whole_numbers_in_a_text_column_are_matched_as_text() -> None:
    encoder = TableEncoder(min_count=1).fit(Table({"code": ["1", "2", "3A"]}))
    assert encoder.transform(Table({"code": [2, 1]})).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    assert encoder.transform(Table({"code": [NAN]})).tolist() == [[0, 0, 0, 1]]  # training had none missing
    with pytest.raises(
        ValueError, match=r"row 0, column 'code': expected text, got the number 2.5; read .* text="
    ):
        encoder.transform(Table({"code": [2.5]}))


def test_training_rows_alone_decide() -> None:
    table = mixed()
    encoder = TableEncoder("price").fit(table.take([0, 3]))
    assert encoder.feature_names == ["age", "rooms", "city=Rome", "city is other", "flat"]
    assert encoder.transform(table, "float64")[:, 0].tolist() == [-1, -1 / 3, 1 / 3, 1]


def test_ignored_columns_are_no_inputs_and_may_be_absent() -> None:
    encoder = TableEncoder("price", ignore=["city", "flat"]).fit(mixed())
    assert encoder.input_names == ("age", "rooms")
    assert encoder.transform(Table({"age": [1], "rooms": [2.0]})).shape == (1, 3)


# ------------------------------------------------------------------------------------------------- the target


def test_quantities_are_standardised_and_given_back_in_their_units() -> None:
    encoder = fitted()
    y = encoder.transform_target(mixed())
    assert encoder.task == "regression"
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-15)
    np.testing.assert_allclose(encoder.inverse_target(y), [100, 200, 300, 400], rtol=1e-15)
    assert encoder.inverse_target(y.astype(np.float32)[:, None]).shape == (4, 1)


def test_quantities_may_keep_their_scale() -> None:
    encoder = TableEncoder("price", scale_target=False).fit(mixed())
    assert encoder.transform_target(mixed()).tolist() == [100, 200, 300, 400]


def test_a_constant_target_comes_back() -> None:
    encoder = TableEncoder("flat").fit(mixed())
    assert encoder.transform_target(mixed()).tolist() == [0, 0, 0, 0]
    assert encoder.inverse_target([0.0, 0.0]).tolist() == [7, 7]


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["no", "yes", "no", "no"], "U"),
        ([3, 1, 3, 3], "i"),
        ([3.0, 1.0, 3.0, 3.0], "i"),
        ([True, False, True, True], "b"),
        (np.array(["2020", "2021", "2020", "2020"], dtype="datetime64[us]"), "M"),
    ],
)
def test_labels_are_kept_as_they_are(labels: list[Any], kind: str) -> None:
    table = Table({"x": [1, 2, 3, 4], "y": labels})
    encoder = TableEncoder("y", task="classification").fit(table)
    y = encoder.transform_target(table)
    assert encoder.task == "classification"
    assert y.dtype.kind == kind
    assert y.tolist() == np.asarray(labels).tolist()
    assert encoder.inverse_target(y).tolist() == np.asarray(labels).tolist()


@pytest.mark.parametrize(
    ("column", "task"),
    [
        (np.array(["a", "b"], dtype=object), "classification"),
        (np.array([True, False]), "classification"),
        (np.array([0.0, 1.0]), "classification"),
        (np.array([0.0, 1.0, NAN]), "classification"),
        (np.array([0.0, 1.0, 0.5]), "regression"),
        (np.array([0.0, 1.0, 2.0] * 4), "regression"),
        (np.zeros(3), "regression"),
        (np.array([3, 8]), "classification"),
        (np.array([0, 1] * 5), "classification"),
        (np.arange(40) % 20, "classification"),
        (np.arange(42) % 21, "regression"),
        (np.arange(10), "regression"),  # each occurs once
        (np.arange(10) // 2, "classification"),
        ((np.arange(10) // 2).astype("datetime64[D]"), "classification"),
        (np.arange(10).astype("datetime64[D]"), "regression"),
    ],
)
def test_the_rule_that_tells_labels_from_quantities(column: np.ndarray, task: str) -> None:
    assert choose_task(column) == task


# ------------------------------------------------------------------------------------------------- what fails


def table_of(**columns: Any) -> Table:
    return Table(columns, source="t")


@pytest.mark.parametrize(
    ("encoder", "table", "message"),
    [
        (TableEncoder("y"), table_of(x=[1.0]), "t: no column 'y'; its columns are 'x'"),
        (TableEncoder(ignore=["z"]), table_of(x=[1.0]), "t: no column 'z'; its columns are 'x'"),
        (TableEncoder("x"), table_of(x=[1.0]), "t: no input columns are left to learn from"),
        (TableEncoder(), table_of(x=[]), "t: no rows to learn from"),
        (
            TableEncoder("y"),
            table_of(x=[1, 2, 3], y=[1.0, NAN, NAN]),
            "t: 2 rows have no value in the target column 'y' (first at row 1)",
        ),
        (
            TableEncoder("y"),
            table_of(x=[1, 2], y=np.array([None, "a"], dtype=object)),
            "t: 1 row has no value in the target column 'y' (row 0)",
        ),
        (TableEncoder(), table_of(x=[1.0, np.inf]), "t: row 1, column 'x': inf is not a finite number"),
        (
            TableEncoder("y"),
            table_of(x=[1.0, 2.0], y=[1.0, -np.inf]),
            "t: row 1, column 'y': -inf is not a finite number",
        ),
        (
            TableEncoder("y", task="regression"),
            table_of(x=[1, 2], y=["3", "four"]),
            "t: row 1, column 'y': 'four' is not a number",
        ),
        (
            TableEncoder("y", task="classification"),
            table_of(x=[1, 2], y=[1.0, 2.5]),
            "t: row 1, target column 'y': 2.5 is no label; labels are texts or whole numbers",
        ),
        (
            TableEncoder(max_one_hot=2),
            table_of(x=["1", "2", "x3"]),
            (
                "no input columns are left: t: column 'x' holds 3 different texts (row 2: 'x3'), "
                "most of them once, and is left out; mend it if it should be numbers"
            ),
        ),
        (
            TableEncoder("y", task="regression"),
            table_of(x=[1, 2], y=np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[us]")),
            "t: row 0, column 'y': 2020-01-01T00:00:00.000000 is not a number",
        ),
    ],
)
def test_fit_says_what_is_wrong(encoder: TableEncoder, table: Table, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        encoder.fit(table)
    assert str(caught.value) == message
    assert encoder.columns == ()


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("age,rooms,city\n1,2,Rome\n", "no column 'flat'; its columns are 'age', 'rooms', 'city'"),
        (
            "age,rooms,city,flat,id\n1,2,Rome,7,9\n",
            "unknown column 'id'; the inputs are 'age', 'rooms', 'city', 'flat'",
        ),
        ("age,rooms,city,flat\n1,2,Rome,7\n1,two,Rome,7\n", "line 3, column 'rooms': 'two' is not a number"),
        ("age,rooms,city,flat\n1,inf,Rome,7\n", "line 2, column 'rooms': inf is not a finite number"),
        (
            "age,rooms,city,flat\n1,1e300,Rome,7\n",
            (
                "line 2, column 'rooms': 1e+300 is too far from the training rows (center 3, scale "
                "2.16025) to be written as float32"
            ),
        ),
    ],
)
def test_transform_says_what_is_wrong_and_where(csv: str, message: str, tmp_path: Any) -> None:
    path = tmp_path / "new.csv"
    path.write_text(csv, encoding="utf-8")
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        fitted().transform(read_csv(path))
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"target": "y", "task": "ranking"},
            ValueError,
            "task must be 'auto', 'classification' or 'regression'",
        ),
        ({"ignore": "id"}, TypeError, "ignore must be a collection of column names, got the string 'id'"),
        ({"target": "y", "ignore": ["y"]}, ValueError, "the target column 'y' cannot be ignored"),
        (
            {"scale": "minmax"},
            ValueError,
            "scale must be one of standard, robust, common, clipped, quantile; got 'minmax'",
        ),
        ({"max_one_hot": -1}, ValueError, "max_one_hot must be at least 0, got -1"),
        ({"min_count": 1.5}, TypeError, "min_count must be an integer, got 1.5"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TableEncoder(**arguments)


def test_an_encoder_must_be_fitted_first() -> None:
    encoder = TableEncoder("price")
    for use in (encoder.transform, encoder.transform_target):
        with pytest.raises(ValueError, match="the encoder is not fitted"):
            use(mixed())
    with pytest.raises(ValueError, match="the encoder is not fitted"):
        encoder.to_dict()
    with pytest.raises(ValueError, match="the encoder has no target"):
        TableEncoder().fit(mixed()).inverse_target([1.0])
    assert repr(encoder) == "<TableEncoder target='price', not fitted>"
    assert repr(fitted()) == "<TableEncoder target='price': 4 columns, 7 inputs>"


# ------------------------------------------------------------------------------------------------------- JSON

KINDS = "'kind' must be one of 'number', 'date', 'boolean', 'category', 'pair', 'embedding'"


def every_kind() -> Table:
    return Table(
        {
            "n": [1, 2, 3, 4],
            "b": [True, False, True, True],
            "d": np.array(["2020-01-01", "NaT", "2020-01-03", "2020-01-01"], dtype="datetime64[us]"),
            "s": np.array(["x", "y", "y", "x"], dtype=object),
        }
    )


def encoders() -> list[TableEncoder]:
    labelled = Table({"x": [1, 2, 3], "who": ["a", "b", "a"], "note": ["", "é\n", ""], "id": [1, 2, 3]})
    return [
        fitted(),
        TableEncoder().fit(mixed()),
        TableEncoder("flat", ignore=["city"]).fit(mixed()),
        TableEncoder("who", ignore=["id"]).fit(labelled),
        TableEncoder().fit(Table({"x": [0.1, 1 / 3, 1e-300]})),
        TableEncoder("price", scale="robust", max_one_hot=0).fit(mixed()),
        TableEncoder("price", task="regression", scale_target=False, min_count=1).fit(mixed()),
        TableEncoder(max_one_hot=1).fit(every_kind()),
    ]


@pytest.mark.parametrize("encoder", encoders(), ids=repr)
def test_json_gives_back_the_same_encoder(encoder: TableEncoder) -> None:
    data = json.loads(json.dumps(encoder.to_dict(), allow_nan=False))
    again = TableEncoder.from_dict(data)
    assert again.to_dict() == encoder.to_dict()
    assert again.feature_names == encoder.feature_names
    assert again.task == encoder.task
    assert again.target == encoder.target


def test_the_encoder_from_json_gives_the_same_bits() -> None:
    again = TableEncoder.from_dict(json.loads(json.dumps(fitted().to_dict())))
    np.testing.assert_array_equal(again.transform(mixed()), fitted().transform(mixed()))
    np.testing.assert_array_equal(again.transform_target(mixed()), fitted().transform_target(mixed()))


FIRST_VERSION = {
    "format": "fastmlp.TableEncoder",
    "version": 1,
    "columns": [
        {"kind": "number", "name": "age", "mean": 10, "scale": 2.0, "median": 9.0, "indicator": True},
        {"kind": "category", "name": "city", "categories": ["Oslo", "Rome"]},
    ],
    "target": {"kind": "values", "name": "price", "mean": 5.0, "scale": 3.0},
    "ignore": ["id"],
}


def test_a_dict_of_the_first_version_is_understood_forever() -> None:
    encoder = TableEncoder.from_dict(FIRST_VERSION)
    table = Table({"city": ["Rome", "Oslo"], "age": [NAN, 14.0], "id": [1, 2]})
    assert encoder.transform(table).tolist() == [[-0.5, 1, 0, 1], [2, 0, 1, 0]]
    unseen = Table({"city": np.array(["Bonn", None], dtype=object), "age": [10, 10]})
    assert encoder.transform(unseen).tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]  # as version 1 encoded them
    assert encoder.inverse_target([1.0]).tolist() == [8.0]
    again = TableEncoder.from_dict(encoder.to_dict())
    assert again.to_dict() == encoder.to_dict()
    assert again.to_dict()["version"] == 2
    np.testing.assert_array_equal(again.transform(table), encoder.transform(table))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ((), None, "encoder: expected an object whose 'format' is 'fastmlp.TableEncoder'"),
        ((), [], "encoder: expected an object whose 'format' is 'fastmlp.TableEncoder'"),
        (("format",), "pickle", "encoder: expected an object whose 'format' is 'fastmlp.TableEncoder'"),
        (("version",), 5, "encoder: this fastmlp reads versions 1 to 4, the data has another"),
        (("version",), True, "encoder: this fastmlp reads versions 1 to 4, the data has another"),
        (("version",), [2], "encoder: this fastmlp reads versions 1 to 4, the data has another"),
        (("extra",), 1, "encoder: unknown field 'extra'"),
        (("columns",), {}, "encoder: 'columns' must be an array, got an object"),
        (("columns",), [], "encoder: there must be columns, and no two names the same"),
        (("columns", 0), 5, f"encoder: column 0: {KINDS}"),
        (("columns", 0, "kind"), ["number"], f"encoder: column 0: {KINDS}"),
        (("columns", 0, "kind"), "text", f"encoder: column 0: {KINDS}"),
        (("columns", 0, "kind"), "boolean", "encoder: column 0: 'usual' is not there"),
        (("columns", 2, "kind"), "embedding", "encoder: column 2: unknown field 'other'"),
        (("columns", 2, "missing"), 1, "encoder: column 2: 'missing' must be true or false, got 1"),
        (("columns", 0, "kind"), "category", "encoder: column 0: 'categories' is not there"),
        (("columns", 0, "name"), None, "encoder: column 0: 'name' must be a string, got None"),
        (("columns", 0, "name"), "city", "encoder: there must be columns, and no two names the same"),
        (("columns", 0, "center"), "0", "encoder: column 0: 'center' must be a finite number, got '0'"),
        (("columns", 0, "center"), NAN, "encoder: column 0: 'center' must be a finite number, got nan"),
        (("columns", 0, "center"), True, "encoder: column 0: 'center' must be a finite number, got True"),
        (
            ("columns", 0, "center"),
            10**400,
            "encoder: column 0: 'center' must be a finite number, got a huge number",
        ),
        (("columns", 0, "scale"), -1, "encoder: column 0: 'scale' must not be negative, got -1.0"),
        (
            ("columns", 0, "scale"),
            float("inf"),
            "encoder: column 0: 'scale' must be a finite number, got inf",
        ),
        (("columns", 0, "indicator"), 1, "encoder: column 0: 'indicator' must be true or false, got 1"),
        (
            ("columns", 2, "categories"),
            ["b", "a"],
            "encoder: column 2: 'categories' must be sorted and different",
        ),
        (
            ("columns", 2, "categories"),
            ["a", "a"],
            "encoder: column 2: 'categories' must be sorted and different",
        ),
        (("columns", 2, "categories"), ["a", 1], "encoder: column 2: 'categories' must hold strings, got 1"),
        (("target",), "price", "encoder: target: 'kind' must be 'labels', 'values' or 'several'"),
        (("target", "scale"), -1, "encoder: target: 'scale' must not be negative, got -1.0"),
        (("target", "name"), "age", "encoder: there must be columns, and no two names the same"),
        (("ignore",), "id", "encoder: 'ignore' must be an array, got 'id'"),
        (("ignore",), ["price"], "encoder: there must be columns, and no two names the same"),
        (("ignore",), "x" * 999, f"encoder: 'ignore' must be an array, got {repr('x' * 999)[:57]}..."),
    ],
)
def test_a_dict_that_to_dict_does_not_write_is_refused(
    path: tuple[Any, ...], value: Any, message: str
) -> None:
    data: Any = copy.deepcopy(fitted().to_dict())
    if path:
        inner = data
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
    else:
        data = value
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        TableEncoder.from_dict(data)
    assert str(caught.value) == message


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


DICTS = [encoder.to_dict() for encoder in encoders()] + [FIRST_VERSION]


@given(st.data())
@settings(max_examples=300)
def test_any_mutated_dict_is_an_encoder_or_a_value_error(data: st.DataObject) -> None:
    mutated: Any = copy.deepcopy(data.draw(st.sampled_from(DICTS)))
    inner: Any = mutated
    while True:
        key = data.draw(st.sampled_from(list(inner) if isinstance(inner, dict) else list(range(len(inner)))))
        if not isinstance(inner[key], (dict, list)) or not inner[key] or data.draw(st.booleans()):
            break
        inner = inner[key]
    inner[key] = data.draw(_json)
    try:
        encoder = TableEncoder.from_dict(mutated)
    except ValueError as error:
        assert str(error).startswith("encoder: ")  # noqa: PT017
    else:
        assert (
            TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict()))).to_dict() == encoder.to_dict()
        )
