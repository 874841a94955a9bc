"""The error for what happened in another process, and the message that tells of it."""

from __future__ import annotations

import json
from typing import NamedTuple

_MOST = 2000  # characters of an error's text: the message is sent at once, without being asked for


class ProcessError(RuntimeError):
    """Another process that trains the same network failed, or did not answer in time.

    Its text has the other process and its error: ``process 2: ValueError: X has nan at row 3, column 0``.

    Attributes
    ----------
    process : int or None
        The rank of the process that failed or did not answer, None where that is not known.
    """

    def __init__(self, text: str, process: int | None = None) -> None:
        super().__init__(text)
        self.process = process


class Word(NamedTuple):
    """What a process tells the others when it fails."""

    process: int | None
    text: str

    @staticmethod
    def of(error: BaseException, rank: int) -> Word:
        """Return what process `rank` says of an error that was raised in it."""
        if isinstance(error, ProcessError):
            return Word(error.process, str(error)[:_MOST])
        text = str(error)
        kind = type(error).__name__
        return Word(rank, f"process {rank}: {kind}: {text[:_MOST]}" if text else f"process {rank}: {kind}")

    def error(self) -> ProcessError:
        """Return the error that the other processes raise."""
        return ProcessError(self.text, self.process)

    def to_bytes(self) -> bytes:
        """Return the message."""
        return json.dumps(self).encode()

    @staticmethod
    def from_bytes(message: bytes | bytearray) -> Word:
        """Read the message."""
        return Word(*json.loads(message))
