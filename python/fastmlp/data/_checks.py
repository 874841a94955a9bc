"""Checks of values read from JSON: whatever a file holds, the answer is a value or a clear ValueError."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def fields(data: Any, names: Sequence[str], where: str) -> dict[str, Any]:
    """Check that data is an object with exactly the fields named."""
    if not isinstance(data, dict):
        raise ValueError(f"{where}: expected an object, got {_short(data)}")
    for name in names:
        if name not in data:
            raise ValueError(f"{where}: {name!r} is not there")
    for name in data:
        if name not in names:
            raise ValueError(f"{where}: unknown field {_short(name)}")
    return data


def with_optional(data: Any, defaults: dict[str, Any]) -> Any:
    """Return an object with these fields where it has none such; what is no object, as it is."""
    return defaults | data if isinstance(data, dict) else data


def array(data: dict[str, Any], name: str, where: str) -> list[Any]:
    """Return a field that must be an array."""
    value = data[name]
    if not isinstance(value, list):
        raise ValueError(f"{where}: {name!r} must be an array, got {_short(value)}")
    return value


def string(data: dict[str, Any], name: str, where: str) -> str:
    """Return a field that must be a string."""
    value = data[name]
    if not isinstance(value, str):
        raise ValueError(f"{where}: {name!r} must be a string, got {_short(value)}")
    return value


def strings(data: dict[str, Any], name: str, where: str) -> tuple[str, ...]:
    """Return a field that must be an array of strings."""
    values = array(data, name, where)
    for value in values:
        if not isinstance(value, str):
            raise ValueError(f"{where}: {name!r} must hold strings, got {_short(value)}")
    return tuple(values)


def boolean(data: dict[str, Any], name: str, where: str) -> bool:
    """Return a field that must be true or false."""
    value = data[name]
    if not isinstance(value, bool):
        raise ValueError(f"{where}: {name!r} must be true or false, got {_short(value)}")
    return value


def finite(data: dict[str, Any], name: str, where: str) -> float:
    """Return a field that must be a finite number."""
    value = data[name]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise ValueError(f"{where}: {name!r} must be a finite number, got {_short(value)}")


def numbers(data: dict[str, Any], name: str, where: str) -> tuple[float, ...]:
    """Return a field that must be an array of finite numbers."""
    return tuple(finite({name: value}, name, where) for value in array(data, name, where))


def _short(value: Any) -> str:
    """Write a value of unknown size for a message."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 64:
        return "a huge number"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
