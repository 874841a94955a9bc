"""Rows that are images, one pixel a column."""

from __future__ import annotations

import math
import re
import struct
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp._base.text import plural, shortened
from fastmlp._inspect.evaluation import Evaluation
from fastmlp._report.html import Html, Picture, heading, image, join, paragraph, table
from fastmlp.data import Table

_LEAST_SIDE = 8
_BRIGHTEST = 255
_CLASSES, _EACH = 10, 8
_ROWS = 16  # shown of values, which have no classes
_LOOKED_AT = 1000


class Pixels(NamedTuple):
    """The columns that are the pixels of a square image, row by row, and their largest value."""

    names: list[str]
    side: int
    largest: float

    def of_rows(self, table: Table, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images of some rows, (rows, side, side), 255 the brightest."""
        values = np.stack([table[name][rows] for name in self.names], axis=1).astype(np.float64)
        scaled = np.clip(np.nan_to_num(values) / self.largest * _BRIGHTEST, 0, _BRIGHTEST)
        return scaled.round().astype(np.uint8).reshape(len(rows), self.side, self.side)


def find_pixels(table: Table, inputs: tuple[str, ...]) -> Pixels | None:
    """Tell whether the inputs are pixels.

    They are if their number is that of a square of at least 8 x 8, their names differ in digits alone (0, 1,
    2; pixel1, pixel2; 1x1, 1x2), and all are whole numbers from 0 to 255, or all from 0 to 1.
    """
    names, side = list(inputs), math.isqrt(len(inputs))
    if side < _LEAST_SIDE or side * side != len(names) or not all(name in table for name in names):
        return None
    if len({re.sub("[0-9]+", "0", name) for name in names}) != 1:
        return None
    rows = np.arange(min(table.n_rows, _LOOKED_AT))
    largest = 0.0
    whole = True
    for name in names:
        column = table[name][rows]
        if column.dtype.kind not in "if" or not ((column >= 0) & (column <= _BRIGHTEST)).all():
            return None
        largest = max(largest, float(column.max(initial=0)))
        whole &= bool((column == np.round(column)).all())
    return Pixels(names, side, largest) if largest > 0 and (whole or largest <= 1) else None


def samples(table: Table, pixels: Pixels, target: str, classes: NDArray[np.generic] | None) -> Html:
    """Show the first images of each class, or of all rows."""
    parts = [heading("The rows as images")]
    if classes is None:
        rows = np.arange(min(table.n_rows, _ROWS))
        return join([*parts, Html(f"<p>{_mosaic(table, pixels, rows, 'the first rows')}</p>")])
    truth = table[target].astype(str)
    shown = []
    for label in classes[:_CLASSES]:
        rows = np.flatnonzero(truth == str(label))
        name = shortened(label, 40)
        shown.append((label, len(rows), _mosaic(table, pixels, rows[:_EACH], f"rows of class {name}")))
    parts.append(table_of_classes(shown))
    if len(classes) > _CLASSES:
        parts.append(paragraph(f"{plural(len(classes) - _CLASSES, 'more class', 'more classes')} not shown."))
    return join(parts)


def table_of_classes(shown: list[tuple[object, int, Picture]]) -> Html:
    """Make a row for each class."""
    return table(("class", "rows", f"the first {_EACH}"), shown)


def thumbnails(evaluation: Evaluation, pixels: Pixels, rows: NDArray[np.int64]) -> list[Picture]:
    """Return one image for each row."""
    images = pixels.of_rows(evaluation.table, rows)
    return [image(_png(one), f"row {row}") for row, one in zip(rows, images, strict=True)]


def _mosaic(table: Table, pixels: Pixels, rows: NDArray[np.int64], alt: str) -> Picture:
    """Put images side by side, one pixel apart."""
    if not len(rows):
        return Picture("")
    images = np.pad(pixels.of_rows(table, rows), ((0, 0), (0, 0), (0, 1)))
    return image(_png(np.hstack(list(images))[:, :-1]), alt)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Write a gray image as PNG (ISO/IEC 15948): header, rows without filters, end."""
    height, width = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(pixels))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    written = (
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)
