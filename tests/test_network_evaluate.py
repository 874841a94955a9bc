"""Networks evaluated from Python: the metrics of scikit-learn, for arrays and tables, with weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

import fastmlp
from fastmlp.data import Table, TableEncoder

SMALL: dict[str, Any] = {"hidden": (5,), "epochs": 30, "learning_rate": 0.02}


def rows(n: int = 90) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3))
    return X, X[:, 0] + 0.3 * rng.normal(size=n)


LABELS = {
    "texts": np.array(["no", "perhaps", "yes"]),
    "objects": np.array(["no", "perhaps", "yes"], object),
    "integers": np.array([3, 5, 9]),
    "booleans": np.array([False, True]),
    "dates": np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "M8[D]"),
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", ["auto", "hinge", "binary_cross_entropy"])
def test_labels_are_scored_as_scikit_learn_does(kind: str, weighted: bool, loss: str) -> None:
    X, z = rows()
    labels = LABELS[kind] if loss != "binary_cross_entropy" else LABELS[kind][-2:]
    y = labels[np.digitize(z, [-0.4, 0.4]) % len(labels)]
    net = fastmlp.train(X, y, loss=loss, **SMALL)
    weights = np.linspace(0, 2, len(y)) if weighted else None
    found = net.evaluate(X, y, weights)
    predicted = net.predict(X)
    # scikit-learn does not take dates
    codes, guessed = (np.searchsorted(labels, values) for values in (y, predicted))
    assert net.score(X, y, weights) == found.score == found.metrics.accuracy
    assert found.score == pytest.approx(sk.accuracy_score(codes, guessed, sample_weight=weights))
    np.testing.assert_array_equal(found.predicted, predicted)
    if loss == "hinge":
        assert found.probabilities is None
        assert found.metrics.log_loss is None
    else:
        p = net.predict_proba(X)
        np.testing.assert_array_equal(found.probabilities, p)
        p = p.astype(float)
        p /= p.sum(axis=1, keepdims=True)  # to the precision that scikit-learn asks for
        expected = sk.log_loss(codes, p, labels=np.arange(len(labels)), sample_weight=weights)
        assert found.metrics.log_loss == pytest.approx(expected, rel=1e-4)
    json.dumps(found.to_dict(), default=str)
    assert str(labels[0]) in str(found)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile(0.1, 0.4, 0.9)"])
@pytest.mark.parametrize("weighted", [False, True])
def test_values_are_scored_as_scikit_learn_does(loss: str, weighted: bool) -> None:
    X, y = rows()
    net = fastmlp.train(X, y, loss=loss, **SMALL)
    weights = np.linspace(0, 2, len(y)) if weighted else None
    found, predicted = net.evaluate(X, y, weights), net.predict(X)
    one = predicted[:, 1] if predicted.ndim == 2 else predicted
    assert net.score(X, y, weights) == found.score
    assert found.score == pytest.approx(sk.r2_score(y, one, sample_weight=weights))
    np.testing.assert_allclose(found.row_loss, np.abs(one - y))
    assert len(found.worst(7)) == 7


def test_several_values_are_scored_one_by_one() -> None:
    X, z = rows()
    y = np.stack([z, 100 * X[:, 1]], axis=1)
    net = fastmlp.train(X, y, **SMALL)
    found = net.evaluate(X, y)
    assert found.score == pytest.approx(sk.r2_score(y, net.predict(X)))
    assert [each.r2 for _, each in found.metrics.outputs] == pytest.approx(
        sk.r2_score(y, net.predict(X), multioutput="raw_values")
    )
    with pytest.raises(
        ValueError, match=r"y must have shape \(n, 2\), as the network learns 2 values a row, got \(n,\)"
    ):
        net.score(X, z)


def test_several_labels_are_scored_together() -> None:
    X, z = rows()
    y = np.stack([z > 0, X[:, 1] > 0.5], axis=1).astype(int)
    net = fastmlp.train(X, y, loss="binary_cross_entropy", **SMALL)
    assert net.score(X, y) == pytest.approx(sk.accuracy_score(y, net.predict(X)))
    found = net.evaluate(X, y)
    assert found.metrics.log_loss == pytest.approx(net.loss_and_gradient(X, y)[0], rel=1e-4)
    np.testing.assert_array_equal(found.probabilities, net.predict_proba(X))
    with pytest.raises(ValueError, match=r"y must be a matrix of 0 and 1, \(n, 2\)"):
        net.evaluate(X, y[:, 0])


def test_rows_of_one_1_are_labels() -> None:
    X, z = rows()
    y = np.digitize(z, [-0.4, 0.4])
    net = fastmlp.train(X, y, **SMALL)
    assert net.evaluate(X, np.eye(3)[y]).to_dict() == net.evaluate(X, y).to_dict()
    with pytest.raises(
        ValueError, match=r"y must be labels, .*, or rows of 3 columns with a 1 for the class"
    ):
        net.evaluate(X, np.full((90, 3), 1 / 3))


def test_labels_come_in_another_type_where_that_is_the_same() -> None:
    X, z = rows()
    y = (z > 0).astype(int)
    net = fastmlp.train(X, y, **SMALL)
    expected = net.evaluate(X, y).to_dict()
    for same in (y.astype(float), y.astype(bool), y.astype(object), y.astype(np.uint8), list(y), y[:, None]):
        assert net.evaluate(X, same).to_dict() == expected


@pytest.mark.parametrize("form", ["Table", "pandas", "polars", "arrow"])
@pytest.mark.parametrize("target", ["price", "kind"])
def test_tables_go_through_the_encoder_and_bring_their_target(form: str, target: str) -> None:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    X, z = rows()
    columns = {
        "city": np.array(["Oslo", "Rome", "Bonn"], object)[np.digitize(X[:, 1], [0, 1])],
        "size": X[:, 0],
        "price" if target == "price" else "kind": 1000 + 50 * z
        if target == "price"
        else np.where(z > 0, "big", "small"),
    }
    table = Table(columns)
    encoder = TableEncoder(target).fit(table)
    net = fastmlp.train(encoder.transform(table), encoder.transform_target(table), **SMALL)
    net.encoder = encoder
    make: Any = {"Table": Table, "pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table}[form]
    frame, inputs = make(columns), make({name: columns[name] for name in ("city", "size")})
    found = net.evaluate(frame)
    for other in (net.evaluate(frame, target), net.evaluate(inputs, columns[target])):
        assert other.to_dict() == found.to_dict()
    assert found.target == target
    predicted = net.predict(inputs)
    np.testing.assert_array_equal(found.predicted, predicted)
    score = sk.accuracy_score if target == "kind" else sk.r2_score
    assert net.score(frame) == pytest.approx(score(columns[target], predicted))
    if target == "price":  # encoded rows go with encoded values
        encoded = encoder.transform(table), encoder.transform_target(table)
        assert net.score(*encoded) == pytest.approx(found.score, abs=1e-6)
    with pytest.raises(ValueError, match=r"y is needed: .* or a table with the column"):
        net.evaluate(inputs)


@pytest.mark.parametrize(
    ("y", "weights", "error"),
    [
        (None, None, "y is needed: the true labels or values"),
        ([0, 1], None, "y must have as many rows as X, 90, got 2"),
        ([], None, "y must have at least one row"),
        (["a", "b"] * 45, None, "y holds texts; the network's labels are numbers"),
        ([0.5] * 90, None, "y must hold labels to be compared with, got probabilities"),
        ([0, 1] * 45, [1.0], "sample_weight must have as many rows as X, 90, got 1"),
        ([0, 1] * 45, [0.0] * 90, "sample_weight must be greater than 0 somewhere"),
        ([0, 1] * 45, [-1.0] * 90, "sample_weight must be at least 0, got -1 at row 0"),
    ],
)
def test_what_cannot_be_scored_is_said(y: Any, weights: Any, error: str) -> None:
    X, z = rows()
    net = fastmlp.train(X, (z > 0).astype(int), loss="binary_cross_entropy", **SMALL)
    for call in (net.evaluate, net.score):
        with pytest.raises(ValueError, match=error):
            call(X, y, weights)


def test_labels_that_training_did_not_have_count_as_mistakes() -> None:
    X, z = rows()
    net = fastmlp.train(X, np.where(z > 0, "b", "a"), **SMALL)
    found = net.evaluate(X, np.where(z > 0, "b", "other"))
    assert found.metrics.classes.tolist() == ["a", "b", "other"]
    assert found.metrics.recall[2] == 0
    assert found.score == np.mean((z > 0) & (net.predict(X) == "b"))


@pytest.mark.parametrize(
    ("learned", "y", "message"),
    [
        (["a", "b"], ["a.", "b."], "it has 'a.', 'b.', the network 'a', 'b'"),
        ([0, 1], [2, 3], "it has 2, 3, the network 0, 1"),
        ([0, 1], [0.5, 1.5], "it has 0.5, 1.5, the network 0, 1"),
    ],
)
def test_rows_none_of_whose_labels_is_known_are_refused(learned: Any, y: Any, message: str) -> None:
    X, _ = rows()
    net = fastmlp.train(X, learned * 45, **SMALL)
    for call in (net.evaluate, net.score):
        with pytest.raises(ValueError, match=f"y has no label that the network knows: {message}"):
            call(X, y * 45)


def test_an_evaluation_prints_as_a_small_table() -> None:
    X, z = rows()
    net = fastmlp.train(X, np.where(z > 0, "up", "down"), **SMALL)
    found = net.evaluate(X, np.where(z > 0, "up", "down"))
    first, blank, head, *rest = str(found).split("\n")
    assert first.startswith(f"accuracy {found.score:.4f} ({found.metrics.right} of 90 rows), log loss ")
    assert (blank, head.split()) == ("", ["class", "precision", "recall", "F1", "rows"])
    assert [line.split()[0] for line in rest] == ["down", "up"]
    assert repr(found) == f"<Evaluation: {found.metrics.summary()}>"
    many = fastmlp.Network((3, 100))
    text = str(many.evaluate(X, np.arange(90)))
    assert text.endswith("\n.. and 70 more classes")
    assert len(text.split("\n")) == 3 + 30 + 1


@pytest.mark.parametrize(
    "kind", ["labels", "weighted labels", "values", "several", "quantiles", "multilabel"]
)
def test_an_evaluation_is_drawn(kind: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    X, z = rows()
    y: Any = {
        "values": z,
        "quantiles": z,
        "several": np.stack([z, X[:, 1]], axis=1),
        "multilabel": np.stack([z > 0, X[:, 1] > 0.5], axis=1).astype(int),
    }.get(kind, np.where(z > 0, "$up$", "down"))
    net = fastmlp.train(X, y, loss="quantile(0.1, 0.5, 0.9)" if kind == "quantiles" else "auto", **SMALL)
    found = net.evaluate(X, y, np.full(90, 0.5) if kind.startswith("weighted") else None)
    ax = found.plot(output=1 if kind == "several" else 0)
    ax.figure.canvas.draw()
    texts = [text.get_text() for text in ax.texts]
    if "labels" in kind:
        counts = found.metrics.confusion_matrix()
        assert [float(text) for text in texts] == counts.ravel().tolist()
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["$up$", "down"]
        ax = found.plot(normalize=True)
        assert ax.texts[0].get_text() == f"{counts[0, 0] / counts[0].sum():.2f}"
    elif kind == "multilabel":
        assert [bar.get_height() for bar in ax.patches[:2]] == pytest.approx(found.metrics.precision)
    else:
        at = 1 if kind in ("several", "quantiles") else None
        drawn = found.predicted if at is None else found.predicted[:, at]
        true = found.truth[:, 1] if kind == "several" else found.truth
        np.testing.assert_array_equal(ax.lines[-1].get_xydata(), np.stack([true, drawn], axis=1))
        assert len(ax.collections) == (kind == "quantiles")
        if kind == "several":
            assert ax.get_xlabel() == "true output 1"
            with pytest.raises(ValueError, match="output must be at least 0 and at most 1, got 2"):
                found.plot(output=2)
    plt.close("all")


def test_labels_of_another_kind_are_called_what_they_are() -> None:
    X, _ = rows()
    holds = {
        "texts": np.array(["a", "b", "c"]),
        "numbers": np.array([1, 2, 3]),
        "bytes": np.array([b"a", b"b", b"c"]),
        "dates": np.array(["2020-01-01", "2021-01-01", "2022-01-01"], "M8[D]"),
    }
    net = fastmlp.Network((3, 3))
    for learned, classes in holds.items():
        net.classes = classes
        for given, labels in holds.items():
            y = labels[np.arange(90) % 3]
            if given == learned:
                assert net.evaluate(X, y).metrics.support.tolist() == [30, 30, 30]
                continue
            with pytest.raises(ValueError, match=f"y holds {given}; the network's labels are {learned}"):
                net.evaluate(X, y)


def test_sparse_rows_are_scored_as_dense_ones() -> None:
    import scipy.sparse as sp

    X, z = rows()
    X = np.where(np.abs(X) > 0.5, X, 0)
    net = fastmlp.train(X, z, **SMALL)
    assert net.score(sp.csr_array(X), z) == pytest.approx(net.score(X, z), abs=1e-6)


def test_rows_that_are_not_kept_are_not_there_to_be_asked_for() -> None:
    X, z = rows()
    found = fastmlp.train(X, z, **SMALL).evaluate(X, z)
    with pytest.raises(ValueError, match="the evaluated rows are not kept"):
        _ = found.table


@pytest.mark.parametrize("target", ["kind", "price"])
def test_a_frame_that_was_learned_from_is_scored_as_it_is(target: str) -> None:
    import pandas as pd

    X, z = rows()
    frame = pd.DataFrame({"city": np.where(X[:, 1] > 0, "Oslo", "Rome"), "size": X[:, 0]})
    frame.loc[::7, "size"] = np.nan
    frame[target] = 1000 + 50 * z if target == "price" else np.where(z > 0, "big", "small")
    net = fastmlp.train(frame, target, **SMALL)
    inputs, weights = frame.drop(columns=target), np.linspace(0, 1, len(frame))
    score = sk.r2_score if target == "price" else sk.accuracy_score
    expected = score(frame[target], net.predict(inputs), sample_weight=weights)
    for X_and_y in ((frame,), (frame, target), (inputs, frame[target])):
        assert net.score(*X_and_y, sample_weight=weights) == pytest.approx(expected)


def test_a_frame_of_numbers_brings_its_target_too() -> None:
    import pandas as pd

    X, z = rows()
    frame = pd.DataFrame(X, columns=list("abc")).assign(y=z, twice=2 * z)
    one = fastmlp.train(frame.drop(columns="twice"), "y", **SMALL)
    assert one.score(frame.drop(columns="twice")) == one.score(X, z)
    both = fastmlp.train(frame, ["y", "twice"], **SMALL)
    found = both.evaluate(frame)
    assert [name for name, _ in found.metrics.outputs] == ["y", "twice"]
    assert found.score == pytest.approx(both.score(X, np.stack([z, 2 * z], axis=1)))


@pytest.mark.parametrize("encoded", [True, False])
def test_a_file_is_scored_as_the_table_that_it_holds(encoded: bool, tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=80), "zip": [f"0{i % 7}" for i in range(80)]})
    frame["price"] = 1000 * frame["size"] + rng.normal(size=80)
    file = tmp_path / "houses.csv"
    frame = frame if encoded else frame.drop(columns="zip")
    frame.to_csv(file, index=False)
    net = fastmlp.train(frame, "price", hidden=(8,), epochs=30, validation=0.2)
    expected = net.evaluate(frame)
    assert expected.target == "price"
    for given in ((file,), (str(file), "price"), (file, frame["price"].to_numpy())):
        assert net.evaluate(*given).metrics.rmse == pytest.approx(expected.metrics.rmse, rel=1e-9)
    assert net.score(file) == pytest.approx(expected.score)
    with pytest.raises(ValueError, match="y must be one of the columns"):
        net.evaluate(file, "cost")
