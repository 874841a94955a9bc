"""Read IDX files, the format of the MNIST images and labels."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.data._source import Source, opened, size_of

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def is_idx(head: bytes) -> bool:
    """Tell whether a file that begins so is an IDX file."""
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in _TYPES and head[3] > 0


def read_idx(path_or_file: Source) -> NDArray[Any]:
    """Read an IDX file, plain or gzipped.

    Parameters
    ----------
    path_or_file : path or open binary file

    Returns
    -------
    array, shape (n, values of an item), or (n,) if the items are single values
        An image of 28 x 28 pixels becomes a row of 784 values. uint8, int8, int16, int32, float32 or float64,
        as in the file.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is damaged, empty or no IDX file.

    References
    ----------
    Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST Database of Handwritten Digits, 1998.
    """
    with opened(path_or_file) as (file, name):
        available = size_of(file)
        head = file.read(4)
        if not is_idx(head):
            raise ValueError(f"{name}: no IDX file: it begins with the bytes {head.hex(' ') or '(none)'}")
        dtype, dimensions = np.dtype(_TYPES[head[2]]), head[3]
        lengths = file.read(4 * dimensions)
        if len(lengths) < 4 * dimensions:
            raise ValueError(f"{name}: damaged IDX file: it ends within its header")
        shape = struct.unpack(f">{dimensions}I", lengths)
        expected = file.tell() + math.prod(shape) * dtype.itemsize
        if expected != available or 0 in shape:
            raise ValueError(
                f"{name}: damaged IDX file: {' x '.join(map(str, shape))} values of {dtype.name} make "
                f"{expected} bytes with the header, the file has {available}"
            )
        values = np.frombuffer(bytearray(file.read()), dtype)  # a bytearray, so that the array may be written
    native = values.astype(dtype.newbyteorder("="), copy=False)
    return native if dimensions == 1 else native.reshape(shape[0], -1)


def labels_beside(images: Path) -> Path | None:
    """Return the file of labels that lies beside a file of images under MNIST's names, if it is there."""
    labels = images.with_name(images.name.replace("images-idx3", "labels-idx1"))
    return labels if labels != images and labels.is_file() else None
