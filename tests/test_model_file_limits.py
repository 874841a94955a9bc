"""Model files and arrays that are too large, in memory or in what they claim: short errors that say so."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy
from safetensors import safe_open
from safetensors.numpy import save_file

import fastmlp
from fastmlp.data import read_npy
from process_tools import run


def changed_model(path: Path, **described: Any) -> Path:
    """Write a small model whose metadata claim something else."""
    fastmlp.Network((4, 3, 1), loss="squared_error").save(path)
    with safe_open(path, framework="np") as file:
        metadata = json.loads(file.metadata()["fastmlp"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {"fastmlp": json.dumps(metadata | described)})
    return path


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({"layer_sizes": [1] * 10**6}, "it has 1000000 layer_sizes, but only 5 tensors"),
        (
            {"layer_sizes": [20_000, 3, 1], "embeddings": [[i, 1, 1] for i in range(20_000)], "format": 2},
            "it has 20000 embeddings, but only 5 tensors",
        ),
        ({"layer_sizes": [4, 3, 3, 1]}, r"of its tensors \['W2', 'b2'\] are missing"),
        ({"dtype": "x" * 10**6}, "its dtype is 'xxx"),
        ({"layer_sizes": ["x" * 10**6, 3, 1]}, "must be an integer, got 'xxx"),
        ({"classes": ["x" * 10**6]}, "its classes do not go with"),
        ({"feature_names": ["x"] * 10**5}, "feature_names must be 4 "),
    ],
    ids=lambda value: None,
)
def test_claims_of_a_file_cost_little_and_are_told_in_short(
    described: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if {"layer_sizes", "dtype"} & {*described}:  # the metadata alone decide
        monkeypatch.delattr("fastmlp._model.files.from_metadata")
    path = changed_model(tmp_path / "model", **described)
    with pytest.raises(ValueError, match=message) as raised:
        fastmlp.load(path)
    assert len(str(raised.value)) < 700


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS")
@pytest.mark.parametrize("room", [2**20, 8 * 2**20, 60 * 2**20])
def test_a_good_model_that_memory_cannot_hold_is_a_memory_error(room: int, tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    fastmlp.Network((2000, 5000, 1), loss="squared_error").save(path)  # 40 MB
    output = run(
        f"""
        import os, resource
        import fastmlp
        fastmlp.Network((3, 3, 1), loss="squared_error").save({str(tmp_path / "small")!r})
        fastmlp.load({str(tmp_path / "small")!r})
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + {room}
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            fastmlp.load({str(path)!r})
        except MemoryError as error:
            print(error)
        """
    )
    assert output == f"{path}: not enough memory to load this file of 40.0 MB\n"


@pytest.mark.skipif(os.name == "nt", reason="modes of files are POSIX's")
@pytest.mark.parametrize("before", [None, 0o600, 0o444])
def test_saving_asks_nobody_for_the_umask(
    before: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To ask is to change it, for all threads."""
    net, path = fastmlp.Network((3, 2)), tmp_path / "model"
    mask = os.umask(0o027)
    try:
        if before is not None:
            path.touch()
            path.chmod(before)
        with monkeypatch.context() as patched:
            patched.delattr(os, "umask")
            net.save(path)
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == (0o640 if before is None else before)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("shape", [(1,) * 70, (0, 10**30), (2**62, 0, 2**62)])
def test_npy_files_that_numpy_refuses_are_named(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "odd.npy"
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        file.write(np.zeros(1, "f4").tobytes())
    with pytest.raises(ValueError, match=r"odd\.npy: damaged"):
        read_npy(path)
