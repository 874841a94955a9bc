"""What options hold that are more than one number or word."""

from __future__ import annotations

import csv
import io

from fastmlp._base.validation import Number, name_and_numbers
from fastmlp.spec.optimizers import ADAMW, Adam
from fastmlp.spec.schedules import Cosine, OneCycle

#: The options that are a number or a text.
NUMBERS_OR_TEXTS = ("learning_rate",)

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


_SCHEDULES: dict[str, type[Cosine | OneCycle]] = {"cosine": Cosine, "one_cycle": OneCycle}


def read_learning_rate(text: str) -> float | Cosine | OneCycle:
    """Read "0.01" as a number and "cosine(0.01)" or "one_cycle(0.01)" as a schedule."""
    try:
        name, numbers = name_and_numbers("learning_rate", text, dict.fromkeys(_SCHEDULES, Number("", 0.01)))
        return _SCHEDULES[name](*numbers)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"--learning-rate must be a number, cosine(rate) or one_cycle(rate), rate above 0; got {text!r}"
        ) from None


def read_optimizer(text: str) -> str | Adam:
    """Read "adamw(0.1)" as AdamW with this weight decay; other names stand for themselves."""
    if not text.startswith("adamw("):
        return text
    try:
        _, numbers = name_and_numbers("optimizer", text, {"adamw": Number("", ADAMW.weight_decay)})
        return Adam(weight_decay=numbers[0])
    except ValueError:
        raise ValueError(
            f"--optimizer: the weight decay must be a number of at least 0, as in adamw(0.1); got {text!r}"
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
