"""Checkpoints: model files that also hold what a run needs to go on as if it had never stopped.

The history of a short run lies in each of them. The first epochs of a longer one lie in a file beside them,
so that a checkpoint costs the same however many epochs there were.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp._base.files import TEMPORARY, replace_file
from fastmlp._base.said import say
from fastmlp._model.files import ARRAYS, RunRecord, header, load_run, serialized
from fastmlp._model.history_file import HistoryFile, read_rows, remove_others
from fastmlp._model.model import Model, metadata
from fastmlp._native import core as _core
from fastmlp._processes.processes import Processes

_NAME = re.compile(r"epoch-[0-9]{8}\.safetensors")

_UNSAID = {"shards": 1}  # what older checkpoints do not say

#: Epochs that a checkpoint holds itself; when there are more, they go to the file of the history.
OWN_EPOCHS = 1000


class Checkpoints:
    """The checkpoints of one run; the core calls it when one is due.

    Parameters
    ----------
    network : Model
        Of the run, before it begins.
    settings : dict
        What must be the same where the run goes on.
    folder : path or None
        Where checkpoints are written; None to write none.
    keep : int
        How many of the last ones stay.
    """

    def __init__(
        self, network: Model, settings: dict[str, Any], folder: str | os.PathLike[str] | None, keep: int
    ) -> None:
        # As JSON gives them back.
        self._settings: dict[str, Any] = json.loads(json.dumps(metadata(network) | settings))
        self._folder, self._keep = None if folder is None else _folder("checkpoint", folder), keep
        self._network = network
        arrays = np.zeros((3, network.n_parameters), network.dtype)
        self.state = network._core.RunState(arrays[0], arrays[1], 0, arrays[2])
        self._is_first, self._writes = True, self._folder is not None
        self._own_rows: list[tuple[Any, ...]] = []  # of the history, those that are not in its file
        if self._folder is not None:
            self._file = HistoryFile(self._folder, len(network.history.columns))

    def begin(self, resume: str | os.PathLike[str] | None) -> None:
        """Make the folder ready, and take over the last checkpoint of the run that goes on."""
        source = None if resume is None else _folder("resume", resume)
        found = [] if source is None else _checkpoints(source)
        same = source is not None and self._folder is not None and _same(source, self._folder)
        if resume is not None and not found and not same:
            raise ValueError(f"resume: no checkpoint is in {os.fspath(resume)!r}")
        if self._folder is not None and not same and _checkpoints(self._folder):
            raise ValueError(
                f"checkpoint: {os.fspath(self._folder)!r} has checkpoints of another run; "
                "go on from them with resume, or name another folder"
            )
        if found:
            self._take_over(found[-1], same)
        if self._folder is not None:
            header(self._network)  # labels that cannot be saved are better known now
            self._folder.mkdir(parents=True, exist_ok=True)
            for left in self._folder.glob(f"{TEMPORARY}????????"):  # by a run that was killed
                with suppress(OSError):
                    left.unlink()
            remove_others(self._folder, self._file.name)

    def share(self, processes: Processes) -> None:
        """Take over what the first process has taken over; the others write nothing, but have the state."""
        network, state = self._network, self.state
        arrays = (network.parameters, state.s1, state.s2, state.best)
        mine = (*arrays, network.history, state.steps, state.progress)
        told = processes.told(mine if processes.rank == 0 else None)
        self._is_first, self._writes = processes.rank == 0, processes.told(self._folder is not None)
        if self._is_first:
            return
        network.parameters[:], s1, s2, best, network.history, steps, progress = told
        self.state = network._core.RunState(s1, s2, steps, best)
        self.state.progress = progress

    def add(self, row: tuple[Any, ...]) -> None:
        """Take an epoch of the history, which the next checkpoint is to hold."""
        if self._folder is not None:
            self._own_rows.append(row[: len(self._network.history.columns)])

    @property
    def write(self) -> Callable[[], None] | None:
        """What writes a checkpoint; None where there is no folder for it.

        Of several processes all gather the state for the first one, which writes it.
        """
        if not self._is_first:
            return _nothing if self._writes else None
        return None if self._folder is None else partial(self._write, self._folder)

    def _write(self, folder: Path) -> None:
        """Write a checkpoint, and delete all but the last ones."""
        if len(self._own_rows) > OWN_EPOCHS:
            self._file.append(self._own_rows)
            self._own_rows.clear()
        state = self.state
        assert state.best is not None
        record = RunRecord(
            self._settings | {"isa": _core.ISA},
            state.steps,
            dict(zip(ARRAYS, (state.s1, state.s2, state.best), strict=True)),
            np.array(state.progress, np.float64),
            np.array(self._own_rows, np.float64).reshape(-1, len(self._network.history.columns)),
            (self._file.name, self._file.rows) if self._file.rows else None,
        )
        content = serialized(self._network, record)
        replace_file(folder / f"epoch-{state.epoch:08d}.safetensors", content)
        for old in _checkpoints(folder)[: -self._keep]:
            old.unlink(missing_ok=True)

    def _take_over(self, path: Path, same_folder: bool) -> None:
        stored, record = load_run(path)
        network = self._network
        for name, value in self._settings.items():
            had = record.settings.get(name, _UNSAID.get(name))
            if had != value:
                raise ValueError(
                    f"resume: the run of {os.fspath(path)!r} has {name}={had!r}, this one {name}={value!r}"
                )
        isa = record.settings.get("isa")  # on another, the last bits differ; older checkpoints do not say
        if isa not in (None, _core.ISA):
            say(
                f"resume: the run of {os.fspath(path)!r} used the instruction set {isa}, this one uses "
                f"{_core.ISA}: the result differs in its last bits from that of a run that was never stopped"
            )
        if (stored.layer_sizes, stored.dtype) != (network.layer_sizes, network.dtype):
            raise ValueError(f"{os.fspath(path)}: its network is not that of its settings")
        network.parameters[:] = stored.parameters
        network.history = stored.history
        self._take_over_rows(record, path.parent, same_folder)
        s1, s2, best = (record.arrays[name] for name in ARRAYS)
        self.state = network._core.RunState(s1, s2, record.steps, best)
        loss, lowest, epochs, candidate, *rate = record.progress.tolist()
        self.state.progress = (loss, lowest, int(epochs), bool(candidate), *rate)

    def _take_over_rows(self, record: RunRecord, folder: Path, same_folder: bool) -> None:
        """Go on with the file of the history, or begin another one in another folder."""
        if self._folder is None:
            return
        self._own_rows = [tuple(row) for row in record.own_rows.tolist()]
        columns = len(self._network.history.columns)
        if record.file is not None and same_folder:
            self._file = HistoryFile(self._folder, columns, *record.file)
        elif record.file is not None:
            earlier = read_rows(folder, *record.file, columns)
            self._own_rows = [tuple(row) for row in earlier.tolist()] + self._own_rows


def _nothing() -> None:
    """Write nothing."""


def recorded_seed(resume: Any) -> int | None:
    """Return the seed of the run whose checkpoints a folder holds; None if there are none."""
    found = _checkpoints(_folder("resume", resume))
    return load_run(found[-1])[1].settings.get("seed") if found else None


def _folder(argument: str, given: Any) -> Path:
    if not isinstance(given, (str, os.PathLike)) or not os.fspath(given):
        raise TypeError(f"{argument} must be the path of a folder, got {given!r}")
    path = Path(given)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{argument} must name a folder, got the file {os.fspath(path)!r}")
    return path


def _checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder, the last one last."""
    return sorted(path for path in folder.glob("epoch-*") if _NAME.fullmatch(path.name) and path.is_file())


def _same(a: Path, b: Path) -> bool:
    return os.path.realpath(a) == os.path.realpath(b)
