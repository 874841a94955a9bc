"""From the spec of a fit to what the core trains: the network, its rows and its settings.

It is what `train` does before it begins, but X is read once for all fits, and what several fits have alike is
made once.
"""

from __future__ import annotations

import numbers
import os
from collections.abc import Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp._base.said import say
from fastmlp._base.text import plural
from fastmlp._base.validation import as_table, chosen_seed, dtype_name, layer_sizes
from fastmlp._model.history import History
from fastmlp._network.network import Network
from fastmlp._rows.features import SparseRows
from fastmlp._rows.memory import CoreRows, MemoryRows, WholeRows, divide_memory, read_memory
from fastmlp._rows.parquet import is_parquet
from fastmlp._rows.shards import Shards
from fastmlp._rows.shared import Cache, Index, SharedRows, as_index, is_index, taken
from fastmlp._rows.spool import as_batches, is_npy
from fastmlp._training.going_on import begun, known_form, loss_to_go_on_with
from fastmlp._training.options import RunSettings, checked_compute, checked_settings
from fastmlp._training.sources import opened
from fastmlp._training.tables import (
    EncodingSettings,
    Given,
    encoded,
    is_to_be_encoded,
    named_targets,
    wanted_encoding,
)
from fastmlp._training.train import history_columns, lbfgs_limits
from fastmlp.data import TableEncoder

_SETTINGS = (
    "optimizer", "learning_rate", "batch_size", "epochs", "dropout", "clip_norm", "patience", "min_delta",
    "restore_best", "loss_target", "max_time", "shuffle", "compute", "shards",
)  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """What a fit begins with."""

    network: Network
    rows: WholeRows
    rows_key: Hashable  # the same for fits that share them
    rows_bytes: int  # that they take beside X
    settings: RunSettings
    limits: dict[str, float] | None  # of L-BFGS


@dataclass(frozen=True)
class _Group:
    """What fits have in common that learn the same targets from the same rows."""

    key: Hashable
    rows: MemoryRows
    data: Given  # validation is that of all these fits where there is an encoder, else that of one of them

    @property
    def bytes(self) -> int:
        """What they take beside X."""
        return _own_bytes(self.rows.as_core_rows(), encoded=self.data.encoder is not None)


@dataclass(frozen=True)
class _Divided:
    """The rows of a fit: those to learn from, and those to validate on."""

    key: Hashable
    rows: WholeRows
    bytes: int  # that they take beside X


class Preparation:
    """Prepares fits that share X and y.

    Parameters
    ----------
    X, y
        As `train` takes them, in memory.
    """

    def __init__(self, X: Any, y: Any) -> None:
        self._X, self._y = X, y
        self._cache = Cache()

    def fit(self, a: dict[str, Any]) -> Prepared:
        """Prepare the fit of these arguments: those of `train`, and the spec's own.

        Raises
        ------
        TypeError, ValueError
            Naming the argument, what was given and what is accepted.
        """
        dtype = dtype_name(a["dtype"])
        settings = self._settings(a, dtype)
        group = self._group(a, dtype, settings.seed)
        given, data = group.rows, group.data
        checked_compute(a["compute"], sparse=isinstance(given.X, SparseRows))
        hidden = a["hidden"]
        widths = self._cache.get(("hidden", self._cache.key(hidden)), lambda: layer_sizes("hidden", hidden))
        sizes = (given.width, *widths, given.form.outputs)
        network = begun(
            sizes, a["activation"], given.loss, a["output_activation"], a["l2"], a["init"], settings.seed,
            dtype, {name: a[name] for name in ("periodic", "input_scale", "parametric")}
            | {"embeddings": data.embeddings}, names=given.names, classes=given.form.classes,
        )  # fmt: skip
        network.encoder, network.target_names = data.encoder, data.target_names
        divided = self._divided(group, network, a, settings.seed)
        rows = divided.rows
        columns = history_columns(rows, given.form.loss)
        if columns != network.history.columns:
            network.history = History(columns)
        limits = lbfgs_limits(
            settings, rows, network._loss, learning_rate=a["learning_rate"], dropout=a["dropout"] or None,
            clip_norm=a["clip_norm"], validation=a["validation"], patience=a["patience"],
            compute=a["compute"],
        )  # fmt: skip
        rows = rows.sharded(Shards(settings.shards), network)
        return Prepared(network, rows, divided.key, divided.bytes, settings, limits)

    def rows_again(self, a: dict[str, Any], network: Network, seed: int) -> WholeRows:
        """Return the rows of a fit that was prepared before, made once more."""
        divided = self._divided(self._group(a, dtype_name(a["dtype"]), seed), network, a, seed)
        return divided.rows.sharded(Shards(a["shards"]), network)

    def _settings(self, a: dict[str, Any], dtype: str) -> RunSettings:
        """Return the settings, which are checked once for all fits that have them but for their seeds."""
        key = ("settings", dtype, *(self._cache.key(a[name]) for name in _SETTINGS))
        arguments = {name: a[name] for name in _SETTINGS}

        def checked() -> RunSettings:
            return checked_settings(**arguments, seed=0, threads=None, dtype=dtype)

        return self._cache.get(key, checked).with_seed(chosen_seed(a["seed"]))

    def _group(self, a: dict[str, Any], dtype: str, seed: int) -> _Group:
        """Return the rows and targets of a fit, read and encoded once for all that have the same."""
        loss = loss_to_go_on_with(a["loss"], a["task"], a["init"])
        init = a["init"] if hasattr(a["init"], "parameters") else None
        of_data = (a["rows"], a["y"], a["sample_weight"], a["task"], a["class_weight"], a["encode"], loss)
        key: tuple[Hashable, ...] = (dtype, *map(self._cache.key, (*of_data, init, a["embeddings"])))

        def settings() -> EncodingSettings:
            return EncodingSettings(
                a["encode"], loss, a["output_activation"], a["class_weight"], init, seed, dtype, None
            )

        def is_encoded() -> bool:
            X, y, from_file = self._opened(a)
            targets = named_targets(X, y)
            whole = ("encodes X", self._cache.key(a["encode"]), targets, self._cache.key(init))
            return self._cache.get(whole, lambda: is_to_be_encoded(X, targets, from_file, settings()))

        encodes = self._cache.get(("encodes", key), is_encoded)
        if encodes or is_index(a["validation"]):  # they decide what is left to learn from
            key += (self._cache.key(a["validation"]),)
        if encodes:
            key += (self._cache.key(a["output_activation"]),)
            key += (seed,) if _is_fraction(a["validation"]) else ()

        def read() -> _Group:
            X, y, _ = self._opened(a)
            index, held = self._indices(a, X)
            given = Given(
                X, y, a["validation"], a["sample_weight"], a["task"], a["embeddings"], named_targets(X, y)
            )
            if encodes:
                return self._encoded_group(key, given, index, held, settings())
            rows = self._shared(X).read(
                index, y, loss, a["task"], a["sample_weight"], a["class_weight"], dtype, known_form(init)
            )
            return _Group(key, rows, given)

        return self._cache.get(("group", key), read, lambda group: group.bytes)

    def _encoded_group(
        self, key: Hashable, given: Given, index: Index | None, held: Index | None, settings: EncodingSettings
    ) -> _Group:
        """Return rows that an encoder has made, which has learned from these rows alone."""
        weights = given.sample_weight

        def targets(rows: Index | None) -> Any:
            return given.y if given.target_names else taken(given.y, rows)

        chosen = replace(
            given, X=taken(given.X, index), y=targets(index), sample_weight=taken(weights, index)
        )
        if held is not None:
            weighted = () if weights is None else (taken(weights, held),)
            chosen = replace(chosen, validation=(taken(given.X, held), targets(held), *weighted))
        wanted = settings.encode if isinstance(settings.encode, TableEncoder) else True
        data = encoded(chosen, replace(settings, encode=wanted))
        rows = read_memory(
            data.X, data.y, settings.loss, data.task, data.sample_weight, settings.class_weight,
            settings.dtype, known_form(settings.init),
        )  # fmt: skip
        return _Group(key, rows, data)

    def _opened(self, a: dict[str, Any]) -> tuple[Any, Any, bool]:
        """Return X and y, read if they lie in a file, and whether X is a table in one."""

        def read() -> tuple[Any, Any, bool]:
            y = self._y if a["y"] is None else a["y"]
            if isinstance(self._X, (str, os.PathLike)) and not Path(self._X).exists():
                raise FileNotFoundError(f"X: {os.fspath(self._X)!r} is not there")
            if is_npy(self._X) or as_batches(self._X, y) is not None:
                raise TypeError(_STREAMED.format(_named(self._X)))
            X, y, from_file = opened(self._X, y, wanted_encoding(a["encode"]), None)
            if is_parquet(X):
                raise TypeError(_STREAMED.format(_named(self._X)))
            X = as_table(X)
            if y is None:
                raise TypeError("y is needed: labels or numbers, or the name of a column of X")
            return X, y, from_file

        return self._cache.get(("opened", self._cache.key(a["y"]), self._cache.key(a["encode"])), read)

    def _shared(self, X: Any) -> SharedRows:
        return SharedRows(X, self._cache)  # not in the cache: the two would keep each other alive

    def _indices(self, a: dict[str, Any], X: Any) -> tuple[Index | None, Index | None]:
        """Return the index of the rows to learn from, and of those to validate on if they are among X."""
        n = X.n_rows if hasattr(X, "n_rows") else X.shape[0] if hasattr(X, "shape") else len(X)
        rows, validation = a["rows"], a["validation"]

        def index(argument: str, given: Any) -> Index:
            return self._cache.get(("index", self._cache.key(given)), lambda: as_index(argument, given, n))

        def rest(held: Index) -> Index:
            left = np.ones(n, bool)
            left[held] = False
            if not left.any():
                raise ValueError("validation must leave rows to learn from, got all rows of X")
            return np.flatnonzero(left).astype(np.uint32)

        chosen = None if rows is None else index("rows", rows)
        if not is_index(validation):
            return chosen, None
        held = index("validation", validation)
        key = self._cache.key(validation)
        if chosen is None:
            return self._cache.get(("rest", key), lambda: rest(held)), held

        def tell() -> None:
            if both := len(np.intersect1d(chosen, held)):
                say(f"rows and validation have {plural(both, 'row')} in common")

        self._cache.get(("both", key, self._cache.key(rows)), tell)
        return chosen, held

    def _divided(self, group: _Group, network: Network, a: dict[str, Any], seed: int) -> _Divided:
        """Return the rows to learn from and those to validate on."""
        validation = a["validation"] if group.data.encoder is None else group.data.validation
        key = ("divided", group.key, self._cache.key(validation), seed if _is_fraction(validation) else None)

        def divide() -> _Divided:
            rows = whole_rows()
            encoded = group.data.encoder is not None
            return _Divided(key, rows, _own_bytes(rows.train, rows.held_out, encoded=encoded))

        def whole_rows() -> WholeRows:
            if not is_index(validation):
                return divide_memory(group.rows, network, validation, seed)
            X, y, _ = self._opened(a)
            _, held = self._indices(a, X)
            assert held is not None
            learned = divide_memory(group.rows, network, None, seed)
            try:
                held_out = self._shared(X).validation(
                    held, y, a["sample_weight"], group.rows.class_weight, network
                )
            except (TypeError, ValueError) as error:
                raise type(error)(f"validation: {error}") from None
            return replace(learned, held_out=held_out)

        return self._cache.get(key, divide, lambda divided: divided.bytes)


_STREAMED = (
    "train_many needs X in memory, got {}, which train streams; read it first, as fastmlp.data.read or "
    "numpy.load do, or give encode=True for a table that fits"
)


def _own_bytes(*parts: CoreRows | None, encoded: bool) -> int:
    """Return the bytes of rows: all that an encoder has made, else without X, which all fits share."""
    arrays = []
    for X, *others in filter(None, parts):
        arrays += [*(X if isinstance(X, tuple) else (X,)), *others] if encoded else others
    return sum(array.nbytes for array in arrays if array is not None)


def _named(X: Any) -> str:
    return repr(X) if isinstance(X, (str, os.PathLike)) else f"a {type(X).__name__}"


def _is_fraction(validation: Any) -> bool:
    return isinstance(validation, numbers.Real)
