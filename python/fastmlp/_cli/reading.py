"""How a CSV file is read: what the options say, or else what the model's file remembers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from fastmlp._base.text import shortened
from fastmlp._cli.option_values import read_names

_TAB = ("tab", "\\t", "\t")


@dataclass(frozen=True)
class Reading:
    """What the reader of CSV files is told; None and () leave it to the reader.

    Attributes
    ----------
    header : bool or None
        Whether the first line names the columns.
    delimiter, encoding : str or None
    missing : tuple of str
        Texts that stand for a missing value, besides those that always do.
    text : tuple of str
        Columns that stay texts.
    decimal : mapping of str to str, or None
        The decimal marks of columns.
    """

    header: bool | None = None
    delimiter: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    decimal: Mapping[str, str] | None = None

    @classmethod
    def of(
        cls,
        header: bool | None = None,
        delimiter: str | None = None,
        encoding: str | None = None,
        missing: str | None = None,
        text: str | None = None,
    ) -> Reading:
        """Return what the options say."""
        return cls(
            header=header,
            delimiter="\t" if delimiter in _TAB else delimiter,
            encoding=encoding,
            missing=() if missing is None else read_names("--missing", missing),
            text=() if text is None else read_names("--text", text),
        )

    def given(self) -> dict[str, Any]:
        """Return the arguments of `read_csv` that are not left to it."""
        return {name: value for name, value in asdict(self).items() if value not in (None, ())}

    def with_texts(self, texts: Collection[str], decimal: Mapping[str, str] | None = None) -> Reading:
        """Return one that reads these columns as texts, too, and knows the decimal marks of others."""
        return replace(self, text=tuple(dict.fromkeys((*self.text, *texts))), decimal=decimal or None)

    def or_else(self, remembered: Any) -> Reading:
        """Return one in which what is not given is taken from what `given` was when the model was trained."""
        if not isinstance(remembered, Mapping):
            return self
        kinds: dict[str, type] = {"header": bool, "delimiter": str, "encoding": str}
        known = {name: remembered.get(name) for name, kind in kinds.items() if name in remembered}
        for name, value in known.items():
            if type(value) is not kinds[name]:
                raise ValueError(f"the model remembers {name} {shortened(repr(value), 40)}, which is none")
        for name in ("missing", "text"):
            if name in remembered:
                known[name] = _texts(remembered[name], name)
        more: dict[str, Any] = {n: v for n, v in known.items() if n not in self.given()}
        return replace(self, **more)


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"the model remembers {name} {shortened(repr(value), 40)}, which are no texts")
    return tuple(value)
