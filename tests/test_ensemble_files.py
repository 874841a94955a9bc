"""One file holds an ensemble; damage of any kind gives a clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

import fastmlp
from ensemble_tools import KINDS, houses_with, networks, of_folds, rows
from fastmlp._model.files import load_run
from test_saved_model_damage import mutated

MUTANTS = 1500


@pytest.mark.parametrize("dtypes", ["32", "64", "mixed"])
@pytest.mark.parametrize(("loss", "outputs"), KINDS)
def test_a_round_trip_keeps_the_bits(loss: str, outputs: int, dtypes: str, tmp_path: Path) -> None:
    ensemble, X = fastmlp.Ensemble(networks(loss, outputs, dtypes), [0.1, 0.2, 0.3, 0, 0.7]), rows(30)
    ensemble.origin = {"rows": 7}
    ensemble.save(tmp_path / "e.safetensors")
    twin = fastmlp.load(tmp_path / "e.safetensors")
    assert isinstance(twin, fastmlp.Ensemble)
    assert twin.forward(X).tobytes() == ensemble.forward(X).tobytes()
    assert twin.weights.tobytes() == ensemble.weights.tobytes()
    assert (repr(twin), twin.origin) == (repr(ensemble), {"rows": 7})
    for net, other in zip(twin.networks, ensemble.networks, strict=True):
        assert type(net) is fastmlp.Network
        np.testing.assert_array_equal(net.parameters, other.parameters)


def test_encoders_labels_and_histories_are_kept_each_encoder_once(tmp_path: Path) -> None:
    table, path = houses_with("kind", 40, seed=1), tmp_path / "e.safetensors"
    nets = of_folds("kind")
    more = [fastmlp.Network((net.layer_sizes[0], 3, 2), embeddings=net.embeddings, seed=9) for net in nets]
    for net, other in zip(more, nets, strict=True):
        net.classes, net.encoder = other.classes, other.encoder
    ensemble = fastmlp.Ensemble([*nets, *more])
    ensemble.save(path)
    twin = fastmlp.load(path)
    assert isinstance(twin, fastmlp.Ensemble)
    np.testing.assert_array_equal(twin.predict_proba(table), ensemble.predict_proba(table))
    assert twin.predict(table).tolist() == ensemble.predict(table).tolist()
    assert [net.history.rows() for net in twin.networks] == [net.history.rows() for net in ensemble.networks]
    assert twin.networks[0].encoder is twin.networks[3].encoder
    with safe_open(path, framework="np") as file:
        assert len(json.loads(file.metadata()["fastmlp"])["encoders"]) == 3


def test_only_models_are_replaced_and_bad_numbers_are_not_saved(tmp_path: Path) -> None:
    ensemble = fastmlp.Ensemble(networks())
    other, path = tmp_path / "notes.txt", tmp_path / "e.safetensors"
    other.write_text("years of work")
    with pytest.raises(ValueError, match="is not a fastmlp model; it is left as it is"):
        ensemble.save(other)
    fastmlp.Network((2, 1), loss="squared_error").save(path)
    ensemble.save(path)
    ensemble.networks[2].parameters[3] = np.nan
    with pytest.raises(ValueError, match=r"networks\[2\] holds NaN or infinity in its parameters"):
        ensemble.save(path)
    assert isinstance(fastmlp.load(path), fastmlp.Ensemble)


def test_networks_that_no_longer_go_together_are_not_saved(tmp_path: Path) -> None:
    nets = networks("softmax_cross_entropy", 3, "32")
    ensemble = fastmlp.Ensemble(nets)
    nets[1].classes = np.array(["a", "b", "c"])
    with pytest.raises(ValueError, match=r"networks\[1\] has classes"):
        ensemble.save(tmp_path / "e.safetensors")
    assert not list(tmp_path.iterdir())


def test_an_ensemble_is_no_checkpoint(tmp_path: Path) -> None:
    fastmlp.Ensemble(networks()).save(tmp_path / "e.safetensors")
    with pytest.raises(ValueError, match="it holds an ensemble of networks, where one network is needed"):
        load_run(tmp_path / "e.safetensors")


# ---------------------------------------------------------------------------------------------------- damage


def small(path: Path) -> bytes:
    nets = [fastmlp.Network((3, 2, 2), embeddings=[(1, 3, 2)], seed=seed) for seed in range(2)]
    fastmlp.Ensemble(nets, [1, 3]).save(path)
    return path.read_bytes()


def test_a_mutated_file_is_a_model_or_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    content, rng = small(path), np.random.default_rng(2)
    loaded = refused = 0
    for _ in range(MUTANTS):
        path.unlink(missing_ok=True)  # to cut a file to nothing is slow on some file systems
        path.write_bytes(mutated(content, rng))
        try:
            model = fastmlp.load(path)
            assert isinstance(model, fastmlp.Ensemble)
            assert all(np.isfinite(net.parameters).all() for net in model.networks)
            assert model.weights.sum() == pytest.approx(1)
            loaded += 1
        except ValueError as error:
            assert str(error).startswith(f"{path}: not a fastmlp model: ")  # noqa: PT017
            refused += 1
    assert loaded > MUTANTS / 50
    assert refused > MUTANTS / 3


HOSTILE: list[tuple[str, Any]] = [
    ("format", 1),
    ("format", 5),
    ("format", None),
    ("weights", None),
    ("weights", {}),
    ("weights", []),
    ("weights", [1]),
    ("weights", [0, 0]),
    ("weights", [-1, 2]),
    ("weights", ["a", "b"]),
    ("weights", [float("nan"), 1]),
    ("weights", [float("inf"), 1]),
    ("networks", []),
    ("networks", {}),
    ("networks", None),
    ("networks", [1, 2]),
    ("networks", [None, None]),
    ("networks", [{}, {}]),
    ("networks", [[]] * 1000),
    ("encoders", None),
    ("encoders", [1]),
    ("encoders", [{"format": 9}]),
    ("origin", 3),
]


@pytest.mark.parametrize(("name", "value"), HOSTILE)
def test_hostile_metadata_is_a_clear_error(name: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    small(path)
    rewrite(path, lambda described: described | {name: value})
    with pytest.raises(ValueError, match="not a fastmlp model"):
        fastmlp.load(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoder", 0),
        ("encoder", -1),
        ("encoder", True),
        ("encoder", "0"),
        ("layer_sizes", [3, 2**31 - 1, 2]),
        ("layer_sizes", [3, 2, 3]),
        ("loss", "hinge"),
        ("dtype", "float64"),
        ("classes", {"dtype": "<i8", "values": [4, 9]}),
        ("embeddings", []),
        ("feature_names", ["a", "b", "c"]),
        ("target_names", [1]),
        ("networks", []),
        ("format", 4),
    ],
)
def test_hostile_metadata_of_a_network_is_a_clear_error(name: str, value: Any, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    small(path)

    def changed(described: dict[str, Any]) -> dict[str, Any]:
        first, second = described["networks"]
        return described | {"networks": [first, second | {name: value}]}

    rewrite(path, changed)
    with pytest.raises(ValueError, match="not a fastmlp model"):
        fastmlp.load(path)


@pytest.mark.parametrize("change", ["missing", "more", "other"])
def test_tensors_must_be_those_of_the_networks(change: str, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    small(path)

    def changed(tensors: dict[str, Any]) -> dict[str, Any]:
        if change == "missing":
            return {name: array for name, array in tensors.items() if name != "1.b0"}
        return tensors | {"2.W0" if change == "more" else "1.run.s1": np.ones(3, np.float32)}

    rewrite(path, lambda described: described, changed)
    with pytest.raises(ValueError, match="not a fastmlp model"):
        fastmlp.load(path)


def rewrite(path: Path, described: Any, tensors: Any = lambda tensors: tensors) -> None:
    """Change what a file says and holds."""
    with safe_open(path, framework="np") as file:
        held = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
        header = json.loads(file.metadata()["fastmlp"])
    save_file(tensors(held), path, metadata={"fastmlp": json.dumps(described(header))})
