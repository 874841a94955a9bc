"""One instruction set for every contender: set by the environment, checked by what each library then reports.

    python bench/isa.py v3      # what each library of this environment reports when it is held to AVX2

A contender held to an instruction set uses nothing above it. Libraries say what they dispatch to; the code
that XLA makes is disassembled. Some dispatch by the processor alone: ONNX Runtime, which therefore fails the
check where the processor can do more; XLA's YNNPACK, which is switched off there; and MKL on other processors
than Intel's. Linux records when each thread last used AVX-512: that is looked at in the timed processes.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Isa:
    """What each library calls an instruction set: in its setting, and (patterns) in its report."""

    torch: str
    onednn: str
    mkl: str
    xla: str
    openblas: str
    reports: dict[str, str]


ISAS = {
    "v2": Isa(
        torch="default",
        onednn="SSE41",
        mkl="SSE4_2",
        xla="SSE4_2",
        openblas="Nehalem",
        reports={
            "PyTorch": "DEFAULT",
            "inductor": "INVALID_VEC_ISA, x86-64-v2",  # its name for scalar code
            "oneDNN": "Intel SSE4.1",
            "MKL": "Intel SSE4.2",
            "XLA": "SSE4_2, vectors of 128 bits",
            "OpenBLAS": "Nehalem",
            "NumPy": "X86_V2",
        },
    ),
    "v3": Isa(
        torch="avx2",
        onednn="AVX2",
        mkl="AVX2",
        xla="AVX2",
        openblas="Haswell",
        reports={
            "PyTorch": "AVX2",
            "inductor": "avx2, x86-64-v3",
            "oneDNN": "Intel AVX2",
            "MKL": "Intel AVX2|by the make of processor",
            "XLA": "AVX2, vectors of 256 bits",
            "OpenBLAS": "Haswell|Zen",
            "NumPy": "X86_V3|AVX2",
        },
    ),
    "v4": Isa(
        torch="avx512",
        onednn="AVX512_CORE",
        mkl="AVX512",
        xla="AVX512",
        openblas="SkylakeX",
        reports={
            "PyTorch": "AVX512",
            "inductor": "avx512.*, x86-64-v4",
            "oneDNN": "Intel AVX-512.*",
            "MKL": "Intel AVX-512.*|by the make of processor",
            "XLA": "AVX512, vectors of (256|512) bits",
            "OpenBLAS": "SkylakeX",
            "NumPy": "X86_V4|AVX512.*",
        },
    ),
}


@cache
def of_processor() -> str | None:
    """Return the best of them that this processor has, None where it has none."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = set(re.findall(r"\w+", cpuinfo.read_text())) if cpuinfo.exists() else set()
    needs = {"v4": {"avx512bw", "avx512dq", "avx512vl"}, "v3": {"avx2", "fma", "bmi2"}, "v2": {"sse4_2"}}
    return next((isa for isa, needed in needs.items() if needed <= flags), None)


def march(isa: str | None) -> str:
    """Return the compiler's name of an instruction set."""
    return f"x86-64-{isa}" if isa in ISAS else "native"


def environment(isa: str | None) -> dict[str, str]:
    """Return the variables that hold every contender to an instruction set; none for None."""
    if isa is None:
        return {}
    names = ISAS[isa]
    above = {"v2": r"X86_V[34]|AVX.*|FMA3|F16C", "v3": r"X86_V4|AVX512.*", "v4": r"(?!)"}[isa]
    xla = f"--xla_cpu_max_isa={names.xla}"
    variables = {
        "FASTMLP_ISA": isa,
        "ATEN_CPU_CAPABILITY": names.torch,
        "TORCHINDUCTOR_CPP_MARCH": march(isa),
        "ONEDNN_MAX_CPU_ISA": names.onednn,
        "MKL_ENABLE_INSTRUCTIONS": names.mkl,
        "OPENBLAS_CORETYPE": names.openblas,
        "NPY_DISABLE_CPU_FEATURES": " ".join(n for n in _numpy_features() if re.fullmatch(above, n)),
    }
    if isa != of_processor():
        xla += " --xla_cpu_experimental_ynn_fusion_type="
    if isa != "v4":  # the C library's copies of memory, which use AVX-512 where they can
        features = ("AVX512F", "AVX512VL", "AVX512BW", "AVX512CD", "AVX512DQ")
        variables["GLIBC_TUNABLES"] = "glibc.cpu.hwcaps=" + ",".join(f"-{f}" for f in features)
    variables["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {xla}".strip()
    return variables


def _numpy_features() -> list[str]:
    found: Any = np.show_config(mode="dicts")
    return list(found["SIMD Extensions"].get("found", []))


def check(isa: str, contender: str, python: str = sys.executable) -> dict[str, str]:
    """Return what the libraries of a contender report; end the run if one is not held to `isa`."""
    command = [python, __file__, isa, contender]
    answer = subprocess.run(command, env=os.environ | environment(isa), stdout=subprocess.PIPE, text=True)
    if answer.returncode:
        raise SystemExit(f"{contender} failed when held to {isa}; its message is above")
    reports = dict(json.loads(answer.stdout.splitlines()[-1]))
    accepted = ISAS[isa].reports | {"fastmlp": isa, "ONNX Runtime": isa}
    for library, report in reports.items():
        if not re.fullmatch(accepted[library], report):
            raise SystemExit(
                f"{contender} cannot be held to {isa} on this machine: {library} reports {report!r}, "
                f"accepted: {accepted[library]!r}. Name the other contenders by --against."
            )
    return reports


def used_avx512(since: float) -> bool:
    """Return whether a thread of this process used AVX-512 after the moment `since` of time.monotonic()."""
    seconds = time.monotonic() - since
    for status in Path("/proc/self/task").glob("*/arch_status"):  # there from Linux 5.2 on
        found = re.search(r"AVX512_elapsed_ms:\s*(\d+)", status.read_text())  # -1: never
        if found and int(found[1]) / 1000 < seconds:
            return True
    return False


# What the libraries report, each in a process of its own.


def _fastmlp() -> dict[str, str]:
    return {"fastmlp": in_use()}


def in_use() -> str:
    """Return the instruction set that fastmlp says it uses."""
    import fastmlp

    with redirect_stdout(io.StringIO()) as text:
        fastmlp.show_config()
    found = re.search(r"instruction set: *(\w+) in use", text.getvalue())
    assert found is not None
    return found[1]


def _torch() -> dict[str, str]:
    import torch

    a = torch.ones(8, 8)
    reports = {"PyTorch": torch.backends.cpu.get_cpu_capability()}
    if torch.backends.mkl.is_available():
        with _captured() as text, torch.backends.mkl.verbose(torch.backends.mkl.VERBOSE_ON):
            a @ a
        found = re.search(r"\(Intel\(R\) ([^)]*)\)", text[0])
        reports["MKL"] = f"Intel {found[1]}" if found else "by the make of processor"
    if torch.backends.mkldnn.is_available():
        with _captured() as text, torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON):
            a.to_mkldnn().relu()
        reports["oneDNN"] = _onednn(text[0])
    return reports


def _torch_compiled() -> dict[str, str]:
    from torch._inductor import config, cpu_vec_isa

    return _torch() | {"inductor": f"{cpu_vec_isa.pick_vec_isa()}, {config.cpp.march}"}


def _jax() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XLA_FLAGS"] += f" --xla_dump_to={folder}"
        os.environ["ONEDNN_VERBOSE"] = "1"
        import jax

        with _captured() as text:
            a = np.ones((256, 256), np.float32)
            gradient = jax.jit(jax.grad(lambda w: jax.numpy.tanh(a @ w).sum()))
            hlo = gradient.lower(a).compile().as_text()
            jax.block_until_ready(gradient(a))
        options = next(Path(folder).glob("*.debug_options")).read_text()
        objects = list(map(str, Path(folder).glob("*.o")))
        code = subprocess.check_output(["objdump", "-d", "--no-show-raw-insn", *objects], text=True)
    found = re.search(r'xla_cpu_max_isa: "(\w+)"', options)
    bits = 512 if "%zmm" in code else 256 if "%ymm" in code else 128
    reports = {"XLA": f"{found[1] if found else 'unlimited'}, vectors of {bits} bits"}
    if "isa:" in text[0]:
        reports["oneDNN"] = _onednn(text[0])
    if "ynn" in hlo and os.environ["FASTMLP_ISA"] != of_processor():
        reports["XLA"] += " and YNNPACK's"
    return reports


def _sklearn() -> dict[str, str]:
    import scipy.linalg  # noqa: F401 (has a BLAS of its own)
    from threadpoolctl import threadpool_info

    cores = {i["architecture"] for i in threadpool_info() if i["internal_api"] == "openblas"}
    baseline: Any = np.show_config(mode="dicts")
    features = [*baseline["SIMD Extensions"]["baseline"], *_numpy_features()]
    return {"OpenBLAS": " and ".join(sorted(cores)), "NumPy": features[-1]}


def _onnxruntime() -> dict[str, str]:
    return {"ONNX Runtime": of_processor() or "unknown"}


REPORTS: dict[str, Callable[[], dict[str, str]]] = {
    "fastmlp": _fastmlp,
    "torch": _torch,
    "torch-compiled": _torch_compiled,
    "jax": _jax,
    "sklearn": _sklearn,
    "onnxruntime": _onnxruntime,
}


def _onednn(verbose: str) -> str:
    found = re.search(r"cpu,isa:(.*)", verbose)
    return found[1].strip() if found else "nothing"


@contextmanager
def _captured() -> Iterator[list[str]]:
    """Give what C code prints meanwhile, as the one entry of a list, filled at the end."""
    text: list[str] = []
    before = os.dup(1)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 1)
        try:
            yield text
        finally:
            os.dup2(before, 1)
            os.close(before)
            file.seek(0)
            text.append(file.read().decode(errors="replace"))


def main() -> None:
    """Print the report of one contender as JSON, or those of all."""
    isa, *contender = sys.argv[1:]
    if contender:
        print(json.dumps(REPORTS[contender[0]]()))
        return
    for name in REPORTS:
        try:
            print(name, check(isa, name))
        except SystemExit as error:
            print(error)


if __name__ == "__main__":
    main()
