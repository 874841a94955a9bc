"""A bar on the terminal while a network trains, or while several do."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from fastmlp._network.network import Network

OnEpoch = Callable[["Network"], None]

_SECONDS_BETWEEN_UPDATES = 0.1
SECONDS_BETWEEN_LINES = 5.0


class Pace:
    """Tells when so many seconds have passed since something was last shown."""

    def __init__(self, seconds: float, *, at_once: bool = False) -> None:
        self._seconds = seconds
        self._next = 0.0 if at_once else time.monotonic() + seconds

    def due(self) -> bool:
        """Whether it is time; the wait begins anew if so."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


class EpochBar:
    """A callback that shows epoch, losses, rows/s and the time left; the bar goes away at the end.

    Parameters
    ----------
    epochs : int
        How many there will be at the most.
    rows : int, optional
        Rows an epoch; without it no speed is shown.
    """

    def __init__(self, epochs: int, rows: int | None = None) -> None:
        self._progress = progress_bar("epoch")
        self._task = self._progress.add_task("", total=epochs, measured="")
        self._rows = rows
        self._pace = Pace(_SECONDS_BETWEEN_UPDATES, at_once=True)

    def __enter__(self) -> EpochBar:  # noqa: PYI034 (Self is not in Python 3.10)
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, network: Network) -> None:
        """Show the last epoch, if the last update is long enough ago."""
        if not self._pace.due():
            return
        epoch, measured = _measured(network, self._rows)
        self._progress.update(self._task, completed=epoch, measured=measured)


class EpochLines:
    """A callback that writes a line every few seconds, where standard error is no terminal.

    Parameters
    ----------
    epochs : int
        How many there will be at the most.
    rows : int, optional
        Rows an epoch; without it no speed is shown.
    """

    def __init__(self, epochs: int, rows: int | None = None) -> None:
        self._epochs, self._rows = epochs, rows
        self._pace = Pace(SECONDS_BETWEEN_LINES)

    def __call__(self, network: Network) -> None:
        """Write a line, if the last one is long enough ago."""
        if sys.stderr is None or not self._pace.due():
            return
        epoch, measured = _measured(network, self._rows)
        print(f"epoch {epoch:.0f}/{self._epochs}  {measured}", file=sys.stderr, flush=True)


def _measured(network: Network, rows: int | None) -> tuple[float, str]:
    """Return the last epoch, and what was measured in it."""
    row = dict(zip(network.history.columns, network.history.last(), strict=True))
    measured = f"loss {row['loss']:.4g}"
    if "validation_loss" in row:
        measured += f"  validation loss {row['validation_loss']:.4g}"
    if rows is not None and row["seconds"] > 0:
        measured += f"  {row['epoch'] * rows / row['seconds']:,.0f} rows/s"
    return row["epoch"], measured


def epoch_bar(show: bool, epochs: int, rows: int) -> AbstractContextManager[OnEpoch | None]:
    """Return a bar on a terminal, lines elsewhere, or nothing if none is wanted."""
    if not show:
        return nullcontext()
    return EpochBar(epochs, rows) if on_terminal() else nullcontext(EpochLines(epochs, rows))


@contextmanager
def run_bar(show: bool, runs: int) -> Iterator[Callable[[str], None]]:
    """Yield what to call with its name before each of several runs.

    It moves a bar, if one is wanted, rich is installed and standard error is a terminal.
    """
    if not show or not on_terminal() or find_spec("rich") is None:
        yield lambda name: None
        return
    done = count()
    with progress_bar("run") as progress:
        task = progress.add_task("", total=runs, measured="")
        yield lambda name: progress.update(task, completed=next(done), measured=name)


class FitsBar:
    """Shows how many of several fits are done, and the rows/s of all, every now and then.

    Parameters
    ----------
    update : callable
        Shows the fits that are done, the speed, and the seconds so far.
    between : float
        Seconds from one to the next.
    """

    def __init__(self, update: Callable[[int, str, float], None], between: float) -> None:
        self._update, self._pace = update, Pace(between)
        self._start = time.monotonic()
        self._done = self._rows = self._rows_before = 0  # before: of portions that have ended

    def __call__(self, done: int, rows: int) -> None:
        """Hear of the fits that are done in the portion at hand, and of the rows that it was trained on."""
        self._rows = rows
        if not self._pace.due():
            return
        seconds = time.monotonic() - self._start
        speed = (self._rows_before + rows) / seconds if seconds > 0 else 0
        self._update(self._done + done, f"{speed:,.0f} rows/s", seconds)

    def portion_ended(self, fits: int) -> None:
        """Go on with another portion, whose fits and rows are counted from 0."""
        self._done += fits
        self._rows_before, self._rows = self._rows_before + self._rows, 0


@contextmanager
def fits_bar(show: bool, fits: int) -> Iterator[FitsBar | None]:
    """Yield what moves a bar on a terminal or writes lines elsewhere; None if it is not wanted."""
    if not show:
        yield None
    elif not on_terminal():
        yield FitsBar(partial(_write_line, fits), SECONDS_BETWEEN_LINES)
    else:
        with progress_bar("network") as progress:
            task = progress.add_task("", total=fits, measured="")
            yield FitsBar(
                lambda done, speed, _: progress.update(task, completed=done, measured=speed),
                _SECONDS_BETWEEN_UPDATES,
            )


def _write_line(fits: int, done: int, speed: str, seconds: float) -> None:
    if sys.stderr is not None:
        left = f"  {seconds / done * (fits - done):.0f} s left" if done else ""
        print(f"network {done}/{fits}  {speed}{left}", file=sys.stderr, flush=True)


def on_terminal() -> bool:
    """Whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def progress_bar(counted: str) -> Progress:
    """Return the bar: how many are done, what was measured, and the time."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    except ImportError:
        raise ImportError("progress=True needs rich: pip install 'fastmlp[cli]'") from None
    return Progress(
        TextColumn(f"{counted} {{task.completed:.0f}}/{{task.total:.0f}}"),
        BarColumn(),
        TextColumn("{task.fields[measured]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
