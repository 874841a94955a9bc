"""A table's columns in C: what the encoder does before the network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fastmlp._export.c_text import Source, number, string
from fastmlp.data._categories import CategoryColumn, EmbeddingColumn, PairColumn
from fastmlp.data._columns import BoolColumn, NumberColumn
from fastmlp.data._dates import CYCLES, DateColumn
from fastmlp.data._scaling import CLIP, FAR

_STANDARDIZE = """\
static inline $real ${name}_standardize(double value, double center, double scale, double median)
{
    if (isnan(value))
        value = median;
    return ($real)(scale > 0 ? (value - center) / scale : 0);
}
"""

_CLIPPED = """\
/* standardized, and smoothly between -3 and 3 */
static inline $real ${name}_clipped(double value, double center, double scale, double median)
{
    if (isnan(value))
        value = median;
    value = scale > 0 ? (value - center) / scale : 0;
    value = value < -$far ? -$far : value > $far ? $far : value;
    return ($real)(value / sqrt(1 + (value / $clip) * (value / $clip)));
}
"""

_THROUGH = """\
/* linear between n > 1 points, constant before and after; differences of x are in the given unit */
static inline $real ${name}_through(double value, const double *x, const double *z, size_t n,
                                    double unit, double median)
{
    size_t low = 0, high = n - 1;
    if (isnan(value))
        value = median;
    value = value < x[0] ? x[0] : value > x[n - 1] ? x[n - 1] : value;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (value >= x[middle])
            low = middle;
        else
            high = middle;
    }
    const double start = x[low] / unit, width = x[high] / unit - start;
    return ($real)(z[low] + (value / unit - start) / width * (z[high] - z[low]));
}
"""

_CYCLE = """\
/* sin and cos of the place in a cycle; 0 where the days are missing */
static inline void ${name}_cycle(double days, double period, $real *x)
{
    const double turns = days / period, angle = $tau * (turns - floor(turns));
    x[0] = isnan(days) ? 0 : ($real)sin(angle);
    x[1] = isnan(days) ? 0 : ($real)cos(angle);
}
"""

_PLACE = """\
/* the number of a text among n categories counted from first; NULL is missing, any other text other */
static inline long ${name}_place(const char *text, const char *const *categories, long n,
                                 long first, long other, long missing)
{
    if (text == NULL)
        return missing;
    for (long i = 0; i < n; i++)
        if (strcmp(text, categories[i]) == 0)
            return first + i;
    return other;
}
"""

_ONE_HOT = """\
static inline void ${name}_one_hot(long place, long n, $real *x)
{
    for (long i = 0; i < n; i++)
        x[i] = i == place ? 1 : 0;
}
"""


_SIGN = """\
static inline $real ${name}_sign(long place)
{
    return place < 0 ? 0 : place == 0 ? -1 : 1;
}
"""


def _number(source: Source, column: Any, value: str, at: int) -> list[str]:
    constants = ", ".join(number(v) for v in (column.center, column.scale, column.median))
    if column.quantiles:
        lines = [_through(source, column, value, at)]
    elif column.clipped:
        source.once(_CLIPPED, clip=number(CLIP), far=number(FAR))
        lines = [f"x[{at}] = ${{name}}_clipped({value}, {constants});"]
    else:
        source.once(_STANDARDIZE)
        lines = [f"x[{at}] = ${{name}}_standardize({value}, {constants});"]
    return [*lines, f"x[{at + 1}] = isnan({value}) ? 1 : 0;"] if column.indicator else lines


def _through(source: Source, column: Any, value: str, at: int) -> str:
    points = column.points
    if len(points.x) < 2:
        return f"x[{at}] = 0;"
    source.once(_THROUGH)
    for letter, values in (("x", points.x), ("z", points.z)):
        source.array(f"double ${{name}}_${{part}}quantiles{at}_{letter}", map(number, values.tolist()))
    arrays = ", ".join(f"${{name}}_${{part}}quantiles{at}_{letter}" for letter in "xz")
    constants = f"{len(points.x)}, {number(points.unit)}, {number(column.median)}"
    return f"x[{at}] = ${{name}}_through({value}, {arrays}, {constants});"


def _date(source: Source, column: Any, value: str, at: int) -> list[str]:
    lines = _number(source, column, value, at)
    if column.cycles:
        source.once(_CYCLE, tau=number(math.tau))
    for i, name in enumerate(column.cycles):
        days = f"floor({value})" if CYCLES[name].whole_days else value
        place = at + 1 + column.indicator + 2 * i
        lines.append(f"${{name}}_cycle({days}, {number(CYCLES[name].period)}, x + {place});")
    return lines


def _boolean(source: Source, column: Any, value: str, at: int) -> list[str]:
    if column.sign:
        return [f"x[{at}] = ($real)(isnan({value}) ? 0 : 2 * {value} - 1);"]
    return [f"x[{at}] = ($real)(isnan({value}) ? {int(column.usual)} : {value});"]


def _category(source: Source, column: Any, value: str, at: int) -> list[str]:
    inputs = len(column.feature_names)
    if not inputs:
        return []
    source.once(_ONE_HOT)
    return [f"${{name}}_one_hot({_place(source, column, value, at)}, {inputs}, x + {at});"]


def _pair(source: Source, column: Any, value: str, at: int) -> list[str]:
    source.once(_SIGN)
    return [f"x[{at}] = ${{name}}_sign({_place(source, column, value, at)});"]


def _embedding(source: Source, column: Any, value: str, at: int) -> list[str]:
    return [f"x[{at}] = ($real){_place(source, column, value, at)};"]


def _place(source: Source, column: Any, value: str, at: int) -> str:
    """Return the call that finds a text among the categories."""
    source.once(_PLACE)
    size, categories = len(column.categories), "NULL"
    if size:
        categories = f"${{name}}_${{part}}categories{at}"
        source.array(f"char *const {categories}", map(string, column.categories))
    first, other, missing = column.numbering
    return f"${{name}}_place({value}, {categories}, {size}, {first}, {other}, {missing})"


#: Each class of column: whether it is text, and what appends the functions that it needs and returns the
#: statements that write its inputs from x[at] on.
COLUMNS: dict[type, tuple[bool, Callable[[Source, Any, str, int], list[str]]]] = {
    NumberColumn: (False, _number),
    DateColumn: (False, _date),
    BoolColumn: (False, _boolean),
    CategoryColumn: (True, _category),
    PairColumn: (True, _pair),
    EmbeddingColumn: (True, _embedding),
}
