"""What docstrings and help say of the choices, made from the tables."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

from fastmlp.spec.activations import ACTIVATIONS, ELEMENTWISE, Activation
from fastmlp.spec.initialisations import INITIALISATIONS
from fastmlp.spec.losses import LOSSES, Loss

Documented = TypeVar("Documented", bound=Callable[..., Any])

_WIDTH = 110


def activation_names(*, sklearn: bool = False) -> str:
    """Return the names of the activations of hidden layers, scikit-learn's where it has others."""
    return ", ".join((sklearn and ACTIVATIONS[name].sklearn) or name for name in ELEMENTWISE)


def activations() -> str:
    """Return the names with their notes."""
    return ", ".join(name + _in_brackets(ACTIVATIONS[name].note) for name in ELEMENTWISE)


def activations_with(has: Callable[[Activation], Any]) -> str:
    """Return the names of those that have a property."""
    return _enumerated([name for name, entry in ACTIVATIONS.items() if has(entry)])


def inits_of_activations() -> str:
    """Return what the initialisation "auto" is, in the order of the activations."""
    names: dict[str, list[str]] = {}
    for name in ELEMENTWISE:
        names.setdefault(ACTIVATIONS[name].init, []).append(name)
    return "; ".join(f"{init} for {', '.join(those)}" for init, those in names.items())


def inits() -> str:
    """Return the names of the initialisations with their numbers."""
    return ", ".join(
        name if entry.number is None else f"{name}({entry.number.name}), {entry.number.default:g} by default"
        for name, entry in INITIALISATIONS.items()
    )


def torch_modules() -> str:
    """Return PyTorch's modules of elementwise activations, with the arguments that they must have."""
    modules = [entry.torch for entry in ACTIVATIONS.values() if entry.torch and entry.elementwise]
    return ", ".join(
        name + _in_brackets(_literal(next(iter(accepted.values()))[0]) if accepted else "", "")
        for name, accepted in modules
    )


def losses() -> str:
    """Return a list of the losses with their formulas."""
    return "\n".join(f"- {_named(loss)}: {loss.formula}" for loss in LOSSES.values())


def losses_with(has: Callable[[Loss], Any]) -> str:
    """Return the names of those that have a property."""
    return _enumerated([name for name, loss in LOSSES.items() if has(loss)])


def losses_of_labels() -> str:
    """Return the names of the losses whose targets are labels."""
    return ", ".join(name for name, loss in LOSSES.items() if loss.of_labels)


def losses_of_values() -> str:
    """Return the names of the others, with the defaults of their numbers."""
    values = (loss for loss in LOSSES.values() if not loss.of_labels)
    return ", ".join(loss.name + _in_brackets(_default(loss), "") for loss in values)


def documented(**texts: str) -> Callable[[Documented], Documented]:
    """Return a decorator that replaces ``<name>`` in a docstring by a text and breaks its lines again."""

    def fill(what: Documented) -> Documented:
        if what.__doc__ is not None:  # as it is where Python leaves docstrings out
            what.__doc__ = "\n".join(_filled(line, texts) for line in what.__doc__.split("\n"))
        return what

    return fill


def _filled(line: str, texts: dict[str, str]) -> str:
    text = line.strip()
    for name, replacement in texts.items():
        text = text.replace(f"<{name}>", replacement)
    if text == line.strip():
        return line
    indent = line[: len(line) - len(line.lstrip())]
    return "\n".join(
        textwrap.fill(
            part,
            _WIDTH,
            initial_indent=indent,
            subsequent_indent=indent + "  " * part.startswith("- "),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for part in text.split("\n")
    )


def _named(loss: Loss) -> str:
    if loss.number is None or loss.number.is_option:  # the formula says what it does
        return loss.name
    return f"{loss.name}({loss.number.name}), {loss.number.name} {_default(loss)} by default"


def _default(loss: Loss) -> str:
    return "" if loss.number is None else f"{loss.number.default:g}"


def _in_brackets(text: str, space: str = " ") -> str:
    return f"{space}({text})" if text else ""


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def _enumerated(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
