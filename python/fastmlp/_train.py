"""`train`: from data to a fitted network."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp import _core, _threads
from fastmlp._history import History
from fastmlp._lbfgs import minimize
from fastmlp._network import Network
from fastmlp._optimizers import LBFGS, as_optimizer, check_representable
from fastmlp._progress import epoch_bar
from fastmlp._schedules import as_schedule
from fastmlp._sparse import Features, as_features, core_form
from fastmlp._targets import (
    Targets,
    are_labels,
    as_targets,
    choose_loss,
    encode,
    find_classes,
    parse_loss,
    per_quantile,
    row_weights,
)
from fastmlp._validation import (
    column_names,
    dtype_name,
    feature_names,
    flag,
    integer,
    layer_sizes,
    real,
    same_length,
)

Rows = tuple[Features, Targets, NDArray[Any] | None]


def train(
    X: Any,
    y: Any,
    *,
    hidden: int | Sequence[int] = (100,),
    activation: str | Sequence[str] = "relu",
    loss: str = "auto",
    output_activation: str = "auto",
    optimizer: Any = "adam",
    learning_rate: Any = None,
    batch_size: int | str | None = "auto",
    epochs: int = 200,
    l2: float = 0.0,
    dropout: float = 0.0,
    clip_norm: float | None = None,
    validation: Any = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    restore_best: bool = True,
    loss_target: float | None = None,
    max_time: float | None = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    shuffle: bool = True,
    init: Any = "auto",
    seed: int = 0,
    dtype: Any = "float32",
    threads: int | None = None,
    callbacks: Callable[[Network], Any] | Iterable[Callable[[Network], Any]] = (),
    progress: bool = False,
) -> Network:
    """Train a multilayer perceptron.

    Minimises ``sum(w_i loss_i) / sum(w_i) + l2/2 sum(W^2)`` by mini-batch gradient descent. The result
    depends on the arguments alone: it has the same bits at any number of threads.

    Parameters
    ----------
    X : array_like, (n, inputs)
        Finite numbers: NumPy array, pandas, polars or Arrow table, or SciPy sparse matrix.
        C-contiguous data of the right dtype is not copied, and neither is a CSR matrix of it with sorted
        indices; other sparse matrices become CSR, and none is made dense.
    y : array_like, (n,) or (n, outputs), or str
        Labels of any sortable type, or numbers; or the name of the target column of a table X.
    hidden : int or sequence of int, default (100,)
        Widths of the hidden layers; () is a linear model.
    activation : str or sequence of str, default "relu"
        Of all hidden layers, or of each; see `Network`.
    loss : str, default "auto"
        See `Network`. "auto": softmax_cross_entropy for labels, binary_cross_entropy for a 0/1 matrix of
        integers, squared_error for floats.
    output_activation : str, default "auto"
        See `Network`.
    optimizer : str or object, default "adam"
        "sgd", "rmsprop", "adagrad", "adam", "adamw", "lbfgs", or an object: `SGD`, `RMSprop`, `Adagrad`,
        `Adam`, `LBFGS`.
    learning_rate : float or schedule, optional
        By default the optimizer's: 0.01 for sgd and adagrad, 0.001 for the others. Schedules: `Constant`,
        `InverseScaling`, `StepDecay`, `Cosine`, `OneCycle`, `ReduceOnPlateau`.
    batch_size : int, None or "auto", default "auto"
        Rows a step; None is the full batch, "auto" min(200, n). The last batch of an epoch may be smaller.
    epochs : int, default 200
        Passes over the rows, at least 1.
    l2 : float, default 0
        Penalty of the squared weights (not biases), part of the loss.
    dropout : float, default 0
        Share of hidden activations that a training step drops, in [0, 1).
    clip_norm : float, optional
        The gradient is scaled down to this norm where it is longer.
    validation : (X, y) or float, optional
        Rows to measure after each epoch, or the fraction of the rows to hold back for it (stratified for
        labels).
    patience : int, optional
        Stop after this many epochs in a row without a monitored loss (that of validation, if any) below the
        last best minus min_delta.
    min_delta : float, default 0
        How far below the lowest loss so far a loss must be to count as better for patience, in its units.
    restore_best : bool, default True
        With validation or patience, end with the weights of the lowest monitored loss: those after its epoch,
        or, for a full batch without validation, those it was measured on. Where the loss diverges, warn and
        return the best weights so far, instead of raising.
    loss_target : float, optional
        Stop when the epoch loss is at or below it.
    max_time : float, optional
        Stop after this many seconds, at the end of a batch; the last epoch's loss is that of the rows it saw.
    sample_weight : array_like, (n,), optional
        Weights of the rows, at least 0; rows held back by a fraction keep theirs.
    class_weight : dict or "balanced", optional
        Weights of the labels, multiplied into those of the rows; "balanced" is n / (classes * count).
    shuffle : bool, default True
        Draw the batches in a new random order each epoch; the full batch stays in order.
    init : str, list of (W, b), or Network, default "auto"
        See `Network`; a network's weights are copied, to go on from them.
    seed : int, default 0
        Of initial weights, shuffling, dropout and held-back rows; 0 to 2**64 - 1.
    dtype : "float32" or "float64", default "float32"
    threads : int, optional
        The most threads to use; by default `get_num_threads`.
    callbacks : callable or iterable of callables
        Each is called with the network after every epoch; True stops training.
    progress : bool, default False
        Show a progress bar; needs ``fastmlp[cli]``.

    Returns
    -------
    Network

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted.
    FloatingPointError
        If the loss or the weights are no longer finite and restore_best is False; its attribute ``network``
        holds the last weights whose loss was finite.
    KeyboardInterrupt
        At Ctrl-C; its attribute ``network`` holds the network (with restore_best, the best weights so far).

    Examples
    --------
    >>> import fastmlp
    >>> iris = fastmlp.datasets.load_iris()
    >>> net = fastmlp.train(iris.data, iris.target, hidden=(6,), epochs=500, validation=0.2)
    >>> float(net.history["validation_accuracy"][-1]) > 0.8
    True
    """
    dtype = dtype_name(dtype)
    options = _core_options(
        epochs=epochs, dropout=dropout, clip_norm=clip_norm, patience=patience, min_delta=min_delta,
        restore_best=restore_best, loss_target=loss_target, max_time=max_time, shuffle=shuffle, seed=seed,
        threads=threads,
    )  # fmt: skip
    chosen_optimizer, schedule = as_optimizer(optimizer), as_schedule(learning_rate)
    callbacks = _checked_callbacks(callbacks)
    flag("progress", progress)

    X, y = _features_and_target(X, y)
    names = feature_names(X)
    X = as_features("X", X, dtype)
    if not 0 < X.shape[0] < 2**32:
        raise ValueError(f"X must have at least one row and fewer than 2**32, got {len(X)}")
    y = as_targets(y)
    same_length("y", len(y), len(X))
    loss = choose_loss(loss, y)
    loss_name, loss_numbers = parse_loss(loss)
    y = per_quantile(y, loss_numbers)
    classes = find_classes(y, loss_name)
    outputs = _outputs(y, loss_name, classes)
    targets = encode(y, loss_name, classes, outputs, dtype, len(X))
    weights = row_weights(sample_weight, class_weight, y, classes, dtype)
    sizes = (X.shape[1], *layer_sizes("hidden", hidden), outputs)
    network = Network(sizes, activation, loss, output_activation, l2, init, options.seed, dtype)
    network.classes, network.feature_names = classes, names

    rows, held_back = _split(network, (X, targets, weights), y, validation, options.seed)
    options.batch_size = _batch_size(batch_size, len(rows[0]))
    scored = (
        "accuracy" if network._loss in ("softmax_cross_entropy", "binary_cross_entropy", "hinge") else "r2"
    )
    columns = network.history.columns
    network.history = History(
        columns if held_back is None else (*columns, "validation_loss", f"validation_{scored}")
    )

    with epoch_bar(progress, options.epochs) as bar:
        on_epoch = _epoch_callback(network, callbacks if bar is None else [*callbacks, bar])
        if isinstance(chosen_optimizer, LBFGS):
            _check_lbfgs(options, validation, patience, learning_rate)
            limits = chosen_optimizer.limits(options.epochs)
            result = minimize(network, _flat(rows), options, on_epoch, limits)[:3]
        else:
            chosen_optimizer.fill(options.optimizer)
            schedule.fill(options.schedule, chosen_optimizer.default_rate)
            check_representable(options, dtype)
            held_out = held_back and _flat(held_back)
            result = network._core.train(*_flat(rows), held_out, options, on_epoch)[:3]
    return _finished(network, result, options.restore_best)


def _core_options(
    *, epochs: Any, dropout: Any, clip_norm: Any, patience: Any, min_delta: Any, restore_best: Any,
    loss_target: Any, max_time: Any, shuffle: Any, seed: Any, threads: Any,
) -> _core.TrainOptions:  # fmt: skip
    options = _core.TrainOptions()
    options.epochs = integer("epochs", epochs, low=1)
    options.dropout = real("dropout", dropout, low=0, high=1, open_high=True)
    options.clip_norm = 0 if clip_norm is None else real("clip_norm", clip_norm, low=0, open_low=True)
    options.patience = -1 if patience is None else integer("patience", patience, low=1)
    options.min_delta = real("min_delta", min_delta, low=0)
    options.restore_best = flag("restore_best", restore_best)
    options.loss_target = -math.inf if loss_target is None else real("loss_target", loss_target)
    options.max_time = math.inf if max_time is None else real("max_time", max_time, low=0, open_low=True)
    options.shuffle = flag("shuffle", shuffle)
    options.seed = integer("seed", seed, low=0, high=2**64 - 1)
    options.threads = _threads.resolve(None if threads is None else integer("threads", threads, low=1))
    return options


def _features_and_target(X: Any, y: Any) -> tuple[Any, Any]:
    """Take the target out of a table, if y is the name of a column."""
    if not isinstance(y, str):
        return X, y
    names = column_names(X)
    if not names:
        raise ValueError(f"y may be a column name only when X is a table, got {y!r}")
    if names.count(y) != 1:
        found = "none" if y not in names else f"{names.count(y)}"
        raise ValueError(
            f"y must be one of the columns {', '.join(map(str, names))}; got {y!r}, the name of {found}"
        )
    if hasattr(X, "column_names"):
        return X.drop_columns([y]), X.column(y)
    return X.drop(columns=[y]) if hasattr(X, "iloc") else X.drop(y), X[y]


def _outputs(y: NDArray[Any], loss: str, classes: NDArray[Any] | None) -> int:
    if classes is not None and loss != "binary_cross_entropy":
        return len(classes)
    return 1 if y.ndim == 1 else int(y.shape[1])


def _batch_size(batch_size: Any, rows: int) -> int:
    if batch_size is None:
        return rows
    if isinstance(batch_size, str):
        if batch_size != "auto":
            raise ValueError(f"batch_size must be an integer, None or 'auto', got {batch_size!r}")
        return min(200, rows)
    return integer("batch_size", batch_size, low=1)


def _split(
    network: Network, rows: Rows, y: NDArray[Any], validation: Any, seed: int
) -> tuple[Rows, Rows | None]:
    """Return the rows to train on and those to validate on."""
    if validation is None:
        return rows, None
    X, targets, weights = rows
    if isinstance(validation, (tuple, list)) and len(validation) == 2:
        Xv, yv = _features_and_target(*validation)
        try:
            Xv, held_back, _ = network._checked_rows(Xv, yv, None)
        except (TypeError, ValueError) as error:
            raise type(error)(f"validation: {error}") from None
        return rows, (Xv, held_back, None)
    if not isinstance(validation, numbers.Real):
        raise TypeError(f"validation must be a fraction or a pair (X, y), got {validation!r}")
    from fastmlp.data import holdout

    fraction = real("validation", validation, low=0, high=1, open_low=True, open_high=True)
    if len(X) < 2:
        raise ValueError(f"validation={fraction:g} needs at least 2 rows, got {len(X)}")
    labelled = network.classes is not None and y.ndim == 1 and are_labels(y, network.classes)
    kept, held = holdout(y if labelled else len(X), fraction, seed)
    parts = [(X[at], targets.take(at), None if weights is None else weights[at]) for at in (kept, held)]
    return parts[0], parts[1]


def _flat(rows: Rows) -> tuple[Any, Any, Any, Any]:
    X, targets, weights = rows
    return core_form(X), targets.labels, targets.values, weights


def _checked_callbacks(callbacks: Any) -> list[Callable[[Network], Any]]:
    if callable(callbacks):
        callbacks = [callbacks]
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks must be a callable or callables, got {callbacks!r}")
    checked = list(callbacks)
    for i, callback in enumerate(checked):
        if not callable(callback):
            raise TypeError(f"callbacks[{i}] must be callable, got {callback!r}")
    return checked


def _epoch_callback(
    network: Network, callbacks: list[Callable[[Network], Any]]
) -> Callable[[tuple[Any, ...]], bool] | None:
    if not callbacks:
        return None

    def on_epoch(record: tuple[Any, ...]) -> bool:
        network.history.append(record)
        try:
            wishes = [callback(network) for callback in callbacks]  # every callback sees every epoch
        except StopIteration as error:
            raise RuntimeError("a callback raised StopIteration; to stop, return True") from error
        for i, wish in enumerate(wishes):
            if not isinstance(wish, (bool, np.bool_, type(None))):
                raise TypeError(f"callbacks[{i}] must return True, False or None, got {wish!r}")
        return any(wishes)

    return on_epoch


def _check_lbfgs(options: _core.TrainOptions, validation: Any, patience: Any, learning_rate: Any) -> None:
    for name, given in (
        ("learning_rate", learning_rate is not None),
        ("dropout", options.dropout > 0),
        ("clip_norm", options.clip_norm > 0),
        ("validation", validation is not None),
        ("patience", patience is not None),
    ):
        if given:
            raise ValueError(f"{name} does not go with optimizer 'lbfgs'")


def _finished(
    network: Network, result: tuple[list[Any], str, BaseException | None], restore_best: bool
) -> Network:
    records, reason, exception = result
    network.history = History(network.history.columns, records)
    network.stop_reason = reason
    if exception is not None:
        raise _with_network(exception, network)
    if reason == "diverged":
        text = (
            f"the loss diverged in epoch {len(records) + 1}: it, or a weight, is no longer finite; "
            "try a smaller learning_rate, clip_norm, or inputs on a smaller scale"
        )
        if not restore_best:
            raise _with_network(FloatingPointError(text), network)
        kept = "the best weights so far were restored" if records else "the initial weights were restored"
        try:
            warnings.warn(f"{text}; {kept}", RuntimeWarning, stacklevel=3)
        except RuntimeWarning as error:  # where warnings are errors
            raise _with_network(error, network) from None
    return network


def _with_network(error: BaseException, network: Network) -> BaseException:
    """Attach what was learned so far, where the exception takes attributes."""
    with suppress(AttributeError, TypeError):
        error.network = network  # type: ignore[attr-defined]
    return error
