"""Networks for other programs: ONNX, PyTorch and C, and networks from ONNX and PyTorch."""

from fastmlp.export._onnx import to_onnx

__all__ = ["to_onnx"]
