"""The tab of a search: its trials, the best of them, and which parameters matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastmlp._base.text import plural
from fastmlp._report import figures
from fastmlp._report.html import Html, heading, interactive, paragraph, table
from fastmlp._search.trials import STATES, best_first, trial_table

if TYPE_CHECKING:
    from fastmlp._search.result import Search

_LISTED = 30


def trials(search: Search) -> list[Html]:
    """Return the values of the trials, the importance of parameters, and a table of the best trials."""
    best, metric = search.best_trial, search.metric
    counts = {state: sum(trial.state == state for trial in search.trials) for state in STATES}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    caption = f"The {metric} of each trial on the rows held back; the best is trial {best.number}."
    parts = [
        paragraph(
            f"{plural(len(search), 'trial')}: {told}. Those that were pruned were worse than others "
            "when they were stopped."
        ),
        interactive(figures.search_history(search), caption, caption),
    ]
    if found := search.importances():
        text = f"How much of the spread of the {metric} each parameter explains."
        parts += [
            heading("Importance of parameters"),
            interactive(figures.search_importances(found), text, text),
        ]
    listed = best_first(search.trials, metric)[:_LISTED]
    records = trial_table(listed)
    titles = [name.replace("_", " ") for name in records.columns]
    return [*parts, heading(f"The best {plural(len(listed), 'trial')}"), table(titles, records.rows())]
