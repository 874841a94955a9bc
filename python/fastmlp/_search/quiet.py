"""Optuna, imported where it is used, and kept from writing and warning of what is its own affair."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def need_optuna() -> Any:
    """Return the module, or say what to install."""
    try:
        import optuna
    except ImportError:
        raise ImportError("search needs optuna: pip install 'fastmlp[search]'") from None
    return optuna


@contextmanager
def quiet() -> Iterator[Any]:
    """Yield Optuna, whose messages of new studies and warnings of new features are not shown meanwhile."""
    optuna = need_optuna()
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        optuna.logging.set_verbosity(level)
