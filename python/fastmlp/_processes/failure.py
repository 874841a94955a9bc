"""The error for what happened in another process."""

from __future__ import annotations

from typing import NamedTuple

_MOST = 2000  # characters of an error's text: a short message waits for nobody


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

    @property
    def interrupted(self) -> bool:
        """Whether the other process was interrupted by Ctrl-C."""
        return str(self).startswith(f"process {self.process}: {KeyboardInterrupt.__name__}")


class Failure(NamedTuple):
    """What is known of a failure: which process it is of, and what its error says."""

    process: int | None
    text: str

    @staticmethod
    def of(error: BaseException, rank: int) -> Failure:
        """Return what process `rank` says of an error that was raised in it."""
        if isinstance(error, ProcessError):
            return Failure(error.process, str(error)[:_MOST])
        try:
            text = str(error)
        except Exception:  # of the error's own class
            text = ""
        kind = type(error).__name__
        return Failure(rank, f"process {rank}: {kind}: {text[:_MOST]}" if text else f"process {rank}: {kind}")

    @property
    def what(self) -> str:
        """The text without the process."""
        return self.text.removeprefix(f"process {self.process}: ")

    def error(self) -> ProcessError:
        """Return the error that the other processes raise."""
        return ProcessError(self.text, self.process)
