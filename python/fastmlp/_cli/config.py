"""The settings of a run: those of a TOML file, and those of the command line, which win."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastmlp._base.text import shortened
from fastmlp._cli.near import did_you_mean
from fastmlp._cli.option_values import LISTS, NUMBERS_OR_TEXTS
from fastmlp.data._table import quoted

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def read_config(name: str, accepted: Mapping[str, type], command: str = "train") -> dict[str, Any]:
    """Read options from a TOML file, from its table of the command's name if it has one.

    Parameters
    ----------
    name : str
        The file.
    accepted : mapping of str to type
        The options, with underscores, and what each holds: bool, int, float or str. A str may be written as
        a number too, and those of `LISTS` as an array.
    command : str, default "train"

    Returns
    -------
    dict
        Values as the command line would give them.

    Raises
    ------
    ValueError
        If the file is not there or not TOML, or a key is unknown, double or holds something else; the
        message names the file and the key.
    """
    given: dict[str, Any] = {}
    for key, value in _read_table(name, command).items():
        option = key.replace("-", "_")
        if option not in accepted:
            near = did_you_mean(key, [known.replace("_", "-") for known in accepted])
            known = near or f"the keys are {quoted(accepted, len(accepted))}"
            raise ValueError(f"{name}: unknown key {key!r}; {known}")
        if option in given:
            raise ValueError(f"{name}: {key!r} is there twice, with a dash and with an underscore")
        if option in NUMBERS_OR_TEXTS and isinstance(value, float):
            value = str(value)
        given[option] = _value(value, accepted[option], option in LISTS, f"{name}: {key}")
    return given


def read_toml(option: str, name: str) -> dict[str, Any]:
    """Return what the TOML file that an option names holds."""
    path = Path(name)
    if not path.is_file():
        raise ValueError(f"{option}: {name}: {'this is a directory' if path.is_dir() else 'no such file'}")
    try:
        return tomllib.loads(path.read_bytes().decode())
    except UnicodeDecodeError:
        raise ValueError(f"{name}: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name}: not TOML: {error}") from None
    except RecursionError:
        raise ValueError(f"{name}: its arrays or tables are nested too deeply for options") from None


def _read_table(name: str, command: str) -> dict[str, Any]:
    """Return a file's table of the command's name if it has one, else all of it."""
    content = read_toml("--config", name)
    table = content.get(command)
    if not isinstance(table, dict):
        return content
    if len(content) > 1:
        other = next(key for key in content if key != command)
        raise ValueError(f"{name}: {other!r} stands outside of the table [{command}]")
    return table


def _value(value: Any, kind: type, is_list: bool, where: str) -> Any:
    if is_list and isinstance(value, list):
        if not all(_is_word(item) for item in value):
            raise ValueError(f"{where}: must be an array of texts or whole numbers, got {_short(value)}")
        return join(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is str and _is_word(value):
        return str(value)
    if type(value) is not kind:
        what = f"{_KINDS[kind]} or an array" if is_list else _KINDS[kind]
        raise ValueError(f"{where}: must be {what}, got {_short(value)}")
    return value


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list) and not all(isinstance(item, (str, int, float)) for item in value):
        return "an array of other things"
    return shortened(repr(value), 60)


def _is_word(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


def join(words: list[Any]) -> str:
    """Write words as one option: a,b; a word with a comma in it is quoted, as in CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(words)
    return text.getvalue()
