"""Encoded columns of strings: an input per category, or a number that an embedding looks up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import shortened
from fastmlp.data._cells import is_number
from fastmlp.data._checks import boolean, fields, string, strings, with_optional
from fastmlp.data._table import Column, Table, missing_values

_WIDEST = 50


class Numbering(NamedTuple):
    """The numbers of a column's categories: of the first, of any other text, of a missing one; -1 is none."""

    first: int
    other: int
    missing: int


@dataclass(frozen=True)
class CategoryColumn:
    """A column of strings: one input per category, 1 where the row has it.

    After those of the categories, an input for `other` ones, which training rows did not have or had too
    rarely, and, if training rows had missing values, one for `missing`; elsewhere a missing value is another.
    Without an input for others (as version 1 wrote), they are zeros throughout. With `zeros`, a missing value
    without an input of its own is zeros, too, not another category.
    """

    kind: ClassVar[str] = "category"

    name: str
    categories: tuple[str, ...]
    other: bool
    missing: bool
    zeros: bool = False

    @property
    def feature_names(self) -> list[str]:
        """The names of the inputs it becomes."""
        names = [f"{self.name}={category}" for category in self.categories]
        names += [f"{self.name} is other"] if self.other else []
        return names + ([f"{self.name} is missing"] if self.missing else [])

    @property
    def numbering(self) -> Numbering:
        """The numbers of its inputs."""
        size = len(self.categories)
        other = size if self.other else -1
        unless_own = -1 if self.zeros else other
        return Numbering(0, other, size + self.other if self.missing else unless_own)

    def encode(self, table: Table, out: NDArray[Any]) -> None:
        """Write a 1 where a row has the category of the input."""
        found = _places(as_texts(table, self.name), self.categories, self.numbering)
        rows = np.flatnonzero(found >= 0)
        out[rows, found[rows]] = 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        described = {"kind": self.kind, **asdict(self), "categories": list(self.categories)}
        if not self.zeros:
            del described["zeros"]
        return described

    @classmethod
    def from_dict(cls, data: Any, where: str) -> CategoryColumn:
        """Rebuild the column `to_dict` described; `where` names it in messages."""
        names = ("kind", "name", "categories", "other", "missing", "zeros")
        given = fields(with_optional(data, {"zeros": False}), names, where)
        return cls(
            string(given, "name", where),
            _categories(given, where),
            boolean(given, "other", where),
            boolean(given, "missing", where),
            boolean(given, "zeros", where),
        )


@dataclass(frozen=True)
class PairColumn:
    """A column of two strings: -1 for the first in sorted order, 1 for the second, 0 for all else."""

    kind: ClassVar[str] = "pair"

    name: str
    categories: tuple[str, ...]

    @property
    def feature_names(self) -> list[str]:
        """The names of the inputs it becomes."""
        return [f"{self.name}={self.categories[1]}"]

    @property
    def numbering(self) -> Numbering:
        """The numbers of the categories, before they become signs."""
        return Numbering(0, -1, -1)

    def encode(self, table: Table, out: NDArray[Any]) -> None:
        """Write the signs."""
        places = _places(as_texts(table, self.name), self.categories, self.numbering)
        out[:, 0] = np.where(places < 0, 0, 2 * places - 1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {"kind": self.kind, "name": self.name, "categories": list(self.categories)}

    @classmethod
    def from_dict(cls, data: Any, where: str) -> PairColumn:
        """Rebuild the column `to_dict` described; `where` names it in messages."""
        given = fields(data, ("kind", "name", "categories"), where)
        categories = _categories(given, where)
        if len(categories) != 2:
            raise ValueError(f"{where}: 'categories' must be two")
        return cls(string(given, "name", where), categories)


@dataclass(frozen=True)
class EmbeddingColumn:
    """A column of strings: one input that holds the number of the row's category.

    0 is any other category than those of the training rows, 1, 2, ... are the categories in sorted order, and
    the last number is a missing value if training rows had any; elsewhere a missing value is 0.
    """

    kind: ClassVar[str] = "embedding"

    name: str
    categories: tuple[str, ...]
    missing: bool
    own_width: int | None = None

    @property
    def n_codes(self) -> int:
        """How many numbers there are."""
        return 1 + len(self.categories) + self.missing

    @property
    def width(self) -> int:
        """How many values stand for a category: `own_width`, or else min(50, round(1.6 n_codes^0.56)).

        References
        ----------
        The rule of thumb of the fastai library, `emb_sz_rule`; J. Howard and S. Gugger, fastai: A Layered API
        for Deep Learning, Information 11(2), 108, 2020.
        """
        if self.own_width is not None:
            return self.own_width
        return min(_WIDEST, round(1.6 * math.pow(self.n_codes, 0.56)))

    @property
    def feature_names(self) -> list[str]:
        """The names of the inputs it becomes."""
        return [self.name]

    @property
    def numbering(self) -> Numbering:
        """The numbers of the rows of its table."""
        return Numbering(1, 0, len(self.categories) + 1 if self.missing else 0)

    def encode(self, table: Table, out: NDArray[Any]) -> None:
        """Write the numbers of the categories."""
        out[:, 0] = _places(as_texts(table, self.name), self.categories, self.numbering)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        own = {} if self.own_width is None else {"width": self.own_width}
        described = {"kind": self.kind, "name": self.name, "categories": list(self.categories)}
        return {**described, "missing": self.missing, **own}

    @classmethod
    def from_dict(cls, data: Any, where: str) -> EmbeddingColumn:
        """Rebuild the column `to_dict` described; `where` names it in messages."""
        names = ("kind", "name", "categories", "missing", "width")
        given = fields(with_optional(data, {"width": None}), names, where)
        width = given["width"]
        if width is not None and (type(width) is not int or width < 1):
            raise ValueError(f"{where}: 'width' must be a whole number of at least 1")
        return cls(
            string(given, "name", where), _categories(given, where), boolean(given, "missing", where), width
        )


class TextSettings(NamedTuple):
    """How columns of strings are encoded: the arguments of `TableEncoder` of these names."""

    max_one_hot: int = 32
    min_count: int = 2
    embedding_width: int | None = None
    sign: bool = False
    zeros: bool = False


TextColumn: TypeAlias = CategoryColumn | PairColumn | EmbeddingColumn


def fit_texts(table: Table, name: str, settings: TextSettings) -> TextColumn | str:
    """Take the categories from a column of strings, sorted by code point.

    Returns
    -------
    CategoryColumn, PairColumn, EmbeddingColumn or str
        If most of the strings occur once, as identifiers and free text do, the note that says so.
    """
    counts = Counter(table[name].tolist())
    missing = counts.pop(None, 0) > 0
    if mostly_once(counts, settings.max_one_hot):
        return _note(table, name, counts)
    categories = tuple(sorted(text for text, count in counts.items() if count >= settings.min_count))
    rare = len(categories) < len(counts)
    if settings.sign and len(categories) == 2 and not rare:
        return PairColumn(name, categories)
    if len(categories) > settings.max_one_hot:
        return EmbeddingColumn(name, categories, missing, settings.embedding_width)
    if settings.zeros:
        return CategoryColumn(name, categories, other=rare, missing=False, zeros=True)
    return CategoryColumn(name, categories, other=True, missing=missing)


def as_texts(table: Table, name: str) -> Column:
    """Return a column of strings, None where missing; whole numbers are written out.

    Raises
    ------
    ValueError
        If the column holds fractions, dates or booleans, whose first spelling is not known any more.
    """
    column = table[name]
    if column.dtype == object:
        return column
    if column.dtype == np.int64:
        values, places = np.unique(column, return_inverse=True)
        return np.array([str(value) for value in values], dtype=object)[places]
    present = np.flatnonzero(~missing_values(column))
    if len(present):
        what = {"b": "boolean", "M": "date"}.get(column.dtype.kind, "number")
        value = column[present[0]]
        given = f"{value:g}" if what == "number" else str(value)
        raise ValueError(
            f"{table.source}: {table.place(present[0])}, column {name!r}: expected text, got the {what} "
            f"{given}; read the file with text=[{name!r}]"
        )
    return np.full(len(column), None, dtype=object)


def _places(texts: Column, categories: tuple[str, ...], numbering: Numbering) -> NDArray[np.int64]:
    """Return the number of each text."""
    listed = texts.tolist()
    known = {category: place for place, category in enumerate(categories, numbering.first)}
    places = {text: known.get(text, numbering.other) for text in set(listed)} | {None: numbering.missing}
    return np.fromiter(map(places.__getitem__, listed), dtype=np.int64, count=len(listed))


def mostly_once(counts: Counter[str], max_one_hot: int) -> bool:
    """Tell whether most values occur once, as identifiers do: there is nothing to learn about them."""
    once = sum(count == 1 for count in counts.values())
    return len(counts) > max_one_hot and 2 * once > counts.total()


def is_free_text(texts: Collection[str]) -> bool:
    """Tell whether texts are sentences rather than codes: of four words or more on average."""
    return sum(len(text.split()) for text in texts) >= 4 * max(1, len(texts))


def _note(table: Table, name: str, counts: Counter[str]) -> str:
    """Say that a column is left out, with the first text that is no number."""
    column = table[name]
    present = np.flatnonzero(~missing_values(column))
    row = int(next((row for row in present if not is_number(column[row])), present[0]))
    text = shortened(column[row], 60)
    return (
        f"{table.source}: column {name!r} holds {len(counts)} different texts ({table.place(row)}: "
        f"{text!r}), most of them once, and is left out; mend it if it should be numbers"
    )


def _categories(given: dict[str, Any], where: str) -> tuple[str, ...]:
    categories = strings(given, "categories", where)
    if list(categories) != sorted(set(categories)):
        raise ValueError(f"{where}: 'categories' must be sorted and different")
    return categories
