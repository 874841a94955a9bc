"""The target of a table: labels kept as they are, or standardised values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.data._checks import array, boolean, fields, finite, string, with_optional
from fastmlp.data._columns import as_numbers
from fastmlp.data._quantiles import Floats
from fastmlp.data._scaling import mean_and_scale, standardize
from fastmlp.data._table import Table, missing_values, quoted
from fastmlp.data._task import Task, choose_task


def listed(names: Any) -> tuple[str, ...]:
    """Return the columns that a target names: none, one or several."""
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def check_present(table: Table, name: str) -> None:
    """Raise ValueError, saying where, if the target has missing values."""
    rows = np.flatnonzero(missing_values(table[name]))
    if len(rows):
        count = "1 row has" if len(rows) == 1 else f"{len(rows)} rows have"
        first = "" if len(rows) == 1 else "first at "
        raise ValueError(
            f"{table.source}: {count} no value in the target column {name!r} ({first}{table.place(rows[0])})"
        )


@dataclass(frozen=True)
class LabelTarget:
    """Labels: strings, whole numbers, booleans or dates, given to the network as they are."""

    kind: ClassVar[str] = "labels"
    task: ClassVar[Task] = "classification"

    name: str

    @property
    def name_or_names(self) -> str:
        """The column."""
        return self.name

    @classmethod
    def fit(cls, table: Table, name: str) -> LabelTarget:
        """Check that the column can hold labels."""
        check_present(table, name)
        target = cls(name)
        target.encode(table)
        return target

    def encode(self, table: Table) -> NDArray[Any]:
        """Return the labels as an array of str, int64, bool or datetime64[us]."""
        check_present(table, self.name)
        column = table[self.name]
        if column.dtype == object:
            return column.astype(str)
        if column.dtype == np.float64:
            fractions = np.flatnonzero((column != np.floor(column)) | (np.abs(column) >= 2.0**63))
            if len(fractions):
                raise ValueError(
                    f"{table.source}: {table.place(fractions[0])}, target column {self.name!r}: "
                    f"{column[fractions[0]]:g} is no label; labels are texts or whole numbers"
                )
            return column.astype(np.int64)
        return column

    def learned(self, y: ArrayLike) -> NDArray[Any]:
        """Return the labels."""
        return np.asarray(y)

    decode = learned

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {"kind": self.kind, "name": self.name}

    @classmethod
    def from_dict(cls, data: Any, where: str) -> LabelTarget:
        """Rebuild the target `to_dict` described."""
        return cls(string(fields(data, ("kind", "name"), where), "name", where))


@dataclass(frozen=True)
class ValueTarget:
    """Values: given to the network as (y - mean) / scale, with the training rows' mean and deviation.

    A constant target has scale 0: the network learns 0 and `decode` gives the mean. With `log`, y is
    log(1 + y), and mean and scale are of that; y must be greater than -1, and at least 0 in training.
    """

    kind: ClassVar[str] = "values"
    task: ClassVar[Task] = "regression"

    name: str
    mean: float
    scale: float
    log: bool = False

    @property
    def name_or_names(self) -> str:
        """The column."""
        return self.name

    @classmethod
    def fit(cls, table: Table, name: str, scaled: bool, log: bool = False) -> ValueTarget:
        """Take mean and scale from a table, or 0 and 1 if the values are not to be scaled."""
        check_present(table, name)
        values = as_numbers(table, name)
        if log:
            low = np.flatnonzero(values < 0)
            if len(low):
                raise ValueError(
                    f"{table.source}: {table.place(low[0])}, target column {name!r}: "
                    f"target_transform='log1p' needs values of at least 0, got {values[low[0]]:g}"
                )
            values = np.log1p(values)
        mean, scale = mean_and_scale(values)
        return cls(name, mean, scale, log) if scaled else cls(name, 0.0, 1.0, log)

    def encode(self, table: Table) -> Floats:
        """Return the standardised values."""
        check_present(table, self.name)
        return self.learned(as_numbers(table, self.name))

    def learned(self, y: ArrayLike) -> Floats:
        """Return values standardised."""
        values = np.asarray(y, dtype=np.float64)
        if self.log:
            low = np.flatnonzero(values.ravel() <= -1)
            if len(low):
                raise ValueError(
                    f"the target {self.name!r} is learned as log(1 + y): y must be greater than -1, got "
                    f"{values.ravel()[low[0]]:g}"
                )
            values = np.log1p(values)
        return standardize(values, self.mean, self.scale)

    def decode(self, y: ArrayLike) -> Floats:
        """Return values in the target's own units."""
        values = np.asarray(y, dtype=np.float64) * self.scale + self.mean
        return from_log(values) if self.log else values

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        described = {"kind": self.kind, "name": self.name, "mean": self.mean, "scale": self.scale}
        return described | ({"log": True} if self.log else {})

    @classmethod
    def from_dict(cls, data: Any, where: str) -> ValueTarget:
        """Rebuild the target `to_dict` described."""
        given = fields(with_optional(data, {"log": False}), ("kind", "name", "mean", "scale", "log"), where)
        scale = finite(given, "scale", where)
        if scale < 0:
            raise ValueError(f"{where}: 'scale' must not be negative, got {scale!r}")
        mean, log = finite(given, "mean", where), boolean(given, "log", where)
        return cls(string(given, "name", where), mean, scale, log)


@dataclass(frozen=True)
class SeveralTargets:
    """Several columns of values, (n, targets), each standardised by itself as a `ValueTarget` is."""

    kind: ClassVar[str] = "several"
    task: ClassVar[Task] = "regression"

    targets: tuple[ValueTarget, ...]

    @property
    def name_or_names(self) -> tuple[str, ...]:
        """The columns, in the order of the outputs."""
        return tuple(target.name for target in self.targets)

    @classmethod
    def fit(
        cls,
        table: Table,
        names: tuple[str, ...],
        task: Task | Literal["auto"],
        scaled: bool,
        log: bool = False,
    ) -> SeveralTargets:
        """Take means and scales from a table.

        Raises
        ------
        ValueError
            If the columns are not all quantities.
        """
        for name in names:
            check_present(table, name)
        if task == "classification":
            raise ValueError(f"task must be 'regression' or 'auto' for several targets, got {task!r}")
        labels = [name for name in names if task == "auto" and choose_task(table[name]) == "classification"]
        if labels:
            raise ValueError(
                f"{table.source}: several targets must all be quantities, but {quoted(labels)} would be "
                "labels; predict those with a network of their own, or set task='regression' if they are "
                "numbers"
            )
        return cls(tuple(ValueTarget.fit(table, name, scaled, log) for name in names))

    def encode(self, table: Table) -> Floats:
        """Return the standardised values, (n, targets)."""
        return np.column_stack([target.encode(table) for target in self.targets])

    def learned(self, y: ArrayLike) -> Floats:
        """Return values standardised, column by column."""
        columns = self._columns(y)
        return np.column_stack([target.learned(columns[:, i]) for i, target in enumerate(self.targets)])

    def decode(self, y: ArrayLike) -> Floats:
        """Return values in the targets' own units, column by column."""
        columns = self._columns(y)
        return np.column_stack([target.decode(columns[:, i]) for i, target in enumerate(self.targets)])

    def _columns(self, y: ArrayLike) -> Floats:
        values = np.asarray(y, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.targets):
            raise ValueError(
                f"y must have shape (n, {len(self.targets)}), a column for each of "
                f"{quoted(self.name_or_names)}; got shape {values.shape}"
            )
        return values

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {"kind": self.kind, "targets": [target.to_dict() for target in self.targets]}

    @classmethod
    def from_dict(cls, data: Any, where: str) -> SeveralTargets:
        """Rebuild the targets `to_dict` described."""
        given = array(fields(data, ("kind", "targets"), where), "targets", where)
        if len(given) < 2:
            raise ValueError(f"{where}: 'targets' must hold two targets or more")
        targets = tuple(ValueTarget.from_dict(one, f"{where}: target {i}") for i, one in enumerate(given))
        if len({target.log for target in targets}) > 1:
            raise ValueError(f"{where}: 'log' must be the same for all targets")
        return cls(targets)


Target = LabelTarget | ValueTarget | SeveralTargets


#: The greatest z of which `from_log` is finite.
LOG_OF_MOST: Final = 709.78271289338


def from_log(values: Floats) -> Floats:
    """Return exp(z) - 1 of z = log(1 + y); z beyond 709.78 counts as that, as its y is no finite number."""
    result: Floats = np.expm1(np.minimum(values, LOG_OF_MOST))
    return result


def learns_log(target: Target | None) -> bool:
    """Tell whether the values of the target are learned as log(1 + y)."""
    first = target.targets[0] if isinstance(target, SeveralTargets) else target
    return isinstance(first, ValueTarget) and first.log


def target_units(target: Target | None) -> tuple[Floats, Floats]:
    """Return (scale, mean) by which ``y * scale + mean`` has the target's own units.

    Where `learns_log` of the target, these are the units of log(1 + y), of which `from_log` gives y. Each is
    an array of one number for all outputs, or of one for each of several targets; 1 and 0 where nothing was
    standardised.
    """
    if isinstance(target, ValueTarget):
        target = SeveralTargets((target,))
    if not isinstance(target, SeveralTargets):
        return np.ones(1), np.zeros(1)
    return np.array([t.scale for t in target.targets]), np.array([t.mean for t in target.targets])


def target_from_dict(data: Any, where: str) -> Target:
    """Rebuild the target that a `to_dict` described."""
    kind = data.get("kind") if isinstance(data, dict) else None
    for target in (LabelTarget, ValueTarget, SeveralTargets):
        if kind == target.kind:
            return target.from_dict(data, where)
    kinds = f"{LabelTarget.kind!r}, {ValueTarget.kind!r} or {SeveralTargets.kind!r}"
    raise ValueError(f"{where}: 'kind' must be {kinds}")
