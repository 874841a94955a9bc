"""`fastmlp.dask.train`: from partitions to a fitted network."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp._base.validation import chosen_seed, dtype_name, flag, layer_sizes, real
from fastmlp._dask.learning import Learning
from fastmlp._dask.partitions import named_columns
from fastmlp._dask.parts import Merged
from fastmlp._dask.rounds import Method, Rounds
from fastmlp._dask.watch import Watch
from fastmlp._model.history import COLUMNS, History
from fastmlp._model.model import metadata
from fastmlp._network.network import Network
from fastmlp._rows.memory import loss_and_form, validation_parts
from fastmlp._rows.targets import TargetForm, class_numbers, label_weights, labelled_classes, takes_labels
from fastmlp._training.callbacks import checked_callbacks
from fastmlp._training.finish import finished, with_network
from fastmlp._training.going_on import begun, known_form, loss_to_go_on_with
from fastmlp._training.options import RunSettings, checked_settings
from fastmlp._training.progress import epoch_bar
from fastmlp._training.run import Outcome
from fastmlp.data import TableEncoder
from fastmlp.spec.schedules import ReduceOnPlateau, Schedule


def train(
    client: Any,
    X: Any,
    y: Any,
    *,
    rounds: int = 200,
    local_epochs: int = 1,
    outer_learning_rate: float = 0.7,
    outer_momentum: float = 0.9,
    hidden: int | Sequence[int] = (100,),
    activation: str | Sequence[str] = "relu",
    loss: str = "auto",
    output_activation: str = "auto",
    task: str = "auto",
    encode: TableEncoder | None = None,
    optimizer: Any = "adam",
    learning_rate: Any = None,
    batch_size: int | str | None = "auto",
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
    embeddings: Sequence[tuple[int, int, int]] = (),
    periodic: Sequence[tuple[int, int, int]] = (),
    input_scale: bool = False,
    parametric: bool = False,
    timeout: float = 300.0,
    callbacks: Callable[[Network], Any] | Iterable[Callable[[Network], Any]] = (),
    progress: bool = False,
) -> Network:
    """Train one network on partitions, which stay where they are, in rounds of local steps.

    In each round every partition trains for `local_epochs` from the common weights, as `fastmlp.train` would,
    with an optimizer that begins anew. With D the mean of (common weights - a partition's weights), weighted
    by rows (or the sums of their sample weights), an outer optimizer steps: ``b = outer_momentum b + D``,
    ``weights -= outer_learning_rate (D + outer_momentum b)``.

    The result depends on the partitions, their order and the arguments: it has the same bits on any workers,
    also where some end or join meanwhile. Tasks are pure, so that Dask may run them again.

    Parameters
    ----------
    client : distributed.Client or None
        None is the current one.
    X : dask.array.Array, (n, inputs), or dask.dataframe.DataFrame
        Finite numbers, partitioned along rows only; the sizes of chunks need not be known, and partitions may
        be empty. Blocks may be SciPy sparse matrices.
    y : dask.array.Array, (n,) or (n, outputs), dask.dataframe.Series or DataFrame, str, or list of str
        Labels or numbers, as `fastmlp.train` takes them, partitioned as X; or columns of a data frame X. A
        partition may lack some labels.
    rounds : int, default 200
        At least 1.
    local_epochs : int, default 1
        Passes over the rows of a partition in each round.
    outer_learning_rate, outer_momentum : float, default 0.7 and 0.9
        Of the outer optimizer. 1 and 0 take the mean of the weights.
    hidden, activation, loss, output_activation, task, optimizer, l2, dropout, clip_norm, shuffle, dtype, \
compute, embeddings, periodic, input_scale, parametric
        As in `fastmlp.train`; "lbfgs" is refused.
    encode : TableEncoder, optional
        One that is fitted, such as on ``X.head()`` or a sample, turns tables with texts, dates or gaps into
        numbers, each partition on its worker. Without it, columns must be numbers.
    learning_rate : float or schedule, optional
        Of the local steps, as in `fastmlp.train`; a schedule goes over the passes of all rounds.
        `ReduceOnPlateau` is refused.
    batch_size : int, None or "auto", default "auto"
        Rows a step; None is a whole partition, "auto" min(200, its rows).
    validation : (X, y), (X, y, sample_weight) or float, optional
        Rows to measure after each round: collections of Dask, or arrays and tables in memory. Or the fraction
        of each partition to hold back.
    patience : int, optional
        Stop after this many rounds in a row without a lower monitored loss: that of validation, if any.
    min_delta : float, default 0
        How far below the lowest loss so far a loss must be to count for patience.
    restore_best : bool, default True
        With validation or patience, end with the weights after the round of the lowest monitored loss. Where
        the loss diverges, warn and return the best weights so far, instead of raising.
    loss_target : float, optional
        Stop when the loss of a round is at or below it.
    max_time : float, optional
        Stop after the first round that ends after so many seconds.
    sample_weight : dask.array.Array or dask.dataframe.Series, (n,), optional
        Weights of the rows, at least 0.
    class_weight : dict or "balanced", optional
        Weights of the labels; "balanced" is n / (classes * count) over all partitions.
    init : str, list of (W, b), or Network, default "auto"
        As in `fastmlp.train`.
    seed : int or None, default 0
        Of initial weights, and with the numbers of round and partition of shuffling and dropout.
    timeout : float, default 300
        Seconds to wait where the cluster has no worker, before it is an error.
    callbacks : callable or iterable of callables
        Each is called with the network after every round; True stops training.
    progress : bool, default False
        Show a progress bar, as in `fastmlp.train`.

    Returns
    -------
    Network
        Its history has a row for each round: epoch (passes over the rows so far), loss (of all rows in the
        first pass of the round, each batch before its update, and the l2 term), learning_rate, seconds and,
        with validation, validation_loss and validation_accuracy or validation_r2 of the weights after the
        round. ``stop_reason`` is "epochs" where all rounds were made.

    Raises
    ------
    TypeError, ValueError
        Naming the argument or the partition, what was given and what is accepted.
    RuntimeError
        If a partition is lost that cannot be computed again, each worker that took a task has died, the
        client was closed, or there was no worker for `timeout` seconds.
    FloatingPointError
        If the loss or the weights are no longer finite and restore_best is False.
    KeyboardInterrupt
        At Ctrl-C, which cancels the tasks of the round; its attribute ``network`` holds the network.

    References
    ----------
    Stich (2019), Local SGD converges fast and communicates little.
    Douillard et al. (2023), DiLoCo: distributed low-communication training of language models.

    Examples
    --------
    >>> import dask.array as da
    >>> import fastmlp
    >>> from distributed import Client
    >>> from fastmlp.dask import train
    >>> iris = fastmlp.datasets.load_iris()
    >>> X, y = da.from_array(iris.data, chunks=(50, -1)), da.from_array(iris.target, chunks=50)
    >>> client = Client(processes=False)  # doctest: +SKIP
    >>> net = train(client, X, y, hidden=(16,), rounds=30)  # doctest: +SKIP
    """
    method = Method.checked(rounds, local_epochs, outer_learning_rate, outer_momentum, timeout)
    dtype = dtype_name(dtype)
    settings = checked_settings(
        optimizer=optimizer, learning_rate=learning_rate, batch_size=batch_size, epochs=method.epochs,
        dropout=dropout, clip_norm=clip_norm, patience=patience, min_delta=min_delta,
        restore_best=restore_best, loss_target=loss_target, max_time=max_time, shuffle=shuffle,
        seed=chosen_seed(seed), threads=None, dtype=dtype, compute=compute,
    )  # fmt: skip
    refuse_what_sees_all(settings)
    callbacks = checked_callbacks(callbacks)
    flag("progress", progress)
    fraction = checked_fraction(validation)
    loss = loss_to_go_on_with(loss, task, init)
    encoder = checked_encoder(encode, init)
    if encoder is not None and len(embeddings):
        raise ValueError("embeddings are the encoder's own where a table is encoded")

    parts = {
        "embeddings": embeddings if encoder is None else encoder.embeddings, "periodic": periodic,
        "input_scale": input_scale, "parametric": parametric,
    }  # fmt: skip

    with Rounds(client, method) as run:
        isa = run.isa()
        known = run.read(X, y, sample_weight, dtype, encoder)
        loss, form = loss_and_form(known.sample, loss, task, class_weight, known_form(init))
        check_all_labels(known, form)
        sizes = (known.columns, *layer_sizes("hidden", hidden), form.outputs)
        network = begun(
            sizes, activation, loss, output_activation, l2, init, settings.seed, dtype,
            parts, names=known.names, classes=form.classes,
        )  # fmt: skip
        network.encoder = encoder
        network.target_names = named_columns(y)
        if fraction is None and validation is not None:
            run.read_validation(validation_parts(validation), dtype, encoder)
        of_labels = weight_of_each(class_weight, known, form)
        run.begin(
            Learning(
                metadata(network), form, of_labels, for_tasks(settings), method.local_epochs,
                weighs_batches=False, fraction=fraction, isa=isa,
            )
        )  # fmt: skip
        return _trained(run, network, settings, method, callbacks, progress)


def _trained(
    run: Rounds, network: Network, settings: RunSettings, method: Method,
    callbacks: Sequence[Callable[[Network], Any]], progress: bool,
) -> Network:  # fmt: skip
    """Make the rounds, and say how they ended."""
    columns: tuple[str, ...] = COLUMNS
    if run.validates:
        score = "validation_accuracy" if takes_labels(network._loss) else "validation_r2"
        columns = (*COLUMNS, "validation_loss", score)
    network.history = History(columns)
    with epoch_bar(progress, method.epochs, run.rows) as bar:
        observers = [*callbacks, *([] if bar is None else [bar])]
        watch = Watch(network, settings, method.local_epochs, observers, validated=run.validates)
        try:
            reason = run.run(network, watch)
        except BaseException as error:
            watch.restore(ended_early=True)
            network.stop_reason = "interrupted"
            with suppress(Exception):
                with_network(error, network)
            raise
    watch.restore(ended_early=reason == "diverged")
    none = np.empty((0, len(columns)))
    return finished(network, network.history, Outcome(none, reason, None), settings.restore_best, None)


def for_tasks(settings: RunSettings) -> RunSettings:
    """Return the settings of the tasks, which know nothing of the ends of the fit."""
    return replace(settings, patience=None, restore_best=False, loss_target=None, max_time=None, threads=1)


def refuse_what_sees_all(settings: RunSettings) -> None:
    """Refuse what needs all rows, or the loss of all, within a round."""
    if settings.limits is not None:
        raise ValueError("optimizer 'lbfgs' needs all rows at once, partitions are trained apart")
    if isinstance(settings.schedule, ReduceOnPlateau):
        raise ValueError("learning_rate=ReduceOnPlateau does not go with rounds, which see no plateau")


def checked_fraction(validation: Any) -> float | None:
    """Return the fraction of each partition to hold back, None where rows are given or none are wanted."""
    if validation is None or isinstance(validation, (tuple, list)):
        return None
    if not isinstance(validation, numbers.Real):
        raise TypeError(
            "validation must be a fraction, a pair (X, y) or a triple (X, y, sample_weight), got a "
            f"{type(validation).__name__}"
        )
    return real("validation", validation, low=0, high=1, open_low=True, open_high=True)


def checked_encoder(encode: Any, init: Any) -> TableEncoder | None:
    """Return the fitted encoder that tables go through."""
    known: TableEncoder | None = getattr(init, "encoder", None)
    if encode is None:
        return known
    if not isinstance(encode, TableEncoder) or not encode.columns:
        raise ValueError(
            "encode must be a TableEncoder that is fitted, such as on a sample of the rows, or None; got "
            f"{encode!r}"
        )
    if known is not None and known is not encode:
        raise ValueError("encode must be None where init has an encoder, got another TableEncoder")
    return encode


def check_all_labels(known: Merged, form: TargetForm) -> None:
    """Refuse numbers of so many values as labels."""
    if (
        takes_labels(form.loss)
        and form.classes is not None
        and known.sample.ndim == 1
        and known.labels is None
    ):
        raise ValueError("y holds more than 65536 different numbers in a partition, which are no labels")


def weight_of_each(class_weight: Any, known: Merged, form: TargetForm) -> dict[Any, float] | None:
    """Return the weight of each label, by the rows of all partitions."""
    if class_weight is None:
        return None
    classes = labelled_classes(known.sample, form.classes)
    assert known.labels is not None
    assert known.counts is not None
    counts = np.zeros(len(classes), np.int64)
    counts[class_numbers(known.labels, classes)] = known.counts
    weights = label_weights(class_weight, classes, counts)
    if not weights[counts > 0].any():
        raise ValueError(f"class_weight must leave some rows a weight above 0, got {class_weight!r}")
    return dict(zip(classes.tolist(), weights.tolist(), strict=True))
