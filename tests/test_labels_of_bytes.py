"""Labels that are bytes come back as bytes, from memory and from files; estimators refuse them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp.data import Table

X = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
Y = np.where(X[:, 0] > 0, b"up", b"down")
OPTIONS: dict[str, Any] = {"hidden": (4,), "epochs": 20, "learning_rate": 0.05}


@pytest.mark.parametrize("y", [Y, Y.astype(object), Y.astype("S9")], ids=["S4", "object", "S9"])
@pytest.mark.parametrize("loss", ["auto", "binary_cross_entropy", "hinge"])
def test_they_are_predicted_and_kept_in_files(y: np.ndarray, loss: str, tmp_path: Path) -> None:
    net = fastmlp.train(X, y, loss=loss, **OPTIONS)
    assert net.classes.tolist() == [b"down", b"up"]
    predicted = net.predict(X)
    assert predicted.dtype.kind == "S"
    assert np.mean(predicted == Y) > 0.85
    assert net.score(X, y) == np.mean(predicted == Y)
    net.save(tmp_path / "m.safetensors")
    again = fastmlp.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(X), predicted)


def test_any_bytes_come_back(tmp_path: Path) -> None:
    labels = np.array([b"\xff\x00a", b"", b"\xc3\xa4"] * 20)
    net = fastmlp.train(X, labels, **OPTIONS)
    net.save(tmp_path / "m.safetensors")
    assert fastmlp.load(tmp_path / "m.safetensors").classes.tolist() == [b"", b"\xc3\xa4", b"\xff\x00a"]


def test_class_weights_are_given_by_them() -> None:
    weighted = fastmlp.train(X, Y, class_weight={b"up": 3, b"down": 1}, **OPTIONS)
    same = fastmlp.train(X, Y, sample_weight=np.where(Y == b"up", 3, 1), **OPTIONS)
    np.testing.assert_allclose(weighted.parameters, same.parameters, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(ValueError, match="y holds bytes that end in a zero byte"):
        fastmlp.train(X[:2], np.array([b"a\0", b"b"], dtype=object), **OPTIONS)
    for y in (Y, Y.astype(object)):
        with pytest.raises(
            TypeError, match=r"y must hold labels that are strings, .* got bytes; decode them first"
        ):
            fastmlp.MLPClassifier().fit(X, y)
    with pytest.raises(TypeError, match="column 'y' has dtype"):
        Table({"y": Y})
