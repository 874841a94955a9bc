"""Which inputs belong to a column, and how much a network needs it."""

from __future__ import annotations

import numpy as np
import pytest

import fastmlp
from fastmlp._inspect.columns import column_groups
from fastmlp._inspect.evaluate import evaluate
from fastmlp._inspect.importance import _within_budget, permutation_importances
from fastmlp.data import Table, TableEncoder


def table(n: int = 300) -> Table:
    rng = np.random.default_rng(0)
    kind = rng.choice(["u", "v", "w"], n)
    town = rng.choice([f"t{i}" for i in range(40)], n)
    x = rng.normal(size=n)
    age = np.where(np.arange(n) % 9 == 0, np.nan, rng.normal(size=n))
    y = 10 * x + 4 * (kind == "u") + 100
    return Table({"town": town, "x": x, "kind": kind, "age": age, "y": y})


def trained(data: Table, target: str = "y") -> fastmlp.Network:
    encoder = TableEncoder(target).fit(data)
    net = fastmlp.train(
        encoder.transform(data), encoder.transform_target(data), hidden=(16,), learning_rate=0.01, epochs=60,
        embeddings=encoder.embeddings,
    )  # fmt: skip
    net.encoder = encoder
    return net


def test_the_inputs_of_a_column_go_together() -> None:
    net = trained(table())
    groups = {group.name: group for group in column_groups(net)}
    assert list(groups) == ["town", "x", "kind", "age"]
    assert groups["kind"].features == [2, 3, 4, 5]  # u, v, w and others
    assert groups["age"].features == [6, 7]  # and whether it is missing
    width = net.embeddings[0][2]
    assert groups["town"].inputs == list(range(7, 7 + width))  # behind the others
    assert sorted(i for group in groups.values() for i in group.inputs) == list(range(len(net.weights[0])))


def test_without_an_encoder_each_input_is_a_column() -> None:
    net = fastmlp.Network((3, 2))
    assert [group.name for group in column_groups(net)] == ["feature 0", "feature 1", "feature 2"]
    net.feature_names = ("a", "b", "c")
    assert [(g.name, g.features, g.inputs) for g in column_groups(net)] == [
        ("a", [0], [0]), ("b", [1], [1]), ("c", [2], [2]),
    ]  # fmt: skip


def test_what_decides_is_important_and_noise_is_not() -> None:
    data = table()
    net = trained(data)
    found = permutation_importances(net, evaluate(net, data))
    rise = dict(zip(found.names, found.means, strict=True))
    assert found.names[:2] == ["x", "kind"]
    # Dealing out x anew makes errors of the variance 2 * 10^2, if the network is y = 10 x + ..
    assert rise["x"] == pytest.approx(np.sqrt(200), rel=0.2)
    assert abs(rise["age"]) < rise["kind"] / 2 < rise["x"] / 4
    assert (found.error, found.rows, found.repeats, found.left_out) == ("RMSE", 300, 5, 0)


def test_labels_are_measured_by_the_log_loss_and_the_data_stays_as_it_is() -> None:
    data = table()
    labels = np.where(data["x"] > 0, "high", "low")
    data = Table({name: data[name] for name in ("x", "kind")} | {"y": labels})
    net = trained(data)
    evaluation = evaluate(net, data)
    before = evaluation.metrics.to_dict()
    first, second = (permutation_importances(net, evaluation) for _ in range(2))
    assert first.error == "log loss"
    assert first.names[0] == "x"
    np.testing.assert_array_equal(first.means, second.means)
    assert evaluate(net, data).metrics.to_dict() == before


@pytest.mark.parametrize(
    ("rows", "columns", "parameters", "expected"),
    [
        (300, 4, 100, (300, 5, 4)),
        (10**6, 10, 1000, (2000, 5, 10)),
        (10**6, 10, 10**6, (400, 5, 10)),  # fewer rows
        (10**6, 50, 10**6, (200, 2, 50)),  # fewer repeats
        (10**6, 1000, 10**6, (200, 1, 100)),  # fewer columns
        (10**6, 1000, 10**9, (200, 1, 1)),
        (20, 1000, 10**9, (20, 1, 1)),
    ],
)
def test_the_work_is_bounded(
    rows: int, columns: int, parameters: int, expected: tuple[int, int, int]
) -> None:
    assert _within_budget(rows, columns, parameters) == expected
