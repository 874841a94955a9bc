"""`train(init=net)` goes on from a network: columns are matched by name, labels by value, or refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp.data import Table, TableEncoder

RNG = np.random.default_rng(0)
N = 150
X = RNG.normal(size=(N, 3))
NAMES = np.array(["ash", "elm", "oak"])
SPECIES = 1 * (X[:, 0] > 0) + (X[:, 1] > 0)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
OPTIONS: dict[str, Any] = {"hidden": (6,), "epochs": 60, "learning_rate": 0.02, "dtype": "float64"}
STILL = {**OPTIONS, "epochs": 1, "learning_rate": 1e-12}  # so that the weights stay what they were


@pytest.fixture(scope="module")
def net() -> fastmlp.Network:
    return fastmlp.train(FRAME, NAMES[SPECIES], **OPTIONS)


@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
def test_columns_in_another_order_are_matched(net: fastmlp.Network, order: tuple[str, ...]) -> None:
    again = fastmlp.train(FRAME[list(order)], NAMES[SPECIES], init=net, **STILL)
    assert again.feature_names == order
    np.testing.assert_allclose(again.predict_proba(FRAME), net.predict_proba(FRAME), rtol=1e-9)
    assert again.score(FRAME, NAMES[SPECIES]) > 0.8


def test_other_columns_are_refused(net: fastmlp.Network) -> None:
    message = "X must have the columns of init, in any order; init alone has 'c', X alone 'd'"
    with pytest.raises(ValueError, match=message):
        fastmlp.train(FRAME.rename(columns={"c": "d"}), NAMES[SPECIES], init=net, **STILL)


def test_rows_without_some_labels_keep_all_outputs(net: fastmlp.Network) -> None:
    some = SPECIES > 0
    for options in ({}, {"memory_limit": "500 MB"}):
        again = fastmlp.train(X[some], NAMES[SPECIES[some]], init=net, **STILL, **options)
        np.testing.assert_array_equal(again.classes, NAMES)
        np.testing.assert_allclose(again.predict_proba(X), net.predict_proba(X), rtol=1e-9)
    one = fastmlp.train(X[SPECIES == 1], NAMES[SPECIES[SPECIES == 1]], init=net, **STILL)
    np.testing.assert_array_equal(one.classes, NAMES)


@pytest.mark.parametrize("labels", [np.array(["ash", "elm", "yew"]), np.array([0, 1, 2]), np.arange(4)])
@pytest.mark.parametrize("options", [{}, {"memory_limit": "500 MB"}])
def test_other_labels_are_refused(net: fastmlp.Network, labels: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"y has the label .* which init, the network to go on from, does"):
        fastmlp.train(X, labels[SPECIES + (len(labels) == 4)], init=net, **STILL, **options)


def test_whole_numbers_are_labels_for_a_network_that_learned_labels() -> None:
    numbered = np.arange(N) % 30
    with pytest.warns(UserWarning, match="taken as quantities"):
        assert fastmlp.train(X, numbered, **STILL).classes is None
    net = fastmlp.train(X, numbered, task="classification", **STILL)
    again = fastmlp.train(X[:20], numbered[:20], init=net, **STILL)
    assert again.classes is not None
    assert len(again.classes) == 30


def test_balanced_weights_count_the_labels_of_y_alone(net: fastmlp.Network) -> None:
    few = SPECIES < 2
    rows, y = X[few], NAMES[SPECIES[few]]
    again = fastmlp.train(rows, y, init=net, class_weight="balanced", validation=(X, NAMES[SPECIES]), **STILL)
    weight = {name: len(y) / (2 * (y == name).sum()) for name in NAMES[:2]}
    given = fastmlp.train(rows, y, init=net, class_weight=weight, validation=(X, NAMES[SPECIES]), **STILL)
    for column in ("loss", "validation_loss"):
        np.testing.assert_array_equal(again.history[column], given.history[column])


def test_rows_of_probabilities_do_not_tell_the_labels(net: fastmlp.Network) -> None:
    with pytest.raises(ValueError, match="y must have the labels of init, 'ash', 'elm', 'oak'; got 0, 1, 2"):
        fastmlp.train(X, np.eye(3)[SPECIES], init=net, **STILL)


def test_the_loss_goes_on_too_unless_it_is_given() -> None:
    y = X @ [1.0, 2, 3]
    net = fastmlp.train(X, y, loss="huber(2)", **STILL)
    assert fastmlp.train(X, y, init=net, **STILL).loss == "huber(2.0)"
    assert fastmlp.train(X, y, init=net, task="regression", **STILL).loss == "squared_error"
    assert fastmlp.train(X, y, init=net, loss="absolute_error", **STILL).loss == "absolute_error"


def test_another_kind_of_network_is_refused(net: fastmlp.Network) -> None:
    with pytest.raises(ValueError, match="activation must be that of init, activation='relu', got 'tanh'"):
        fastmlp.train(X, NAMES[SPECIES], init=net, activation="tanh", **STILL)
    values = fastmlp.train(X, X, loss="squared_error", **STILL)
    with pytest.raises(ValueError, match="init has learned values, y holds labels"):
        fastmlp.train(X, NAMES[SPECIES], init=values, task="classification", **STILL)
    with pytest.raises(ValueError, match="init has learned labels, y holds values"):
        fastmlp.train(X, X, init=net, task="regression", **STILL)


def test_a_fresh_network_knows_no_labels_yet() -> None:
    start = fastmlp.Network((3, 6, 3), dtype="float64")
    assert fastmlp.train(X, NAMES[SPECIES], init=start, **STILL).classes is not None


def test_columns_of_codes_are_matched_with_their_embeddings() -> None:
    codes = pd.DataFrame({"a": X[:, 0], "k": np.arange(N) % 4, "b": X[:, 1], "m": np.arange(N) % 5})
    y = X[:, 0] + np.arange(N) % 4
    net = fastmlp.train(codes, y, embeddings=[(1, 4, 2), (3, 5, 3)], **OPTIONS)
    other = codes[["m", "b", "k", "a"]]
    again = fastmlp.train(other, y, init=net, embeddings=[(0, 5, 3), (2, 4, 2)], **STILL)
    np.testing.assert_allclose(again.predict(other.to_numpy()), net.predict(codes.to_numpy()), rtol=1e-9)
    with pytest.raises(ValueError, match="embeddings must be of 'k', 'm', as those of init, got 'b', 'k'"):
        fastmlp.train(other, y, init=net, embeddings=[(1, 5, 3), (2, 4, 2)], **STILL)
    with pytest.raises(ValueError, match="init has embeddings"):
        fastmlp.train(other, y, init=net, embeddings=[(0, 6, 3), (2, 4, 2)], **STILL)


def raw(n: int, seed: int, cities: str = "xyz") -> Table:
    rng = np.random.default_rng(seed)
    size = rng.normal(50 + 100 * seed, 10, n)
    return Table(
        {
            "size": size, "city": rng.choice(list(cities), n), "price": 3 * size + rng.normal(size=n),
            "grade": np.where(size > 50, "high", "low"),
        }
    )  # fmt: skip


@pytest.mark.parametrize("target", ["price", "grade"])
def test_a_table_goes_through_the_encoder_of_the_network(target: str) -> None:
    first, second = raw(100, 0), raw(80, 1, "wxyz")
    net = fastmlp.train(first, target, **OPTIONS)
    again = fastmlp.train(second, target, init=net, validation=0.2, **STILL)
    assert again.encoder is net.encoder
    expected = net.predict(first)
    if target == "price":
        np.testing.assert_allclose(again.predict(first), expected, rtol=1e-9)
    else:
        np.testing.assert_array_equal(again.predict(first), expected)
    with pytest.raises(ValueError, match=r"y must be '(price|grade)', as that of init was, got 'size'"):
        fastmlp.train(first, "size", init=net, **STILL)


def test_a_network_of_plain_columns_does_not_go_on_with_encoded_ones(net: fastmlp.Network) -> None:
    gaps = FRAME.assign(a=FRAME["a"].where(FRAME["a"] > 0))
    with pytest.raises(ValueError, match="trained without an encoder, but the column 'a' holds gaps"):
        fastmlp.train(gaps, NAMES[SPECIES], init=net, **STILL)


def test_an_encoder_made_by_hand_serves_as_well() -> None:
    table = raw(100, 0)
    encoder = TableEncoder("price").fit(table)
    net = fastmlp.train(encoder.transform(table), encoder.transform_target(table), **OPTIONS)
    net.encoder = encoder
    again = fastmlp.train(table, "price", init=net, **STILL)
    np.testing.assert_allclose(again.predict(table), net.predict(table), rtol=1e-9)


def test_estimators_refuse_other_columns_and_labels() -> None:
    model = fastmlp.MLPClassifier((4,), max_iter=3, warm_start=True, random_state=0)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(FRAME, NAMES[SPECIES])
    with pytest.raises(ValueError, match="feature names"):
        model.fit(FRAME[["c", "b", "a"]], NAMES[SPECIES])
    with pytest.raises(ValueError, match="same classes"):
        model.fit(FRAME, SPECIES)
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(FRAME[["c", "b", "a"]], NAMES[SPECIES])
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(FRAME, np.array(["ash", "elm", "yew"])[SPECIES])
