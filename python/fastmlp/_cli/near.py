"""What was meant by an option or a command that there is not."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

#: What other programs call our options and commands.
_ELSEWHERE = {
    "lr": "learning-rate",
    "rate": "learning-rate",
    "step-size": "learning-rate",
    "alpha": "l2",
    "weight-decay": "l2",
    "wd": "l2",
    "batch": "batch-size",
    "bs": "batch-size",
    "layers": "hidden",
    "units": "hidden",
    "n-epochs": "epochs",
    "iterations": "epochs",
    "max-iter": "epochs",
    "early-stopping": "patience",
    "y": "target",
    "label": "target",
    "labels": "target",
    "outcome": "target",
    "features": "x",
    "columns": "x",
    "inputs": "x",
    "drop": "ignore",
    "exclude": "ignore",
    "sep": "delimiter",
    "na-values": "missing",
    "na": "missing",
    "null": "missing",
    "groups": "group",
    "weights": "weight",
    "sample-weight": "weight",
    "test-size": "test",
    "holdout": "test",
    "val": "validation",
    "validation-split": "validation",
    "random-state": "seed",
    "workers": "threads",
    "jobs": "threads",
    "n-jobs": "threads",
    "probabilities": "proba",
    "o": "output",
    "verbose": "quiet",
    "fit": "train",
    "learn": "train",
    "score": "evaluate",
    "test-model": "evaluate",
    "convert": "export",
}


def did_you_mean(given: str, known: Collection[str]) -> str | None:
    """Return "did you mean --hidden" for --hiden, None where nothing is near.

    Parameters
    ----------
    given : str
        What there is not, with dashes in front if it is an option.
    known : collection of str
        What there is, written in the same way.
    """
    dashes = given[: len(given) - len(given.lstrip("-"))]
    word = given[len(dashes) :].lower().replace("_", "-")
    by_name = f"{'--' if dashes else ''}{_ELSEWHERE.get(word, '')}"
    if word in _ELSEWHERE and by_name in known:
        return f"did you mean {by_name}?"
    near = get_close_matches(f"{'--' if dashes else ''}{word}", list(known), n=1)
    return f"did you mean {near[0]}?" if near else None
