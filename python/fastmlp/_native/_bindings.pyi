from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

ACTIVATIONS: tuple[str, ...]
LOSSES: tuple[str, ...]
SPLIT_STREAM: int
BLOCK_STREAM: int

def supported_isas() -> list[str]: ...
def supports_bfloat16() -> bool: ...
def use_core(core: object) -> None: ...
def build_config() -> dict[str, Any]: ...
def openmp_threads() -> int: ...
def openmp_processors() -> int: ...
def set_exact_threads(exact: bool) -> None: ...
def first_nonfinite(x: NDArray[Any], threads: int = 1) -> int: ...
def copy(source: NDArray[Any], into: NDArray[Any], threads: int = 1) -> None: ...
def permutation(seed: int, stream: int, substream: int, n: int) -> NDArray[np.int64]: ...

_Array: TypeAlias = NDArray[Any]
_Features: TypeAlias = _Array | tuple[_Array, NDArray[np.int32], NDArray[np.int64]]  # dense, or CSR
_Labels: TypeAlias = NDArray[np.int32] | None
_Minimum: TypeAlias = tuple[str | None, float, float, int]
_Record: TypeAlias = tuple[int, float, float, float, float, float, float, float]
_Index: TypeAlias = NDArray[np.uint32] | None  # of the rows meant, None for all
_Rows: TypeAlias = tuple[
    _Features, _Labels, _Array | None, _Array | None, _Index
]  # X, labels, values, weights

class OptimizerOptions:
    @property
    def kind(self) -> str: ...
    @kind.setter
    def kind(self, name: str) -> None: ...
    momentum: float
    normalized: bool
    decay1: float
    decay2: float
    epsilon: float
    epsilon_hat: bool
    @property
    def weight_decay(self) -> ScheduleOptions: ...
    @property
    def rate_factors(self) -> RateFactors: ...

class RateFactors:
    weight: float
    bias: float
    scale: float
    embedding: float
    alpha: float
    fan_in: bool

class ScheduleOptions:
    @property
    def kind(self) -> str: ...
    @kind.setter
    def kind(self, name: str) -> None: ...
    rate: float
    warmup: float
    power: float
    every: float
    factor: float
    final_rate: float
    start_rate: float
    rise: float
    cycles: float
    flat: float
    patience: float
    threshold: float
    min_rate: float

class TrainOptions:
    @property
    def optimizer(self) -> OptimizerOptions: ...
    @property
    def schedule(self) -> ScheduleOptions: ...
    @property
    def dropout(self) -> ScheduleOptions: ...
    epochs: int
    first_epoch: int
    batch_size: int
    shuffle: bool
    seed: int
    clip_norm: float
    bfloat16: bool
    mean_weight: float
    alpha: float
    patience: int
    min_delta: float
    restore_best: bool
    loss_target: float
    max_time: float
    shard_rows: list[int]
    validation_shard_rows: list[int]
    window_rows: int
    state_every: int
    pause: int
    threads: int

class LbfgsOptions:
    def __init__(
        self,
        *,
        maxcor: int = 10,
        ftol: float = ...,
        gtol: float = 1e-5,
        maxiter: int = 15000,
        maxfun: int = 15000,
        largest_parameter: float = ...,
    ) -> None: ...

class _RunState:
    def __init__(
        self,
        s1: _Array,
        s2: _Array,
        steps: int = 0,
        best: _Array | None = None,
        current: _Array | None = None,
    ) -> None: ...
    @property
    def s1(self) -> _Array: ...
    @property
    def s2(self) -> _Array: ...
    @property
    def best(self) -> _Array | None: ...
    @property
    def steps(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    progress: tuple[float, float, int, bool, float, float, float]

class _Processes(Protocol):
    rank: int
    size: int

    def swap(self, partner: int, out: memoryview, into: memoryview, /) -> None: ...

class Network32:
    RunState: type[_RunState]
    def __init__(
        self,
        sizes: Sequence[int],
        activations: Sequence[str],
        loss: str,
        loss_parameters: Sequence[float],
        l2: float,
        embeddings: Sequence[tuple[int, int, int]] = (),
        periodic: Sequence[tuple[int, int, int]] = (),
        input_scale: bool = False,
        parametric: bool = False,
    ) -> None: ...
    @property
    def parameters(self) -> _Array: ...
    def initialize(self, layer: int, kind: str, scale: float, seed: int, threads: int = 1) -> None: ...
    def initialize_table(self, number: int, scale: float, seed: int, threads: int = 1) -> None: ...
    def initialize_periodic(self, number: int, seed: int, threads: int = 1) -> None: ...
    def first_unknown_code(self, X: _Array) -> int: ...
    def full_batch(
        self, X: _Features, labels: _Labels, values: _Array | None, weights: _Array | None, threads: int
    ) -> FullBatch32: ...
    def train(
        self,
        X: _Features,
        labels: _Labels,
        values: _Array | None,
        weights: _Array | None,
        index: _Index,
        validation: _Rows | None,
        options: TrainOptions,
        on_epoch: Callable[[_Record], bool | float] | None,
        state: _RunState | None = None,
        draw_order: Callable[[], NDArray[np.uint32]] | None = None,
        next_window: Callable[[], _Rows] | None = None,
        on_state: Callable[[], None] | None = None,
        processes: _Processes | None = None,
    ) -> tuple[NDArray[np.float64], str, BaseException | None]: ...

class Network64(Network32):
    def minimize(
        self,
        X: _Features,
        labels: _Labels,
        values: _Array | None,
        weights: _Array | None,
        index: _Index,
        options: TrainOptions,
        limits: LbfgsOptions,
        on_epoch: Callable[[tuple[Any, ...]], bool | float] | None,
        processes: _Processes | None = None,
    ) -> tuple[_Array, str, BaseException | None, _Minimum]: ...

_Run: TypeAlias = tuple[
    Network32,
    _Rows,
    _Rows | None,  # to validate on
    TrainOptions,
    LbfgsOptions | None,
    Callable[[_Record], bool | float] | None,  # on_epoch
    Callable[[], NDArray[np.uint32]] | None,  # draw_order
    _RunState | None,
]
_Result: TypeAlias = tuple[NDArray[np.float64], str, BaseException | None, _Minimum | None]

def train_many(
    runs: list[_Run],
    threads: int,
    max_time: float,
    on_progress: Callable[[int, int], None] | None,
    results: list[_Result | Exception | None],
) -> BaseException | None: ...

class FullBatch32:
    def loss_and_gradient(self) -> tuple[float, _Array]: ...
    def trace(self) -> tuple[float, _Array, list[_Array], list[_Array], list[_Array]]: ...

class FullBatch64(FullBatch32): ...

class Predictor32:
    def __init__(self, network: Network32) -> None: ...
    def __call__(self, x: _Array) -> _Array: ...
    def try_forward(self, X: object) -> _Array | None: ...
    def forward(self, X: _Features, threads: int) -> _Array: ...

class Predictor64:
    def __init__(self, network: Network64) -> None: ...
    def __call__(self, x: _Array) -> _Array: ...
    def try_forward(self, X: object) -> _Array | None: ...
    def forward(self, X: _Features, threads: int) -> _Array: ...

class Ensemble32:
    def __init__(
        self,
        networks: Sequence[Network32 | Network64],
        features: Sequence[int],
        weights: Sequence[float],
        units: Sequence[tuple[_Array, _Array]] | None,
    ) -> None: ...
    def moments(
        self, X: Sequence[_Features], threads: int, deviation: bool
    ) -> tuple[_Array, _Array | None]: ...
    def predictor(self) -> Predictor32: ...

class Ensemble64:
    def __init__(
        self,
        networks: Sequence[Network32 | Network64],
        features: Sequence[int],
        weights: Sequence[float],
        units: Sequence[tuple[_Array, _Array]] | None,
    ) -> None: ...
    def moments(
        self, X: Sequence[_Features], threads: int, deviation: bool
    ) -> tuple[_Array, _Array | None]: ...
    def predictor(self) -> Predictor64: ...
