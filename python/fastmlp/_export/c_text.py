"""Values as C99 source: numbers to the last bit, any text as a string literal, names in comments."""

from __future__ import annotations

from collections.abc import Iterable
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

_KEPT = frozenset(map(chr, range(32, 127))) - set('"\\?')  # without "?" there are no trigraphs


def number(value: float, suffix: str = "") -> str:
    """Return a hexadecimal constant, exact; the suffix "f" makes it a float."""
    mantissa, exponent = float(value).hex().split("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{exponent}{suffix}"


def integer(value: int) -> str:
    """Return a long long constant."""
    if value == -(2**63):  # of which only the minus is too much for C
        return f"(-{2**63 - 1}LL - 1)"
    return f"{value}LL"


def string(text: str) -> str:
    """Return a string literal in UTF-8, of plain ASCII characters."""
    if "\0" in text:
        raise ValueError(f"{text!r} cannot be written in C, where a text ends at its first NUL character")
    try:
        characters = (chr(byte) for byte in text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{text!r} cannot be written in C: it has no form in UTF-8") from None
    escaped = "".join(c if c in _KEPT else f"\\{ord(c):03o}" for c in characters)
    return f'"{escaped}"'


def quoted(text: str) -> str:
    """Return a name as it can stand in a comment: readable ASCII that neither ends a comment nor begins one.

    Nothing else is escaped: "correct?" stays as it is, as only two question marks can be part of a trigraph.
    """
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else _escaped(c) for c in text)
    for pair, harmless in (("*/", "*\\u002f"), ("/*", "\\u002f*"), ("??", "?\\u003f")):
        plain = plain.replace(pair, harmless)
    return f'"{plain}"'


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\{character}" if character in '"\\' else f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}"


class Source:
    """Text in the making, with words that every part uses: name, real (float or double), f (its suffix).

    The names of arrays go on with `part`, so that several networks and encoders can have theirs.
    """

    def __init__(self, name: str, dtype: np.dtype[Any]) -> None:
        self.suffix = "f" if dtype == np.float32 else ""
        self._words = {"name": name, "real": "float" if self.suffix else "double", "f": self.suffix}
        self.part = ""
        self._parts: list[str] = []
        self._done: set[str] = set()

    def fill(self, text: str, **words: Any) -> str:
        """Return the text with words in the place of $name, $real, $f and of those given."""
        return Template(text).substitute(self._words | {"part": self.part} | words)

    def add(self, text: str, **words: Any) -> None:
        """Append a text so filled."""
        self._parts.append(self.fill(text, **words))

    def once(self, text: str, **words: Any) -> None:
        """Append a text so filled, unless it is there already."""
        filled = self.fill(text, **words)
        if filled not in self._done:
            self._done.add(filled)
            self._parts.append(filled)

    def array(self, declaration: str, elements: Iterable[str]) -> None:
        """Append a constant array, six elements a line; the declaration is filled, the elements are not."""
        items = list(elements)
        lines = [", ".join(items[i : i + 6]) for i in range(0, len(items), 6)]
        declared = f"static const {self.fill(declaration)}[{len(items)}] = {{"
        self._parts.append("\n    ".join([declared, ",\n    ".join(lines)]) + "\n};\n")

    def numbers(self, name: str, values: NDArray[Any]) -> None:
        """Append an array of the network's numbers, row by row."""
        self.array(
            f"$real ${{name}}_${{part}}{name}", (number(value, self.suffix) for value in values.ravel())
        )

    def text(self) -> str:
        """Return all that was appended."""
        return "\n".join(self._parts)
