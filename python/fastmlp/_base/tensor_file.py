"""Safetensors files, written piece by piece from the arrays themselves.

The package safetensors makes two copies of all tensors to write them, with which a checkpoint would need as
much memory as the run itself. The bytes are the same.

References
----------
https://github.com/huggingface/safetensors, section "Format".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DTYPES = {"float32": "F32", "float64": "F64"}
_ALIGNMENT = 8


def pieces(
    tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]
) -> Iterator[bytes | NDArray[Any]]:
    """Yield the parts of a file of float32 and float64 tensors, in order."""
    described: dict[str, Any] = {"__metadata__": dict(metadata)}
    ordered = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    end = 0
    for name in ordered:
        array, start = tensors[name], end
        end += array.nbytes
        described[name] = {
            "dtype": _DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    header = json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % _ALIGNMENT)
    yield len(header).to_bytes(8, "little") + header
    for name in ordered:
        array = tensors[name]
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        yield little.reshape(-1).view(np.uint8)
