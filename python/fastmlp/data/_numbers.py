"""Numbers as people write them: with thousands separators, decimal commas, currencies and percent signs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from fastmlp.data._cells import is_number

_SPACES = " \u00a0\u2009\u202f"
_SIGN = "[+\u2212-]?"
_CURRENCY = "(?:[A-Z]{0,2}[$€£¥₹₩₽₺₪₫₦₱฿]|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|CZK|HUF|kr|zł)"
# No two neighbouring parts of a pattern of this file share a character that both may repeat: a cell of n
# characters takes a time proportional to n.
_CELL = re.compile(
    rf"(\()?({_SIGN})[{_SPACES}]?({_CURRENCY})?[{_SPACES}]?({_SIGN})"
    rf"([0-9.,](?:[0-9.,'’{_SPACES}]*[0-9.,])?(?:[eE][+-]?[0-9]+)?)"
    rf"[{_SPACES}]?(%)?({_CURRENCY})?(\))?"
)
_DIGITS = {
    ".": re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"),
    ",": re.compile(r"(?:[0-9]+(?:,[0-9]*)?|,[0-9]+)(?:[eE][+-]?[0-9]+)?"),
}
_GROUPS = {
    ".": re.compile(
        rf"[1-9][0-9]{{0,2}}([,'’{_SPACES}])[0-9]{{3}}(?:\1[0-9]{{3}})*(?:\.[0-9]*)?"
        r"|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]*)?"  # 12,34,567, as written in India
    ),
    ",": re.compile(rf"[1-9][0-9]{{0,2}}([.'’{_SPACES}])[0-9]{{3}}(?:\1[0-9]{{3}})*(?:,[0-9]*)?"),
}
# Quantities that are not read: dates in other orders than that of ISO 8601, times, and numbers with a unit, a
# bound or a remark; and how they can be written to be read.
_UNREAD = {
    "dates": re.compile(r"[0-9]{1,4}[/.-][0-9]{1,2}[/.-][0-9]{1,4}(?:[T ][0-9: .]{1,20}(?:[AaPp][Mm])?)?"),
    "times": re.compile(r"[0-9]{1,3}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?: ?[AaPp][Mm])?"),
    "numbers with units or signs": re.compile(
        rf"[<>≤≥~≈±]?[{_SPACES}]?{_SIGN}{_CURRENCY}?(?!0[0-9])[0-9](?:[0-9.,]*[0-9])?[{_SPACES}]?[^0-9]{{0,15}}"
    ),
}
WRITTEN = {
    "dates": "as 2026-11-21",
    "times": "as plain numbers, such as minutes",
    "numbers with units or signs": "as plain numbers",
}
_OTHER = {".": ",", ",": "."}
_SEPARATORS = {
    mark: str.maketrans({mark: ".", **dict.fromkeys(f"{_OTHER[mark]}'’{_SPACES}", "")}) for mark in _OTHER
}


class Numbers(NamedTuple):
    """The texts of a column that are numbers, and how they were read."""

    plain: dict[str, str]
    """Each text that is a number, as `float` takes it."""

    decimal: str
    """The decimal mark, "." or ","."""

    doubtful: dict[str, str]
    """If nothing in the column tells the decimal mark, the texts that the other mark would read otherwise."""


class _Cell(NamedTuple):
    sign: str
    currency: str
    digits: str


def read_numbers(texts: Iterable[str], decimal: str | None = None, usual: str = ".") -> Numbers:
    """Find the numbers among the different texts of a column.

    A number may have a currency, of which a column has one, or a percent sign, which is left out (43% is 43).
    Amounts in parentheses are negative. Thousands may be separated by commas, points, blanks or apostrophes.
    The decimal mark is one for all: that under which more of the texts are numbers.

    Parameters
    ----------
    texts : iterable of str
    decimal : {".", ","}, optional
        The decimal mark, if it is known.
    usual : {".", ","}, default "."
        The decimal mark where the texts do not tell, as those like 1,234 do not.

    Returns
    -------
    Numbers
    """
    cells = {text: cell for text in texts if (cell := _split(text)) is not None}
    currencies = Counter(cell.currency for cell in cells.values() if cell.currency)
    if len(currencies) > 1:
        taken = ("", currencies.most_common(1)[0][0])
        cells = {text: cell for text, cell in cells.items() if cell.currency in taken}
    first = decimal or usual
    plain = _plain(cells, first)
    if decimal is not None:
        return Numbers(plain, first, {})
    other = _plain(cells, _OTHER[first])
    if len(other) > len(plain):
        return Numbers(other, _OTHER[first], {})
    if len(other) < len(plain):
        return Numbers(plain, first, {})
    return Numbers(plain, first, {t: other[t] for t in plain if other.get(t, plain[t]) != plain[t]})


def unread_quantities(texts: Iterable[str]) -> str | None:
    """Return what at least 90 % of different texts look like, if these are quantities that are not read."""
    different = set(texts)
    for what, pattern in _UNREAD.items():
        if different and 10 * sum(map(bool, map(pattern.fullmatch, different))) >= 9 * len(different):
            return what
    return None


def zeros_matter(plain: Mapping[str, str], n_texts: int, present: Sequence[str]) -> list[str]:
    """Return the texts whose leading zeros make a column one of identifiers; none if it is of numbers.

    Identifiers are postcodes, for example: over a tenth of the different texts have such zeros, or they fill
    up a common width.
    A few zeros in a column of numbers of different widths, as in 07 among ages, do not matter.

    Parameters
    ----------
    plain : mapping
        `Numbers.plain`.
    n_texts : int
        The number of different texts, numbers or not.
    present : sequence of str
        All cells but missing ones.
    """
    digits = [text for text in plain if text.isascii() and text.isdecimal()]
    zeros = [text for text in digits if text[0] == "0" and len(text) > 1]
    if not zeros:
        return []
    width = len(zeros[0])
    filled_up = all(len(text) == width for text in zeros) and all(len(text) >= width for text in digits)
    if filled_up and width < 3:
        among = frozenset(zeros)
        filled_up = 100 * sum(cell in among for cell in present) > len(present)
    return zeros if filled_up or 10 * len(zeros) > n_texts else []


def _split(text: str) -> _Cell | None:
    """Take a text apart that looks like a number."""
    match = _CELL.fullmatch(text)
    if match is None:
        return _Cell("", "", text) if is_number(text) else None  # infinity
    opened, sign, before, inner, digits, percent, after, closed = match.groups()
    if bool(opened) != bool(closed) or sum(map(bool, (opened, sign, inner))) > 1:
        return None
    units = [unit for unit in (before, after, percent) if unit]
    if len(units) > 1:
        return None
    return _Cell("-" if opened or (sign or inner) in ("-", "\u2212") else "", "".join(units), digits)


def _plain(cells: Mapping[str, _Cell], decimal: str) -> dict[str, str]:
    """Write the numbers as `float` takes them; texts that are none with this decimal mark are left out."""
    found = {}
    for text, (sign, _, digits) in cells.items():
        if decimal == "." and is_number(digits):
            found[text] = sign + digits
        elif _DIGITS[decimal].fullmatch(digits) or _GROUPS[decimal].fullmatch(digits):
            found[text] = sign + _without_zeros(digits.translate(_SEPARATORS[decimal]))
    return found


def _without_zeros(number: str) -> str:
    rest = number.lstrip("0")
    return rest if rest[:1].isdigit() else f"0{rest}"
