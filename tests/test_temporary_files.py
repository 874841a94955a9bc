"""A folder for temporary files that is full: an error that says so, whatever the rows come from."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp
from process_tools import run

if sys.platform == "win32":
    pytest.skip("limits of files are POSIX's", allow_module_level=True)

import resource

ROWS = 20_000
LIMIT = 100_000  # bytes
WIDE = {"X is full": 3, "targets are full": 1}  # columns: rows of X take 12 or 4 bytes, targets 8


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file grow beyond the limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def sources(columns: int, folder: Path) -> dict[str, tuple[Any, ...]]:
    """Return the same rows as each kind of source that is copied."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    X, y = np.zeros((ROWS, columns), np.float32), np.arange(ROWS) * 1.0
    table = pa.table({f"x{i}": X[:, i] for i in range(columns)} | {"y": y})
    pq.write_table(table, folder / "rows.parquet", row_group_size=7000)
    parts = range(0, ROWS, 1000)
    return {
        "iterator": (((X[i : i + 1000], y[i : i + 1000]) for i in parts),),
        "record batches": (pa.RecordBatchReader.from_batches(table.schema, table.to_batches(1000)), "y"),
        "Parquet": (folder / "rows.parquet", "y"),
    }


@pytest.mark.parametrize("full", WIDE)
@pytest.mark.parametrize("source", ["iterator", "record batches", "Parquet"])
def test_a_full_folder_is_named_and_not_the_source(
    source: str, full: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    given = sources(WIDE[full], tmp_path)[source]
    request.getfixturevalue("small_files")
    with pytest.raises(OSError, match="copied to the folder for temporary files") as raised:
        fastmlp.train(*given, epochs=1)
    message = str(raised.value)
    assert f" {tempfile.gettempdir()}; set the environment variable TMPDIR" in message
    assert "rows.parquet" not in message
    assert re.search(r"after 0\.1 MB", message)


def test_a_file_system_in_memory_that_is_full_does_not_kill_the_process(tmp_path: Path) -> None:
    """Rows in a file that was only made longer would end the process with SIGBUS when they are written."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    limit = "" if mounted else f"resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))"
    script = f"""
        import resource
        import numpy as np, pyarrow as pa, pyarrow.parquet as pq, fastmlp
        table = pa.table({{"x": np.zeros(100_000, "f4"), "y": np.ones(100_000)}})
        pq.write_table(table, {str(tmp_path / "p")!r})
        {limit}
        try:
            fastmlp.train({str(tmp_path / "p")!r}, "y", epochs=1)
        except OSError as error:
            print({str(folder)!r} in str(error))
        """
    try:
        assert run(script, {"TMPDIR": str(folder)}) == "True\n"
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)
