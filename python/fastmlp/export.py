"""Networks for other programs: ONNX, PyTorch and C, and networks from ONNX and PyTorch."""

from fastmlp._export.c import to_c
from fastmlp._export.onnx import to_onnx
from fastmlp._export.torch import to_torch
from fastmlp._network.from_onnx import from_onnx
from fastmlp._network.from_torch import from_torch

__all__ = ["from_onnx", "from_torch", "to_c", "to_onnx", "to_torch"]
