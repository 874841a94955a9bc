"""The public `Network`, and the readers that return one.

A `Network` is a model that also saves, traces, diagnoses and exports itself. The readers are those of model
files, ONNX and PyTorch. It imports `_inspect`, `_export`, `_model` and what lies below them.
"""
