"""What a model file remembers of the data of its run: how it was read and divided, and a fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import plural
from fastmlp._cli.prepare import Prepared, weights_of, with_targets
from fastmlp._cli.reading import Reading
from fastmlp._cli.split import Split
from fastmlp._cli.stderr import warn
from fastmlp._rows.targets import parse_loss
from fastmlp.data import Table
from fastmlp.data._table import Column, quoted
from fastmlp.data._target import LabelTarget

if TYPE_CHECKING:
    from fastmlp._network.ensemble import Ensemble
    from fastmlp._network.network import Network

_LARGEST_COUNT = 1e300  # a model file that claims more is not believed

EVALUATED = ("all", "training", "validation", "test")


def origin_of(network: Network | Ensemble, prepared: Prepared, reading: Reading) -> dict[str, Any]:
    """Return what a model's file is to remember of its run."""
    encoder, table, columns = prepared.encoder, prepared.table, prepared.columns
    training, names = prepared.parts.training, columns.targets
    weights = weights_of(training, columns.weight)
    if network.classes is None:
        with np.errstate(over="ignore"):  # values near 1e308
            learned: dict[str, Any] = {
                "means": [float(np.average(training[name], weights=weights)) for name in names]
            }
    else:
        labels = LabelTarget(names[0]).encode(training)
        ones = np.ones(len(labels), np.int64) if weights is None else weights
        learned = {"counts": [ones[labels == label].sum().item() for label in network.classes]}
    return {
        "rows": table.n_rows,
        "fingerprint": fingerprint(table, (*encoder.input_names, *names)),
        "split": prepared.split.to_dict(),
        "reading": reading.given(),
        "ids": list(columns.ids),
        "weight": columns.weight,
        **learned,
    }


def learned_target(network: Network | Ensemble) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    """Return the training rows' labels with the weight of each, or their means; None where not known.

    Means say nothing of quantiles.
    """
    if len(parse_loss(network.loss)[1]) > 1:
        return None, None
    counts: Any = network.origin.get("counts")
    means: Any = network.origin.get("means")
    if network.classes is not None:
        known = _counts(counts, len(network.classes))
        return (network.classes, np.array(counts, np.float64)) if known else (None, None)
    if not _means(means):
        return None, None
    return np.array(means) if len(means) == 1 else np.array([means]), None


def remembered_ids(network: Network | Ensemble) -> tuple[str, ...]:
    """Return the columns that name the rows."""
    ids = network.origin.get("ids", [])
    return tuple(ids) if isinstance(ids, list) and all(isinstance(name, str) for name in ids) else ()


def remembered_weight(network: Network | Ensemble) -> str | None:
    """Return the column of the weights."""
    weight = network.origin.get("weight")
    return weight if isinstance(weight, str) else None


def fingerprint(table: Table, names: Sequence[str]) -> str:
    """Return a hash of the values of these columns, row by row in their order."""
    digest = hashlib.blake2b(digest_size=16)
    for name in names:
        digest.update(f"{name}\0".encode("utf-8", "surrogatepass"))
        digest.update(_content(table[name]))
    return digest.hexdigest()


def rows_of_run(network: Network | Ensemble, table: Table, wanted: str) -> Table:
    """Return those rows of a table that a model's run used for something.

    Parameters
    ----------
    network : Network
    table : Table
        Rows with a target.
    wanted : "all", "training", "validation" or "test"

    Raises
    ------
    ValueError
        If this is not the table that the run divided, or no rows were held back for that.
    """
    if wanted == "all":
        return table
    if not is_known(network, table):
        raise ValueError(
            f"--rows {wanted}: {table.source} does not hold the rows that the run of this model divided"
            + ("" if "split" in network.origin else "; the model does not remember any")
        )
    rows = _divided(network, table)
    if wanted not in rows:
        raise ValueError(f"--rows {wanted}: the run of this model had none; it had {quoted(rows)}")
    return table.take(rows[wanted])


def check_rows(wanted: str) -> None:
    """Refuse what `rows_of_run` does not know."""
    if wanted not in EVALUATED:
        raise ValueError(f"--rows must be one of {', '.join(EVALUATED)}; got {wanted!r}")


def complete_rows(table: Table, targets: Sequence[str]) -> Table:
    """Leave out the rows without a target, and say so; if there are no others, leave that to be an error."""
    complete = with_targets(table, targets)
    if complete.n_rows in (0, table.n_rows):
        return table
    warn(f"{table.source}: {plural(table.n_rows - complete.n_rows, 'row')} without a target left out")
    return complete


def warn_if_seen(network: Network | Ensemble, table: Table) -> None:
    """Say how many of these rows the model was trained on, if they are those of its run."""
    if not is_known(network, table):
        return
    rows = _divided(network, table)
    held_back = next((name for name in ("test", "validation") if name in rows), None)
    hint = "" if held_back is None else f"; --rows {held_back} takes those that were held back"
    seen = len(rows["training"])
    warn(f"the model was trained on {seen} of these {plural(table.n_rows, 'row')}{hint}")


def parts_of_run(network: Network | Ensemble, table: Table) -> dict[str, Table]:
    """Return the rows that the model's run was for, by "training", "validation" and "test"; {} if unknown."""
    if not is_known(network, table):
        return {}
    return {name: table.take(rows) for name, rows in _divided(network, table).items()}


def is_known(network: Network | Ensemble, table: Table) -> bool:
    """Tell whether a table holds the rows that the model's run divided, in their order."""
    encoder, known = network._reader, network.origin.get("fingerprint")
    if encoder is None or known is None or network.origin.get("rows") != table.n_rows:
        return False
    names = (*encoder.input_names, *encoder.target_names)
    return all(name in table for name in names) and fingerprint(table, names) == known


def _divided(network: Network | Ensemble, table: Table) -> dict[str, NDArray[np.int64]]:
    split = Split.from_dict(network.origin.get("split"))
    if split.group is not None and split.group not in table:
        raise ValueError(f"--rows: {table.source} has no column {split.group!r}, by which rows were grouped")
    encoder = network._reader
    assert encoder is not None
    labels = LabelTarget(encoder.target_names[0]).encode(table) if split.stratified else None
    return split.rows(table, labels)


def _content(column: Column) -> bytes:
    if column.dtype == object:
        texts = ("\1" if value is None else value for value in column.tolist())
        return "\0".join(texts).encode("utf-8", "surrogatepass")
    return f"{column.dtype.kind}\0".encode() + np.ascontiguousarray(column).tobytes()


def _counts(values: Any, classes: int) -> bool:
    """Tell whether these may be the numbers of rows, or their weights, of so many classes."""
    if not isinstance(values, list) or len(values) != classes:
        return False
    if not all(type(value) in (int, float) and 0 <= value < _LARGEST_COUNT for value in values):
        return False
    return sum(values) > 0


def _means(values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(type(value) is float for value in values)
