"""The commands. Each checks nothing itself: it returns the job to run, and `fastmlp.cli` runs it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import typer

from fastmlp._cli import options as opt

Job = Callable[[], int]

app = typer.Typer(
    help="Train multilayer perceptrons on tables, and predict with them.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _start(context: typer.Context, version: opt.Version = False) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"fastmlp {installed('fastmlp')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def train(
    context: typer.Context,
    data: opt.Data,
    target: opt.Target = None,
    ignore: opt.Ignore = None,
    test: opt.Test = 0.25,
    validation: opt.Validation = None,
    save: opt.Save = None,
    hidden: opt.Hidden = None,
    activation: opt.Activation = None,
    loss: opt.Loss = None,
    output_activation: opt.OutputActivation = None,
    optimizer: opt.Optimizer = None,
    learning_rate: opt.LearningRate = None,
    batch_size: opt.BatchSize = None,
    epochs: opt.Epochs = None,
    l2: opt.L2 = None,
    dropout: opt.Dropout = None,
    clip_norm: opt.ClipNorm = None,
    patience: opt.Patience = None,
    min_delta: opt.MinDelta = None,
    restore_best: opt.RestoreBest = None,
    loss_target: opt.LossTarget = None,
    max_time: opt.MaxTime = None,
    class_weight: opt.ClassWeight = None,
    shuffle: opt.Shuffle = None,
    init: opt.Init = None,
    seed: opt.Seed = None,
    dtype: opt.Dtype = None,
    threads: opt.Threads = None,
) -> Job:
    """Train a network on a table, test it on rows it has not seen, and save it.

    Numbers are standardised, missing ones are replaced by the median, and text is one-hot encoded, all by
    the training rows alone. A target of text or of at most 20 different whole numbers is taken for labels,
    any other for a quantity, unless --loss says otherwise. A quantity is standardised if the output is
    linear; losses, and with them --loss-target and --min-delta, are then in standard deviations.
    """
    from fastmlp._cli.train import TrainJob

    own = ("data", "target", "ignore", "test", "validation", "save")
    given = {
        **{name: value for name, value in context.params.items() if name not in own},
        "hidden": opt.read_hidden(hidden),
        "activation": opt.read_activation(activation),
        "batch_size": opt.read_batch_size(batch_size),
    }
    given = {name: value for name, value in given.items() if value is not None}
    return TrainJob(data, target, opt.read_names(ignore), test, validation, save, given)


@app.command()
def predict(model: opt.Model, file: opt.File, output: opt.Output = None, proba: opt.Proba = False) -> Job:
    """Predict every row of a table. Writes a CSV with the column "prediction", in the order of the rows."""
    from fastmlp._cli.predict import run_predict

    return partial(run_predict, model, file, output, proba)


@app.command()
def info(model: opt.ModelOrNone = None) -> Job:
    """Describe a model; without one, how fastmlp was built and what it runs on."""
    from fastmlp._cli.info import run_info

    return partial(run_info, model)
