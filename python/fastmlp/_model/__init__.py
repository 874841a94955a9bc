"""The model that the core trains.

Its architecture, initial weights, forward pass and gradient, its history, and the file it is saved in. It
imports `_native`, `_base`, `spec`, `data` and `_rows`.
"""
