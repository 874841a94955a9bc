"""Files written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeAlias

#: What a file is to hold: bytes, or buffers one after the other, which need not all be there at once.
Content: TypeAlias = "bytes | Iterable[Any]"

#: What the names of files begin with that are not whole yet.
TEMPORARY = ".fastmlp-"


def replace_file(name: str | os.PathLike[str], content: Content) -> None:
    """Write a file beside its target, then move it there: a reader sees the old file or the new one.

    A symbolic link stays and its target is replaced; a file keeps its mode; pipes and devices are written
    directly.
    """
    path = Path(os.path.realpath(name))
    try:
        _write(path, content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.fspath(name)) from None  # not the temporary file's name


def replace_own_file(
    name: str | os.PathLike[str], content: Content, what: str, is_own: Callable[[Path], bool]
) -> None:
    """Write a file whole or not at all, over none but an empty one or one of its own sort.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the name is a directory's, or there is a file that is not `what`.
    """
    path = Path(name)
    if path.is_dir():
        raise ValueError(f"path must name a file, got the directory {os.fspath(name)!r}")
    if path.is_file() and path.stat().st_size and not is_own(path):
        raise ValueError(f"{os.fspath(name)}: is there already and is not {what}; it is left as it is")
    replace_file(path, content)


def _write(path: Path, content: Content) -> None:
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            _write_pieces(file, content)
        return
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    descriptor, temporary = _created_beside(path, 0o666 if mode is None else mode)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            _write_pieces(file, content)
            file.flush()
            os.fsync(descriptor)
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _created_beside(path: Path, mode: int) -> tuple[int, Path]:
    """Create a file with a new name in another's folder.

    The system takes the process's umask from the mode. To ask for the umask would be to change it, for all
    threads.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        temporary = path.parent / f"{TEMPORARY}{secrets.token_hex(4)}"
        with suppress(FileExistsError):
            return os.open(temporary, flags, mode), temporary


def _write_pieces(file: IO[bytes], content: Content) -> None:
    pieces: Iterable[Any] = [content] if isinstance(content, bytes) else content
    for piece in pieces:
        file.write(piece)


def _sync_folder(folder: Path) -> None:
    """Have the move itself on the disk, where the system can."""
    with suppress(OSError):  # Windows opens no folders, some file systems do not sync them
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
