"""`train`: from data to a fitted network."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from os import PathLike
from typing import Any

import numpy as np

from fastmlp._base.validation import dtype_name, flag, integer, layer_sizes, real
from fastmlp._model.history import History, epochs_of
from fastmlp._native import core as _core
from fastmlp._native import threads as _threads
from fastmlp._network.network import Network
from fastmlp._rows.features import with_own_indices
from fastmlp._rows.memory import MemoryRows
from fastmlp._rows.stream import StreamedRows, open_rows
from fastmlp._rows.targets import (
    TargetForm,
    choose_loss,
    find_classes,
    parse_loss,
    per_quantile,
    takes_labels,
)
from fastmlp._training.checkpoint import Checkpoints
from fastmlp._training.lbfgs import minimize
from fastmlp._training.progress import epoch_bar
from fastmlp.spec.optimizers import LBFGS, as_optimizer, check_representable
from fastmlp.spec.schedules import as_schedule


def train(
    X: Any,
    y: Any = None,
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
    embeddings: Sequence[tuple[int, int, int]] = (),
    memory_limit: int | str | None = None,
    checkpoint: str | PathLike[str] | None = None,
    every: int = 1,
    keep: int = 3,
    resume: str | PathLike[str] | None = None,
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
        What does not fit into the memory is streamed: the path of a Parquet dataset or of an .npy file, a
        pyarrow dataset, an iterator of batches (X, y), or, with memory_limit, any array.
    y : array_like, (n,) or (n, outputs), or str
        Labels of any sortable type, or numbers; or the name of the target column of a table X. Not needed
        for an iterator of pairs.
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
        Rows to measure after each epoch, or the fraction of the rows to hold back for it: stratified for
        labels or, where rows are read in windows, from each block of the file.
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
    embeddings : sequence of (column, codes, width), default ()
        Columns of X that hold codes of categories, for which numbers are learned; see `Network`.
        `TableEncoder.embeddings` has those of an encoded table.
    memory_limit : int or str, optional
        Bytes, or a text such as "500 MB", that the process should stay within while rows are read in windows:
        blocks of consecutive rows in a new order each epoch, shuffled again in each window. The order depends
        on this argument, not on the machine; rows that fit into one window train as in memory. By default
        arrays are used as they are, and Parquet datasets and iterators have 2 GB. They are copied once into
        unnamed files in the folder for temporary files; those that a fraction of validation holds back are
        in memory.
    checkpoint : path, optional
        Folder to write a checkpoint to, after every `every` epochs and the last whole one: a model file with
        the optimizer's state. The first epochs of the history of a run of over 1,000 lie in a file of
        their own, history-*.f64, beside them.
    every : int, default 1
        Epochs from one checkpoint to the next.
    keep : int, default 3
        How many checkpoints stay; older ones are deleted.
    resume : path, optional
        Folder of checkpoints to go on from. With the other arguments unchanged the result is that of a run
        that was never stopped, bit for bit; epochs, patience, max_time, threads and callbacks may change. It
        may be the folder of `checkpoint`, which may be empty then.
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
    every, keep = integer("every", every, low=1), integer("keep", keep, low=1)
    options = _core_options(
        epochs=epochs, dropout=dropout, clip_norm=clip_norm, patience=patience, min_delta=min_delta,
        restore_best=restore_best, loss_target=loss_target, max_time=max_time, shuffle=shuffle, seed=seed,
        threads=threads,
    )  # fmt: skip
    chosen_optimizer, schedule = as_optimizer(optimizer), as_schedule(learning_rate)
    callbacks = _checked_callbacks(callbacks)
    flag("progress", progress)

    rows = open_rows(X, y, dtype, memory_limit)
    loss = choose_loss(loss, rows.sample)
    form = _target_form(loss, rows)
    rows.prepare(form, sample_weight, class_weight)
    sizes = (rows.width, *layer_sizes("hidden", hidden), form.outputs)
    network = Network(sizes, activation, loss, output_activation, l2, init, options.seed, dtype, embeddings)
    network.classes, network.feature_names = form.classes, rows.names

    held_out = rows.hold_back(network, validation, options.seed, clipped=options.clip_norm > 0)
    options.batch_size = _batch_size(batch_size, len(rows))
    if held_out is not None:
        scores = ("validation_accuracy", "accuracy") if takes_labels(form.loss) else ("validation_r2",)
        network.history = History((*network.history.columns, "validation_loss", *scores))
    if isinstance(chosen_optimizer, LBFGS):
        _check_lbfgs(
            rows, learning_rate=learning_rate, dropout=options.dropout or None, clip_norm=clip_norm,
            validation=validation, patience=patience, checkpoint=checkpoint, resume=resume,
        )  # fmt: skip
    else:
        chosen_optimizer.fill(options.optimizer)
        schedule.fill(options.schedule, chosen_optimizer.default_rate)
        check_representable(options, dtype)
    checkpoints = None
    if checkpoint is not None or resume is not None:
        settings = _settings(options, chosen_optimizer, schedule, network, rows)
        checkpoints = Checkpoints(network, options, settings, checkpoint, every, keep)
        checkpoints.begin(resume)
    state, write = (None, None) if checkpoints is None else (checkpoints.state, checkpoints.write)
    earlier = network.history.copy()

    with rows.windows(options) as next_window, epoch_bar(progress, options.epochs, len(rows)) as bar:
        observers: list[Callable[[Network], Any]] = [*callbacks]
        if bar is not None:
            observers.append(bar)
        core_rows, on_epoch = rows.core_rows(), None
        coded: dict[str, Any] = {}  # X of the user's memory, with codes that a callback may change
        if callbacks:
            core_rows, held_out = with_own_indices(core_rows), with_own_indices(held_out)
            if network.embeddings and next_window is None:
                coded[""] = core_rows[0]
            if network.embeddings and held_out is not None:
                coded["validation: "] = held_out[0]
        if observers or write is not None:  # a checkpoint holds the history
            on_epoch = _epoch_callback(network, earlier, observers, checkpoints, coded)
        if isinstance(chosen_optimizer, LBFGS):
            limits = chosen_optimizer.limits(options.epochs)
            result = minimize(network, core_rows, options, on_epoch, limits)[:3]
        else:
            result = network._core.train(
                *core_rows, held_out, options, on_epoch, state, None, next_window, write
            )
    return _finished(network, earlier, result, options.restore_best)


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


def _target_form(loss: Any, rows: MemoryRows | StreamedRows) -> TargetForm:
    """Return the loss with its numbers, the classes that the targets show, and the number of outputs."""
    name, numbers = parse_loss(loss)
    sample = per_quantile(rows.sample, numbers)
    classes = find_classes(rows.labels() if takes_labels(name) else sample, name)
    if classes is not None and name != "binary_cross_entropy":
        return TargetForm(name, numbers, classes, len(classes))
    return TargetForm(name, numbers, classes, 1 if sample.ndim == 1 else int(sample.shape[1]))


def _batch_size(batch_size: Any, rows: int) -> int:
    if batch_size is None:
        return rows
    if isinstance(batch_size, str):
        if batch_size != "auto":
            raise ValueError(f"batch_size must be an integer, None or 'auto', got {batch_size!r}")
        return min(200, rows)
    return integer("batch_size", batch_size, low=1)


def _settings(
    options: _core.TrainOptions,
    optimizer: Any,
    schedule: Any,
    network: Network,
    rows: MemoryRows | StreamedRows,
) -> dict[str, Any]:
    """Return what a run must have in common with the one that it goes on from, besides the network."""
    names = ("batch_size", "dropout", "clip_norm", "shuffle", "min_delta", "restore_best", "seed")
    return {name: getattr(options, name) for name in names} | {
        "optimizer": repr(optimizer),
        "learning_rate": repr(schedule),
        "rows": len(rows),
        "window_rows": rows.window_rows,
        "fingerprint of the rows": rows.fingerprint(),
        "classes": None if network.classes is None else [str(label) for label in network.classes],
        "history": network.history.columns,
    }


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
    network: Network,
    earlier: History,
    callbacks: Sequence[Callable[[Network], Any]],
    checkpoints: Checkpoints | None,
    coded: dict[str, Any],
) -> Callable[[tuple[Any, ...]], bool]:
    def on_epoch(record: tuple[Any, ...]) -> bool:
        row = _later(record, earlier)
        network.history.append(row)
        if checkpoints is not None:
            checkpoints.add(row)
        try:
            wishes = [callback(network) for callback in callbacks]  # every callback sees every epoch
        except StopIteration as error:
            raise RuntimeError("a callback raised StopIteration; to stop, return True") from error
        for i, wish in enumerate(wishes):
            if not isinstance(wish, (bool, np.bool_, type(None))):
                raise TypeError(f"callbacks[{i}] must return True, False or None, got {wish!r}")
        for prefix, X in coded.items():
            try:
                network._check_codes(X)
            except ValueError as error:
                raise ValueError(f"{prefix}{error}, after a callback has changed it") from None
        return any(wishes)

    return on_epoch


def _later(record: tuple[Any, ...], earlier: History) -> tuple[Any, ...]:
    """Return the record of an epoch of a run that went on, whose clock goes on too."""
    seconds = float(earlier["seconds"][-1]) if len(earlier) else 0.0
    return (*record[:3], record[3] + seconds, *record[4:])


def _check_lbfgs(rows: MemoryRows | StreamedRows, **given: Any) -> None:
    if isinstance(rows, StreamedRows):
        raise ValueError("optimizer 'lbfgs' needs all rows in memory, X is streamed")
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} does not go with optimizer 'lbfgs'")


def _finished(
    network: Network,
    earlier: History,
    result: tuple[list[Any], str, BaseException | None],
    restore_best: bool,
) -> Network:
    records, reason, exception = result
    network.history = earlier.copy()
    network.history.extend(_later(record, earlier) for record in records)
    network.stop_reason = reason
    if exception is not None:
        raise _with_network(exception, network)
    if reason == "diverged":
        text = (
            f"the loss diverged in epoch {epochs_of(network.history) + 1}: it, or a weight, is no longer "
            "finite; try a smaller learning_rate, clip_norm, or inputs on a smaller scale"
        )
        if not restore_best:
            raise _with_network(FloatingPointError(text), network)
        kept = (
            "the best weights so far were restored"
            if len(network.history)
            else "the initial weights were restored"
        )
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
