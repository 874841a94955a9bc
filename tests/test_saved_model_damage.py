"""Model files and what can happen to them: kills while they are written, and damage of any kind."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastmlp

KILLS = 40
MUTANTS = int(os.environ.get("FASTMLP_MUTANTS", "3000"))


def models() -> list[fastmlp.Network]:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 40)), np.repeat(["a", "b"], 25)
    X[:, 3] = rng.integers(0, 4, 50)
    return [fastmlp.train(X, y, hidden=(size,), epochs=2, embeddings=[(3, 4, 2)]) for size in (300, 200)]


def save_again_and_again(path: Path, networks: list[fastmlp.Network], saved: int) -> None:
    """Write a byte to the pipe `saved` after each save."""
    while True:
        for network in networks:
            network.save(path)
            os.write(saved, b".")


@pytest.mark.skipif(not hasattr(os, "fork") or sys.platform == "darwin", reason="needs fork and SIGKILL")
def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    networks, path = models(), tmp_path / "m.safetensors"
    networks[0].save(path)
    rng = np.random.default_rng(1)
    seen = {True: 0, False: 0}
    for kill in range(KILLS):
        read, write = os.pipe()
        process = os.fork()
        if process == 0:
            try:
                save_again_and_again(path, networks, write)
            finally:
                os._exit(1)
        for _ in range(1 + kill % 2):  # then the save that follows is killed, or the one after it
            assert os.read(read, 1) == b"."
        time.sleep(rng.uniform(0, 0.002))
        os.kill(process, signal.SIGKILL)
        assert os.waitpid(process, 0)[1] == signal.SIGKILL
        os.close(read)
        os.close(write)
        loaded = fastmlp.load(path)
        wide = loaded.layer_sizes[1] == 300
        np.testing.assert_array_equal(loaded.parameters, networks[0 if wide else 1].parameters)
        seen[wide] += 1
    assert min(seen.values()) > 0  # kills came at different places


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with some bytes changed, cut off, repeated, or its header's length or text touched."""
    data = bytearray(content)
    header = int.from_bytes(data[:8], "little")
    kind = rng.integers(7)
    if kind == 0:
        for at in rng.integers(0, len(data), rng.integers(1, 9)):
            data[at] = rng.integers(256)
    elif kind == 1:
        del data[rng.integers(len(data)) :]
    elif kind == 2:
        at, length = rng.integers(len(data)), rng.integers(1, 60)
        data[at:at] = data[at : at + length]
    elif kind == 3:
        data[:8] = int(rng.integers(0, 2**63)).to_bytes(8, "little")
    elif kind == 4:  # a digit of the header's JSON: shapes, offsets, sizes
        digits = [i for i in range(8, 8 + header) if 48 <= data[i] <= 57]
        for at in rng.choice(digits, rng.integers(1, 4)):
            data[at] = 48 + rng.integers(10)
    elif kind == 5:
        at = 8 + rng.integers(header)
        data[at] = rng.choice(list(b'{}[]",:\\-0eEn '))
    else:
        at = rng.integers(8 + header, len(data), 4)  # parameters
        data[at[0]] ^= 0x7F
    return bytes(data)


def test_a_mutated_file_is_a_model_or_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    small = fastmlp.Network((3, 2, 2), embeddings=[(1, 3, 2)])
    small.save(path)
    content, rng = path.read_bytes(), np.random.default_rng(2)
    loaded = refused = 0
    for _ in range(MUTANTS):
        path.unlink(missing_ok=True)  # to cut a file to nothing is slow on some file systems
        path.write_bytes(mutated(content, rng))
        try:
            assert np.isfinite(fastmlp.load(path).parameters).all()
            loaded += 1
        except ValueError as error:
            assert str(error).startswith(f"{path}: not a fastmlp model: ")  # noqa: PT017
            refused += 1
    assert loaded > MUTANTS / 50
    assert refused > MUTANTS / 3


def test_only_models_are_replaced(tmp_path: Path) -> None:
    path: Any = tmp_path / "notes.txt"
    path.write_text("years of work")
    with pytest.raises(ValueError, match="is not a fastmlp model; it is left as it is"):
        models()[0].save(path)
    assert path.read_text() == "years of work"
