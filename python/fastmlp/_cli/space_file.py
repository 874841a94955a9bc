"""The file of a space to search: an entry for each option of `fastmlp train` that varies."""

from __future__ import annotations

from typing import Any

from fastmlp._cli.config import read_toml
from fastmlp._cli.learn import values


def read_space(name: str) -> dict[str, Any]:
    """Read a space, as `fastmlp.search` takes it, from a TOML file.

    An array holds choices, as the command line writes them ("64,32" or [64, 32] for hidden, "cosine(0.01)"
    for learning-rate); a table has low and high, and may have log and step.

    Raises
    ------
    ValueError
        If the file is not there or not TOML, or an entry is something else.
    """
    space = {}
    for key, given in read_toml("--space", name).items():
        option = key.replace("-", "_")
        if not isinstance(given, (list, dict)):
            raise ValueError(f"{name}: {key} must be an array, or have low and high; got {given!r}")
        space[option] = [_choice(option, one) for one in given] if isinstance(given, list) else given
    return space


def _choice(option: str, given: Any) -> Any:
    """Return what a choice stands for: texts as on the command line, arrays as tuples."""
    if isinstance(given, list):
        return tuple(given)
    return values({option: given})[option] if isinstance(given, str) else given
