"""Make a report of a network and its data, and write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.files import replace_file
from fastmlp._base.text import plural
from fastmlp._base.validation import column_names
from fastmlp._inspect.evaluate import evaluate
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._network.ensemble import Ensemble
from fastmlp._network.network import Network
from fastmlp._report.facts import Facts
from fastmlp._report.page import MARK, render
from fastmlp._search.result import Search
from fastmlp.data import Table, read
from fastmlp.data._frames import read_frame
from fastmlp.data._table import quoted

_TARGET = "target"  # what y is called that comes with an array


def report(
    model: Any,
    table: Any,
    path: str | PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    training: Any = None,
    evaluated_on: str | None = None,
) -> None:
    """Write a report on a network and rows that have the truth: one HTML file that needs nothing else.

    It opens on a verdict (sound, overfits, no better than a constant) with the metrics beside those of a
    constant. Then come the results with their figures, the importance of each column, the rows predicted
    worst, the data, the training, the network and its signals. The file makes no request.

    Parameters
    ----------
    model : Network or Ensemble, or an estimator that holds one as ``network_``
    table : data frame, Table, Arrow table, path of a file, or (X, y)
        Rows to judge the network by, best those that it was not trained on. A table needs the target's
        column; networks that were trained on arrays take (X, y).
    path : path
        Where to write. A report that is there is replaced, another file never.
    target : str or sequence of str, optional
        The column of the truth, or several; by default those that the network's encoder was fitted on.
    training : as table, optional
        The rows that the network was trained on. With them the report tells whether it overfits, and takes
        the constant that it compares with from them.
    evaluated_on : str, optional
        What the rows are called; "rows of" and the table's name by default, "test rows" with `training`.

    Raises
    ------
    ImportError
        Without matplotlib or plotly.
    TypeError, ValueError
        If the model is no network, the table has no target, or the file at `path` is none of ours.

    Examples
    --------
    >>> fastmlp.report(net, test_rows, "run.html", training=training_rows)  # doctest: +SKIP
    """
    need_plot_libraries()
    network = getattr(model, "network_", model)
    if not isinstance(network, (Network, Ensemble)):
        raise TypeError(f"model must be a Network, an Ensemble or an estimator that holds one, got {model!r}")
    place = Path(fspath(path))
    if place.exists() and not (place.is_file() and is_report(place)):
        raise ValueError(f"path: {place}: is there already and is not a fastmlp report; it is left as it is")
    judged, columns = _as_table("table", table, network, target)
    if network.classes is not None and len(columns) > 1:
        raise ValueError(f"target: the network predicts one label for each row, got {quoted(columns)}")
    learned = None if training is None else _as_table("training", training, network, target)[0]
    named = evaluated_on or (f"rows of {judged.source}" if learned is None else "test rows")
    rows = {} if learned is None else {"training": learned.n_rows}
    write_report(
        place,
        network,
        judged,
        columns,
        f"fastmlp.report(net, {judged.source!r}, {str(place)!r})",
        evaluated_on=named,
        evaluation=evaluate(network, judged, columns),
        training=None if learned is None else evaluate(network, learned, columns),
        rows=rows | {"evaluated": judged.n_rows},
    )


def write_report(
    path: str | PathLike[str],
    network: Network | Ensemble,
    table: Table,
    targets: Sequence[str],
    command: str,
    *,
    evaluated_on: str,
    evaluation: Evaluation | None,
    training: Evaluation | None,
    rows: Mapping[str, int],
    config: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
    learned: tuple[NDArray[Any] | None, NDArray[Any] | None] = (None, None),
    search: Search | None = None,
) -> None:
    """Write the report on a network, some rows to judge it by, and those that it was trained on.

    Parameters
    ----------
    path : path
    network : Network or Ensemble
    table : Table
        All data.
    targets : sequence of str
        The columns that the network predicts.
    command : str
        What gives the report again.
    evaluated_on : str
        What the rows to judge by are called.
    evaluation : Evaluation or None
        Of them; None if there are none.
    training : Evaluation or None
        Of the training rows; None where they are not known.
    rows : mapping of str to int
        How many rows are for what.
    config : mapping, optional
        The options of the run.
    notes : sequence of str
        What was guessed or left out when the data was read.
    learned : (targets, weights), optional
        Of the training rows, where nothing else is known of them.
    search : Search, optional
        That found the network.
    """
    facts = Facts(
        title=f"fastmlp: {', '.join(targets)} of {Path(table.source).name}",
        command=command,
        config=config or {},
        table=table,
        targets=tuple(targets),
        network=network,
        evaluated_on=evaluated_on,
        evaluation=evaluation,
        training=training,
        rows=rows,
        notes=tuple(notes),
        learned=learned,
        search=search,
    )
    replace_file(path, render(facts).encode())


def need_plot_libraries() -> None:
    """Raise ImportError, saying what to install, where there is no matplotlib or plotly."""
    try:
        import matplotlib as mpl  # noqa: F401
        import plotly  # noqa: F401
    except ImportError:
        raise ImportError("a report needs matplotlib and plotly: pip install 'fastmlp[plot]'") from None


def is_report(path: Path) -> bool:
    """Tell whether a file is a report, or empty."""
    with path.open("rb") as file:
        start = file.read(1000)
    return not start or MARK.encode() in start


def target_columns(network: Network | Ensemble) -> tuple[str, ...]:
    """Return the columns that the network's encoder was fitted on, () if they are not known."""
    return () if network._reader is None else network._reader.target_names


def _as_table(
    argument: str, data: Any, network: Network | Ensemble, target: str | Sequence[str] | None
) -> tuple[Table, tuple[str, ...]]:
    """Return rows with their truth as a table, and the names of the targets' columns."""
    targets = target_columns(network) if target is None else _names(target)
    if isinstance(data, (str, PathLike)):
        data = read(data)
    if isinstance(data, tuple) and len(data) == 2 and data[1] is None:  # a file that has no targets beside it
        data = data[0]
    if isinstance(data, tuple) and len(data) == 2:
        return _with_truth(argument, *data, network, targets)
    if isinstance(data, tuple) or not (isinstance(data, Table) or column_names(data)):
        raise TypeError(
            f"{argument} must be a table with the target's column, or (X, y), got {type(data).__name__}"
        )
    table = read_frame(data)
    if not targets:
        raise ValueError(f"target must name the column of the truth, one of {quoted(table.names)}")
    for name in targets:
        if name not in table:
            raise ValueError(
                f"{argument}: {table.source} has no column {name!r}, the target; it has {quoted(table.names)}"
            )
    if network._reader is None and network.feature_names and set(network.feature_names) <= set(table.names):
        table = table.keep(*network.feature_names, *targets)
    return table, targets


def _names(target: str | Sequence[str]) -> tuple[str, ...]:
    return (target,) if isinstance(target, str) else tuple(target)


def _with_truth(
    argument: str, X: Any, y: Any, network: Network | Ensemble, targets: tuple[str, ...]
) -> tuple[Table, tuple[str, ...]]:
    """Put X and y into one table."""
    if isinstance(y, str):
        return _as_table(argument, X, network, y)
    if isinstance(X, Table) or column_names(X):
        features = read_frame(X)
        columns: dict[str, Any] = {name: features[name] for name in features.names}
        source = features.source
    else:
        X = np.asarray(X.toarray() if hasattr(X, "toarray") else X)
        if X.ndim != 2:
            raise ValueError(f"{argument}: X must have shape (n, inputs), got {X.shape}")
        names = list(network.feature_names) or [str(i) for i in range(X.shape[1])]
        if len(names) != X.shape[1]:
            raise ValueError(f"{argument}: X must have {plural(len(names), 'column')}, got {X.shape[1]}")
        columns, source = dict(zip(names, X.T, strict=True)), "arrays"
    y = np.asarray(y)
    if y.ndim not in (1, 2) or (y.ndim == 2 and targets and len(targets) != y.shape[1]):
        raise ValueError(f"{argument}: y must have shape (n,) or (n, targets), got {y.shape}")
    truth = [y] if y.ndim == 1 else list(y.T)
    if not targets:
        free = next(name for name in (_TARGET, "true target", "y") if name not in columns)
        targets = (free,) if len(truth) == 1 else tuple(f"{free} {i}" for i in range(len(truth)))
    return Table({**columns, **dict(zip(targets, truth, strict=True))}, source=source), targets
