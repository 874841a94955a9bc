"""A table's columns in C: what the encoder does before the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastmlp.data._columns import CategoryColumn, NumberColumn
from fastmlp.export._c_text import Source, number, string

_STANDARDIZE = """\
static inline $real ${name}_standardize(double value, double mean, double scale, double median)
{
    if (isnan(value))
        value = median;
    return ($real)(scale > 0 ? (value - mean) / scale : 0);
}
"""

_ONE_HOT = """\
static inline void ${name}_one_hot(const char *text, const char *const *categories, size_t n, $real *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = text != NULL && strcmp(text, categories[i]) == 0;
}
"""


def _number(source: Source, column: Any, value: str, at: int) -> list[str]:
    source.once(_STANDARDIZE)
    constants = ", ".join(number(v) for v in (column.mean, column.scale, column.median))
    lines = [f"x[{at}] = ${{name}}_standardize({value}, {constants});"]
    return [*lines, f"x[{at + 1}] = isnan({value}) ? 1 : 0;"] if column.indicator else lines


def _category(source: Source, column: Any, value: str, at: int) -> list[str]:
    if not column.categories:
        return []
    source.once(_ONE_HOT)
    source.array(f"char *const ${{name}}_categories{at}", map(string, column.categories))
    size = len(column.categories)
    return [f"${{name}}_one_hot({value}, ${{name}}_categories{at}, {size}, x + {at});"]


#: Each class of column: whether it is text, and what appends the functions that it needs and returns the
#: statements that write its inputs from x[at] on.
COLUMNS: dict[type, tuple[bool, Callable[[Source, Any, str, int], list[str]]]] = {
    NumberColumn: (False, _number),
    CategoryColumn: (True, _category),
}
