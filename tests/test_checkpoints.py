"""Checkpoints: a run that was stopped goes on as if it had not been, bit for bit."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp._native import core

CASES: dict[str, dict[str, Any]] = {
    "adam": {},
    "momentum, one batch": {"optimizer": fastmlp.SGD(momentum=0.9), "batch_size": None},
    "rmsprop, dropout": {"optimizer": "rmsprop", "dropout": 0.3},
    "adagrad, clipping": {"optimizer": "adagrad", "clip_norm": 0.5},
    "adamw, cosine": {"optimizer": "adamw", "learning_rate": fastmlp.Cosine(0.01, warmup=2)},
    "plateau, validation": {
        "learning_rate": fastmlp.ReduceOnPlateau(0.05, patience=0, factor=0.5),
        "validation": 0.3,
        "restore_best": False,
    },
    "best of validation": {"learning_rate": 0.3, "validation": 0.3},
    "patience": {"learning_rate": 0.1, "patience": 3, "validation": 0.3},
    "best loss": {"learning_rate": 0.5, "patience": 20},
    "float64": {"dtype": "float64", "l2": 0.01},
    "windows": {"memory_limit": "200 MB"},
}


def data() -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 5))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def train(case: str, **options: Any) -> fastmlp.Network:
    arguments = {"hidden": (8,), "epochs": 12, "batch_size": 64, **CASES[case], **options}
    return fastmlp.train(*data(), **arguments)


class Stopped(Exception):  # noqa: N818
    pass


def stop_after(epochs: int) -> Any:
    def stop(net: fastmlp.Network) -> None:
        if len(net.history) == epochs:
            raise Stopped

    return stop


def assert_same(a: fastmlp.Network, b: fastmlp.Network) -> None:
    np.testing.assert_array_equal(a.parameters, b.parameters)
    assert a.history.columns == b.history.columns
    for column in set(a.history.columns) - {"seconds"}:
        np.testing.assert_array_equal(a.history[column], b.history[column])
    assert a.stop_reason == b.stop_reason


@pytest.mark.parametrize("stopped", [1, 5, 11])
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_a_run_that_goes_on_is_the_run_that_was_never_stopped(
    case: str, every: int, stopped: int, tmp_path: Path
) -> None:
    whole = train(case)
    try:
        train(case, checkpoint=tmp_path, every=every, callbacks=stop_after(stopped))
    except Stopped:
        assert len(whole.history) >= stopped
    resumed = train(case, checkpoint=tmp_path, every=every, resume=tmp_path)
    assert_same(resumed, whole)
    assert (np.diff(resumed.history["seconds"]) > 0).all()  # the clock goes on, too


def test_stopping_again_and_again_changes_nothing(tmp_path: Path) -> None:
    for epochs in range(1, 12):
        with pytest.raises(Stopped):
            train("adam", checkpoint=tmp_path, resume=tmp_path, callbacks=stop_after(epochs + 1))
        assert len(list(tmp_path.iterdir())) <= 3
    assert_same(train("adam", resume=tmp_path), train("adam"))


@pytest.mark.parametrize("case", ["adam", "patience", "best of validation"])
def test_a_run_that_had_ended_gives_its_result_again(case: str, tmp_path: Path) -> None:
    ended = train(case, checkpoint=tmp_path, every=100)  # the last epoch always has one
    assert_same(train(case, resume=tmp_path), ended)


def test_a_part_of_an_epoch_is_no_checkpoint(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40_000, 50)), rng.integers(0, 2, 40_000)
    options: dict[str, Any] = {"hidden": (64,), "batch_size": 32, "seed": 1}
    train_on(X, y, tmp_path, epochs=50, max_time=0.3, **options)  # ends in the middle of an epoch
    reached = max(int(path.name[6:14]) for path in tmp_path.iterdir())
    resumed = fastmlp.train(X, y, epochs=reached + 1, resume=tmp_path, **options)
    assert_same(resumed, fastmlp.train(X, y, epochs=reached + 1, **options))


def train_on(X: Any, y: Any, folder: Path, **options: Any) -> fastmlp.Network:
    return fastmlp.train(X, y, checkpoint=folder, **options)


def test_a_callback_that_stops_leaves_a_last_checkpoint(tmp_path: Path) -> None:
    train("adam", checkpoint=tmp_path, every=10, callbacks=lambda net: len(net.history) == 5)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-00000005.safetensors"]


def test_other_rows_labels_and_files_are_told_apart(tmp_path: Path) -> None:
    X, y = data()
    fastmlp.train(X, y, epochs=2, checkpoint=tmp_path)
    for other in ((X[::-1], y), (X[:, ::-1], y), (X, 1 - y), (X, np.array(["no", "yes"])[y])):
        with pytest.raises(ValueError, match=r"this one (classes|fingerprint of the rows)="):
            fastmlp.train(*other, epochs=3, resume=tmp_path)
    mine = tmp_path / "epoch-best.safetensors"
    fastmlp.Network((2, 2)).save(mine)
    fastmlp.train(X, y, epochs=9, checkpoint=tmp_path, resume=tmp_path, keep=1)
    assert mine.exists()


def test_weights_that_a_callback_ruins_are_a_divergence(tmp_path: Path) -> None:
    def ruin(net: fastmlp.Network) -> None:
        if len(net.history) == 3:
            net.parameters[0] = np.nan

    with pytest.warns(RuntimeWarning, match="diverged"):
        net = train("adam", checkpoint=tmp_path, callbacks=ruin)
    assert net.stop_reason == "diverged"
    assert max(path.name for path in tmp_path.iterdir()) == "epoch-00000002.safetensors"


def test_another_instruction_set_is_warned_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its results differ in their last bits. Older checkpoints do not say which they were made with."""
    X, y = np.zeros((10, 2)), np.arange(10) % 2
    here = core.ISA
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(core, "ISA", "v9")
        train_on(X, y, tmp_path, epochs=2)
    with pytest.warns(UserWarning, match=f"used the instruction set v9, this one uses {here}"):
        train_on(X, y, tmp_path, epochs=3, resume=tmp_path)
    train_on(X, y, tmp_path, epochs=4, resume=tmp_path)  # the last epoch was computed here


def test_more_epochs_go_on_from_the_end(tmp_path: Path) -> None:
    train("adam", epochs=4, checkpoint=tmp_path)
    assert_same(train("adam", resume=tmp_path), train("adam"))


def test_the_last_checkpoints_are_kept_and_are_models(tmp_path: Path) -> None:
    train("adam", checkpoint=tmp_path, every=5, keep=2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["epoch-00000010.safetensors", "epoch-00000012.safetensors"]
    tenth = fastmlp.load(tmp_path / names[0])
    assert len(tenth.history) == 10
    np.testing.assert_array_equal(tenth.parameters, train("adam", epochs=10).parameters)


def test_a_callback_that_changes_the_weights_is_in_the_checkpoint(tmp_path: Path) -> None:
    def halve(net: fastmlp.Network) -> None:
        net.parameters *= 0.5

    whole = train("adam", callbacks=halve)
    with pytest.raises(Stopped):
        train("adam", checkpoint=tmp_path, every=2, callbacks=[halve, stop_after(5)])
    assert_same(train("adam", resume=tmp_path, callbacks=halve), whole)


KILLED = """
import sys, fastmlp
sys.path.insert(0, sys.argv[1])
from test_checkpoints import train
train(sys.argv[2], checkpoint=sys.argv[3], resume=sys.argv[3], epochs=100_000, keep=1)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize("case", ["adam", "best of validation"])
def test_a_killed_run_goes_on_bit_for_bit(case: str, tmp_path: Path) -> None:
    for seconds in (0.05, 0.21):
        here = str(Path(__file__).parent)
        process = subprocess.Popen([sys.executable, "-c", KILLED, here, case, str(tmp_path)])
        deadline = time.monotonic() + 60
        before = sorted(tmp_path.glob("epoch-*"))
        while sorted(tmp_path.glob("epoch-*")) == before and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(seconds)
        process.kill()  # in the middle of an epoch, or of a checkpoint
        assert process.wait() == -signal.SIGKILL
    reached = max(int(path.name[6:14]) for path in tmp_path.glob("epoch-*.safetensors"))
    assert_same(
        train(case, resume=tmp_path, checkpoint=tmp_path, epochs=reached + 3), train(case, epochs=reached + 3)
    )
    assert not list(tmp_path.glob(".fastmlp-*"))  # what the killed runs left is gone


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, "seed=0, this one seed=1"),
        ({"hidden": (9,)}, r"layer_sizes=\[5, 8, 2\], this one layer_sizes=\[5, 9, 2\]"),
        ({"optimizer": "sgd"}, r"optimizer='Adam\(.*, this one optimizer='SGD\("),
        ({"learning_rate": 0.1}, "learning_rate="),
        ({"batch_size": 50}, "batch_size=64, this one batch_size=50"),
        ({"dtype": "float64"}, "dtype='float32'"),
        ({"validation": 0.2}, "rows=300, this one rows=240"),
        ({"dropout": 0.1}, "dropout=0.0, this one dropout=0.1"),
    ],
)
def test_another_run_is_not_gone_on_with(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    train("adam", checkpoint=tmp_path, epochs=2)
    with pytest.raises(ValueError, match=f"resume: the run of .* has .*{message}"):
        train("adam", resume=tmp_path, **changed)


def test_folders_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="resume: no checkpoint is in"):
        train("adam", resume=tmp_path / "nowhere")
    train("adam", checkpoint=tmp_path / "a" / "b", epochs=1)
    before = sorted((tmp_path / "a" / "b").iterdir())
    with pytest.raises(ValueError, match=r"checkpoint: .* has checkpoints of another run"):
        train("adam", checkpoint=tmp_path / "a" / "b")
    assert sorted((tmp_path / "a" / "b").iterdir()) == before
    (tmp_path / "file").touch()
    for name in ("checkpoint", "resume"):
        with pytest.raises(ValueError, match=f"{name} must name a folder, got the file"):
            train("adam", **{name: tmp_path / "file"})
        for wrong in (5, ""):
            with pytest.raises(TypeError, match=f"{name} must be the path of a folder"):
                train("adam", **{name: wrong})
    for name, value in (("every", 0), ("keep", 0)):
        with pytest.raises(ValueError, match=f"{name} must be at least 1"):
            train("adam", **{name: value})
    for name in ("checkpoint", "resume"):
        with pytest.raises(ValueError, match=f"{name} does not go with optimizer 'lbfgs'"):
            fastmlp.train(*data(), optimizer="lbfgs", **{name: tmp_path})


def test_a_damaged_checkpoint_is_a_clear_error(tmp_path: Path) -> None:
    train("adam", checkpoint=tmp_path, epochs=1)
    path = tmp_path / "epoch-00000001.safetensors"
    content = path.read_bytes()
    for damaged in (b"", content[:100], content[:-1], content.replace(b'steps\\": 5', b'steps\\": 0')):
        assert damaged != content
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"epoch-00000001\.safetensors: not a fastmlp model"):
            train("adam", resume=tmp_path)
    fastmlp.train(*data(), epochs=1, hidden=()).save(path)  # a model, but no checkpoint
    with pytest.raises(ValueError, match="'run' is missing"):
        train("adam", resume=tmp_path)
