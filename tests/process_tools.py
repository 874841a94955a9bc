"""Scripts in interpreters of their own: a hang ends with the time limit, and nothing else is disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Mapping

import pytest

HANG = 120  # seconds; everything here takes a few

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and fork")


def run(script: str, variables: Mapping[str, str] | None = None) -> str:
    """What the script printed; it must end by itself and well."""
    # Other libraries set OpenMP's variables when they are imported.
    environment = {name: v for name, v in os.environ.items() if not name.startswith(("GOMP_", "KMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment | dict(variables or {}),
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_and_interrupt(script: str, after: float) -> str:
    """The same with SIGINT, `after` seconds after the script has printed its first line."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=HANG)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return output
