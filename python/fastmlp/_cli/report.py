"""The command `fastmlp report`, and the report of `fastmlp train`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from fastmlp._cli.files import check_output, check_replaceable, check_suffix, load_model, load_rows
from fastmlp._cli.origin import learned_target, parts_of_run, remembered_weight
from fastmlp._cli.outcome import Outcome
from fastmlp._cli.prepare import weights_of, with_targets
from fastmlp._cli.reading import Reading
from fastmlp._inspect.evaluate import evaluate
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._report import is_report, need_plot_libraries, target_columns, write_report
from fastmlp._search.result import Search
from fastmlp.data import Table
from fastmlp.data._table import quoted


def check_report_path(option: str, name: str) -> None:
    """Make sure that a report can be made and written there."""
    need_plot_libraries()
    check_replaceable(option, name, "a fastmlp report", is_report)
    check_suffix(option, name, "a report", (".html", ".htm"))


def report_training(
    path: str, table: Table, outcome: Outcome, *, command: str = "train", search: Search | None = None
) -> None:
    """Write the report on a run that has ended; with a search, also on its trials."""
    config, parts = outcome.config, outcome.parts
    write_report(
        path,
        outcome.network,
        table,
        target_columns(outcome.network),
        command_line(config, command),
        evaluated_on=f"{outcome.evaluated_on} rows",
        evaluation=outcome.evaluation,
        training=outcome.training,
        rows={name: part.n_rows for name, part in parts._asdict().items() if part is not None},
        config=config,
        notes=outcome.notes,
        search=search,
    )


def run_report(model: str, data: str, out: str, target: str | None, reading: Reading) -> int:
    """Write a report on a model and a table that has the truth.

    Where these are the rows of the model's run, it is judged by those that were held back.
    """
    check_report_path("--out", out)
    check_output("--out", out, (model, data))
    network = load_model(model)
    table = load_rows(network, data, reading)
    columns = target_columns(network) if target is None else (target,)
    if not columns:
        raise ValueError(f"--target is needed; the columns of {table.source} are {quoted(table.names)}")
    table = with_targets(table, columns)
    weight = remembered_weight(network)

    def evaluated(rows: Table) -> Evaluation:
        weights = weights_of(rows, weight) if weight is not None and weight in rows else None
        return evaluate(network, rows, columns, weights)

    parts = parts_of_run(network, table)
    held_out = next((name for name in ("test", "validation") if name in parts), None)
    training = parts.get("training") if held_out is not None else None
    words = ["fastmlp", "report", "--out", out, *([] if target is None else ["--target", target])]
    write_report(
        out,
        network,
        table,
        columns,
        _joined(words, model, data),
        evaluated_on=f"rows of {table.source}" if held_out is None else f"{held_out} rows",
        evaluation=evaluated(table if held_out is None else parts[held_out]),
        training=None if training is None else evaluated(training),
        rows={name: part.n_rows for name, part in (parts or {"evaluated": table}).items()},
        learned=learned_target(network),
    )
    return 0


def command_line(config: Mapping[str, Any], command: str = "train") -> str:
    """Return the command that gives a run again."""
    words = ["fastmlp", command]
    for name, value in config.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif name not in ("data", "checkpoint", "every", "keep"):  # which would find another run's
            words += [f"--{option}", str(value)]
    return _joined(words, str(config["data"]))


def _joined(words: list[str], *files: str) -> str:
    """Return a command as a shell takes it; files that look like options stand behind --."""
    return shlex.join([*words, *(["--"] if any(file.startswith("-") for file in files) else []), *files])
