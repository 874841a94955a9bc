"""Where readers take their bytes from: paths and open files, packed with gzip or not."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

Source: TypeAlias = "str | os.PathLike[str] | IO[Any]"

ZIP = (b"PK\x03\x04", b"PK\x05\x06")
#: Reading a damaged zip archive ends with one of these.
ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, OSError,
    RuntimeError, ValueError,
)  # fmt: skip

#: The file that tells an Excel workbook from other zip archives.
EXCEL = "[Content_Types].xml"

_GZIP = b"\x1f\x8b"
# Data shrinks by a factor of 3 to 20; what grows by more than this, and to more than this, is a trap.
_MOST_GROWTH = 200
_ALWAYS_TAKEN = 100 * 2**20
_PIECE = 2**20


class Buffer(io.BytesIO):
    """A file in memory, with the name that messages call it and the one that it had before it was packed."""

    def __init__(self, content: bytes, name: str, unpacked_name: str | None = None) -> None:
        super().__init__(content)
        self.name = name
        self.unpacked_name = name if unpacked_name is None else unpacked_name


def resolve(source: Source) -> Path | Buffer:
    """Return the path of a plain file, or the content of a packed or open one.

    Of a zip archive that holds one file, it is the content of that; NumPy's archives (.npz) and Excel's
    workbooks are left as they are.

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
                head = file.read(len(ZIP[0]))
                if head in ZIP:
                    return _unzipped(file, str(path)) or path
                if not head.startswith(_GZIP):
                    return path
        name, content = str(path), path.read_bytes()
    elif hasattr(source, "read"):
        name, content = str(getattr(source, "name", "<file>")), source.read()
        if not isinstance(content, bytes):
            raise TypeError(f"{name}: the file must be open in binary mode, 'rb'")
    else:
        raise TypeError(f"expected a path or an open binary file, got {type(source).__name__}")
    if content.startswith(ZIP):
        return _unzipped(io.BytesIO(content), name) or Buffer(content, name)
    if content.startswith(_GZIP):
        return Buffer(unpack(content, name), name, name.removesuffix(".gz"))
    return Buffer(content, name)


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


def grows_too_far(size: int, packed: int) -> bool:
    """Tell whether content grows on unpacking as only a trap does."""
    return size > _ALWAYS_TAKEN and size > _MOST_GROWTH * packed


def check_growth(size: int, packed: int) -> None:
    """Refuse content that grows on unpacking as only a trap does."""
    if grows_too_far(size, packed):
        raise ValueError(
            f"{packed} packed bytes unpack to {size} or more, over {_MOST_GROWTH} times as many; "
            "if you trust the file, write its data without compression"
        )


def unpack(content: bytes, name: str) -> bytes:
    """Return what gzip packed."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            return _read_whole(file, len(content))
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise ValueError(f"{name}: damaged gzip data: {error}") from None


def _read_whole(file: IO[bytes] | gzip.GzipFile, packed: int) -> bytes:
    """Read a file that is unpacked on the way, as far as its size stands to reason."""
    pieces, size = [], 0
    while piece := file.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        check_growth(size, packed)
    return b"".join(pieces)


def _unzipped(file: IO[bytes], name: str) -> Buffer | None:
    """Return the only file in a zip archive; None if the archive itself is to be read."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not _is_extra(member)]
            names = [member.filename for member in members]
            if not names or EXCEL in names or any(member.endswith(".npy") for member in names):
                return None
            if len(members) > 1:
                listed = ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")
                raise ValueError(f"it holds {len(members)} files ({listed}); unpack it and read one of them")
            if members[0].flag_bits & 1:
                raise ValueError("it asks for a password; unpack it first")
            with archive.open(members[0]) as packed:
                return Buffer(_read_whole(packed, size_of(file)), name, names[0])
    except ZIP_ERRORS as error:
        raise ValueError(f"{name}: zip archive: {error}") from None


def _is_extra(member: zipfile.ZipInfo) -> bool:
    """Tell folders, and what macOS adds."""
    return member.is_dir() or member.filename.startswith("__MACOSX/") or member.filename.endswith(".DS_Store")
