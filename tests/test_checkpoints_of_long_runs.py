"""A checkpoint costs the same after any number of epochs: the first ones lie in a file that only grows."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from fastmlp._model import history as _history
from fastmlp._model.history_file import HistoryFile
from fastmlp._training import checkpoint as _checkpoint
from test_checkpoints import Stopped, assert_same, stop_after, train

OWN = 4


@pytest.fixture(autouse=True)
def _few_own_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_checkpoint, "OWN_EPOCHS", OWN)


def stopped_at(epochs: int, folder: Path, **options: Any) -> None:
    with pytest.raises(Stopped):
        train("adam", checkpoint=folder, callbacks=stop_after(epochs), epochs=40, **options)


def history_file(folder: Path) -> Path:
    (found,) = folder.glob("history-*")
    return found


def test_an_epoch_is_appended_once_and_a_checkpoint_holds_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    appended: list[int] = []
    append = HistoryFile.append

    def counted(self: HistoryFile, rows: Sequence[Sequence[Any]]) -> None:
        appended.extend(int(row[0]) for row in rows)
        append(self, rows)

    monkeypatch.setattr(HistoryFile, "append", counted)
    sizes: list[int] = []

    def look(net: fastmlp.Network) -> None:
        sizes.extend(path.stat().st_size for path in tmp_path.glob("epoch-*"))

    train("adam", epochs=60, checkpoint=tmp_path, keep=1, callbacks=look)
    assert appended == [*range(1, len(appended) + 1)]
    assert len(appended) >= 60 - OWN
    assert history_file(tmp_path).stat().st_size == len(appended) * 4 * 8
    assert max(sizes[OWN:]) - min(sizes[OWN:]) <= (OWN + 1) * 4 * 8 + 16


@pytest.mark.parametrize("every", [1, 3, 7])
@pytest.mark.parametrize("case", ["adam", "plateau, validation", "patience"])
def test_a_long_run_that_goes_on_is_the_run_that_was_never_stopped(
    case: str, every: int, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"epochs": 30, "checkpoint": tmp_path, "every": every, "resume": tmp_path}
    for epochs in (6, 9, 10, 25):
        with suppress(Stopped):
            train(case, callbacks=stop_after(epochs), **options)
    whole = train(case, epochs=30)
    assert_same(train(case, **options), whole)
    (last,) = sorted(tmp_path.glob("epoch-*"))[-1:]
    assert fastmlp.load(last).history["loss"].tolist() == whole.history["loss"].tolist()


def test_a_run_that_goes_on_in_another_folder_leaves_the_first_as_it_is(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    stopped_at(15, a)
    before = {path: path.read_bytes() for path in a.iterdir()}
    assert_same(train("adam", epochs=20, resume=a, checkpoint=b), train("adam", epochs=20))
    assert {path: path.read_bytes() for path in a.iterdir()} == before
    assert_same(train("adam", epochs=25, resume=b), train("adam", epochs=25))


@pytest.mark.parametrize("killed_at", range(1, 13))
def test_a_run_that_ends_between_the_two_files_goes_on(
    killed_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, written = _checkpoint.replace_file, 0

    def fail(name: Path, content: bytes) -> None:
        nonlocal written
        written += 1
        if written == killed_at:
            raise Stopped
        replace(name, content)

    with monkeypatch.context() as patch:
        patch.setattr(_checkpoint, "replace_file", fail)
        with pytest.raises(Stopped):
            train("adam", epochs=20, checkpoint=tmp_path)
    resumed = train("adam", epochs=20, checkpoint=tmp_path, resume=tmp_path)
    assert_same(resumed, train("adam", epochs=20))


KILLED = """
import sys, fastmlp
from fastmlp._training import checkpoint as _checkpoint
sys.path.insert(0, sys.argv[1])
from test_checkpoints import train
_checkpoint.OWN_EPOCHS = 2
train("adam", checkpoint=sys.argv[2], resume=sys.argv[2], epochs=100_000, keep=1)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_long_run_that_is_killed_goes_on_bit_for_bit(tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    process = subprocess.Popen([sys.executable, "-c", KILLED, here, str(tmp_path)])
    deadline = time.monotonic() + 60
    while len([*tmp_path.glob("history-*")]) == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    reached = max(int(path.name[6:14]) for path in tmp_path.glob("epoch-*.safetensors"))
    resumed = train("adam", resume=tmp_path, checkpoint=tmp_path, epochs=reached + 3)
    assert_same(resumed, train("adam", epochs=reached + 3))


def test_a_folder_that_was_written_without_a_file_of_the_history_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(_checkpoint, "OWN_EPOCHS", 10**9)
        stopped_at(15, tmp_path)
    assert not [*tmp_path.glob("history-*")]
    resumed = train("adam", epochs=20, checkpoint=tmp_path, resume=tmp_path)
    assert_same(resumed, train("adam", epochs=20))
    assert history_file(tmp_path).exists()


def test_the_last_checkpoints_stay_and_each_is_a_model(tmp_path: Path) -> None:
    whole = train("adam", epochs=20, checkpoint=tmp_path, every=5, keep=3)
    names = sorted(path.name for path in tmp_path.glob("epoch-*"))
    assert names == [f"epoch-000000{epochs}.safetensors" for epochs in (10, 15, 20)]
    for name in names:
        history = fastmlp.load(tmp_path / name).history
        assert history.rows() == whole.history.rows()[: int(name[6:14])]


def test_an_older_checkpoint_goes_on_when_the_later_ones_are_deleted(tmp_path: Path) -> None:
    train("adam", epochs=20, checkpoint=tmp_path, every=5)
    for epoch in (15, 20):
        (tmp_path / f"epoch-000000{epoch}.safetensors").unlink()
    resumed = train("adam", epochs=30, checkpoint=tmp_path, resume=tmp_path)
    assert_same(resumed, train("adam", epochs=30))


def test_a_checkpoint_without_its_file_is_a_model_but_no_run(tmp_path: Path) -> None:
    whole = train("adam", epochs=12, checkpoint=tmp_path)
    history_file(tmp_path).unlink()
    path = tmp_path / "epoch-00000012.safetensors"
    with pytest.warns(
        RuntimeWarning, match=r"history-.*\.f64, which holds its first 10 epochs, cannot be read"
    ):
        model = fastmlp.load(path)
    np.testing.assert_array_equal(model.parameters, whole.parameters)
    assert model.history["epoch"].tolist() == [11, 12]
    with pytest.raises(ValueError, match=r"history-.*\.f64, which holds its first 10 epochs, cannot be read"):
        train("adam", epochs=20, resume=tmp_path)


def test_a_file_of_other_epochs_is_refused(tmp_path: Path) -> None:
    train("adam", epochs=12, checkpoint=tmp_path)
    path = tmp_path / "epoch-00000012.safetensors"
    content = history_file(tmp_path).read_bytes()
    history_file(tmp_path).write_bytes(content[:-1])
    with pytest.raises(ValueError, match="which holds its first 10 epochs, has fewer rows"):
        fastmlp.load(path)
    history_file(tmp_path).write_bytes(content[32:] + content[:32])
    with pytest.raises(ValueError, match="does not hold its first 10 epochs, but others"):
        fastmlp.load(path)


def test_a_file_that_no_checkpoint_needs_is_deleted(tmp_path: Path) -> None:
    train("adam", epochs=12, checkpoint=tmp_path)
    old = history_file(tmp_path)
    mine = tmp_path / "history-of-mine.txt"
    mine.touch()
    for path in tmp_path.glob("epoch-*"):
        path.unlink()
    train("adam", epochs=12, checkpoint=tmp_path)
    assert not old.exists()
    assert mine.exists()


def test_a_thinned_history_goes_on_as_if_it_had_not_been_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_history, "MOST_ROWS", 8)
    a, b = tmp_path / "a", tmp_path / "b"
    whole = train("adam", epochs=40)
    assert whole.history["epoch"].tolist() == [1, 9, 17, 25, 33, 40]
    for epochs in (12, 19, 33):
        train("adam", epochs=epochs, checkpoint=a, resume=a)
    assert_same(train("adam", epochs=40, checkpoint=a, resume=a), whole)
    train("adam", epochs=19, checkpoint=a / "c")
    train("adam", epochs=23, checkpoint=b, resume=a / "c")
    assert_same(train("adam", epochs=40, checkpoint=b, resume=b), whole)
