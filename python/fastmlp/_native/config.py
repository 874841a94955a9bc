"""What this installation is made of: the first thing in a bug report."""

from __future__ import annotations

import platform
from importlib.metadata import version

import numpy as np

from fastmlp._native import core as _core
from fastmlp._native import threads as _threads


def show_config() -> None:
    """Print the versions, compiler, flags, instruction set and threads in use.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.show_config()  # doctest: +SKIP
    """
    build = _core.build_config()
    tile = "x".join(map(str, build["tile"]))
    lines = {
        "fastmlp": version("fastmlp"),
        "Python": f"{platform.python_version()} on {platform.platform()}",
        "NumPy": np.__version__,
        "safetensors": version("safetensors"),
        "instruction set": f"{_core.ISA} in use, {', '.join(_core.available_isas())} available",
        "SIMD": f"{build['simd']}; float32 tile {tile}; Eigen {build['eigen']}",
        "bfloat16": "no" if _core.why_no_bfloat16() else "yes",
        "compiler": build["compiler"],
        "flags": build["flags"],
        "OpenMP": "yes" if build["openmp"] else "no: threads of its own",
        "threads": f"{_threads.get_num_threads()} of {_threads.available_cpus()} processors",
    }
    for name, value in lines.items():
        print(f"{name + ':':17}{value}")
