"""Checks of arguments: each error names the argument, what was given and what is accepted."""

from __future__ import annotations

import math
import numbers
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastmlp._base.arrow import import_pyarrow, is_arrow_column, values_of
from fastmlp._base.csr import as_csr
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads

Matrix = NDArray[Any]

DTYPES = ("float32", "float64")

_NUMBERS = (float, int)  # types that are plainly numbers: to ask for abstract ones takes longer


def power_of_two(argument: str, value: Any) -> int:
    """Return a number such as 1, 2, 4 or 8."""
    number = integer(argument, value, low=1)
    if number & (number - 1):
        raise ValueError(f"{argument} must be a power of two (1, 2, 4, 8, ...), got {number}")
    return number


def real(
    argument: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return a finite number within bounds."""
    if type(value) not in _NUMBERS and not _is_a(numbers.Real, value):
        raise TypeError(f"{argument} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf  # too large for a float: outside of any bounds
    inside = (number > low if open_low else number >= low) and (
        number < high if open_high else number <= high
    )
    if not inside or not math.isfinite(number):
        bounds = ["finite"] if inside else []
        if low != -math.inf:
            bounds.append(f"{'greater than' if open_low else 'at least'} {low:g}")
        if high != math.inf:
            bounds.append(f"{'less than' if open_high else 'at most'} {high:g}")
        raise ValueError(f"{argument} must be {' and '.join(bounds) or 'finite'}, got {value!r}")
    return number


def integer(argument: str, value: Any, *, low: int, high: int = 2**63 - 1) -> int:
    """Return an integer within bounds."""
    if type(value) is not int and not _is_a(numbers.Integral, value):
        raise TypeError(f"{argument} must be an integer, got {value!r}")
    if not low <= int(value) <= high:
        upper = f" and at most {high}" if high != 2**63 - 1 or int(value) > high else ""
        raise ValueError(f"{argument} must be at least {low}{upper}, got {value!r}")
    return int(value)


def _is_a(kind: type, value: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, (bool, np.bool_))


def chosen_seed(value: Any) -> int:
    """Return a seed of 64 bits; in place of None one of 32 bits that the system draws."""
    return secrets.randbits(32) if value is None else integer("seed", value, low=0, high=2**64 - 1)


_BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def memory_size(argument: str, value: Any) -> int:
    """Return a number of bytes, which may be given as a text such as "500 MB"."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*((?:[0-9]+\.)?[0-9]+|\.[0-9]+)\s*([A-Za-z]*)\s*", value)
        if not match or match[2].upper() not in _BYTES:
            raise ValueError(f"{argument} must be like '500 MB', '2 GB' or '1.5 GiB', got {value!r}")
        value = int(real(argument, float(match[1])) * _BYTES[match[2].upper()])
    return integer(argument, value, low=1, high=2**62)


def flag(argument: str, value: Any) -> bool:
    """Return a boolean."""
    if value is not True and value is not False and not isinstance(value, np.bool_):
        raise TypeError(f"{argument} must be True or False, got {value!r}")
    return bool(value)


def choice(argument: str, value: Any, accepted: Iterable[str]) -> str:
    """Return a name that is among the accepted ones."""
    accepted = list(accepted)
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be one of {', '.join(accepted)}; got {value!r}")
    if value not in accepted:
        raise ValueError(f"{argument} must be one of {', '.join(accepted)}; got {value!r}")
    return value


class Number(NamedTuple):
    """The number that a name may carry: ``huber(1.5)``, which is ``huber(delta=1.5)``."""

    name: str
    default: float
    low: float = -math.inf
    high: float = math.inf
    several: bool = False  # whether there may be more than one
    is_option: bool = False  # low is accepted, is the default, and is left out in texts


def name_and_numbers(
    argument: str, text: Any, accepted: Mapping[str, Number | None]
) -> tuple[str, tuple[float, ...]]:
    """Read a name that may carry a number, such as ``huber(1.5)``; some may carry several.

    `accepted` holds what each name may carry, None for names without.
    """
    if not isinstance(text, str):
        raise TypeError(f"{argument} must be one of {', '.join(accepted)}; got {text!r}")
    if type(text) is str and text in accepted:
        carried = accepted[text]
        return text, () if carried is None else (carried.default,)
    match = re.fullmatch(r"(\w+)(?:\((?:(\w+)=)?([^()=]*)\))?", text.strip())
    name = choice(argument, match[1] if match else text, accepted)
    carried = accepted[name]
    keyword, numbers = match.group(2, 3) if match else (None, None)
    if numbers is None:
        return name, () if carried is None else (carried.default,)
    if carried is None:
        raise ValueError(f"{argument}: {name} takes no number, got {text!r}")
    try:
        if keyword not in (None, carried.name):
            raise ValueError
        values = tuple(float(number) for number in numbers.split(","))
        if len(values) > 1 and not carried.several:
            raise ValueError
        return name, values
    except ValueError:
        raise ValueError(f"{argument} must be like '{name}({carried.default:g})', got {text!r}") from None


def dtype_name(value: Any) -> str:
    """Return float32 or float64 for a name, type or dtype."""
    if type(value) is str and value in DTYPES:
        return value
    try:
        name = np.dtype(value).name if value is not None else "None"
    except TypeError:
        name = ""
    if name not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}; got {value!r}")
    return name


def layer_sizes(argument: str, sizes: Any) -> tuple[int, ...]:
    """Return layer widths, each at least 1."""
    if isinstance(sizes, numbers.Integral):
        sizes = (sizes,)
    array = isinstance(sizes, np.ndarray) and sizes.ndim > 0
    if isinstance(sizes, (str, bytes)) or not (array or isinstance(sizes, Sequence)):
        raise TypeError(f"{argument} must be an integer or a sequence of integers, got {sizes!r}")
    return tuple(integer(f"{argument}[{i}]", size, low=1, high=2**31 - 1) for i, size in enumerate(sizes))


def check_unmasked(argument: str, data: Any) -> None:
    """Refuse masked arrays, whose masks NumPy drops."""
    if np.ma.is_masked(data):
        raise ValueError(f"{argument} has masked values; fill them in or leave their rows out")


def check_undated(argument: str, data: Any) -> None:
    """Refuse dates and times, which NumPy counts in units that nobody chose."""
    if getattr(getattr(data, "dtype", None), "kind", "") in ("m", "M"):
        raise TypeError(f"{argument} must hold real numbers, got dtype {data.dtype}")


def as_table(data: Any) -> Any:
    """Return an Arrow table of data that offers one through the PyCapsule interface; other data as it is."""
    known = type(data).__module__.partition(".")[0] in ("numpy", "pandas", "polars", "scipy")
    if (
        known
        or is_arrow_column(data)
        or hasattr(data, "to_batches")
        or not hasattr(data, "__arrow_c_stream__")
    ):
        return data
    return import_pyarrow().table(data)


def as_array(argument: str, data: Any) -> NDArray[Any]:
    """Return an array of any kind of values, without a copy where there is one already."""
    if type(data) is np.ndarray:  # the common case, which one row's prediction must not wait for
        return data
    check_unmasked(argument, data)
    check_collected(argument, data)
    if hasattr(data, "toarray"):  # scipy.sparse
        data = as_csr(argument, data).toarray()
    elif hasattr(data, "column_names") and hasattr(data, "column"):  # pyarrow.Table or RecordBatch
        if not data.column_names:
            raise ValueError(f"{argument} must have at least one column, got none")
        data = _columns_side_by_side(argument, data)
    elif is_arrow_column(data):
        data = _column_values(argument, data)
    elif hasattr(data, "to_numpy"):
        data = data.to_numpy()
    try:
        return np.asarray(data)
    except ValueError:
        raise ValueError(f"{argument} must be a rectangular array, got rows of different lengths") from None


def _columns_side_by_side(argument: str, table: Any) -> NDArray[Any]:
    """Return the columns of an Arrow table or record batch as one array."""
    columns = [_column_values(argument, table.column(i)) for i in range(len(table.column_names))]
    dates = [i for i, column in enumerate(columns) if column.dtype.kind == "M"]
    if dates and len(columns) > 1:
        raise not_numbers(argument, f"dates in column {table.column_names[dates[0]]!r}")
    return np.column_stack(columns)


def _column_values(argument: str, column: Any) -> NDArray[Any]:
    try:
        return values_of(column)
    except TypeError as error:
        raise TypeError(f"{argument} must hold numbers, booleans, dates or strings; {error}") from None


def as_numbers(
    argument: str, data: Any, dtype: DTypeLike, place: Callable[[int], tuple[int, ...]] | None = None
) -> NDArray[Any]:
    """Return finite numbers in C order; arrays that are so already come back as they are.

    `place` says where the number at a flat index stands, if not there.
    """
    array = as_array(argument, data)
    if array.dtype.kind not in "biuf":
        try:
            if array.dtype.kind != "O" or any(isinstance(value, (str, bytes)) for value in array.flat):
                raise TypeError  # NumPy would read numbers out of strings
            array = array.astype(np.float64)
        except OverflowError:
            raise ValueError(f"{argument} has a whole number that is larger than float64 holds") from None
        except (TypeError, ValueError):
            raise not_numbers(argument, _kind(array)) from None
    given = array
    if array.dtype != dtype or not array.flags.c_contiguous or not array.flags.aligned:
        with np.errstate(over="ignore"):  # what does not fit the dtype is found as infinite below
            array = np.require(array, dtype, ["C", "A"])
    at = _core.first_nonfinite(array, _threads.for_bytes(array.nbytes))
    if at >= 0:
        indices = place(at) if place else np.unravel_index(at, array.shape)
        where = ", ".join(f"{axis} {i}" for axis, i in zip(("row", "column"), indices, strict=False))
        raise not_finite(argument, given.flat[at], f"at {where}", array.dtype)
    return array


def not_finite(argument: str, value: Any, where: str, dtype: DTypeLike) -> ValueError:
    """Return the error for a value that is infinite or NaN, or too large for the type to compute in."""
    if np.isfinite(value):
        most = np.finfo(np.dtype(dtype)).max
        return ValueError(
            f"{argument} has {value:g} {where}, more than {np.dtype(dtype)} holds ({most:.3g}); compute in "
            'float64 (dtype="float64"; estimators: X of that type), or give it on a smaller scale'
        )
    return ValueError(f"{argument} has {value} {where}; only finite numbers are accepted")


def not_numbers(argument: str, given: str) -> TypeError:
    """Return the error for values that are no real numbers."""
    return TypeError(
        f"{argument} must hold real numbers, got {given}; encode other columns first, "
        "for example with fastmlp.data.TableEncoder"
    )


def _kind(array: NDArray[Any]) -> str:
    if array.dtype.kind == "O":
        odd = next((x for x in array.flat if not isinstance(x, numbers.Real)), None)
        return f"{odd!r} of type {type(odd).__name__}"
    return f"dtype {array.dtype}"


def check_collected(argument: str, data: Any) -> None:
    """Refuse queries that have not been computed, such as polars' LazyFrame."""
    if hasattr(data, "collect") and not hasattr(data, "__array__"):
        raise TypeError(
            f"{argument} must be rows, got a {type(data).__name__}, which has none yet; collect() it first"
        )


def column_names(table: Any) -> tuple[Any, ...]:
    """Return the names of a table's columns, () for other data."""
    check_collected("X", table)
    return tuple(getattr(table, "column_names", getattr(table, "columns", ())))  # Arrow; pandas, polars


def features_and_target(X: Any, y: Any) -> tuple[Any, Any]:
    """Take the target out of a table, if y is the name of a column."""
    several = column_targets(X, y)
    if several:
        return drop_columns(X, several), np.column_stack([as_array("y", table_column(X, n)) for n in several])
    if not isinstance(y, str):
        return X, y
    names = column_names(X)
    if not names:
        raise ValueError(f"y may be a column name only when X is a table, got {y!r}")
    if names.count(y) != 1:
        found = "none" if y not in names else f"{names.count(y)}"
        raise ValueError(
            f"y must be one of the columns {', '.join(map(str, names))}; got {y!r}, the name of {found}"
        )
    return drop_columns(X, (y,)), table_column(X, y)


def column_targets(X: Any, y: Any) -> tuple[str, ...]:
    """Return the columns of a table X that a list y names, () where it is no list of them.

    As many names as there are rows are labels.
    """
    if type(X) is np.ndarray or not isinstance(y, (list, tuple)):
        return ()
    names = column_names(X)
    if not 0 < len(y) <= len(names) or not all(isinstance(name, str) and name in names for name in y):
        return ()
    rows = X.n_rows if hasattr(X, "n_rows") else X.shape[0]
    return tuple(y) if len(y) != rows else ()


def table_column(X: Any, name: str) -> Any:
    """Return a column of a table."""
    return X.column(name) if hasattr(X, "column_names") else X[name]


def drop_columns(X: Any, names: tuple[str, ...]) -> Any:
    """Return a table without some columns."""
    if hasattr(X, "column_names"):
        return X.drop_columns(list(names))
    return X.drop(columns=list(names)) if hasattr(X, "iloc") else X.drop(*names)


def feature_names(table: Any) -> tuple[str, ...]:
    """Return the names of a table's columns if they are different strings, else ()."""
    names = () if type(table) is np.ndarray else column_names(table)
    told = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
    return names if told else ()


def as_matrix(
    argument: str,
    data: Any,
    dtype: DTypeLike,
    columns: int | None = None,
    numbers: Sequence[int] | NDArray[np.int64] | None = None,
) -> Matrix:
    """Return rows of finite numbers, (n, columns); `numbers` says which rows they are, if not the first."""
    shape = getattr(data, "shape", None)
    array = data if isinstance(shape, tuple) and len(shape) == 2 else as_array(argument, data)
    check_shape(argument, array.shape, columns)
    if numbers is None:
        return as_numbers(argument, array, dtype)

    def place(at: int) -> tuple[int, int]:
        return int(numbers[at // array.shape[1]]), at % array.shape[1]

    return as_numbers(argument, array, dtype, place)


def check_shape(argument: str, shape: tuple[int, ...], columns: int | None) -> None:
    """Check that a matrix has two dimensions, and as many columns as it must."""
    if len(shape) != 2:
        raise ValueError(f"{argument} must have 2 dimensions (rows, columns), got shape {shape}")
    if shape[1] == 0:
        raise ValueError(f"{argument} must have at least one column, got shape {shape}")
    if columns is not None and shape[1] != columns:
        raise ValueError(f"{argument} must have {columns} columns, got {shape[1]}")


def same_length(argument: str, given: int, rows: int) -> None:
    """Check that an argument has as many rows as X."""
    if given != rows:
        raise ValueError(f"{argument} must have as many rows as X, {rows}, got {given}")


def is_missing(value: Any) -> bool:
    """Whether an object stands for a missing value."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)
