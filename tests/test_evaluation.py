"""Networks scored on tables: which rows are predicted worst, and what cannot be scored."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
from fastmlp._inspect.evaluate import evaluate
from fastmlp._inspect.metrics import LabelMetrics, QuantileMetrics
from fastmlp.data import Table, TableEncoder


def trained(table: Table, loss: str, **options: object) -> fastmlp.Network:
    task = (
        "classification"
        if loss in ("softmax_cross_entropy", "binary_cross_entropy", "hinge")
        else "regression"
    )
    encoder = TableEncoder("y", task=task).fit(table)
    X, y = encoder.transform(table), encoder.transform_target(table)
    network = fastmlp.train(X, y, loss=loss, hidden=(5,), epochs=20, **options)  # type: ignore[arg-type]
    network.encoder = encoder
    return network


@pytest.fixture
def labelled() -> Table:
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    labels = np.array(["a", "b", "c"])[(np.digitize(x, [-0.5, 0.5]) + (rng.random(60) < 0.2)) % 3]
    return Table({"x": x, "y": labels})


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "hinge"])
def test_the_worst_rows_are_those_of_the_largest_loss(labelled: Table, loss: str) -> None:
    network = trained(labelled, loss)
    found = evaluate(network, labelled)
    assert isinstance(found.metrics, LabelMetrics)
    assert network.encoder is not None
    X = network.encoder.transform(labelled)
    own = np.searchsorted(network.classes, labelled["y"].astype(str))  # type: ignore[call-overload]
    rows = np.arange(60)
    scores = network.forward(X).astype(float)
    if loss == "hinge":
        others = scores.copy()
        others[rows, own] = -np.inf
        expected = others.max(axis=1) - scores[rows, own]
    else:
        expected = -np.log(scores[rows, own])
        assert found.metrics.log_loss == pytest.approx(expected.mean(), rel=1e-5)
    np.testing.assert_allclose(found.row_loss, expected, rtol=1e-5)
    np.testing.assert_array_equal(found.worst(7), np.argsort(-expected, kind="stable")[:7])


def test_values_are_compared_in_their_units_and_quantiles_by_the_middle_one() -> None:
    x = np.linspace(0, 1, 50)
    table = Table({"x": x, "y": 1000 + 50 * x})
    found = evaluate(trained(table, "squared_error"), table)
    np.testing.assert_allclose(found.row_loss, np.abs(found.predicted - table["y"]))
    assert abs(float(found.predicted.mean()) - 1025) < 25
    quantiles = evaluate(trained(table, "quantile(0.1, 0.5, 0.9)"), table)
    assert isinstance(quantiles.metrics, QuantileMetrics)
    assert quantiles.row_loss_name == "absolute error of quantile 0.5"
    np.testing.assert_allclose(quantiles.row_loss, np.abs(quantiles.predicted[:, 1] - table["y"]))


def test_a_row_is_named_by_its_place_in_the_table_it_came_from(labelled: Table) -> None:
    network = trained(labelled, "softmax_cross_entropy")
    broken = Table(
        {"x": np.array(["1", "two"], object), "y": np.array(["a", "b"])}, source="f.csv", lines=[2, 7]
    )
    with pytest.raises(ValueError, match=r"f\.csv: line 7, column 'x': 'two' is not a number"):
        evaluate(network, broken)


def test_labels_of_another_kind_are_an_error_that_says_so(labelled: Table) -> None:
    network = trained(labelled, "softmax_cross_entropy")
    numbers = Table({"x": [0.1], "y": [1]}, source="f.csv")
    with pytest.raises(ValueError, match=r"f\.csv: the target column 'y' holds numbers; .* labels are texts"):
        evaluate(network, numbers)


def test_several_targets_are_scored_each_in_its_units() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=80)
    table = Table({"x": x, "a": 3 * x, "b": 1000 - 200 * x + rng.normal(size=80)})
    encoder = TableEncoder(["a", "b"]).fit(table)
    network = fastmlp.train(encoder.transform(table), encoder.transform_target(table), hidden=(5,), epochs=30)
    network.encoder = encoder
    found = evaluate(network, table)
    np.testing.assert_array_equal(found.truth, np.stack([table["a"], table["b"]], axis=1))
    np.testing.assert_allclose(found.predicted, network.predict(table))
    assert [name for name, _ in found.metrics.outputs] == ["a", "b"]  # type: ignore[union-attr]
    assert found.target == "a, b"
    assert network.evaluate(table).to_dict() == found.to_dict()
    assert network.evaluate(table.keep("x"), found.truth).to_dict() == found.to_dict()
    with pytest.raises(ValueError, match="--target: the model has 2 targets, got 1 column: 'a'"):
        evaluate(network, table, "a")


def test_several_labels_of_a_table_are_its_columns() -> None:
    x = np.linspace(-1, 1, 40)
    table = Table({"a": (x > 0).astype(int), "x": x, "b": (x > 0.5).astype(int)})
    y = np.stack([table["a"], table["b"]], axis=1)
    network = fastmlp.train(x[:, None], y, loss="binary_cross_entropy", hidden=(5,), epochs=30)
    found = evaluate(network, table, ("a", "b"))
    assert found.to_dict() == network.evaluate(x[:, None], y).to_dict()
