"""The specs of several fits: dicts of `train`'s arguments over those that all have in common."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from fastmlp._training.train import train

#: The arguments of `train`, with their defaults, but for X and y.
DEFAULTS = {
    name: argument.default
    for name, argument in inspect.signature(train).parameters.items()
    if argument.kind is argument.KEYWORD_ONLY
}

#: What a fit among others cannot have, and why.
_REFUSED = {
    "threads": "the threads are those of all fits together",
    "progress": "the progress is that of all fits together",
    "memory_limit": "all fits share one X, in memory",
    "communicator": "fits among others are trained in one process; client= spreads them over a cluster",
    "local": "fits among others are trained in one process",
    "timeout": "fits among others are trained in one process",
    "checkpoint": "fits among others write no checkpoints",
    "resume": "fits among others write no checkpoints; give init=network to go on from one",
    "every": "fits among others write no checkpoints",
    "keep": "fits among others write no checkpoints",
}

#: What a spec may hold besides.
OWN = ("rows", "y")


def checked_common(common: Mapping[str, Any], caller: str) -> dict[str, Any]:
    """Return the arguments that all specs have in common, with `train`'s defaults for the others."""
    for name in common:
        if name in _REFUSED:
            raise TypeError(f"{caller} has no argument {name}: {_REFUSED[name]}")
        if name not in DEFAULTS and name not in OWN:
            raise TypeError(f"{caller} has no argument {name!r}; of train it takes {', '.join(_of_train())}")
    return {name: value for name, value in DEFAULTS.items() if name not in _REFUSED} | dict(common)


def checked_specs(specs: Any, first: int = 0) -> list[dict[str, Any]]:
    """Return the specs, each a dict of arguments that a fit among others may have."""
    if isinstance(specs, (str, Mapping)) or not isinstance(specs, Iterable):
        raise TypeError(f"specs must be a sequence of dicts, got {specs!r}")
    checked = []
    for i, spec in enumerate(specs, first):
        if not isinstance(spec, Mapping):
            raise TypeError(f"specs[{i}] must be a dict of arguments of train, got {spec!r}")
        for name in spec:
            if name in _REFUSED:
                raise TypeError(f"specs[{i}] must not hold {name!r}: {_REFUSED[name]}")
            if name not in DEFAULTS and name not in OWN:
                raise TypeError(
                    f"specs[{i}] holds {name!r}; a spec may hold {', '.join((*OWN, *_of_train()))}"
                )
        checked.append(dict(spec))
    return checked


def _of_train() -> list[str]:
    return [name for name in DEFAULTS if name not in _REFUSED]
