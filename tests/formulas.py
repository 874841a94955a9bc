"""Formulas of fastmlp.spec, read as Python."""

from __future__ import annotations

import math


def evaluated(text: str, z: float) -> float:
    """The value at z: s is the sigmoid, Phi the normal distribution function, phi its density."""
    names = {
        "s": lambda x: 1 / (1 + math.exp(-x)),
        "Phi": lambda x: math.erfc(-x / math.sqrt(2)) / 2,
        "phi": lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
        "max": max, "exp": math.exp, "log": math.log, "tanh": math.tanh, "z": z,
    }  # fmt: skip
    return float(eval(text, {"__builtins__": {}}, names))


def far_out(text: str, z: float) -> float:
    """The value where exp overflows: every activation is straight there, as between 600 and 700."""
    side = math.copysign(100, z)
    near, far = evaluated(text, 6 * side), evaluated(text, 7 * side)
    return far + (far - near) / side * (z - 7 * side)
