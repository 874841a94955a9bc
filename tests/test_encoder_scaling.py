"""TableEncoder(scale="clipped") and (scale="quantile"), against slow forms of the same and scikit-learn."""

from __future__ import annotations

import json
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import QuantileTransformer, RobustScaler

import fastmlp
from fastmlp.data import Table, TableEncoder
from fastmlp.data._columns import NumberColumn

NAN = float("nan")
SCALES: Any = ("clipped", "quantile")


def encoded(scale: Any, learned: Any, new: Any = None) -> np.ndarray:
    """Return the inputs of a column of numbers, without those that say what is missing."""
    encoder = TableEncoder(scale=scale).fit(Table({"x": np.asarray(learned, dtype=float)}))
    given = Table({"x": np.asarray(learned if new is None else new, dtype=float)})
    return encoder.transform(given, "float64")[:, 0]


def slow_clipped(learned: np.ndarray, x: float) -> float:
    q25, median, q75 = (float(np.quantile(learned, q)) for q in (0.25, 0.5, 0.75))
    spread = q75 - q25
    if spread == 0:
        spread = (learned.max() - learned.min()) / 2
    z = 0.0 if spread == 0 else (x - median) / spread
    return float(z / np.sqrt(1 + (z / 3) ** 2))


def slow_quantile(learned: np.ndarray, x: float) -> float:
    """Go through the sorted values, equal ones at once; only for columns of at most 1000 values."""
    ordered = sorted(learned.tolist())
    points = []
    for value in sorted(set(ordered)):
        levels = [(i + 0.5) / len(ordered) for i, other in enumerate(ordered) if other == value]
        points.append((value, NormalDist().inv_cdf(sum(levels) / len(levels))))
    if len(points) == 1:
        return 0.0
    if x <= points[0][0]:
        return points[0][1]
    for (x0, z0), (x1, z1) in pairwise(points):
        if x <= x1:
            return z0 + (x - x0) / (x1 - x0) * (z1 - z0)
    return points[-1][1]


SLOW = {"clipped": slow_clipped, "quantile": slow_quantile}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    "learned",
    [
        np.random.default_rng(0).lognormal(0, 2, 201),
        np.random.default_rng(1).normal(5, 1e-3, 1000),
        np.random.default_rng(2).integers(0, 4, 50).astype(float),
        np.array([0.0] * 18 + [1, 5]),  # the interquartile range is 0
        np.array([3.0, 3.0, 3.0]),
        np.array([2.0, 7.0]),
        np.array([4.0]),
    ],
    ids=["skewed", "narrow", "few values", "mostly zeros", "constant", "two rows", "one row"],
)
def test_inputs_are_those_of_the_slow_form(scale: str, learned: np.ndarray) -> None:
    low, high = learned.min(), learned.max()
    new = np.concatenate([learned, np.linspace(low - 1, high + 1, 97), [-1e9, 1e9]])
    expected = [SLOW[scale](learned, x) for x in new.tolist()]
    np.testing.assert_allclose(encoded(scale, learned, new), expected, rtol=1e-9, atol=1e-9)


def test_clipped_is_scikit_learns_robust_scaler_and_the_clip() -> None:
    x = np.random.default_rng(3).standard_t(2, 500)
    z = RobustScaler().fit_transform(x[:, None])[:, 0]
    np.testing.assert_allclose(encoded("clipped", x), z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("n", [1000, 20_000])
def test_quantile_is_near_scikit_learns_quantile_transformer(n: int) -> None:
    x = np.random.default_rng(4).exponential(size=n)
    theirs = QuantileTransformer(output_distribution="normal", n_quantiles=1000, subsample=None)
    expected = theirs.fit_transform(x[:, None])[:, 0]
    ours = encoded("quantile", x)
    middle = np.abs(expected) < 2  # their levels are i / (k - 1), ours (i + 1/2) / k
    assert middle.mean() > 0.9
    np.testing.assert_allclose(ours[middle], expected[middle], atol=0.02)
    np.testing.assert_allclose([ours.mean(), ours.std()], [0, 1], atol=0.01)


def test_at_most_1000_quantiles_are_kept() -> None:
    encoder = TableEncoder(scale="quantile").fit(Table({"x": np.random.default_rng(5).normal(size=5000)}))
    (column,) = encoder.columns
    assert isinstance(column, NumberColumn)
    assert len(column.quantiles) == 1000


@pytest.mark.parametrize("scale", SCALES)
def test_missing_values_do_not_count_and_become_the_median(scale: Any) -> None:
    known = np.array([1.0, 2.0, 4.0, 8.0, 100.0])
    table = Table({"x": np.array([*known, NAN, NAN])})
    X = TableEncoder(scale=scale).fit(table).transform(table, "float64")
    np.testing.assert_array_equal(X[:5, 0], encoded(scale, known))
    assert X[5:].tolist() == [[X[2, 0], 1], [X[2, 0], 1]]  # the median is 4
    assert not X[:5, 1].any()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    "values",
    [
        [NAN, NAN],
        [7.0, 7.0, NAN],
        [1e308, -1e308, 0.0, 1e308],
        [-1.7e308, 1.7e308],
        [5e-324, 1e-323, 1.5e-323, 1e-310],
        [0.0, 1e-300, 1e300],
        [1.0],
    ],
    ids=["all missing", "constant", "huge", "the widest", "tiny", "far apart", "one row"],
)
def test_hostile_columns_give_finite_inputs_that_rise(scale: Any, values: list[float]) -> None:
    encoder = TableEncoder(scale=scale).fit(Table({"x": values}))
    new = np.array([-1.7e308, -1e308, -1.0, -1e-310, 0, 5e-324, 1e-323, 1e-310, 1, 7, 1e300, 1.7e308])
    for dtype in ("float32", "float64"):
        x = encoder.transform(Table({"x": new}), dtype)[:, 0]
        assert np.isfinite(x).all()
        assert (np.diff(x) >= 0).all()
        assert np.abs(x).max() <= 3.3
    assert np.isfinite(encoder.transform(Table({"x": values}))).all()


@pytest.mark.parametrize("scale", SCALES)
def test_infinity_is_refused(scale: Any) -> None:
    with pytest.raises(ValueError, match="row 1, column 'x': inf is not a finite number"):
        TableEncoder(scale=scale).fit(Table({"x": [1.0, np.inf]}))
    encoder = TableEncoder(scale=scale).fit(Table({"x": [1.0, 2.0]}))
    with pytest.raises(ValueError, match="row 0, column 'x': -inf is not a finite number"):
        encoder.transform(Table({"x": [-np.inf]}))


@pytest.mark.parametrize("scale", SCALES)
def test_days_are_scaled_alike_and_cycles_stay(scale: Any) -> None:
    days = np.array([0, 1, 2, 40, 400])
    table = Table({"d": days.astype("datetime64[D]")})
    encoder, plain = TableEncoder(scale=scale).fit(table), TableEncoder().fit(table)
    X = encoder.transform(table, "float64")
    np.testing.assert_array_equal(X[:, 0], encoded(scale, days))
    np.testing.assert_array_equal(X[:, 1:], plain.transform(table, "float64")[:, 1:])
    assert TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict()))).columns == encoder.columns


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(SCALES),
    st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=30),
    st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=10),
)
def test_any_column_gives_finite_inputs_in_order_also_from_json(
    scale: Any, learned: list[float], new: list[float]
) -> None:
    encoder = TableEncoder(scale=scale).fit(Table({"x": np.array(learned)}))
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    table = Table({"x": np.array([*new, *learned])})
    X = encoder.transform(table)
    assert np.isfinite(X).all()
    known = ~np.isnan(table["x"])
    assert (np.diff(X[known, 0][np.argsort(table["x"][known])]) >= 0).all()
    np.testing.assert_array_equal(again.transform(table), X)
    assert again.to_dict() == encoder.to_dict()


@pytest.mark.parametrize("scale", SCALES)
def test_values_come_back_from_the_inputs(scale: Any) -> None:
    x = np.random.default_rng(6).normal(50, 10, 80)
    encoder = TableEncoder(scale=scale).fit(Table({"x": x}))
    (column,) = encoder.columns
    assert isinstance(column, NumberColumn)
    np.testing.assert_allclose(column.unscaled(encoder.transform(Table({"x": x}), "float64")[:, 0]), x)
    assert np.isfinite(column.unscaled(np.array([-3.0, 3.0, -9.0, 9.0]))).all()


@pytest.mark.parametrize("scale", ["standard", "robust", "common"])
def test_files_of_the_other_scales_are_as_before(scale: Any) -> None:
    data = TableEncoder(scale=scale).fit(Table({"x": [1.0, 2.0, 5.0]})).to_dict()
    assert data["version"] == 2
    assert list(data["columns"][0]) == ["kind", "name", "center", "scale", "median", "indicator"]
    assert list(data.get("settings", {})) in (
        [],
        ["task", "scale", "scale_target", "max_one_hot", "min_count"],
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("clipped", 1, "'clipped' must be true or false, got 1"),
        ("quantiles", [2.0, 1.0], "'quantiles' must be at most 1000 numbers that do not fall"),
        ("quantiles", [0.0] * 1001, "'quantiles' must be at most 1000 numbers that do not fall"),
        ("quantiles", [float("inf")], "'quantiles' must be a finite number, got inf"),
        ("quantiles", 5, "'quantiles' must be an array, got 5"),
        ("quantiles", [1.0, 2.0], "'clipped' and 'quantiles' do not go together"),
    ],
)
def test_other_fields_are_refused(field: str, value: Any, message: str) -> None:
    data = TableEncoder(scale="clipped").fit(Table({"x": [1.0, 2.0, 5.0]})).to_dict()
    assert data["version"] == 4
    data["columns"][0][field] = value
    with pytest.raises(ValueError, match=f"encoder: column 0: {message}"):
        TableEncoder.from_dict(data)


@pytest.mark.parametrize("scale", SCALES)
def test_train_takes_the_scale_and_a_file_keeps_it(scale: Any, tmp_path: Any) -> None:
    rng = np.random.default_rng(7)
    table = Table({"a": rng.lognormal(size=60), "b": rng.normal(size=60), "y": rng.normal(size=60)})
    net = fastmlp.train(table, "y", encode=TableEncoder(scale=scale), hidden=(4,), epochs=2)
    assert net.encoder is not None
    assert net.encoder.scale == scale
    net.save(tmp_path / "model")
    np.testing.assert_array_equal(fastmlp.load(tmp_path / "model").predict(table), net.predict(table))
