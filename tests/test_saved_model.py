"""Model files: the first format loads forever, round trips lose nothing, damage gives a clear error.

tests/data/model_v1.safetensors was made by version 0.1.0:

    iris = fastmlp.datasets.load_iris()
    names = np.array(iris.target_names)[iris.target]
    fastmlp.train(iris.data, names, hidden=(5, 4), activation=["tanh", "relu"], epochs=60, batch_size=25,
                  learning_rate=0.02, l2=1e-3, validation=0.2, seed=4).save("tests/data/model_v1.safetensors")
"""

from __future__ import annotations

import copy
import json
import pickle
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import fastmlp
from fastmlp._model.history import History

MODEL = Path(__file__).parent / "data" / "model_v1.safetensors"
IRIS = fastmlp.datasets.load_iris()


def test_the_first_format_loads_forever(isa: str) -> None:
    net = fastmlp.load(MODEL)
    assert net.layer_sizes == (4, 5, 4, 3)
    assert net.activations == ("tanh", "relu")
    assert (net.loss, net.output_activation, net.l2, net.dtype) == (
        "softmax_cross_entropy",
        "softmax",
        1e-3,
        "float32",
    )
    assert net.classes is not None
    assert net.classes.tolist() == ["setosa", "versicolor", "virginica"]
    assert net.history.columns[-2:] == ("validation_loss", "validation_accuracy")
    assert len(net.history) == 60
    assert net.stop_reason == "epochs"
    expected = json.loads((MODEL.parent / "model_v1.json").read_text())
    np.testing.assert_allclose(net.forward(IRIS.data[::30]), expected["forward"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(net.history["loss"][[0, -1]], expected["loss"], rtol=1e-12)


LABELS = [
    np.array([3, -1, 7]),
    np.array([0, 1, 2], dtype=np.uint8),
    np.array(["x", "yy", "zzz"]),
    np.array([b"x", b"yy", b"\xff"]),
    np.array(["x", "yy", "zzz"], dtype=object),
    np.array([0.5, 1.5, 2.5]),
    np.array(["2024-01-01", "2024-02-01", "2025-01-01"], dtype="datetime64[D]"),
]


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: str(labels.dtype))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_round_trip_keeps_labels_numbers_and_history(
    labels: np.ndarray, dtype: str, tmp_path: Path
) -> None:
    if labels.dtype.kind == "f":
        net = fastmlp.Network((4, 6, 3), "gelu", dtype=dtype)
        net.classes = labels
    else:
        y = labels[IRIS.target]
        net = fastmlp.train(IRIS.data, y, hidden=(6,), activation="gelu", epochs=3, dtype=dtype)
    net.save(tmp_path / "m.safetensors")
    for twin in (
        fastmlp.load(tmp_path / "m.safetensors"),
        pickle.loads(pickle.dumps(net)),
        copy.deepcopy(net),
        copy.copy(net),
    ):
        assert type(twin) is fastmlp.Network  # with all that it adds to the model it is made from
        np.testing.assert_array_equal(twin.parameters, net.parameters)
        np.testing.assert_array_equal(twin.predict(IRIS.data), net.predict(IRIS.data))
        assert twin.predict(IRIS.data).dtype == labels.dtype
        assert twin.history.rows() == net.history.rows()
        assert (twin.dtype, twin.loss, twin.activations) == (net.dtype, net.loss, net.activations)
        twin.parameters[:] = 0
        assert net.parameters.any()  # no memory is shared


@pytest.mark.parametrize("loss", ["huber(1.5)", "quantile(0.9)", "poisson"])
def test_a_round_trip_keeps_the_number_of_a_loss(loss: str, tmp_path: Path) -> None:
    net = fastmlp.Network((2, 3), loss=loss, l2=0.25)
    net.save(tmp_path / "m.safetensors")
    twin = fastmlp.load(tmp_path / "m.safetensors")
    assert (twin.loss, twin.l2, twin.classes) == (loss, 0.25, None)
    assert twin.loss_and_gradient([[1, 2]], [[1, 2, 3]])[0] == net.loss_and_gradient([[1, 2]], [[1, 2, 3]])[0]


@pytest.mark.parametrize("kind", ["U", "S"])
def test_labels_of_a_wider_type_than_they_need_are_kept(kind: str, tmp_path: Path) -> None:
    y = np.array(["up", "down", "a long one that no row has"])[[0, 1] * 10].astype(kind)
    net = fastmlp.train(np.arange(20.0)[:, None], y, hidden=(), epochs=1)
    assert net.classes is not None
    assert net.classes.dtype.itemsize > 10
    net.save(tmp_path / "m")
    again = fastmlp.load(tmp_path / "m")
    assert again.classes is not None
    assert again.classes.tolist() == net.classes.tolist()
    again.save(tmp_path / "m")
    assert fastmlp.load(tmp_path / "m").classes is not None


def test_saving_goes_through_links_keeps_the_mode_and_spares_other_files(tmp_path: Path) -> None:
    net = fastmlp.Network((2, 3))
    model, link, other = tmp_path / "m.safetensors", tmp_path / "link", tmp_path / "other.txt"
    model.touch()
    model.chmod(0o600)
    link.symlink_to(model)
    net.save(link)
    assert link.is_symlink()
    assert stat.S_IMODE(model.stat().st_mode) == 0o600
    np.testing.assert_array_equal(fastmlp.load(model).parameters, net.parameters)
    other.write_text("precious")
    with pytest.raises(ValueError, match="is not a fastmlp model; it is left as it is"):
        net.save(other)
    assert other.read_text() == "precious"
    with pytest.raises(ValueError, match="path must name a file"):
        net.save(tmp_path)


def test_a_history_of_very_many_epochs_is_saved(tmp_path: Path) -> None:
    net = fastmlp.Network((2, 3))
    net.history = History(net.history.columns, [(i, 0.1, 0.2, 0.3) for i in range(10**6)])
    net.save(tmp_path / "m.safetensors")
    assert fastmlp.load(tmp_path / "m.safetensors").history.last() == (10**6 - 1, 0.1, 0.2, 0.3)


def test_a_truncated_file_is_a_clear_error(tmp_path: Path) -> None:
    content = MODEL.read_bytes()
    path = tmp_path / "m.safetensors"
    for length in range(0, len(content), 61):
        path.unlink(missing_ok=True)  # to cut a file to nothing is slow on some file systems
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match="not a fastmlp model"):
            fastmlp.load(path)


def test_a_mutated_file_loads_or_is_a_clear_error(tmp_path: Path) -> None:
    content = MODEL.read_bytes()
    path = tmp_path / "m.safetensors"
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(500):
        mutated = bytearray(content)
        mutated[random.integers(len(content))] = random.integers(256)
        path.unlink(missing_ok=True)  # to cut a file to nothing is slow on some file systems
        path.write_bytes(mutated)
        try:
            fastmlp.load(path)
        except ValueError:
            refused += 1
    assert refused > 50


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layer_sizes", [4, 2**31 - 1, 4, 3]),
        ("layer_sizes", "4543"),
        ("layer_sizes", [4, 5, 4]),
        ("layer_sizes", []),
        ("activation", ["tanh", "softmax"]),
        ("activation", None),
        ("loss", "squared_error"),
        ("loss", ["huber"]),
        ("output_activation", "exp"),
        ("l2", -1),
        ("l2", "a"),
        ("dtype", "float64"),
        ("dtype", "O"),
        ("classes", None),
        ("classes", {"dtype": "<U3", "values": ["a", "b"]}),
        ("classes", {"dtype": "|O", "values": [{}, [], "b"]}),
        ("classes", {"dtype": "V8", "values": [1, 2, 3]}),
        ("history", {"columns": ["epoch"], "rows": [[1, 2]]}),
        ("history", {"columns": ["epoch", "x", "y", "z"], "rows": []}),
        ("history", {"columns": ["epoch", "loss", "learning_rate", "seconds"]}),
        ("feature_names", ["a"]),
        ("feature_names", 3),
        ("stop_reason", [1]),
        ("history", [1]),
        ("encoder", {"format": 9}),
        ("encoder", 3),
        ("format", 3),
        ("classes", {"dtype": "<U1", "values": ["abc", "abd", "abe"]}),
        ("classes", {"dtype": "<i8", "values": [0.5, 1.5, 2.5]}),
        ("classes", {"dtype": "<i8", "values": [2, 1, 0]}),
        ("classes", {"dtype": "<i8", "values": [1, 1, 1]}),
        ("classes", {"dtype": "<f8", "values": [1.0, 2.0, float("nan")]}),
        ("embeddings", [[0, 3, 2]]),
        ("embeddings", [[9, 3, 2]]),
        ("embeddings", [[0, 2**24, 2**20]]),
        ("embeddings", 1),
        ("run", {"settings": {}, "steps": 1}),
        ("format", None),
    ],
)
def test_hostile_metadata_is_a_clear_error(name: str, value: Any, tmp_path: Path) -> None:
    with safe_open(MODEL, framework="np") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        described = json.loads(file.metadata()["fastmlp"])
    path = tmp_path / "m.safetensors"
    save_file(tensors, path, metadata={"fastmlp": json.dumps(described | {name: value})})
    with pytest.raises(ValueError, match="not a fastmlp model"):
        fastmlp.load(path)


def test_files_that_are_no_models_are_clear_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fastmlp.load(tmp_path / "none.safetensors")
    save_file({"a": np.ones(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="'fastmlp' is missing"):
        fastmlp.load(tmp_path / "other.safetensors")
