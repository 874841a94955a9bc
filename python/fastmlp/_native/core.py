"""The compiled core, for the best instruction set that this processor supports.

Other modules use it as ``_core.name``, looked up at each call, so that `use` takes effect everywhere.
The environment variable ``FASTMLP_ISA`` chooses an instruction set by name.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from . import _bindings
from ._bindings import *  # noqa: F403

_KNOWN = ("native", "v4", "v3", "v2", "generic")

ISA: str
"""Name of the instruction set in use."""


def _built() -> list[str]:
    return [isa for isa in _KNOWN if find_spec(f"{__package__}._core_{isa}") is not None]


def _runnable() -> list[str]:
    # A native build is for the machine it was made on; a generic one has no flags that could be missing.
    return list(dict.fromkeys(["native", *_bindings.supported_isas(), "generic"]))


def available_isas() -> list[str]:
    """Names of the instruction sets that are built and that this processor supports, the best one first."""
    built = _built()
    return [isa for isa in _runnable() if isa in built]


def why_no_bfloat16() -> str | None:
    """Return what the core in use lacks to compute in bfloat16; None where it lacks nothing."""
    built, supported = _bindings.build_config()["bfloat16"], _bindings.supports_bfloat16()
    if built and supported:
        return None
    without = ", built without bfloat16" if ISA in ("v4", "native") and not built else ""
    return (
        f"this processor has {'' if supported else 'no '}AVX512_BF16, and the instruction set in use is "
        f"{ISA}{without}"
    )


# OpenMP's runtimes read these once, when they are loaded. By default idle threads spin for milliseconds after
# each parallel region; some 0.1 ms is enough to meet the next call of a loop.
_OPENMP = {"GOMP_SPINCOUNT": "6000", "KMP_BLOCKTIME": "0"}


@contextmanager
def _threads_fall_asleep() -> Iterator[None]:
    added = {name: value for name, value in _OPENMP.items() if name not in os.environ}
    if "OMP_WAIT_POLICY" in os.environ:
        added = {}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _load(isa: str) -> Any:
    """Return the core built for `isa`; ImportError where there is none that can run."""
    built, supported = _built(), _bindings.supported_isas()
    if isa in available_isas():
        with _threads_fall_asleep():
            return importlib.import_module(f"{__package__}._core_{isa}").core
    if isa not in _KNOWN:
        reason = "is not an instruction set fastmlp knows"
    elif isa not in built:
        reason = "is not built in this installation"
    else:
        reason = "is not supported by this processor"
    raise ImportError(
        f"FASTMLP_ISA: {isa!r} {reason}. Built: {', '.join(built) or 'none'}. "
        f"Supported by the processor: {', '.join(supported) or 'none'}."
    )


def use(isa: str) -> None:
    """Compute with the core for `isa` from here on; networks that exist stay with theirs."""
    global ISA
    _bindings.use_core(_load(isa))
    ISA = isa


def _default() -> str:
    chosen = os.environ.get("FASTMLP_ISA")
    if chosen:
        return chosen
    available = available_isas()
    if not available:
        raise ImportError(
            f"fastmlp has no core that this processor can run. Built: {', '.join(_built()) or 'none'}. "
            f"Supported by the processor: {', '.join(_bindings.supported_isas()) or 'none'}."
        )
    return available[0]


use(_default())
