"""Networks that were trained on tables: one encoder for all, or one of its own for each."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import fastmlp
from ensemble_tools import houses_with, mean_and_std, of_folds
from fastmlp.data import Table, TableEncoder

DTYPES = [("float32",) * 3, ("float64",) * 3, ("float32", "float64", "float32")]
TARGETS = ["kind", "price", ["price", "rent"]]


@pytest.mark.parametrize("dtypes", DTYPES, ids=["32", "64", "mixed"])
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_networks_of_folds_each_read_the_table_by_their_own_encoder(
    target: Any, dtypes: tuple[str, ...], isa: str
) -> None:
    nets, table = of_folds(target, dtypes), houses_with(target, 70, seed=1)
    assert len({tuple(net.encoder.feature_names) for net in nets}) > 1  # other categories in each fold
    ensemble = fastmlp.Ensemble(nets, [1, 2, 3])
    assert ensemble.encoder is None
    prediction, std = ensemble.predict(table, return_std=True)
    np.testing.assert_array_equal(ensemble.predict(table), prediction)
    if target == "kind":
        mean, deviation = mean_and_std([net.predict_proba(table) for net in nets], [1, 2, 3])
        np.testing.assert_allclose(ensemble.predict_proba(table), mean, rtol=1e-6)
        np.testing.assert_array_equal(prediction, np.array(["cheap", "dear"])[mean.argmax(axis=1)])
    else:
        mean, deviation = mean_and_std([net.predict(table) for net in nets], [1, 2, 3])
        np.testing.assert_allclose(prediction, mean, rtol=1e-12)
        np.testing.assert_array_equal(ensemble.forward(table).reshape(prediction.shape), prediction)
    np.testing.assert_allclose(std, deviation, rtol=1e-5)
    evaluation = ensemble.evaluate(table, target)
    np.testing.assert_array_equal(evaluation.predicted, prediction)
    assert ensemble.score(table, target) > 0.3
    assert ensemble.score(table) == ensemble.score(table, target)  # the columns that were learned


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_one_encoder_is_asked_once_and_shared(target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = houses_with(target)
    nets = [fastmlp.train(table, target, hidden=(6,), epochs=5, seed=seed) for seed in range(4)]
    ensemble, new = fastmlp.Ensemble(nets), houses_with(target, 50, seed=1)
    assert ensemble.encoder is nets[0].encoder  # the others are equal to it
    expected = [net.predict_proba(new) if target == "kind" else net.predict(new) for net in nets]
    mean, deviation = mean_and_std(expected, np.ones(4))
    calls: list[int] = []
    transform = TableEncoder.transform

    def counted(self: TableEncoder, *arguments: Any) -> Any:
        calls.append(1)
        return transform(self, *arguments)

    monkeypatch.setattr(TableEncoder, "transform", counted)
    got = ensemble.predict_proba(new) if target == "kind" else ensemble.predict(new)
    assert len(calls) == 1
    # The mean of float32 outputs is rounded to float32 before it comes to the units.
    np.testing.assert_allclose(got, mean, rtol=1e-6)
    np.testing.assert_allclose(ensemble.predict(new, return_std=True)[1], deviation, rtol=1e-4)
    X = nets[0].encoder.transform(new)
    np.testing.assert_allclose(  # rows that are encoded already
        ensemble.forward(X), np.mean([net.forward(X) for net in nets], axis=0), rtol=1e-5, atol=1e-6
    )


def test_quantiles_of_folds_are_sorted_in_units() -> None:
    nets = of_folds("price", loss="quantile(0.1, 0.5, 0.9)")
    for net in nets:  # some quantiles cross
        net.parameters += np.random.default_rng(0).normal(0, 0.5, net.n_parameters).astype(net.dtype)
    ensemble, table = fastmlp.Ensemble(nets), houses_with("price", 60, seed=1)
    outputs = [net.encoder.inverse_target(net.forward(table)) for net in nets]
    mean, deviation = mean_and_std(outputs, np.ones(3))
    assert (np.diff(mean, axis=1) < 0).any()
    prediction, std = ensemble.predict(table, return_std=True)
    np.testing.assert_allclose(prediction, np.sort(mean, axis=1), rtol=1e-12)
    np.testing.assert_allclose(std, np.take_along_axis(deviation, mean.argsort(axis=1), axis=1), rtol=1e-6)


def test_values_far_from_zero_keep_their_digits() -> None:
    size, rng = houses_with("price")["size"], np.random.default_rng(0)
    far = Table({"size": size, "y": 1e9 + 0.01 * np.nan_to_num(size) + rng.normal(0, 0.05, 240)})
    nets = [
        fastmlp.train(far.take(np.arange(i, 240, 2)), "y", hidden=(4,), epochs=30, learning_rate=0.05)
        for i in range(2)
    ]
    error = np.abs(fastmlp.Ensemble(nets).predict(far) - far["y"])
    assert error.max() < 1.5
    assert error.max() > 0


def test_an_array_is_refused_where_each_network_has_an_encoder() -> None:
    ensemble = fastmlp.Ensemble(of_folds("price"))
    with pytest.raises(
        TypeError, match="X must be a table with the columns size, city, street, built: the netwo"
    ):
        ensemble.predict(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="no column 'city'"):
        ensemble.predict(houses_with("price", 5).drop("city"))
    with pytest.raises(TypeError, match=r"predictor\(\) needs networks of one dtype that read the same X"):
        ensemble.predictor()


def test_a_column_that_no_encoder_knows_is_told_once() -> None:
    ensemble = fastmlp.Ensemble(of_folds("price"))
    table = houses_with("price", 5)
    ensemble.predict(table)
    with pytest.warns(UserWarning, match="left out the column 'more'") as told:
        ensemble.predict(table._with({**table._columns, "more": Table({"more": np.ones(5)})["more"]}))
    assert len(told) == 1


def plain(sizes: tuple[int, ...], encoder: TableEncoder | None, loss: str = "squared_error") -> Any:
    net = fastmlp.Network(sizes, loss=loss)
    net.encoder = encoder
    return net


def test_encoders_that_do_not_go_together_are_refused() -> None:
    numbers = Table({"a": [1.0, 2.0, 3.0], "b": [1.0, 5.0, 2.0], "y": [0.5, 1.5, 2.5], "z": [1.0, 2.0, 9.0]})
    of_y = TableEncoder("y", ignore=["z"]).fit(numbers)
    of_z, without = TableEncoder("z", ignore=["y"]).fit(numbers), TableEncoder(ignore=["z", "y"]).fit(numbers)
    of_a = TableEncoder("y").fit(numbers.keep("a", "y"))
    cases = [
        (plain((2, 1), None), "networks[0] has an encoder, networks[1] has none"),
        (plain((2, 1), of_z), "networks[1] has an encoder with the target ('z',), networks[0] ('y',)"),
        (plain((1, 1), of_a), "networks[1] has an encoder of the columns a, networks[0] a, b"),
        (plain((2, 1), without), "networks[1] has an encoder for None, networks[0] regression"),
    ]
    for other, message in cases:
        with pytest.raises(ValueError, match=re.escape(message)):
            fastmlp.Ensemble([plain((2, 1), of_y), other])
    left_out = TableEncoder("y", ignore=["z", "b"]).fit(numbers)  # b need not be there for this one
    ensemble = fastmlp.Ensemble([plain((2, 1), of_y), plain((1, 1), left_out)])
    assert ensemble.predict(numbers).shape == (3,)
