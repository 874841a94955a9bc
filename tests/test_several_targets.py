"""Several columns of quantities are predicted by one network, each in its own units."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.data import Table, TableEncoder


def rooms(n: int = 200) -> Table:
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, n))
    return Table(
        {
            "x": x,
            "kind": np.where(z > 0, "big", "small"),
            "warmth": 20 + 3 * x + (z > 0),
            "cost": 1000 - 500 * x + 100 * (z > 0),
        }
    )


def fitted() -> TableEncoder:
    return TableEncoder(target=["warmth", "cost"]).fit(rooms())


def trained() -> fastmlp.Network:
    encoder, table = fitted(), rooms()
    X, y = encoder.transform(table), encoder.transform_target(table)
    net = fastmlp.train(X, y, hidden=(8,), epochs=60, learning_rate=0.03)
    net.encoder = encoder
    return net


def test_each_column_is_standardised_and_comes_back_in_its_units() -> None:
    encoder, table = fitted(), rooms()
    y = encoder.transform_target(table)
    assert (encoder.task, encoder.target_names) == ("regression", ("warmth", "cost"))
    assert encoder.input_names == ("x", "kind")
    assert y.shape == (200, 2)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), 1, rtol=1e-12)
    both = np.column_stack([table["warmth"], table["cost"]])
    np.testing.assert_allclose(encoder.inverse_target(y), both, rtol=1e-12)
    np.testing.assert_allclose(encoder.learned_target(both), y, rtol=0, atol=0)


def test_a_network_predicts_them_side_by_side_also_from_its_file(tmp_path: Path) -> None:
    net, table = trained(), rooms()
    predicted = net.predict(table)
    assert predicted.shape == (200, 2)
    for i, name in enumerate(("warmth", "cost")):
        error = np.sqrt(np.mean((predicted[:, i] - table[name]) ** 2))
        assert error < 0.1 * table[name].std()
    net.save(tmp_path / "m.safetensors")
    for again in (
        fastmlp.load(tmp_path / "m.safetensors"),
        copy.deepcopy(net),
        pickle.loads(pickle.dumps(net)),
    ):
        np.testing.assert_array_equal(again.predict(table), predicted)
        assert again.encoder.target_names == ("warmth", "cost")


def test_only_an_encoder_of_several_targets_is_of_the_new_version() -> None:
    assert fitted().to_dict()["version"] == 3
    assert TableEncoder(["cost"]).fit(rooms()).to_dict() == TableEncoder("cost").fit(rooms()).to_dict()
    assert TableEncoder("cost").fit(rooms()).to_dict()["version"] == 2
    again = TableEncoder.from_dict(json.loads(json.dumps(fitted().to_dict())))
    assert again.to_dict() == fitted().to_dict()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": ["cost", "kind"]}, ValueError, "must all be quantities, but 'kind' would be labels"),
        (
            {"target": ["cost", "warmth"], "task": "classification"},
            ValueError,
            "task must be 'regression' or 'auto' for several targets, got 'classification'",
        ),
        ({"target": ["cost", "cost"]}, ValueError, "target must name one column or several different ones"),
        ({"target": []}, ValueError, "target must name one column or several different ones"),
        ({"target": ["cost", 3]}, TypeError, "target must be a column's name, several of them or None, got"),
        ({"target": 3}, TypeError, "target must be a column's name, several of them or None, got 3"),
        ({"target": ["cost", "warmth"], "ignore": ["cost"]}, ValueError, "'cost' cannot be ignored"),
        ({"target": ["cost", "heat"]}, ValueError, "no column 'heat'"),
    ],
)  # fmt: skip
def test_targets_that_cannot_be_are_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        TableEncoder(**arguments).fit(rooms())


def test_whole_numbers_are_predicted_as_numbers_where_that_is_said() -> None:
    goals = Table({"x": [1.0, 2, 3, 4], "home": [0, 1, 1, 0], "away": [1, 0, 0, 1]})
    with pytest.raises(ValueError, match=r"'home', 'away' would be labels; .* task='regression'"):
        TableEncoder(["home", "away"]).fit(goals)
    assert TableEncoder(["home", "away"], task="regression").fit(goals).transform_target(goals).shape == (
        4,
        2,
    )


def test_a_network_of_other_outputs_takes_no_such_encoder() -> None:
    net = fastmlp.Network((len(fitted().feature_names), 3), loss="squared_error")
    with pytest.raises(ValueError, match="encoder has 2 targets, the network 3 outputs"):
        net.encoder = fitted()


def test_onnx_gives_each_column_in_its_units(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    net, table = trained(), rooms()
    net.to_onnx(tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    types = {"tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(string)": object}
    given = {i.name: table[i.name].astype(types[i.type])[:, None] for i in session.get_inputs()}
    np.testing.assert_allclose(session.run(["prediction"], given)[0], net.predict(table), rtol=2e-6)
