"""Read NumPy's files: one array (.npy), mapped into memory, or several in a zip archive (.npz)."""

from __future__ import annotations

import math
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from fastmlp.data._source import EXCEL, ZIP_ERRORS, Buffer, Source, check_growth, opened, resolve, size_of

NPY = b"\x93NUMPY"


def read_npy(path_or_file: Source) -> NDArray[Any]:
    """Read an array of numbers, booleans, strings or dates from a .npy file.

    Parameters
    ----------
    path_or_file : path or open binary file

    Returns
    -------
    array
        Of a path to a file that gzip has not packed, a read-only view of the file (numpy.memmap): rows come
        into memory as they are used.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the file is damaged, no .npy file, or holds Python objects, which only pickle could restore.
    """
    data = resolve(path_or_file)
    with opened(data) as (file, name):
        size = _checked_size(file, size_of(file), name)
        try:
            if isinstance(data, Path) and size:  # nothing cannot be mapped
                return np.load(data, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
            file.seek(0)
            return npy.read_array(file, allow_pickle=False)
        except (ValueError, TypeError, OverflowError) as error:  # such as 65 dimensions
            raise ValueError(f"{name}: damaged .npy file: {error}") from None


def read_npz(path_or_file: Source) -> dict[str, NDArray[Any]]:
    """Read the arrays of an .npz file.

    Parameters
    ----------
    path_or_file : path or open binary file

    Returns
    -------
    dict of str to array

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If the archive is damaged, has no arrays, members that are no arrays, or arrays of Python objects.
    """
    arrays: dict[str, NDArray[Any]] = {}
    with opened(path_or_file) as (file, name):
        with _damage_is_a_value_error(name):
            archive = zipfile.ZipFile(file)
        for member in archive.infolist():
            array_name = member.filename.removesuffix(".npy")
            if member.filename == EXCEL:
                raise ValueError(f"{name}: this is an Excel workbook; save its sheet as CSV")
            if array_name == member.filename:
                raise ValueError(f"{name}: {member.filename!r} in it is no .npy array; this is no .npz file")
            if array_name in arrays:
                raise ValueError(f"{name}: two arrays have the same name, {array_name!r}")
            where = f"{name}: {member.filename}"
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"{where}: packed in another way than NumPy does")
            with _damage_is_a_value_error(where):
                check_growth(member.file_size, member.compress_size)
                content = archive.read(member)
            arrays[array_name] = read_npy(Buffer(content, where))
    if not arrays:
        raise ValueError(f"{name}: no arrays are in it")
    return arrays


@contextmanager
def _damage_is_a_value_error(name: str) -> Iterator[None]:
    try:
        yield
    except ZIP_ERRORS as error:
        raise ValueError(f"{name}: damaged, or no .npz file: {error}") from None


def _checked_size(file: IO[bytes], available: int, name: str) -> int:
    """Return the bytes that the values take, after checking that the header tells the truth."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers of Python 2 are read, with a warning
            version = npy.read_magic(file)
            read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
            shape, _, dtype = read_header(file)
    except Exception:  # the header is a Python literal: whatever else is in it, the answer is the same
        raise ValueError(f"{name}: damaged, or no .npy file: its header cannot be read") from None
    if dtype.hasobject or dtype.kind not in "biufcSUMm":
        what = "Python objects, which only pickle could restore" if dtype.hasobject else f"dtype {dtype}"
        raise ValueError(f"{name}: it holds {what}; save numbers, booleans, strings or dates")
    size = math.prod(shape) * dtype.itemsize
    if any(length < 0 for length in shape) or size > available - file.tell():
        raise ValueError(
            f"{name}: damaged .npy file: {dtype} values of shape {shape} take {size} bytes, "
            f"the file has {available - file.tell()}"
        )
    return size
