"""`train`: from data to a fitted network."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from typing import Any

from fastmlp._base.validation import dtype_name, flag, integer, layer_sizes
from fastmlp._model.history import COLUMNS, History, epochs_of
from fastmlp._model.model import metadata
from fastmlp._native import threads as _threads
from fastmlp._network.network import Network
from fastmlp._processes.processes import Processes
from fastmlp._rows.features import is_sparse
from fastmlp._rows.read import RunRows, divide_rows, read_rows
from fastmlp._rows.targets import takes_labels
from fastmlp._rows.windows import WindowedRows
from fastmlp._training.callbacks import checked_callbacks, epoch_callback
from fastmlp._training.checkpoint import Checkpoints
from fastmlp._training.finish import finished
from fastmlp._training.going_on import begun, known_form, loss_to_go_on_with
from fastmlp._training.lbfgs import scaled_limits
from fastmlp._training.options import RunSettings, checked_compute, checked_settings, core_options
from fastmlp._training.progress import epoch_bar
from fastmlp._training.run import run
from fastmlp._training.tables import EncodingSettings, Given, encoded
from fastmlp._training.together import (
    agreed_seed,
    check_agreement,
    is_first,
    processes_of,
    shards_of,
    threads_of,
    whole_rows,
)
from fastmlp.data import TableEncoder
from fastmlp.spec.schedules import Schedule


def train(
    X: Any,
    y: Any = None,
    *,
    hidden: int | Sequence[int] = (100,),
    activation: str | Sequence[str] = "relu",
    loss: str = "auto",
    output_activation: str = "auto",
    task: str = "auto",
    encode: bool | str | TableEncoder = "auto",
    optimizer: Any = "adam",
    learning_rate: Any = None,
    batch_size: int | str | None = "auto",
    epochs: int = 200,
    l2: float = 0.0,
    dropout: float | Schedule = 0.0,
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
    seed: int | None = 0,
    dtype: Any = "float32",
    compute: str | None = None,
    threads: int | None = None,
    embeddings: Sequence[tuple[int, int, int]] = (),
    periodic: Sequence[tuple[int, int, int]] = (),
    input_scale: bool = False,
    parametric: bool = False,
    memory_limit: int | str | None = None,
    checkpoint: str | PathLike[str] | None = None,
    every: int = 1,
    keep: int = 3,
    resume: str | PathLike[str] | None = None,
    shards: int = 1,
    communicator: Any = None,
    local: bool = False,
    timeout: float = 300.0,
    callbacks: Callable[[Network], Any] | Iterable[Callable[[Network], Any]] = (),
    progress: bool = False,
) -> Network:
    """Train a multilayer perceptron.

    Minimises ``sum(w_i loss_i) / sum(w_i) + l2/2 sum(W^2)`` over all rows by mini-batch gradient descent: a
    batch of B rows divides the sum of its weighted losses by B times the mean weight of all rows. The result
    depends on the arguments and on the core's instruction set alone (`show_config`; those of v2, v3 and v4
    differ in their last bits): it has the same bits at any number of threads.

    Parameters
    ----------
    X : array_like, (n, inputs)
        Finite numbers: NumPy array, pandas, polars or Arrow table, or SciPy sparse matrix. Or a table that
        holds texts, dates, booleans or gaps too, or the path of a file of any format that
        `fastmlp.data.read` knows: see `encode`.
        C-contiguous data of the right dtype is not copied, and neither is a CSR matrix of it with sorted
        indices (but the indices are, where Python runs between epochs); other sparse matrices become CSR, and
        none is made dense.
        What does not fit into the memory is streamed: the path of a Parquet dataset of numbers or of an .npy
        file, a pyarrow dataset, an iterator of batches (X, y), or, with memory_limit, any array.
    y : array_like, (n,) or (n, outputs), str, or list of str
        Labels of any sortable type, or numbers; or the name of the target column of a table X, or the names
        of several. Not needed for an iterator of pairs. Of a column in memory, a warning names the columns
        that may be the target under another name: with one value for each label, equal, or on a line.
    hidden : int or sequence of int, default (100,)
        Widths of the hidden layers; () is a linear model.
    activation : str or sequence of str, default "relu"
        Of all hidden layers, or of each; see `Network`.
    loss : str, default "auto"
        See `Network`. "auto": softmax_cross_entropy for labels, binary_cross_entropy for several labels a
        row (a matrix of 0 and 1), squared_error for quantities.
    output_activation : str, default "auto"
        See `Network`.
    task : {"auto", "classification", "regression"}, default "auto"
        Whether y holds labels or quantities, where the loss does not say so. "auto": texts and booleans are
        labels, and so are whole numbers of at most 20 different values (see `fastmlp.data.choose_task`);
        other numbers are quantities. Rows that each have a single 1 are classes. What is not plain is said
        in a warning: whole numbers that are taken as quantities, floats of only 0 and 1 that are taken as
        labels.
    encode : {"auto", True, False} or TableEncoder, default "auto"
        Whether a table goes through a `fastmlp.data.TableEncoder`, which is fitted on the rows that are
        learned from alone and becomes the network's ``encoder``: then `Network.predict` takes such tables.
        Numbers, and quantities to learn, are standardised: losses and R2 in the history are those of
        standardised values, predictions come in units. What nothing can be learned from (see
        `fastmlp.data.audit`) is left out with a warning. "auto": a table with other columns than numbers
        without gaps, and any file that holds a table, but a Parquet dataset of numbers, which is streamed as
        it is. With a network for init that has an encoder, tables go through that one. An encoder that is
        not fitted stands for True, and its settings (scale, ignore, max_one_hot and so on) count.
    optimizer : str or object, default "adam"
        "sgd", "rmsprop", "adagrad", "adam", "adamw", "lbfgs", or an object: `SGD`, `RMSprop`, `Adagrad`,
        `Adam`, `LBFGS`.
    learning_rate : float or schedule, optional
        By default the optimizer's: 0.01 for sgd and adagrad, 0.001 for the others. Schedules: `Constant`,
        `InverseScaling`, `StepDecay`, `Cosine`, `OneCycle`, `CosLog`, `FlatCos`, `ReduceOnPlateau`. Groups of
        parameters may learn at other rates: see `RateFactors`.
    batch_size : int, None or "auto", default "auto"
        Rows a step, a multiple of `shards`; None is the full batch, "auto" min(200, n), rounded down to such
        a multiple. The last batch of an epoch may be smaller.
    epochs : int, default 200
        Passes over the rows, at least 1.
    l2 : float, default 0
        Penalty of the squared weights (not biases), part of the loss.
    dropout : float or schedule, default 0
        Share of hidden activations that a training step drops, in [0, 1). A schedule, such as
        ``FlatCos(0.15)``, must have a rate, and is no `ReduceOnPlateau`.
    clip_norm : float, optional
        The gradient is scaled down to this norm where it is longer.
    validation : (X, y), (X, y, sample_weight) or float, optional
        Rows to measure after each epoch, or the fraction of the rows to hold back for it: stratified for
        labels or, where rows are read in windows, from each block of the file. Of a table that is encoded, X
        is such a table, y a column of it; X may be a file's path, as y may be an .npy file's. Their loss is
        weighted as that of the rows learned from; the scores count each row once.
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
        Weights of the rows, at least 0; rows held back by a fraction keep theirs. Some of the rows learned
        from must weigh more than 0, and some of those of validation.
    class_weight : dict or "balanced", optional
        Weights of the labels, multiplied into those of the rows, also of validation; "balanced" is
        n / (classes * count), where X and y count.
    shuffle : bool, default True
        Draw the batches in a new random order each epoch; the full batch stays in order.
    init : str, list of (W, b), or Network, default "auto"
        See `Network`; a network's weights are copied, to go on from them. Where it was trained, its inputs
        are matched with the columns of a table by name, and its outputs with the labels of y, which may lack
        some; others are an error, as other activations are. Unless loss or task are given, its loss is kept.
    seed : int or None, default 0
        Of initial weights, shuffling, dropout and held-back rows; 0 to 2**64 - 1. None draws one: the
        network's attribute ``seed``, which its file has too, makes the same run again. With resume, None is
        the seed of the run that goes on.
    dtype : "float32" or "float64", default "float32"
    compute : "bfloat16", optional
        The products of a step take weights, activations and deltas rounded to bfloat16 (8 bits of mantissa in
        place of 24), which processors with AVX512_BF16 multiply twice as fast; elsewhere it is an error.
        Sums, losses, weights and the optimizer's state stay in float32, and so do validation and the network
        that is returned. It goes with dtype="float32", dense X and every optimizer but lbfgs. By default
        products are computed in dtype.
    threads : int, optional
        The most threads to use; by default `get_num_threads`, divided by the processes on the same machine.
    embeddings : sequence of (column, codes, width), default ()
        Columns of X that hold codes of categories, for which numbers are learned; see `Network`.
        `TableEncoder.embeddings` has those of an encoded table.
    periodic : sequence of (column, frequencies, width), default ()
        Columns of X that become ``width`` inputs, the column and learned waves of it; see `Network`.
    input_scale : bool, default False
        Multiply each input of the first layer by a learned number, which begins as 1.
    parametric : bool, default False
        Hidden layers have ``a = z + alpha (f(z) - z)`` with a learned alpha a neuron, which begins as 1.
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
        that was never stopped, bit for bit; epochs, patience, max_time, threads and callbacks may change. On
        another instruction set it warns, and the last bits differ. It may be the folder of `checkpoint`,
        which may be empty then.
    shards : int, default 1
        A power of two: the rows to learn from are cut into so many consecutive parts, as many rows in each.
        A step takes batch_size / shards rows of each, whose order is drawn for each alone, and adds the
        gradients of the parts in a binary tree. So the result depends on shards, and not on how many
        processes share them. Nor may there be fewer rows.
    communicator : mpi4py.MPI.Intracomm, optional
        That of the processes that train the network together, such as ``MPI.COMM_WORLD``: a power of two of
        them, at most `shards`, each of which calls `train` with the same arguments. Each computes the
        gradients of its own shards, and updates its part of the weights. All return the same network, with
        the same bits as one process; the first one alone warns, writes checkpoints and shows progress. Needs
        ``fastmlp[mpi]``.
    local : bool, default False
        Whether X, y, sample_weight and the validation rows are one process's own part of the rows, which may
        be empty: the rows are those of all processes, one part behind the other in the order of the ranks.
        By default each process is given all rows.
    timeout : float, default 300
        Seconds that a process waits for another one before it gives up: `fastmlp.distributed.ProcessError`.
    callbacks : callable or iterable of callables
        Each is called with the network after every epoch; True stops training. Of several processes, one that
        stops stops all; what callbacks do to the weights they must do in all.
    progress : bool, default False
        Show a progress bar on a terminal, for which ``fastmlp[cli]`` is needed, and elsewhere a line every
        five seconds.

    Returns
    -------
    Network

    Raises
    ------
    TypeError, ValueError
        Naming the argument, what was given and what is accepted.
    ProcessError
        If another process has failed, or does not answer in time; its text has the process and its error.
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

    A table as it is, here one of our own; a pandas or polars data frame, or a path, goes the same way:

    >>> homes = fastmlp.data.Table(
    ...     {
    ...         "area": [70, 55, 120, 80, 61, 95] * 20,
    ...         "city": ["Rome", "Oslo"] * 60,
    ...         "price": [210.5, 250, 340, 260, 240, 290] * 20,
    ...     }
    ... )
    >>> net = fastmlp.train(homes, "price", validation=0.2, hidden=(8,), epochs=100)
    >>> net.predict(homes).shape
    (120,)
    """
    with processes_of(communicator, timeout) as processes:
        dtype = dtype_name(dtype)
        every, keep = integer("every", every, low=1), integer("keep", keep, low=1)
        settings = checked_settings(
            optimizer=optimizer, learning_rate=learning_rate, batch_size=batch_size, epochs=epochs,
            dropout=dropout, clip_norm=clip_norm, patience=patience, min_delta=min_delta,
            restore_best=restore_best, loss_target=loss_target, max_time=max_time, shuffle=shuffle,
            seed=agreed_seed(seed, resume, processes), threads=threads_of(threads, processes), dtype=dtype,
            compute=compute, shards=shards,
        )  # fmt: skip
        own_shards = shards_of(settings.shards, processes)
        callbacks = checked_callbacks(callbacks)
        flag("progress", progress)
        if local is True and memory_limit is not None:
            raise ValueError("local=True goes with rows in memory, not with memory_limit")
        in_numbers = memory_limit is None and (encode is False or encode == "auto")
        X, y, validation, sample_weight = whole_rows(
            X, y, validation, sample_weight, local, in_numbers, processes
        )

        parts = {"periodic": periodic, "input_scale": input_scale, "parametric": parametric}
        with _threads.at_most(settings.threads):
            loss = loss_to_go_on_with(loss, task, init)
            data = encoded(
                Given(X, y, validation, sample_weight, task, embeddings),
                EncodingSettings(
                    encode, loss, output_activation, class_weight, init, settings.seed, dtype, memory_limit
                ),
            )
            checked_compute(compute, sparse=is_sparse(data.X))
            given = read_rows(
                data.X, data.y, loss, data.task, data.sample_weight, class_weight, dtype, memory_limit,
                known_form(init),
            )  # fmt: skip
            sizes = (given.width, *layer_sizes("hidden", hidden), given.form.outputs)
            network = begun(
                sizes, activation, given.loss, output_activation, l2, init, settings.seed, dtype,
                parts | {"embeddings": data.embeddings}, names=given.names, classes=given.form.classes,
            )  # fmt: skip
            network.encoder, network.target_names = data.encoder, data.target_names
            rows = divide_rows(
                given, network, data.validation, settings.seed, own_shards, clipped=clip_norm is not None
            )
            columns = history_columns(rows, given.form.loss)
            if columns != network.history.columns:
                network.history = History(columns)
        del X, data, given  # with their copies of X, if there are any

        limits = lbfgs_limits(
            settings, rows, network._loss, learning_rate=learning_rate, dropout=dropout or None,
            clip_norm=clip_norm, validation=validation, patience=patience, checkpoint=checkpoint,
            resume=resume, compute=compute,
        )  # fmt: skip
        checkpoints = _begun_checkpoints(network, settings, rows, checkpoint, every, keep, resume, processes)
        return _trained(
            network, rows.sharded(own_shards, network), settings, limits, checkpoints, every, callbacks,
            progress, processes,
        )  # fmt: skip


def _trained(
    network: Network, rows: RunRows, settings: RunSettings, limits: dict[str, Any] | None,
    checkpoints: Checkpoints | None, every: int, callbacks: Any, progress: bool,
    processes: Processes | None,
) -> Network:  # fmt: skip
    """Train the network in place, from the epoch on that it has come to, and say how that ended."""
    earlier = network.history.copy()
    options = core_options(settings, len(rows), epochs_of(earlier), every)
    state, write = (None, None) if checkpoints is None else (checkpoints.state, checkpoints.write)
    with epoch_bar(progress and is_first(processes), settings.epochs, len(rows)) as bar:
        on_epoch = epoch_callback(network, earlier, callbacks, bar, checkpoints, processes)
        outcome = run(
            network, rows, options, limits=limits, on_epoch=on_epoch, state=state, on_state=write,
            processes=processes,
        )  # fmt: skip
    return finished(network, earlier, outcome, settings.restore_best, limits)


def history_columns(rows: RunRows, loss: str) -> tuple[str, ...]:
    """Return what is measured in each epoch."""
    if rows.held_out is None:
        return COLUMNS
    scores = ("validation_accuracy", "accuracy") if takes_labels(loss) else ("validation_r2",)
    return (*COLUMNS, "validation_loss", *scores)


def lbfgs_limits(settings: RunSettings, rows: RunRows, loss: str, **given: Any) -> dict[str, Any] | None:
    """Return L-BFGS's limits for these rows, None for gradient descent; refuse what L-BFGS cannot do."""
    if settings.limits is None:
        return None
    if isinstance(rows, WindowedRows):
        raise ValueError("optimizer 'lbfgs' needs all rows in memory, X is streamed")
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} does not go with optimizer 'lbfgs'")
    return scaled_limits(settings.limits, rows, loss)


def _begun_checkpoints(
    network: Network, settings: RunSettings, rows: RunRows, folder: str | PathLike[str] | None, every: int,
    keep: int, resume: str | PathLike[str] | None, processes: Processes | None,
) -> Checkpoints | None:  # fmt: skip
    """Return the checkpoints of the run, after taking over the run to go on from; None if none are wanted.

    Of several processes, which must have come to the same run, the first one reads and writes them.
    """
    if processes is None and folder is None and resume is None:
        return None
    kept = _settings_to_keep(network, settings, rows)
    if processes is not None:
        wanted = {"checkpoint": folder is not None, "resume": resume is not None, "every": every}
        shared = metadata(network) | kept | _settings_to_share(network, settings, rows) | wanted
        check_agreement(processes, network, shared)
    if folder is None and resume is None:
        return None
    if is_first(processes):
        checkpoints = Checkpoints(network, kept, folder, keep)
        checkpoints.begin(resume)
    else:
        checkpoints = Checkpoints(network, kept, None, keep)
    if processes is not None:
        checkpoints.share(processes)
    return checkpoints


def _settings_to_share(network: Network, settings: RunSettings, rows: RunRows) -> dict[str, Any]:
    """Return what else several processes must have in common."""
    names = ("epochs", "patience", "loss_target", "max_time", "shards")
    return {name: getattr(settings, name) for name in names} | {
        "mean weight of the rows": rows.mean_weight,
        "rows to validate on": rows.held_count,
        "checksum of targets and rows to validate on": rows.checksum(),
        "encoder": None if network.encoder is None else zlib.crc32(repr(network.encoder.to_dict()).encode()),
    }


def _settings_to_keep(network: Network, settings: RunSettings, rows: RunRows) -> dict[str, Any]:
    """Return what a run must have in common with the one that it goes on from, besides the network."""
    options = core_options(settings, len(rows))
    names = ("batch_size", "clip_norm", "shuffle", "min_delta", "restore_best", "seed")
    return {name: getattr(options, name) for name in names} | {
        "compute": "bfloat16" if settings.bfloat16 else None,
        "dropout": repr(settings.dropout) if isinstance(settings.dropout, Schedule) else settings.dropout,
        "optimizer": repr(settings.optimizer),
        "learning_rate": repr(settings.schedule),
        "shards": settings.shards,
        "rows": len(rows),
        "window_rows": rows.window_rows,
        "fingerprint of the rows": rows.fingerprint(),
        "classes": None if network.classes is None else [str(label) for label in network.classes],
        "history": network.history.columns,
    }
