"""The examples of these pages run as they stand there, page by page in an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import SkipTest

import pytest
from sybil import Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser


def enter_folder(names: dict[str, Any]) -> None:
    names["_folder"], names["_before"] = tempfile.mkdtemp(), Path.cwd()
    os.chdir(names["_folder"])
    names["_reached"] = 0  # up to here the examples of the page were run, in this folder
    names["no_torch"], names["no_compiler"] = find_spec("torch") is None, shutil.which("cc") is None


def leave_folder(names: dict[str, Any]) -> None:
    os.chdir(names["_before"])
    shutil.rmtree(names["_folder"])


def write_c(example: Example) -> None:
    Path("main.c").write_text(example.parsed, encoding="utf-8")


class RunOrWrite(PythonEvaluator):
    """Runs a block of Python; one that begins with the name of a file, ``# train.py``, becomes it."""

    def __call__(self, example: Example) -> None:
        if name := re.match(r"# (\w+\.py)\n", example.parsed):
            Path(name[1]).write_text(example.parsed, encoding="utf-8")
        else:
            super().__call__(example)


def python_parser() -> PythonCodeBlockParser:
    parser = PythonCodeBlockParser()
    parser.codeblock_parser = CodeBlockParser("python", RunOrWrite())
    return parser


def run_shell(example: Example) -> None:
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # python, mpiexec
    done = subprocess.run(
        example.parsed, shell=True, capture_output=True, text=True, env=os.environ | {"PATH": programs}
    )
    assert done.returncode == 0, f"code {done.returncode}: {done.stderr}"
    example.namespace["output"] = done.stdout


pytest_collect_file = Sybil(
    parsers=[
        python_parser(),
        CodeBlockParser(language="c", evaluator=write_c),
        CodeBlockParser(language="sh", evaluator=run_shell),
        SkipParser(),
    ],
    patterns=["*.md"],
    setup=enter_folder,
    teardown=leave_folder,
).pytest()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Run the examples above the one to test first, where another process has run them, or nobody."""
    example = getattr(item, "example", None)
    if not isinstance(example, Example):
        return
    for above in example.document.examples():
        if example.namespace["_reached"] <= above.start < example.start:
            with suppress(SkipTest):
                above.evaluate()
    example.namespace["_reached"] = example.end
