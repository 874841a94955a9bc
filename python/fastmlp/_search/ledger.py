"""The study of a search, and the storage that keeps it: what was proposed, and what came of it."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp._base.csr import as_csr
from fastmlp._base.text import shortened
from fastmlp._base.validation import as_array, as_table, column_names
from fastmlp._search.quiet import need_optuna
from fastmlp._search.rows import SearchedRows
from fastmlp._search.space import Space
from fastmlp._search.trials import COMPLETE, CUT, FAILED, Trial
from fastmlp.data import TableEncoder, read_frame
from fastmlp.data._table import table_hash

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

#: The study's name in a storage, and the key of what is kept with it and with each trial.
_NAME = "fastmlp"
#: The key of a trial's place in its batch, and of how many that has.
_BATCH = "fastmlp batch"
_SQLITE = (".db", ".sqlite", ".sqlite3")


class Ledger:
    """A study in memory, whose trials are copied into a storage once their batch is done.

    A storage is much slower than the memory; and of a process that is killed it holds whole batches, so that
    the search can go on as if nothing had been.

    Parameters
    ----------
    storage : path, URL, storage of Optuna's, or None
    metric : "loss" or "score"
    identity : dict of str to str
        What the trials of one storage must have in common, by what it is called.
    """

    def __init__(self, storage: Any, metric: str, identity: Mapping[str, str]) -> None:
        optuna = need_optuna()
        self.metric = metric
        self.study: Study = optuna.create_study(direction="minimize" if metric == "loss" else "maximize")
        self._kept = None if storage is None else _kept_study(storage, self.study.direction, identity)
        self._states = optuna.trial.TrialState
        self._asked: dict[int, Any] = {}
        #: How many trials are tried again: those of a batch that was cut off.
        self.again = 0

    def known(self, space: Space) -> list[Trial]:
        """Return the trials of the storage, of batches that came to their end.

        Where the last batch did not, all of its trials are tried again, as halving compares them with one
        another.
        """
        if self._kept is None:
            return []
        found: list[Trial] = []
        batch: list[FrozenTrial] = []
        for one in self._kept.get_trials(deepcopy=False):
            place, size = one.user_attrs.get(_BATCH, (None, 0))
            batch = [one] if place == 0 else [*batch, one] if place == len(batch) else []
            if len(batch) == size and all(each.user_attrs[_NAME]["state"] != CUT for each in batch):
                found += [self._found(each, space, len(found) + i) for i, each in enumerate(batch)]
                batch = []
        for one in batch if batch and len(batch) == batch[0].user_attrs[_BATCH][1] else ():
            self.study.enqueue_trial(one.params)
            self.again += 1
        return found

    def _found(self, one: FrozenTrial, space: Space, number: int) -> Trial:
        """Return a trial of the storage, of which the study is told."""
        self.study.add_trial(one)
        return Trial(number, space.shown(one.params), space.spec(one.params), **one.user_attrs[_NAME])

    def ask(self, space: Space, sampler: Any) -> Trial:
        """Return a new trial."""
        self.study.sampler = sampler
        asked, spec = space.ask(self.study)
        self._asked[asked.number] = asked
        return Trial(asked.number, space.shown(asked.params), spec)

    def report(self, trial: Trial, rung: int) -> None:
        """Write what a trial has reached at a rung; the worst there is, where its loss is not finite."""
        value = trial.value(self.metric)
        self._asked[trial.number].report(value if self.metric == "loss" else -value, rung)

    def tell(self, trials: Sequence[Trial]) -> None:
        """Write how the trials of a batch ended, unless it is written.

        One that diverged is worse than all to a sampler.
        """
        for place, trial in enumerate(trials):
            asked = self._asked.pop(trial.number, None)
            if asked is None:
                continue
            asked.set_user_attr(_NAME, trial.to_dict())
            asked.set_user_attr(_BATCH, (place, len(trials)))
            if trial.state == COMPLETE:
                value = trial.value(self.metric)
                told = self.study.tell(asked, value if self.metric == "loss" else -value)
            else:
                failed = trial.state in (FAILED, CUT)
                told = self.study.tell(asked, state=self._states.FAIL if failed else self._states.PRUNED)
            if self._kept is not None:
                self._keep(told)

    def _keep(self, told: FrozenTrial) -> None:
        """Copy a trial into the storage."""
        assert self._kept is not None
        try:
            self._kept.add_trial(told)
        except OSError as error:  # an interrupt while Optuna releases its lock makes it remove that twice
            if isinstance(error.__context__, KeyboardInterrupt):
                raise error.__context__ from None
            raise


def _kept_study(storage: Any, direction: Any, identity: Mapping[str, str]) -> Study:
    """Return the study of a storage, made if it is not there; it must be of the same data and arguments."""
    try:
        study: Study = need_optuna().create_study(
            storage=_opened(storage), study_name=_NAME, load_if_exists=True, direction=direction
        )
    except (json.JSONDecodeError, KeyError) as error:
        raise ValueError(f"storage: {storage}: is damaged: {error!r}") from None
    kept = study.user_attrs.get(_NAME)
    if kept is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(_NAME, dict(identity))
        return study
    for what, value in identity.items():
        had = "another program's" if kept is None else kept.get(what)
        if had != value:
            told = "" if what == "data" else f": {had}, not {value}"
            raise ValueError(f"storage holds a search of other {what}{told}; give another storage")
    return study


def _opened(storage: Any) -> Any:
    """Return the storage of Optuna's: SQLite for .db and .sqlite, a journal for other names of files."""
    storages = need_optuna().storages
    if isinstance(storage, storages.BaseStorage):
        return storage
    if not isinstance(storage, (str, os.PathLike)):
        given = shortened(repr(storage), 60)
        raise TypeError(f"storage must be a path, a URL or a storage of Optuna's, got {given}")
    name = os.fspath(storage)
    if "://" in name:
        return name
    path = Path(name)
    if path.is_dir():
        raise ValueError(f"storage must name a file, got the directory {name!r}")
    if not path.parent.is_dir():
        raise ValueError(f"storage: {name}: the folder is not there")
    is_sqlite = path.suffix.lower() in _SQLITE
    if path.is_file() and path.stat().st_size and not (_is_sqlite if is_sqlite else _is_journal)(path):
        what = "an SQLite database" if is_sqlite else "a journal of Optuna's"
        raise ValueError(f"storage: {name}: is there already and is not {what}; it is left as it is")
    if is_sqlite:
        return f"sqlite:///{name}"
    _drop_half_line(path)
    lock = storages.journal.JournalFileOpenLock(name) if os.name == "nt" else None  # no symbolic links there
    return storages.JournalStorage(storages.journal.JournalFileBackend(name, lock_obj=lock))


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _is_journal(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            first = json.loads(file.readline())
        except ValueError:
            return False
    return isinstance(first, dict) and "op_code" in first


def _drop_half_line(journal: Path) -> None:
    """Drop what a process wrote of a line when it was killed: what is added to it could not be read."""
    if not journal.is_file():
        return
    with journal.open("r+b") as file:
        whole = file.read().rfind(b"\n") + 1
        if whole < file.tell():
            file.truncate(whole)


def identity(rows: SearchedRows, space: Space, arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return what tells one search from another, by what it is called."""
    listed = ", ".join(f"{name}={told(value)}" for name, value in sorted(arguments.items()))
    return {"data": f"{_checksum(rows.X)} {_checksum(rows.y)}", "space": space.text, "arguments": listed}


def told(value: Any) -> str:
    """Write an argument so that it reads the same in each process: arrays by a checksum."""
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(told, value))})"
    if isinstance(value, TableEncoder):
        return told(sorted((name, given) for name, given in vars(value).items() if not name.startswith("_")))
    if isinstance(value, (set, frozenset)):
        return told(sorted(value))
    if hasattr(value, "parameters") and hasattr(value, "layer_sizes"):
        return f"network {_checksum(value.parameters)}"
    if hasattr(value, "__array__") or hasattr(value, "tocsr") or column_names(as_table(value)):
        return f"array {_checksum(value)}"
    return repr(value)


def _checksum(data: Any) -> str:
    """Return a short text that other values hardly have."""
    if data is None or isinstance(data, (str, bytes, int, float)):
        return repr(data)
    data = as_table(data)
    if column_names(data):
        return table_hash(read_frame(data))[:16]
    if hasattr(data, "tocsr"):
        csr = as_csr("X", data)
        parts = [csr.data, csr.indices, csr.indptr]
    else:
        parts = [as_array("X", data)]
    number = 0
    for part in parts:
        plain = np.array([repr(value) for value in part.flat], "U") if part.dtype == object else part
        number = zlib.crc32(np.ascontiguousarray(plain).view(np.uint8).data, number)
        number = zlib.crc32(f"{part.shape}".encode(), number)
    return f"{number:08x}"
