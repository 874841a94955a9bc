"""Training a network.

`train`, optimizers and schedules, L-BFGS, checkpoints, and the bar that shows progress. It imports `_network`
and what lies below it.
"""
