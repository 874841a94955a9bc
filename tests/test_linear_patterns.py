"""Patterns take a time proportional to the text, also where it almost fits.

Each text is such that a pattern which can split it in many ways would take hours; the process that reads all
of them is given minutes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TIMEOUT = 300

NUMBERS = {
    "svmlight": b"1" + b" 1:1111111111" * 10 + b" x",
    "svmlight, long": b"1" + b"".join(b" %d:%s" % (i, b"1" * 30) for i in range(1, 3000)) + b" x",
    "svmlight, cut within a number": b"1" + b"".join(b" %d:0.%s" % (i, b"3" * 17) for i in range(1, 9000)),
    "svmlight, one endless number": b"1" * 60_000 + b" 1:" + b"1" * 60_000 + b"x",
    "csv, digits": b"a,b\n" + b"1" * 50_000 + b"x,y\n",
    "csv, groups": b'a,b\n"' + b"1" + b",111" * 10_000 + b'x",y\n',
    "csv, blanks": b'a,b\n"1' + b" " * 50_000 + b'x",y\n',
    "csv, points": b"a,b\n1" + b"." * 50_000 + b",y\n",
    "csv, exponents": b"a,b\n1" + b"e1" * 25_000 + b",y\n",
    "csv, lakhs": b'a,b\n"1' + b",11" * 15_000 + b'",y\n',
    "csv, date": b"a,b\n2026-01-01T00:00:00." + b"1" * 50_000 + b"x,y\n",
    "csv, names": b"1" * 50_000 + b"x," + b"." * 50_000 + b"\n1,2\n",
    "csv, bytes": b"a,b\n" + b"\xe9" * 200_000 + b",1\n",
}


def finishes(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_files_of_any_content_are_read_or_refused_in_linear_time(tmp_path: Path) -> None:
    for name, content in NUMBERS.items():
        (tmp_path / name).write_bytes(content)  # no suffix: the content tells the format
    code = """
import sys
from pathlib import Path
from fastmlp.data import read
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read(path)
    except ValueError:
        pass
    print(path.name, flush=True)
"""
    assert finishes(code, str(tmp_path)).splitlines() == sorted(NUMBERS)


def test_a_valid_svmlight_file_whose_first_row_is_longer_than_the_head_is_told(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"1" + b"".join(b" %d:0.%s" % (i, b"3" * 17) for i in range(1, 9000)) + b"\n0 1:2\n")
    code = "import sys; from fastmlp.data import read; print(read(sys.argv[1]).X.shape)"
    assert finishes(code, str(path)) == "(2, 8999)\n"


def test_a_memory_limit_of_any_text_is_refused_in_linear_time() -> None:
    code = """
from fastmlp._base.validation import memory_size
for text in ("1" * 10**6 + "x", "1." * 10**6, " " * 10**6 + "x", "." * 10**6):
    try:
        memory_size("memory_limit", text)
    except ValueError:
        print("refused")
"""
    assert finishes(code) == "refused\n" * 4
