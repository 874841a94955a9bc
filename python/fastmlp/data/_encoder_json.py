"""A fitted encoder as plain values that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol, TypeVar

from fastmlp.data._categories import CategoryColumn, EmbeddingColumn, PairColumn
from fastmlp.data._checks import array, boolean, fields, strings, with_optional
from fastmlp.data._columns import BoolColumn, EncodedColumn, NumberColumn
from fastmlp.data._dates import DateColumn
from fastmlp.data._table import quoted
from fastmlp.data._target import SeveralTargets, Target, learns_log, listed, target_from_dict

FORMAT = "fastmlp.TableEncoder"

#: 3 has several targets and cycles of dates, 4 `_LATER_SETTINGS` and the scales that came with them; an
#: encoder without is written as the version before.
VERSION = 4
_PLAIN_VERSION = 2

_KINDS: dict[str, type[EncodedColumn]] = {
    column.kind: column
    for column in (NumberColumn, DateColumn, BoolColumn, CategoryColumn, PairColumn, EmbeddingColumn)
}

#: The arguments that `fit` goes by, with their defaults.
_SETTINGS: dict[str, Any] = {
    "task": "auto",
    "scale": "standard",
    "scale_target": True,
    "max_one_hot": 32,
    "min_count": 2,
}

#: Those that came with version 4; each is written only where it is not the default.
_LATER_SETTINGS: dict[str, Any] = {
    "embedding_width": None,
    "binary": "plain",
    "unknown": "own",
    "target_transform": None,
}
_LATER_SCALES = ("clipped", "quantile")


class Encoder(Protocol):
    """What is asked of a `TableEncoder` here."""

    columns: tuple[EncodedColumn, ...]
    dropped: tuple[str, ...]
    decimal: dict[str, str]
    ignore: Collection[str]
    scale: Any
    scale_target: bool
    max_one_hot: int
    min_count: int
    embedding_width: int | None
    binary: Any
    unknown: Any
    target_transform: Any
    _wanted_task: Any
    _target: Target | None


Made = TypeVar("Made", bound=Encoder)


def described(encoder: Encoder) -> dict[str, Any]:
    """Return a fitted encoder as plain values."""
    settings = {
        "task": encoder._wanted_task,
        "scale": encoder.scale,
        "scale_target": bool(encoder.scale_target),
        "max_one_hot": int(encoder.max_one_hot),
        "min_count": int(encoder.min_count),
    }
    settings |= _later_settings(encoder)
    # The defaults are left out, so that versions which know no settings read the encoder too.
    return {
        "format": FORMAT,
        "version": _version(encoder),
        "columns": [column.to_dict() for column in encoder.columns],
        "target": None if encoder._target is None else encoder._target.to_dict(),
        "ignore": [*encoder.ignore, *encoder.dropped],
    } | {
        **({} if settings == _SETTINGS else {"settings": settings}),
        **({"decimal": encoder.decimal} if encoder.decimal else {}),
    }


def _later_settings(encoder: Encoder) -> dict[str, Any]:
    width = encoder.embedding_width
    used = {
        "embedding_width": width if width is None else int(width),
        "binary": encoder.binary,
        "unknown": encoder.unknown,
        "target_transform": encoder.target_transform,
    }
    return {name: value for name, value in used.items() if value != _LATER_SETTINGS[name]}


def _version(encoder: Encoder) -> int:
    if _later_settings(encoder) or _is_of_version_4(encoder):
        return VERSION
    cycles = any(isinstance(column, DateColumn) and column.cycles for column in encoder.columns)
    return 3 if cycles or isinstance(encoder._target, SeveralTargets) else _PLAIN_VERSION


def _is_of_version_4(encoder: Encoder) -> bool:
    return (
        encoder.scale in _LATER_SCALES or learns_log(encoder._target) or any(map(_is_later, encoder.columns))
    )


def _is_later(column: EncodedColumn) -> bool:
    later = ("clipped", "quantiles", "sign", "zeros", "own_width")
    return isinstance(column, PairColumn) or any(getattr(column, name, None) for name in later)


def restored(make: Callable[..., Made], data: Any) -> Made:
    """Rebuild the encoder that `described` gave, or raise ValueError."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"encoder: expected an object whose 'format' is {FORMAT!r}")
    version = data.get("version")
    if version not in range(1, VERSION + 1) or isinstance(version, (bool, float)):
        raise ValueError(f"encoder: this fastmlp reads versions 1 to {VERSION}, the data has another")
    names = ("format", "version", "columns", "target", "ignore", "settings", "decimal")
    given = fields({"settings": _SETTINGS, "decimal": {}} | data, names, "encoder")
    columns = tuple(
        _column_from_dict(_upgraded(column) if version == 1 else column, f"encoder: column {i}")
        for i, column in enumerate(array(given, "columns", "encoder"))
    )
    target = None if given["target"] is None else target_from_dict(given["target"], "encoder: target")
    predicted = None if target is None else target.name_or_names
    ignore = strings(given, "ignore", "encoder")
    used = [*(column.name for column in columns), *listed(predicted), *ignore]
    if not columns or len(set(used)) < len(used):
        raise ValueError("encoder: there must be columns, and no two names the same")
    encoder = make(predicted, ignore=ignore, **_checked_settings(make, given))
    if target is not None and encoder._wanted_task not in ("auto", target.task):
        raise ValueError(f"encoder: the target is for {target.task}, not {encoder._wanted_task}")
    encoder.columns, encoder._target = columns, target
    encoder.decimal = _checked_decimal(given["decimal"])
    return encoder


def _column_from_dict(data: Any, where: str) -> EncodedColumn:
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"{where}: 'kind' must be one of {quoted(_KINDS)}")
    return _KINDS[kind].from_dict(data, where)


def _checked_settings(make: Callable[..., Any], data: dict[str, Any]) -> dict[str, Any]:
    where = "encoder: settings"
    settings = fields(with_optional(data["settings"], _LATER_SETTINGS), [*_SETTINGS, *_LATER_SETTINGS], where)
    boolean(settings, "scale_target", where)
    try:
        make(**settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None
    return settings


def _checked_decimal(data: Any) -> dict[str, str]:
    if not isinstance(data, dict) or any(mark not in (".", ",") for mark in data.values()):
        raise ValueError("encoder: 'decimal' must give '.' or ',' for columns")
    return dict(data)


def _upgraded(column: Any) -> Any:
    """Return a column of version 1 as version 2 writes it; what is none, as it is."""
    kind = column.get("kind") if isinstance(column, dict) else None
    if kind == NumberColumn.kind:
        return {"center" if field == "mean" else field: value for field, value in column.items()}
    if kind == CategoryColumn.kind:
        return {**column, "other": False, "missing": False}
    return column
