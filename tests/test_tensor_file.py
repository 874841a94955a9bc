"""Model files are what the package safetensors writes, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

from fastmlp._base.tensor_file import pieces

TENSORS: dict[str, dict[str, NDArray[Any]]] = {
    "none": {},
    "one": {"W0": np.arange(6, dtype=np.float32).reshape(2, 3)},
    "several": {
        "b0": np.ones(3, np.float32),
        "W10": np.full((1, 2), np.inf),
        "W2": np.zeros((2, 1), np.float32),
        "history": np.arange(8.0).reshape(2, 4),
        "a scalar": np.array(5.0),
    },
    "empty": {
        "history": np.empty((0, 4)),
        "run.x": np.empty(0, np.float32),
        "W": np.ones((1, 1), np.float32),
    },
    "strided": {"W0": np.arange(24.0).reshape(4, 6)[::2, ::3], "W1": np.arange(6.0).reshape(2, 3).T},
}


@pytest.mark.parametrize("text", ["", "plain", 'é "quoted" \\ \n \t \x01 \x7f 世界'])
@pytest.mark.parametrize("case", TENSORS)
def test_the_bytes_are_those_of_the_package(case: str, text: str) -> None:
    metadata = {"fastmlp": json.dumps({"text": text}), "other": text}
    packed = {name: np.ascontiguousarray(array) for name, array in TENSORS[case].items()}
    packed |= {name: array for name, array in TENSORS[case].items() if array.ndim == 0}
    for described in (metadata, {"fastmlp": text}):
        written = b"".join(bytes(piece) for piece in pieces(TENSORS[case], described))
        expected = save(packed, metadata=described)
        length = int.from_bytes(expected[:8], "little")
        assert json.loads(written[8 : 8 + int.from_bytes(written[:8], "little")]) == json.loads(
            expected[8 : 8 + length]
        )
        if len(described) == 1:  # the package orders several texts at random
            assert written == expected


def test_no_piece_is_a_copy_of_a_tensor() -> None:
    array = np.ones((3, 4), np.float32)
    assert any(
        isinstance(piece, np.ndarray) and np.shares_memory(piece, array) for piece in pieces({"W": array}, {})
    )
