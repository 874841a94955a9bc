"""The command `fastmlp`: its entry point, and what becomes of errors."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from fastmlp._base.text import printable
from fastmlp._cli.exit_codes import BAD_INPUT, BROKEN_PIPE, FAILED, INTERRUPTED, OK
from fastmlp._cli.stderr import say, speaks
from fastmlp._cli.together import speak_for_all
from fastmlp._processes.ending import set_exit_code
from fastmlp._processes.failure import ProcessError

_HELP = "fastmlp --help"
_NEEDS = "fastmlp's command line needs typer and rich: pip install 'fastmlp[cli]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the command's name; by default that of this process.

    Returns
    -------
    int
        The exit code.
    """
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115

    speak_for_all(sys.argv[1:] if arguments is None else arguments)

    def command() -> int:
        try:
            import rich  # noqa: F401
            import typer  # noqa: F401
        except ImportError:
            say(_NEEDS)
            return BAD_INPUT
        from fastmlp._cli.app import app

        job: Callable[[], int] | int | None = app(
            args=None if arguments is None else list(arguments), prog_name="fastmlp", standalone_mode=False
        )
        return job() if callable(job) else job or OK

    status = _guard(command)
    set_exit_code(status)
    return status


def _guard(command: Callable[[], int]) -> int:
    """Run a command and turn what it raises into one line and an exit code."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            status = command()
            sys.stdout.flush()
            return status
        except BrokenPipeError:
            _abandon_stdout()
            return BROKEN_PIPE
        except KeyboardInterrupt as error:
            say(f"fastmlp: {one_line(error) or 'interrupted'}")
            return INTERRUPTED
        except ProcessError as error:
            say(f"fastmlp: error: {one_line(error)}")
            return FAILED if speaks() else OK  # the process that has failed has another code
        except (FloatingPointError, MemoryError, TimeoutError) as error:
            say(f"fastmlp: error: {one_line(error) or 'out of memory'}")
            return FAILED
        except (ValueError, TypeError, OSError, OverflowError, ImportError) as error:
            say(f"fastmlp: error: {one_line(error)}")
            if isinstance(error, OSError):
                _abandon_stdout()  # it may be what could not be written
            return BAD_INPUT
        except Exception as error:
            # The classes of usage errors moved between versions of typer; what they share is this method.
            if not hasattr(error, "format_message"):
                raise
            say(f"fastmlp: error: {one_line(_usage(error))}")
            return BAD_INPUT


def _usage(error: Any) -> str:
    """Say what is wrong with the command line and, where there is no such option or command, what is near."""
    from fastmlp._cli.near import did_you_mean

    context = getattr(error, "ctx", None)
    command = getattr(context, "command", None)
    option = getattr(error, "option_name", None)
    message = str(error.format_message())
    if isinstance(option, str) and hasattr(error, "possibilities"):  # no such option
        parameters = getattr(command, "params", [])
        known = [name for each in parameters for name in (*each.opts, *each.secondary_opts)]
        near = did_you_mean(option, [name for name in known if name.startswith("--")])
        return f"No such option: {option}" + (f"; {near}" if near else "")
    if message.startswith("No such command '"):
        given = message.split("'")[1]
        near = did_you_mean(given, list(getattr(command, "commands", {})))
        return f"No such command {given!r}; " + (near or f"see {_HELP}")
    return message


def one_line(error: object) -> str:
    """Write an error as one line without control characters."""
    if isinstance(error, OSError) and error.strerror:
        given = (error.filename, error.filename2)
        names = [os.fsdecode(name) for name in given if isinstance(name, (str, bytes))]
        text = ": ".join([*names[-1:], error.strerror])
    else:
        text = str(error)
    return printable(" ".join(text.split()))


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    say(f"fastmlp: warning: {one_line(message)}")


def _abandon_stdout() -> None:
    """Drop what standard output still holds, so that closing it at exit does not fail again."""
    try:
        sys.stdout.flush()
    except OSError:
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except (OSError, ValueError):  # it is no real file
            return


if __name__ == "__main__":
    sys.exit(main())
