"""Where readers take their bytes from: paths and open files, packed with gzip or not."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

Source: TypeAlias = "str | os.PathLike[str] | IO[Any]"

_GZIP = b"\x1f\x8b"
# Data shrinks by a factor of 3 to 20; what grows by more than this, and to more than this, is a trap.
_MOST_GROWTH = 200
_ALWAYS_TAKEN = 100 * 2**20
_PIECE = 2**20


class Buffer(io.BytesIO):
    """A file in memory, with the name that messages call it."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def resolve(source: Source) -> Path | Buffer:
    """Return the path of a plain file, or the content of a packed or open one.

    Raises
    ------
    OSError
        If the file cannot be read.
    TypeError
        If the source is neither a path nor a file open for bytes.
    ValueError
        If packed content is damaged, or grows to more than any data would.
    """
    if isinstance(source, Buffer):
        return source
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.is_file():  # a pipe can be read only once
            with path.open("rb") as file:
                if file.read(len(_GZIP)) != _GZIP:
                    return path
        name, content = str(path), path.read_bytes()
    elif hasattr(source, "read"):
        name, content = str(getattr(source, "name", "<file>")), source.read()
        if not isinstance(content, bytes):
            raise TypeError(f"{name}: the file must be open in binary mode, 'rb'")
    else:
        raise TypeError(f"expected a path or an open binary file, got {type(source).__name__}")
    return Buffer(unpack(content, name) if content.startswith(_GZIP) else content, name)


def name_of(data: Path | Buffer) -> str:
    """Return what messages call a source."""
    return data.name if isinstance(data, Buffer) else str(data)


@contextmanager
def opened(source: Source) -> Iterator[tuple[IO[bytes], str]]:
    """Open a source at its first byte, unpacked; gives the file, which can be sought in, and its name."""
    data = resolve(source)
    if isinstance(data, Buffer):
        data.seek(0)
        yield data, name_of(data)
    else:
        with data.open("rb") as file:
            yield file, name_of(data)


def size_of(file: IO[bytes]) -> int:
    """Return the number of bytes in a file, which is left where it was."""
    here = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(here)
    return size


def check_growth(size: int, packed: int) -> None:
    """Refuse content that grows on unpacking as only a trap does."""
    if size > _ALWAYS_TAKEN and size > _MOST_GROWTH * packed:
        raise ValueError(
            f"{packed} packed bytes unpack to {size} or more, over {_MOST_GROWTH} times as many; "
            "if you trust the file, write its data without compression"
        )


def unpack(content: bytes, name: str) -> bytes:
    """Return what gzip packed."""
    pieces, size = [], 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            while piece := file.read(_PIECE):
                pieces.append(piece)
                size += len(piece)
                check_growth(size, len(content))
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise ValueError(f"{name}: damaged gzip data: {error}") from None
    return b"".join(pieces)
