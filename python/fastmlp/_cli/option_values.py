"""What options hold that are more than one number or word."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from fastmlp._base.validation import Number, name_and_numbers
from fastmlp.spec.optimizers import ADAMW_DECAY, Adam
from fastmlp.spec.schedules import Cosine, CosLog, FlatCos, OneCycle, Schedule

#: The options that are a number or a text.
NUMBERS_OR_TEXTS = ("learning_rate", "dropout")

#: The options that are several words with commas between them.
LISTS = ("hidden", "activation", "target", "x", "ignore", "id", "missing", "text")


def read_hidden(text: str) -> tuple[int, ...]:
    """Read "64,64" as (64, 64) and "none" as ()."""
    if text.strip().lower() in ("", "none"):
        return ()
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError:
        raise ValueError(
            f"--hidden must be whole numbers with commas between them, such as 64,64, or none; got {text!r}"
        ) from None


def read_activation(text: str) -> str | list[str]:
    """Read "relu" as one name and "relu,tanh" as one name a layer."""
    return [name.strip() for name in text.split(",")] if "," in text else text


_SCHEDULES: dict[str, Callable[[float], Schedule]] = {
    "cosine": Cosine,
    "one_cycle": OneCycle,
    "cos_log": CosLog,
    "flat_cos": FlatCos,
}


def read_learning_rate(text: str) -> float | Schedule:
    """Read "0.01" as a number and "cosine(0.01)" or "one_cycle(0.01)" as a schedule."""
    return _read_scheduled("--learning-rate", text, 0.01)


def read_dropout(given: float | str) -> float | Schedule:
    """Read "flat_cos(0.1)" as a schedule and "0.1" as a number, and take a number as it is."""
    return _read_scheduled("--dropout", given, 0.1) if isinstance(given, str) else given


def number_or_text(text: str) -> float | str:
    """Return the number that a text is, or the text."""
    try:
        return float(text)
    except ValueError:
        return text


def _read_scheduled(option: str, text: str, default: float) -> float | Schedule:
    try:
        name, numbers = name_and_numbers(option, text, dict.fromkeys(_SCHEDULES, Number("", default)))
        return _SCHEDULES[name](numbers[0])
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        forms = [f"{name}(rate)" for name in _SCHEDULES]
        raise ValueError(
            f"{option} must be a number, {', '.join(forms[:-1])} or {forms[-1]}, rate above 0; got {text!r}"
        ) from None


def read_optimizer(text: str) -> str | Adam:
    """Read "adamw(0.1)" as AdamW with this weight decay, which may be a schedule: "adamw(flat_cos(0.1))".

    Other names stand for themselves.
    """
    if not text.startswith("adamw("):
        return text
    try:
        if text.endswith("))"):
            return Adam(weight_decay=_read_scheduled("--optimizer", text[len("adamw(") : -1], ADAMW_DECAY))
        _, numbers = name_and_numbers("optimizer", text, {"adamw": Number("", ADAMW_DECAY)})
        return Adam(weight_decay=numbers[0])
    except ValueError:
        raise ValueError(
            f"--optimizer: the weight decay must be a number of at least 0, as in adamw(0.1), or a schedule, "
            f"as in adamw(flat_cos(0.1)); got {text!r}"
        ) from None


def read_batch_size(text: str) -> int | str | None:
    """Read "full" as None, "auto", or a whole number."""
    if text == "auto":
        return text
    if text == "full":
        return None
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"--batch-size must be a whole number, full or auto; got {text!r}") from None


def read_names(option: str, text: str) -> tuple[str, ...]:
    """Read "id,name" as two names; one that has a comma itself stands in double quotes."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(f"{option} must be names with commas between them; got {text!r}: {error}") from None
    names = tuple(dict.fromkeys(name.strip() for row in rows for name in row))
    if not names:
        raise ValueError(f"{option} must be names with commas between them, got none")
    return names
