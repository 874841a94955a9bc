"""The commands. Each checks nothing itself: it returns the job to run, and `fastmlp.cli` runs it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import get_args, get_type_hints

import typer

from fastmlp._cli import options as opt
from fastmlp._cli.exit_codes import EXIT_CODES

Job = Callable[[], int]

app = typer.Typer(
    help="Train multilayer perceptrons on tables, and predict with them.",
    epilog=EXIT_CODES,
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
    data: opt.DataOrConfig = None,
    config: opt.Config = None,
    target: opt.Target = None,
    x: opt.Inputs = None,
    ignore: opt.Ignore = None,
    split: opt.Split = None,
    test: opt.Test = None,
    validation: opt.Validation = None,
    scale: opt.Scale = None,
    save: opt.Save = None,
    checkpoint: opt.Checkpoint = None,
    every: opt.Every = None,
    keep: opt.Keep = None,
    resume: opt.Resume = None,
    report: opt.Report = None,
    json: opt.Json = None,
    quiet: opt.Quiet = None,
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

    Numbers and dates are standardised, missing ones are replaced by the median, and text is one-hot encoded
    or, where there are many categories, embedded, all by the training rows alone. Unless --optimizer,
    --learning-rate, --dropout, --l2, --patience, --loss-target or --max-time is given, AdamW trains with one
    cycle of the learning rate and some dropout.

    A target of text or of at most 20 different whole numbers is taken for labels,
    any other for a quantity, unless --loss says otherwise. A quantity is standardised if the output is
    linear; losses, and with them --loss-target and --min-delta, are then in standard deviations.
    """
    from fastmlp._cli.train import TrainJob

    settings = {name: value for name, value in context.params.items() if value is not None}
    if settings.pop("config", None) is not None:
        from fastmlp._cli.config import read_config

        settings = read_config(str(config), _train_options()) | settings
    return TrainJob.of(settings)


def _train_options() -> dict[str, type]:
    """Return what each option of `train` holds; all are optional, so that one not given can be told."""
    hints = get_type_hints(train)
    others = ("context", "config", "return")
    return {name: get_args(hint)[0] for name, hint in hints.items() if name not in others}


@app.command()
def predict(model: opt.Model, file: opt.File, output: opt.Output = None, proba: opt.Proba = False) -> Job:
    """Predict every row of a table. Writes a CSV with the column "prediction", in the order of the rows."""
    from fastmlp._cli.predict import run_predict

    return partial(run_predict, model, file, output, proba)


@app.command()
def evaluate(
    model: opt.Model,
    file: opt.File,
    target: opt.ModelTarget = None,
    output: opt.Output = None,
    json: opt.Json = None,
) -> Job:
    """Compare a model's predictions with the truth, in a table that has it.

    Of labels: accuracy, log loss, F1, precision and recall of each class, confusion matrix. Of values:
    R2, RMSE and MAE, in the target's units.
    """
    from fastmlp._cli.evaluate import run_evaluate

    return partial(run_evaluate, model, file, target, output, bool(json))


@app.command()
def export(
    model: opt.Model, to: opt.ExportFormat, output: opt.ExportOutput, name: opt.ExportName = "model"
) -> Job:
    """Write a model as ONNX, or as C source that needs no library."""
    from fastmlp._cli.export import run_export

    return partial(run_export, model, to, output, name)


@app.command()
def info(model: opt.ModelOrNone = None, json: opt.Json = None) -> Job:
    """Describe a model; without one, how fastmlp was built and what it runs on."""
    from fastmlp._cli.info import run_info

    return partial(run_info, model, bool(json))


@app.command()
def report(model: opt.Model, file: opt.File, out: opt.ReportOut, target: opt.ModelTarget = None) -> Job:
    """Write a report on a model and a table that has the truth: one HTML file with pictures."""
    from fastmlp._cli.report import run_report

    return partial(run_report, model, file, out, target)


@app.command()
def bench(
    rows: opt.Rows = 10_000,
    inputs: opt.NumberInputs = 64,
    outputs: opt.NumberOutputs = 10,
    hidden: opt.BenchHidden = "100",
    batch_size: opt.BenchBatch = 200,
    dtype: opt.BenchDtype = "float32",
    threads: opt.Threads = None,
    seconds: opt.Seconds = 2.0,
    json: opt.Json = None,
) -> Job:
    """Measure how fast a network of this shape trains here, on one thread and on all, and predicts one row.

    The data is made up. Each number is the median of several runs, after one that is not counted.
    """
    from fastmlp._cli.bench import Shape, run_bench

    shape = Shape(rows, (inputs, *opt.read_hidden(hidden), outputs), batch_size, dtype)
    return partial(run_bench, shape, threads, seconds, bool(json))
