"""What can be looked at in a model.

The trace of a pass and its text, the diagnosis of signals with advice, the check of gradients, and the
metrics of an evaluation. It imports `numdiff`, `_model` and what lies below them.
"""
