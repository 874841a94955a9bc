"""The settings of a TableEncoder are kept in its JSON and in model files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import fastmlp
from fastmlp.data import Table, TableEncoder


def homes() -> Table:
    return Table(
        {"rooms": [1.0, float("nan"), 2.0, 6.0], "city": [*"abca"], "price": [100.0, 200.0, 300.0, 400.0]}
    )


def test_an_encoder_from_json_fits_as_the_first_one_did() -> None:
    table = Table({"x": [1.0, 2.0, 4.0, 100.0], "s": [*"aabc"], "y": [0, 1, 0, 1]})
    settings: dict[str, Any] = {
        "task": "regression",
        "scale": "robust",
        "scale_target": False,
        "max_one_hot": 1,
        "min_count": 1,
    }
    first = TableEncoder("y", **settings).fit(table)
    again = TableEncoder.from_dict(json.loads(json.dumps(first.to_dict())))
    assert (again.scale, again.scale_target, again.max_one_hot, again.min_count) == ("robust", False, 1, 1)
    assert again.fit(table).to_dict() == first.to_dict()
    assert again.task == "regression"


def test_a_model_file_keeps_how_its_encoder_was_fitted(tmp_path: Path) -> None:
    table = homes()
    encoder = TableEncoder("price", task="regression", scale="robust", max_one_hot=0).fit(table)
    X, y = encoder.transform(table), encoder.transform_target(table)
    net = fastmlp.train(X, y, hidden=(), epochs=1, embeddings=encoder.embeddings)
    net.encoder = encoder
    net.save(tmp_path / "model")
    loaded = fastmlp.load(tmp_path / "model").encoder
    assert loaded is not None
    assert loaded.fit(table).to_dict() == encoder.to_dict()


def test_an_encoder_of_the_usual_settings_is_written_as_it_was_before_settings_were() -> None:
    assert list(TableEncoder().fit(homes()).to_dict()) == ["format", "version", "columns", "target", "ignore"]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("task", "other", "task must be 'auto', 'classification' or 'regression', got 'other'"),
        ("scale", "none", "scale must be one of standard, robust, common, clipped, quantile; got 'none'"),
        ("scale", 5, "scale must be one of standard, robust, common, clipped, quantile; got 5"),
        ("scale_target", 1, "'scale_target' must be true or false, got 1"),
        ("max_one_hot", -1, "max_one_hot must be at least 0, got -1"),
        ("min_count", "2", "min_count must be an integer, got '2'"),
        ("seed", 2, "unknown field 'seed'"),
    ],
)
def test_settings_that_no_encoder_has_are_refused(name: str, value: Any, message: str) -> None:
    data = TableEncoder(scale="robust").fit(homes()).to_dict()
    data["settings"][name] = value
    with pytest.raises(ValueError, match="encoder: settings: ") as caught:
        TableEncoder.from_dict(data)
    assert str(caught.value) == f"encoder: settings: {message}"


def test_a_task_that_is_not_the_targets_is_refused() -> None:
    data = TableEncoder("price", task="regression").fit(homes()).to_dict()
    data["settings"]["task"] = "classification"
    with pytest.raises(ValueError, match="encoder: the target is for regression, not classification"):
        TableEncoder.from_dict(data)
