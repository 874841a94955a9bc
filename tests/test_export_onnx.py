"""ONNX files compute in ONNX Runtime what the network does, labels, encoder and units included.

How close: every number within 1e-6 (float32) or 1e-13 (float64) of the largest number of its row, or of 1 if
that is more (see assert_rows_close). One activation alone in float64: within 1e-12 of the number itself.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import fastmlp
from export_tools import (
    DTYPES,
    HIDDEN,
    HOSTILE_COLUMNS,
    NAN,
    OPTIONS,
    OUTPUTS,
    EmbeddedNetwork,
    as_numbers,
    assert_rows_close,
    homes,
    network,
    network_of_homes,
    new_homes,
    rows,
)
from fastmlp.data import Table, TableEncoder
from fastmlp.export import to_onnx

RTOL = {"float32": 1e-6, "float64": 1e-13}


def run(path: Path, **inputs: np.ndarray) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


# ---------------------------------------------------------------------------------------------- the numbers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", HIDDEN)
def test_every_hidden_activation_agrees_with_onnx_runtime(activation: str, dtype: str, path: Path) -> None:
    net = network(activation=activation, dtype=dtype)
    to_onnx(net, path)
    X = rows(200, 4, dtype)
    assert_rows_close(run(path, X=X)["prediction"], net.predict(X), RTOL[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("loss", "output_activation"), OUTPUTS)
def test_every_loss_and_output_activation_agrees(
    loss: str, output_activation: str, dtype: str, path: Path
) -> None:
    net = network((4, 6, 3), "relu", loss, output_activation, dtype)
    to_onnx(net, path)
    X = rows(200, 4, dtype)
    got = run(path, X=X)
    if loss == "softmax_cross_entropy":
        assert set(got) == {"label", "probabilities"}
        assert_rows_close(got["probabilities"], net.predict_proba(X), RTOL[dtype])
    elif loss == "hinge":
        assert set(got) == {"label", "scores"}
        assert_rows_close(got["scores"], net.forward(X), RTOL[dtype])
    elif loss == "binary_cross_entropy":
        assert set(got) == {"prediction", "probabilities"}
        assert_rows_close(got["probabilities"], net.predict_proba(X), RTOL[dtype])
        np.testing.assert_array_equal(got["prediction"], net.predict(X))
    else:
        assert set(got) == {"prediction"}
        assert_rows_close(got["prediction"], net.predict(X), RTOL[dtype])
    if "label" in got:
        np.testing.assert_array_equal(got["label"], net.predict(X))


@pytest.mark.parametrize("activation", HIDDEN)
def test_double_keeps_the_digits_of_small_values(activation: str, path: Path) -> None:
    net = fastmlp.Network((1, 1), loss="squared_error", output_activation=activation, dtype="float64")
    net.parameters[:] = [1, 0]
    to_onnx(net, path)
    z = np.concatenate(
        [np.linspace(-36, 36, 2001), np.geomspace(1e-12, 1, 100), -np.geomspace(1e-12, 1, 100)]
    )
    np.testing.assert_allclose(run(path, X=z[:, None])["prediction"], net.predict(z[:, None]), rtol=1e-12)


def test_small_probabilities_keep_their_digits_in_float32(path: Path) -> None:
    net = fastmlp.Network((1, 1), loss="binary_cross_entropy")
    net.parameters[:] = [1, 0]
    to_onnx(net, path)
    z = np.linspace(-60, 10, 301, dtype=np.float32)[:, None]
    np.testing.assert_allclose(run(path, X=z)["probabilities"][:, 1], net.forward(z)[:, 0], rtol=1e-6)


def test_a_linear_model_and_no_rows(path: Path) -> None:
    net = network((4, 1))
    to_onnx(net, path)
    X = rows(10, 4)
    assert_rows_close(run(path, X=X)["prediction"], net.predict(X), 1e-6)
    assert run(path, X=X[:0])["prediction"].shape == (0,)


def test_several_quantiles_come_sorted(path: Path) -> None:
    net = network((4, 6, 3), "relu", "quantile(0.1, 0.5, 0.9)")
    to_onnx(net, path)
    X = rows(50, 4)
    assert (np.diff(net.forward(X)) < 0).any()
    assert_rows_close(run(path, X=X)["prediction"], net.predict(X), 1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_codes_of_embeddings_are_looked_up(dtype: str, path: Path) -> None:
    net = EmbeddedNetwork(np.dtype(dtype))
    to_onnx(net, path)  # type: ignore[arg-type]
    assert_rows_close(run(path, X=net.rows())["prediction"], net.forward(net.rows()), RTOL[dtype])


# ----------------------------------------------------------------------------------------------- the labels

LABELS = [
    (np.array(["no", "yes", "ñ?"]), "str"),
    (np.array([b"no", b"yes", b"\xff"]), "bytes"),
    (np.array(["no", "yes", "zz"], dtype=object), "objects"),
    (np.array([3, 10, 2**62]), "int64"),
    (np.array([1, 2, 255], dtype=np.uint8), "uint8"),
    (np.array([0.5, 1.5, 2.5]), "float64"),
    (np.array(["2024-01-01", "2024-02-01", "2025-01-01"], dtype="datetime64[D]"), "dates"),
]


@pytest.mark.parametrize("labels", [labels for labels, _ in LABELS], ids=[name for _, name in LABELS])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "hinge"])
def test_labels_come_out(labels: np.ndarray, loss: str, path: Path) -> None:
    net = network((4, 6, 3), "tanh", loss)
    net.classes = labels
    to_onnx(net, path)
    X = rows(60, 4)
    expected = net.predict(X)
    assert len(np.unique(expected)) == 3
    if labels.dtype.kind == "S":
        expected = np.char.decode(expected, "latin-1")
    elif labels.dtype.kind == "M":
        expected = expected.astype(str)
    np.testing.assert_array_equal(run(path, X=X)["label"], expected)


@pytest.mark.parametrize("labels", [[False, True], ["no", "yes"], [-1, 1]], ids=str)
def test_two_classes_from_one_probability(labels: list[Any], path: Path) -> None:
    net = network((4, 6, 1), "tanh", "binary_cross_entropy")
    net.classes = np.array(labels)
    to_onnx(net, path)
    X = rows(60, 4)
    got = run(path, X=X)
    np.testing.assert_array_equal(got["label"], net.predict(X))
    assert got["label"].dtype == (object if net.classes.dtype.kind == "U" else net.classes.dtype)
    assert_rows_close(got["probabilities"], net.predict_proba(X), 1e-6)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([(0, 1), (0, 2), (1, 1)], "O,O").astype(object), "all text or all numbers.* got tuple"),
        (np.array([0, 1, 2**63], dtype=np.uint64), "64 bits with a sign"),
    ],
)
def test_labels_that_onnx_does_not_have_are_refused(labels: np.ndarray, message: str, path: Path) -> None:
    net = network(loss="softmax_cross_entropy")
    net.classes = labels
    with pytest.raises(ValueError, match=message):
        to_onnx(net, path)
    assert not path.exists()


# ---------------------------------------------------------------------------------------------- the encoder


def table_inputs(table: Table) -> dict[str, np.ndarray]:
    """Return what a user hands in: a column a table's column, "" for missing text, numbers in double."""
    return {
        name: np.array([[value or ""] for value in column], dtype=object)
        if column.dtype == object
        else as_numbers(column)[:, None]
        for name, column in ((name, table[name]) for name in table.names)
    }


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", ["price", "kind"])
def test_a_tables_columns_go_in_and_units_or_labels_come_out(target: str, dtype: str, path: Path) -> None:
    net = network_of_homes(target, dtype)
    to_onnx(net, path)
    inputs = table_inputs(new_homes())
    inputs["column_9"] = inputs.pop("label")  # "label" is an output
    assert net.encoder is not None
    X = net.encoder.transform(new_homes(), dtype)
    got = run(path, **inputs)
    if target == "kind":
        np.testing.assert_array_equal(got["label"], net.predict(X))
        assert_rows_close(got["probabilities"], net.predict_proba(X), RTOL[dtype])
    else:
        expected = net.encoder.inverse_target(net.predict(X))
        np.testing.assert_allclose(got["prediction"], expected, rtol=RTOL[dtype])
        assert got["prediction"].dtype == np.float64


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", OPTIONS)
def test_options_of_the_encoder_are_computed_too(options: str, dtype: str, path: Path) -> None:
    net = network_of_homes("price", dtype, **OPTIONS[options])
    to_onnx(net, path)
    for table in (new_homes(), homes()):
        inputs = table_inputs(table)
        inputs = {name: value for name, value in inputs.items() if name not in ("price", "kind")}
        inputs["column_9"] = inputs.pop("label")
        got = run(path, **inputs)["prediction"]
        np.testing.assert_allclose(got, net.predict(table), rtol=20 * RTOL[dtype])
        assert got.dtype == np.float64


@pytest.mark.parametrize("scale", ["clipped", "quantile"])
@pytest.mark.parametrize("values", HOSTILE_COLUMNS)
def test_hostile_columns_are_scaled_alike(scale: Any, values: list[float], path: Path) -> None:
    encoder = TableEncoder("y", scale=scale).fit(Table({"x": values, "y": np.arange(len(values)) + 0.5}))
    net = network((len(encoder.feature_names), 1), dtype="float64")
    net.encoder = encoder
    to_onnx(net, path)
    x = np.array([*values, NAN, -1.7e308, -1, 0, 5e-324, 1, 1e300])
    np.testing.assert_allclose(
        run(path, x=x[:, None])["prediction"], net.predict(Table({"x": x})), rtol=1e-9, atol=1e-12
    )


def test_large_numbers_keep_their_differences(path: Path) -> None:
    t = 1_700_000_000 + np.arange(500)
    kind = np.where(t % 250 < 125, "a", "b")
    encoder = TableEncoder("kind").fit(Table({"t": t, "kind": kind}))
    net = network((1, 30, 2), "relu", "softmax_cross_entropy")
    net.classes, net.encoder = np.array(["a", "b"]), encoder
    net.biases[0][:] = np.random.default_rng(3).uniform(-2, 2, 30)
    to_onnx(net, path)
    expected = net.predict(Table({"t": t}))
    assert set(expected) == {"a", "b"}
    np.testing.assert_array_equal(run(path, t=t.astype(float)[:, None])["label"], expected)


def test_units_of_large_numbers_keep_their_differences(path: Path) -> None:
    table = Table({"x": np.linspace(0, 1, 100), "t": 1_700_000_000.0 + np.arange(100)})
    net = network((1, 1))
    net.encoder = TableEncoder("t").fit(table)
    net.parameters[:] = [1, 0]  # y is x, standardised
    to_onnx(net, path)
    np.testing.assert_allclose(run(path, x=table["x"][:, None])["prediction"], table["t"], rtol=0, atol=1e-4)


def test_a_category_that_is_an_empty_text_is_a_category(path: Path) -> None:
    table = Table({"a": np.array(["", "x", "y"] * 2, dtype=object), "y": [1.0, 2.0, 4.0, 1.0, 2.0, 4.0]})
    encoder = TableEncoder("y", task="regression").fit(table)
    net = network((4, 1))
    net.encoder = encoder
    to_onnx(net, path)
    texts = np.array(["", "x", "z"], dtype=object)
    expected = encoder.inverse_target(net.predict(encoder.transform(Table({"a": texts}))))
    np.testing.assert_allclose(run(path, a=texts[:, None])["prediction"], expected, 1e-6)


# ------------------------------------------------------------------------------------------------- the file


def test_the_file_says_what_it_needs_and_who_wrote_it(path: Path) -> None:
    to_onnx(network(loss="huber(1.5)"), path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 7
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 13)]
    assert (model.producer_name, model.producer_version) == ("fastmlp", fastmlp.__version__)
    assert {entry.key: entry.value for entry in model.metadata_props} == {"fastmlp.loss": "huber(1.5)"}


def test_models_and_empty_files_are_replaced_and_others_left(path: Path) -> None:
    net = network()
    path.touch(mode=0o600)
    to_onnx(net, path)
    to_onnx(network((2, 3)), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run(path, X=rows(5, 2))["prediction"].shape == (5, 3)
    for content in (b"notes", b"\x00" * 50, b"a,b\n1,2\n", path.read_bytes()[:40]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="there already and is not an ONNX model; it is left as it is"):
            to_onnx(net, path)
        assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_directories_and_broken_networks_are_refused(tmp_path: Path) -> None:
    net = network()
    with pytest.raises(ValueError, match="path must name a file, got the directory"):
        to_onnx(net, tmp_path)
    with pytest.raises(FileNotFoundError):
        to_onnx(net, tmp_path / "no" / "model.onnx")
    net.weights[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity cannot be exported"):
        to_onnx(net, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
