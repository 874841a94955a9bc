"""The random numbers of fastmlp, written for reading: NumPy and plain loops.

Everything is a function of (seed, counter), through Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel
random numbers: as easy as 1, 2, 3", SC 2011). The counter says what a number is for:

    counter = (block low, block high, substream, stream)       a sequence: initial weights, permutations
    counter = (column // 4, batch row, step, stream | layer << 8)     a dropout mask
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

INIT, SHUFFLE, DROPOUT, SPLIT = 0, 1, 2, 3  # streams

LOW = np.uint64(0xFFFFFFFF)
THIRTY_TWO = np.uint64(32)


def philox(counter: np.ndarray, seed: int) -> np.ndarray:
    """Four random 32-bit words for each counter: (..., 4) integers -> (..., 4) uint64 below 2^32."""
    c0, c1, c2, c3 = np.moveaxis(np.asarray(counter).astype(np.uint64), -1, 0)
    key0, key1 = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)  # 32 x 32 -> 64 bits, never overflows
        c0, c1, c2, c3 = (
            (p1 >> THIRTY_TWO) ^ c1 ^ np.uint64(key0),
            p1 & LOW,
            (p0 >> THIRTY_TWO) ^ c3 ^ np.uint64(key1),
            p0 & LOW,
        )
        key0, key1 = (key0 + 0x9E3779B9) & 0xFFFFFFFF, (key1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=-1)


def words(seed: int, stream: int, substream: int, n: int, first_block: int = 0) -> np.ndarray:
    """The first n words of a sequence (from block `first_block` on)."""
    blocks = np.arange(first_block, first_block + -(-n // 4), dtype=np.uint64)
    counter = np.zeros((len(blocks), 4), np.uint64)
    counter[:, 0], counter[:, 1] = blocks & LOW, blocks >> THIRTY_TWO
    counter[:, 2], counter[:, 3] = substream, stream
    return philox(counter, seed).reshape(-1)[:n]


def word_sequence(seed: int, stream: int, substream: int) -> Iterator[int]:
    """The same words one by one, without end."""
    block = 0
    while True:
        yield from words(seed, stream, substream, 400, block).tolist()
        block += 100


def below(source: Iterator[int], n: int) -> int:
    """Uniform in 0 .. n-1 without bias (Lemire, "Fast random integer generation in an interval", 2019)."""
    product = next(source) * n
    if product % 2**32 < n:
        threshold = (2**32 - n) % n
        while product % 2**32 < threshold:
            product = next(source) * n
    return product >> 32


def permutation(seed: int, stream: int, substream: int, n: int) -> np.ndarray:
    """A random order of 0 .. n-1 (Fisher and Yates, from the end)."""
    source = word_sequence(seed, stream, substream)
    order = list(range(n))
    for i in range(n - 1, 0, -1):
        j = below(source, i + 1)
        order[i], order[j] = order[j], order[i]
    return np.array(order, dtype=np.int64)


def uniform01(seed: int, stream: int, substream: int, n: int) -> np.ndarray:
    """n numbers between 0 and 1 in float64: 53 bits each, from two words, the first one the lower half."""
    low, high = words(seed, stream, substream, 2 * n).reshape(n, 2).T
    bits = (low | high << THIRTY_TWO) >> np.uint64(11)
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def standard_normal(seed: int, stream: int, substream: int, n: int) -> np.ndarray:
    """n standard normal numbers (Box and Muller, 1958): each pair of uniforms gives a cosine, then a sine."""
    pairs = -(-n // 2)
    u1, u2 = uniform01(seed, stream, substream, 2 * pairs).reshape(pairs, 2).T
    radius, angle = np.sqrt(-2 * np.log(u1)), 2 * np.pi * u2
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:n]


def dropout_multiplier(seed: int, step: int, layer: int, shape: tuple[int, int], p: float) -> np.ndarray:
    """What hidden layer `layer` is multiplied with at `step`: 0 with probability p, else 1 / (1 - p)."""
    rows, columns = shape
    counter = np.zeros((rows, -(-columns // 4), 4), np.uint64)
    counter[..., 0] = np.arange(counter.shape[1])
    counter[..., 1] = np.arange(rows)[:, None]
    counter[..., 2], counter[..., 3] = step & 0xFFFFFFFF, DROPOUT | layer << 8
    word = philox(counter, seed).reshape(rows, -1)[:, :columns]
    return np.where(word < int(p * 2**32), 0.0, 1 / (1 - p))


RELU_FAMILY = ("relu", "leaky_relu", "elu", "gelu", "silu", "softplus")


def initial_weights(
    scheme: str,
    inputs: int,
    outputs: int,
    *,
    layer: int,
    seed: int,
    parameter: float | None = None,
    after: str = "relu",
) -> np.ndarray:
    """W (inputs, outputs) of one layer in float64; "auto" looks at the activation that comes `after` it.

    Glorot and Bengio 2010 (glorot), He et al. 2015 (he), LeCun et al. 1998 (lecun).
    """
    if scheme == "auto":
        scheme = "he_uniform" if after in RELU_FAMILY else "glorot_uniform"
    n, both = inputs * outputs, inputs + outputs
    width = {
        "glorot_uniform": (6 / both) ** 0.5,
        "he_uniform": (6 / inputs) ** 0.5,
        "uniform": parameter or 0.05,
    }
    std = {
        "glorot_normal": (2 / both) ** 0.5,
        "he_normal": (2 / inputs) ** 0.5,
        "lecun_normal": (1 / inputs) ** 0.5,
        "normal": parameter or 0.01,
    }
    if scheme == "zeros":
        flat = np.zeros(n)
    elif scheme in width:
        flat = width[scheme] * (2 * uniform01(seed, INIT, layer, n) - 1)
    else:
        flat = std[scheme] * standard_normal(seed, INIT, layer, n)
    return flat.reshape(inputs, outputs)
