"""The command `fastmlp report`, and the report of `fastmlp train`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastmlp._base.files import replace_file
from fastmlp._cli.files import check_output, check_replaceable, load_model, load_rows
from fastmlp._cli.outcome import Outcome
from fastmlp._inspect.evaluation import evaluate
from fastmlp._report import Report, is_report, need_plot_libraries, render
from fastmlp.data import Table


def check_report_path(option: str, name: str) -> None:
    """Make sure that a report can be made and written there."""
    need_plot_libraries()
    check_replaceable(option, name, "a fastmlp report", is_report)


def report_training(path: str, table: Table, outcome: Outcome) -> None:
    """Write the report on a run that has ended."""
    config, network = outcome.config, outcome.network
    assert network.encoder is not None
    target = str(network.encoder.target)
    report = Report(
        title=f"fastmlp: {target} of {Path(table.source).name}",
        command=command_line(config),
        config=config,
        table=table,
        target=target,
        network=network,
        evaluated_on=None if outcome.evaluated_on is None else f"{outcome.evaluated_on} rows",
        evaluation=outcome.evaluation,
    )
    replace_file(path, render(report).encode())


def run_report(model: str, data: str, out: str, target: str | None) -> int:
    """Write a report on a model and a table that has the truth."""
    check_report_path("--out", out)
    check_output("--out", out, (model, data))
    network = load_model(model)
    table = load_rows(network, data)
    evaluation = evaluate(network, table, target)
    words = ["fastmlp", "report", "--out", out, *([] if target is None else ["--target", target])]
    report = Report(
        title=f"fastmlp: {evaluation.target} of {Path(table.source).name}",
        command=_joined(words, model, data),
        config={},
        table=table,
        target=evaluation.target,
        network=network,
        evaluated_on=f"rows of {table.source}",
        evaluation=evaluation,
    )
    replace_file(out, render(report).encode())
    return 0


def command_line(config: Mapping[str, Any]) -> str:
    """Return the command that gives a run again."""
    words = ["fastmlp", "train"]
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
