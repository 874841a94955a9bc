"""Fields of optimizers and schedules that carry their range, so that each is written once."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any

from fastmlp._base.validation import flag, integer, real


def real_field(default: float | None, *, kw_only: bool = False, **bounds: Any) -> Any:
    """Return a field that holds a number within bounds, which are those of `real`."""
    return field(default=default, kw_only=kw_only, metadata={"check": real, "bounds": bounds})


def integer_field(default: int, **bounds: Any) -> Any:
    """Return a field that holds an integer within bounds, which are those of `integer`."""
    return field(default=default, metadata={"check": integer, "bounds": bounds})


def flag_field(default: bool) -> Any:
    """Return a field that holds True or False."""
    return field(default=default, metadata={"check": flag, "bounds": {}})


def check_fields(choice: Any) -> None:
    """Refuse a value that is outside of its field's range; None stands for a default that is found later."""
    for one in fields(choice):
        value = getattr(choice, one.name)
        if "check" in one.metadata and not (value is None and one.default is None):
            one.metadata["check"](one.name, value, **one.metadata["bounds"])


def bounds(choice: type[Any], name: str) -> dict[str, Any]:
    """Return the bounds of a field."""
    return dict(next(one.metadata["bounds"] for one in fields(choice) if one.name == name))
