"""Targets of another kind than a network learns: errors speak of labels and quantities, not of its loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import fastmlp

RNG = np.random.default_rng(0)
N = 60
X = RNG.normal(size=(N, 3))
CODES = np.arange(N) % 3
VALUES = RNG.normal(size=N)
PAIRS = RNG.normal(size=(N, 2))
SEVERAL = np.stack([CODES > 0, CODES > 1], axis=1).astype(int)
TEXTS = np.array(["a", "b", "c"])[CODES]
OPTIONS: dict[str, Any] = {"hidden": (4,), "epochs": 1}

ROWS = r"y must be labels of shape \(n,\), or rows of probabilities of shape \(n, 3\)"
OTHER_KINDS = [
    (VALUES, TEXTS, "y must hold numbers, as {} quantities; got texts such as 'a'"),
    (VALUES, TEXTS.astype(object), "y must hold numbers, as {} quantities; got texts such as 'a'"),
    (VALUES, np.arange(N).astype("M8[D]"), "y must hold numbers, as {} quantities; got dates such as 1970"),
    (VALUES, PAIRS, r"y must have shape \(n,\), as {} 1 value a row, got \(n, 2\)"),
    (PAIRS, VALUES, r"y must have shape \(n, 2\), as {} 2 values a row, got \(n,\)"),
    (TEXTS, VALUES, "y must hold labels, as {} the labels 'a', 'b', 'c'; got the number -?[0-9]"),
    (CODES, VALUES, "y must hold labels, as {} the labels 0, 1, 2; got the number -?[0-9]"),
    (TEXTS, X, ROWS + ".* got other rows"),
    (TEXTS, PAIRS, ROWS + ".* as {} the labels 'a', 'b', 'c'; got shape"),
    (SEVERAL, CODES, r"y must be a matrix of 0 and 1 of shape \(n, 2\), as {} several .* got shape \(n,\)"),
    (SEVERAL, PAIRS, r"y must be a matrix of 0 and 1 .*; got other values"),
]


@pytest.mark.parametrize(("y", "other", "message"), OTHER_KINDS)
def test_validation_of_another_kind_is_refused_in_words(y: Any, other: Any, message: str) -> None:
    with pytest.raises(ValueError, match="^validation: " + message.format("the network learns")) as error:
        fastmlp.train(X, y, validation=(X, other), **OPTIONS)
    assert "loss" not in str(error.value)


@pytest.mark.parametrize(("y", "other", "message"), OTHER_KINDS)
@pytest.mark.parametrize("method", ["loss_and_gradient", "trace"])
def test_so_are_targets_given_to_a_network(y: Any, other: Any, message: str, method: str) -> None:
    net = fastmlp.train(X, y, **OPTIONS)
    with pytest.raises(ValueError, match="^" + message.format("the network learns")):
        getattr(net, method)(X, other)


@pytest.mark.parametrize("options", [{}, {"memory_limit": "500 MB"}], ids=["memory", "stream"])
@pytest.mark.parametrize(("y", "other", "message"), OTHER_KINDS)
def test_and_those_to_go_on_with(y: Any, other: Any, message: str, options: dict[str, Any]) -> None:
    net = fastmlp.train(X, y, **OPTIONS)
    who = "init, the network to go on from, has learned"
    with pytest.raises(ValueError, match="^" + message.format(who)) as error:
        fastmlp.train(X, other, init=net, **OPTIONS, **options)
    assert "loss" not in str(error.value)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "binary_cross_entropy"])
def test_probabilities_of_classes_may_be_validated_on(loss: str) -> None:
    y = (CODES > 0).astype(int)
    p = RNG.uniform(size=N)
    given = np.stack([1 - p, p], axis=1) if loss == "softmax_cross_entropy" else p
    net = fastmlp.train(X, y, loss=loss, validation=(X, given), dtype="float64", **OPTIONS)
    q = net.predict_proba(X)[:, 1]
    expected = -(p * np.log(q) + (1 - p) * np.log(1 - q)).mean()
    assert net.history["validation_loss"][-1] == pytest.approx(expected, rel=1e-12)


def test_weights_that_vanish_in_float32_are_not_called_zeros() -> None:
    message = "sample_weight must be greater than 0 somewhere, got at most 1e-50, which is 0 in float32"
    with pytest.raises(ValueError, match=message):
        fastmlp.train(X, CODES, sample_weight=np.full(N, 1e-50), **OPTIONS)


def test_a_whole_number_beyond_float64_is_named() -> None:
    with pytest.raises(ValueError, match="X has a whole number that is larger than float64 holds"):
        fastmlp.train([[10**400], [1]], [0, 1], **OPTIONS)


def test_a_frame_with_a_name_twice_is_taken_by_place() -> None:
    frame = pd.DataFrame(X, columns=["a", "a", "b"])
    net = fastmlp.train(frame, TEXTS, **OPTIONS)
    assert net.feature_names == ()
    assert net.predict(frame).tolist() == net.predict(X).tolist()
    with pytest.raises(ValueError, match=r"feature_names must be different, got \['a', 'a', 'b'\]"):
        net.feature_names = ["a", "a", "b"]


def test_the_text_among_columns_of_targets_is_named() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(job=TEXTS)
    with pytest.raises(ValueError, match=r"y of shape \(n, 2\) must hold numbers, got 'a'; labels have"):
        fastmlp.train(frame, ["c", "job"], encode=False, **OPTIONS)


def test_texts_in_place_of_an_encoded_quantity_are_refused_in_words() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(job=TEXTS)
    net = fastmlp.train(frame, "c", **OPTIONS)
    with pytest.raises(ValueError, match="y must hold numbers, as the network learns quantities; got texts"):
        net.loss_and_gradient(frame.drop(columns="c"), TEXTS)


@pytest.mark.parametrize("kind", ["parquet", "csv", "npy"])
def test_validation_rows_may_lie_in_files(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"]).assign(t=VALUES)
    expected = fastmlp.train(X, VALUES, validation=(X[:20], VALUES[:20]), **OPTIONS).history
    files = [tmp_path / f"{name}.{kind}" for name in ("training", "held", "y", "held_y")]
    if kind == "npy":
        for path, array in zip(files, (X, X[:20], VALUES, VALUES[:20]), strict=True):
            np.save(path, array)
        learned, held = (files[0], files[2]), (str(files[1]), str(files[3]))
    else:
        for path, part in zip(files, (frame, frame[:20]), strict=False):
            part.to_parquet(path) if kind == "parquet" else part.to_csv(path, index=False)
        learned, held = (files[0], "t"), (files[1], "t")
    found = fastmlp.train(*learned, validation=held, **OPTIONS).history
    if kind == "csv":  # encoded: standardised
        assert np.isfinite(found["validation_loss"]).all()
    else:
        np.testing.assert_array_equal(found["validation_loss"], expected["validation_loss"])


def test_a_file_of_validation_rows_that_is_not_there_is_named() -> None:
    with pytest.raises(OSError, match=r"nowhere\.parquet"):
        fastmlp.train(X, VALUES, validation=("nowhere.parquet", "t"), **OPTIONS)


@pytest.mark.parametrize("labels", [np.array([0.0, 1.0]), np.array([0, 1])])
def test_a_missing_value_is_no_label(labels: Any) -> None:
    net = fastmlp.train(X, labels[np.arange(N) % 2], task="classification", **OPTIONS)
    y = np.where(np.arange(N) == 4, np.nan, np.arange(N) % 2)
    for given in ({"y": y, "init": net}, {"y": np.arange(N) % 2, "validation": (X, y)}):
        with pytest.raises(ValueError, match="y has nan at row 4; only finite numbers are accepted"):
            fastmlp.train(X, **given, **OPTIONS)
