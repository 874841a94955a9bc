"""Writers of a model for other programs: ONNX, C and PyTorch.

They take a `Model`; onnx and torch are imported where they are used. It imports `_model` and what lies below
it.
"""
