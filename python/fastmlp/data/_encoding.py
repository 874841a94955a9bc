"""From a file's bytes to text: UTF-8 where the bytes are such, else the encoding that is most likely."""

from __future__ import annotations

import codecs
import re
from typing import Any

from fastmlp._base.text import shortened

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # begins with the mark of UTF-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What Windows and older systems write; the detection of an encoding among all there are is less reliable.
_LIKELY = ("cp1252", "cp1250", "cp1251", "cp1253", "cp932", "gb18030", "big5", "cp949")
_LATIN = ("cp1252", "cp1250")
_SAMPLE = 2**16
# Where fewer of the letters are not ASCII, the text is Western: a quotation mark or an accent here and there.
_FEW = 0.04
# Where fewer of the bytes beyond ASCII are beside another one, they are letters with accents, or signs, among
# Latin letters; those of other scripts stand side by side.
_SIDE_BY_SIDE = 1 / 3
# The first bytes of the Japanese syllables in cp932, whose second ones may be ASCII.
_KANA = b"\x81\x82\x83"
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f\x7f]")
_WRITES = "save the file as UTF-8, or give encoding"


def decode(content: bytes, source: str, encoding: str | None = None) -> tuple[str, list[str]]:
    """Return the text of a file, and what is to be said of its encoding.

    Parameters
    ----------
    content : bytes
    source : str
        What messages call the file.
    encoding : str, optional
        A name that Python knows. None takes the byte-order mark's, else UTF-8; for bytes that are not UTF-8,
        UTF-16 if every other byte is 0, else cp1252 (which Latin-1 is read as) where few letters are not
        ASCII or charset-normalizer finds nothing more likely. Of Latin letters with accents among others
        without, only the words of a language make cp1250 more likely. Without that package it is cp1252.

    Raises
    ------
    ValueError
        If there is no such encoding, the bytes are not text in it, or they hold control characters.
    """
    if encoding is not None:
        return _decoded(content, source, _checked(encoding)), []
    for mark, name in _MARKS.items():
        if content.startswith(mark):
            return _decoded(content, source, name), []
    wide = _wide(content)
    if wide is not None:
        return _decoded(content, source, wide), [f"read as {wide}, because every other byte is 0"]
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError as error:
        place = error.start
    control = _CONTROL.search(content)
    if control is not None:
        where = _line(content, control.start())
        raise ValueError(
            f"{source}: {where}: byte 0x{content[control.start()]:02x} is a control character, not text"
        )
    guess = _guess(content)
    text = _decoded(content, source, guess)
    sample = _around(content, place).decode(guess, errors="replace")
    reason = f"{_line(content, place)} is not UTF-8 ({shortened(sample, 40)!r})"
    return text, [f"read as {guess}, because {reason}; encoding says it where that is wrong"]


def _checked(encoding: str) -> str:
    if not isinstance(encoding, str):
        raise TypeError(f"encoding must be None or the name of an encoding, got {encoding!r}")
    try:
        "".encode(encoding)
    except (LookupError, ValueError):  # unknown, none of text, or no name at all
        raise ValueError(
            f"encoding must be the name of a text encoding such as 'utf-8' or 'cp1252', got {encoding!r}"
        ) from None
    return encoding


def _decoded(content: bytes, source: str, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        place = start - content.rfind(b"\n", 0, start)
        byte = f" (0x{content[start]:02x})" if start < len(content) else ""
        raise ValueError(
            f"{source}: {_line(content, start)}, byte {place}{byte} is not {encoding} text; {_WRITES}"
        ) from None


def _wide(content: bytes) -> str | None:
    """Tell UTF-16 without a byte-order mark by its zeros, which every second byte of Western text is."""
    head = content[:_SAMPLE]
    if b"\0" not in head or len(content) % 2:
        return None
    for encoding, high, low in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if 2 * high.count(0) > len(high) and not low.count(0):
            return encoding
    return None


def _guess(content: bytes) -> str:
    sample = _sample(content)
    beyond = [byte > 127 for byte in sample]
    if sum(beyond) < _FEW * sum(map(_is_letter, sample)):
        return _western(content)
    try:
        from charset_normalizer import from_bytes
    except ImportError:
        return _western(content)

    def matches(*encodings: str) -> list[Any]:
        return list(from_bytes(sample, cp_isolation=list(encodings)))

    kana = sum(byte in _KANA for byte in sample)
    if _side_by_side(beyond) < _SIDE_BY_SIDE * sum(beyond) and 2 * kana < sum(beyond):
        west, east = (max((m.coherence for m in matches(name)), default=0.0) for name in _LATIN)
        return _western(content) if west >= east else _LATIN[1]
    likely = matches(*_LIKELY)
    best = min((match.chaos for match in likely), default=0.0)
    usual = [match for match in likely if "cp1252" in match.could_be_from_charset]
    if likely and not (usual and usual[0].chaos <= best):
        return str(likely[0].encoding)
    return _western(content)


def _western(content: bytes) -> str:
    try:
        content.decode("cp1252")
    except UnicodeDecodeError:  # five bytes stand for nothing in it
        return "latin-1"
    return "cp1252"


def _side_by_side(beyond: list[bool]) -> int:
    """Count the bytes beyond ASCII that have such a byte before or after them."""
    around = zip(beyond, [False, *beyond], [*beyond[1:], False], strict=False)
    return sum(here and (before or after) for here, before, after in around)


def _is_letter(byte: int) -> bool:
    return byte > 127 or 65 <= byte <= 90 or 97 <= byte <= 122


def _sample(content: bytes) -> bytes:
    """Return lines that are not ASCII, whole ones where there is one short enough."""
    lines: list[bytes] = []
    size = 0
    for line in content.split(b"\n"):
        if not line.isascii():
            size += len(line) + 1
            if size > _SAMPLE and lines:
                break
            lines.append(line[:_SAMPLE])
    return b"\n".join(lines)


def _around(content: bytes, place: int) -> bytes:
    """Return the word that a byte is in."""
    start = max(content.rfind(mark, 0, place) for mark in (b"\n", b",", b";", b"\t")) + 1
    return re.split(rb"[\r\n,;\t]", content[max(start, place - 20) : place + 20], maxsplit=1)[0]


def _line(content: bytes, place: int) -> str:
    return "line " + str(content.count(b"\n", 0, place) + 1)
