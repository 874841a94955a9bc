"""Networks for other programs: ONNX, PyTorch and C, and networks from ONNX and PyTorch."""

from fastmlp.export._c import to_c
from fastmlp.export._onnx import to_onnx
from fastmlp.export._onnx_import import from_onnx
from fastmlp.export._torch import from_torch, to_torch

__all__ = ["from_onnx", "from_torch", "to_c", "to_onnx", "to_torch"]
