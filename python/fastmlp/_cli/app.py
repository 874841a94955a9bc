"""The commands. Each checks nothing itself: it returns the job to run, and `fastmlp.cli` runs it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import typer

from fastmlp._cli import options as opt
from fastmlp._cli.exit_codes import EXIT_CODES

if TYPE_CHECKING:
    from fastmlp._cli.reading import Reading

Job = Callable[[], int]

app = typer.Typer(
    help="Train multilayer perceptrons on tables, and predict with them.",
    epilog=EXIT_CODES,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
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


def _command(function: Callable[..., Job]) -> Callable[..., Job]:
    """Make a command whose help is the text of the function, each paragraph as wide as the terminal."""
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    app.command(help="\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs))(function)
    return function


@_command
def train(
    context: typer.Context,
    data: opt.DataOrConfig = None,
    config: opt.Config = None,
    target: opt.Target = None,
    task: opt.Task = None,
    x: opt.Inputs = None,
    ignore: opt.Ignore = None,
    id: opt.Ids = None,
    weight: opt.Weight = None,
    group: opt.Group = None,
    drop_missing_target: opt.DropMissingTarget = None,
    strict: opt.Strict = None,
    header: opt.Header = None,
    delimiter: opt.Delimiter = None,
    missing: opt.Missing = None,
    text: opt.Text = None,
    encoding: opt.Encoding = None,
    strip_dot: opt.StripDot = None,
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
    compute: opt.Compute = None,
    threads: opt.Threads = None,
    shards: opt.Shards = None,
    timeout: opt.Timeout = None,
) -> Job:
    """Train a network on a table, test it on rows it has not seen, and save it.

    A quarter of the rows is kept for the test; on a fifth of the others the network is validated after each
    epoch, and it ends with the weights of the best one. What a constant prediction would reach is printed
    beside.

    Numbers and dates are standardised, missing ones are replaced by the median, and text is one-hot encoded
    or, where there are many categories, embedded, all by the training rows alone. Columns that identify rows
    or are constant are left out, with a line for each. Unless --optimizer, --learning-rate, --dropout, --l2,
    --patience, --loss-target or --max-time is given, AdamW trains with one cycle of the learning rate and
    some dropout.

    A target of text or of at most 20 different whole numbers is taken for labels, any other for a quantity,
    unless --task or --loss says otherwise. A quantity is standardised if the output is linear; losses, and
    with them --loss-target and --min-delta, are then in standard deviations.

    Several processes train one network: mpiexec -n 4 fastmlp train DATA --target COL --shards 8.
    """
    from fastmlp._cli.train import TrainJob

    return TrainJob.of(_settings(context, train))


@_command
def cv(
    context: typer.Context,
    data: opt.DataOrConfig = None,
    config: opt.Config = None,
    target: opt.Target = None,
    task: opt.Task = None,
    x: opt.Inputs = None,
    ignore: opt.Ignore = None,
    id: opt.Ids = None,
    weight: opt.Weight = None,
    group: opt.Groups = None,
    drop_missing_target: opt.DropMissingTarget = None,
    strict: opt.Strict = None,
    header: opt.Header = None,
    delimiter: opt.Delimiter = None,
    missing: opt.Missing = None,
    text: opt.Text = None,
    encoding: opt.Encoding = None,
    strip_dot: opt.StripDot = None,
    folds: opt.Folds = None,
    repeats: opt.Repeats = None,
    split: opt.FoldSplit = None,
    metric: opt.Metric = None,
    validation: opt.FoldValidation = None,
    scale: opt.Scale = None,
    save: opt.SaveFolds = None,
    predictions: opt.Predictions = None,
    proba: opt.FoldProba = None,
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
    compute: opt.Compute = None,
    threads: opt.Threads = None,
) -> Job:
    """Estimate by cross-validation how well networks do on rows that they have not seen.

    The rows are divided into parts, the folds. Each is tested by a network that learned from the others as
    `train` would with the same options: a fifth of them is held back to validate on, and what is done to the
    columns is decided by the rest. All networks are trained at once. The score of each fold is printed, with
    their mean and its standard error, and the metrics of all predictions together beside those of a constant.

    --save keeps the networks as one model, --predictions writes what was predicted for each row by the
    network that did not see it.
    """
    from fastmlp._cli.cv import CvJob

    return CvJob.of(_settings(context, cv))


@_command
def search(
    context: typer.Context,
    data: opt.DataOrConfig = None,
    config: opt.Config = None,
    trials: opt.Trials = None,
    max_time: opt.TrialTime = None,
    folds: opt.TrialFolds = None,
    metric: opt.TrialMetric = None,
    sampler: opt.Sampler = None,
    halving: opt.Halving = None,
    space: opt.Space = None,
    storage: opt.Storage = None,
    target: opt.Target = None,
    task: opt.Task = None,
    x: opt.Inputs = None,
    ignore: opt.Ignore = None,
    id: opt.Ids = None,
    weight: opt.Weight = None,
    group: opt.Group = None,
    drop_missing_target: opt.DropMissingTarget = None,
    strict: opt.Strict = None,
    header: opt.Header = None,
    delimiter: opt.Delimiter = None,
    missing: opt.Missing = None,
    text: opt.Text = None,
    encoding: opt.Encoding = None,
    strip_dot: opt.StripDot = None,
    split: opt.Split = None,
    test: opt.Test = None,
    validation: opt.TrialValidation = None,
    scale: opt.Scale = None,
    save: opt.Save = None,
    report: opt.Report = None,
    json: opt.Json = None,
    quiet: opt.Quiet = None,
    hidden: opt.GivenHidden = None,
    activation: opt.GivenActivation = None,
    loss: opt.Loss = None,
    output_activation: opt.OutputActivation = None,
    optimizer: opt.GivenOptimizer = None,
    learning_rate: opt.GivenLearningRate = None,
    batch_size: opt.GivenBatchSize = None,
    epochs: opt.Epochs = None,
    l2: opt.L2 = None,
    dropout: opt.GivenDropout = None,
    clip_norm: opt.ClipNorm = None,
    patience: opt.Patience = None,
    min_delta: opt.MinDelta = None,
    restore_best: opt.RestoreBest = None,
    loss_target: opt.LossTarget = None,
    class_weight: opt.ClassWeight = None,
    shuffle: opt.Shuffle = None,
    init: opt.Init = None,
    seed: opt.Seed = None,
    dtype: opt.Dtype = None,
    compute: opt.Compute = None,
    threads: opt.Threads = None,
) -> Job:
    r"""Search for options that train the best network, test that one on rows it has not seen, and save it.

    The rows are held back and the columns read as `train` does. Options that are given hold for all trials;
    the others vary, as --space says. All trials train a little, the best third of them goes on where they
    stopped, and so on (successive halving); what they tell is learned from for the next ones. Trials are
    judged by the rows that `train` would validate on, or with --folds by folds of all training rows.

    Needs Optuna: pip install 'fastmlp\[search]'.
    """
    from fastmlp._cli.search import SearchJob

    return SearchJob.of(_settings(context, search))


def _settings(context: typer.Context, command: Callable[..., Job]) -> dict[str, Any]:
    """Return the options that were given, on the command line or else in the file that --config names."""
    settings = _given(context)
    config = settings.pop("config", None)
    if config is None:
        return settings
    from fastmlp._cli.config import read_config

    return read_config(str(config), _options(command), command.__name__) | settings


def _given(context: typer.Context) -> dict[str, Any]:
    """Return the options that were given; those that were given several times have commas in between."""
    given = {name: value for name, value in context.params.items() if value not in (None, [], ())}
    several = {name: ",".join(value) for name, value in given.items() if isinstance(value, (list, tuple))}
    return given | several


def _options(command: Callable[..., Job]) -> dict[str, type]:
    """Return what each option of a command holds; all are optional, so that one not given can be told."""
    hints = get_type_hints(command)
    others = ("context", "config", "return")
    kinds = {name: get_args(hint)[0] for name, hint in hints.items() if name not in others}
    return {name: str if get_args(kind) else kind for name, kind in kinds.items()}  # lists are texts


def _reading(context: typer.Context) -> Reading:
    """Return how the options say that a file is to be read."""
    from fastmlp._cli.reading import Reading

    given = _given(context)
    names = ("header", "delimiter", "encoding", "missing", "text")
    return Reading.of(**{name: given.get(name) for name in names})


@_command
def predict(
    context: typer.Context,
    model: opt.Model,
    file: opt.File,
    output: opt.Output = None,
    proba: opt.Proba = False,
    id: opt.Ids = None,
    header: opt.Header = None,
    delimiter: opt.Delimiter = None,
    missing: opt.Missing = None,
    text: opt.Text = None,
    encoding: opt.Encoding = None,
) -> Job:
    """Predict every row of a table, in the order of the rows.

    Writes CSV, or Parquet if --output ends in .parquet, with the column "prediction" behind those that
    --id names here or named in training. The file is read as that of the training was, unless options say
    otherwise.
    """
    from fastmlp._cli.predict import run_predict

    ids = _given(context).get("id")
    return partial(run_predict, model, file, output, proba, ids, _reading(context))


@_command
def evaluate(
    context: typer.Context,
    model: opt.Model,
    file: opt.File,
    target: opt.ModelTarget = None,
    rows: opt.EvaluatedRows = "all",
    weight: opt.Weight = None,
    output: opt.Output = None,
    json: opt.Json = None,
    header: opt.Header = None,
    delimiter: opt.Delimiter = None,
    missing: opt.Missing = None,
    text: opt.Text = None,
    encoding: opt.Encoding = None,
    strip_dot: opt.StripDot = None,
) -> Job:
    """Compare a model's predictions with the truth, in a table that has it.

    Of labels: accuracy, log loss, F1, precision and recall of each class, confusion matrix. Of values:
    R2, RMSE and MAE, in the target's units. Beside stands what a constant would reach. The file is read as
    that of the training was, unless options say otherwise.
    """
    from fastmlp._cli.evaluate import EvaluateJob

    reading = _reading(context)
    return EvaluateJob(model, file, target, rows, weight, output, bool(json), bool(strip_dot), reading)


@_command
def export(
    model: opt.Model, to: opt.ExportFormat, output: opt.ExportOutput, name: opt.ExportName = "model"
) -> Job:
    """Write a model as ONNX, or as C source that needs no library."""
    from fastmlp._cli.export import run_export

    return partial(run_export, model, to, output, name)


@_command
def info(model: opt.ModelOrNone = None, json: opt.Json = None) -> Job:
    """Describe a model; without one, how fastmlp was built and what it runs on."""
    from fastmlp._cli.info import run_info

    return partial(run_info, model, bool(json))


@_command
def report(
    context: typer.Context,
    model: opt.Model,
    file: opt.File,
    out: opt.ReportOut,
    target: opt.ModelTarget = None,
    header: opt.Header = None,
    delimiter: opt.Delimiter = None,
    missing: opt.Missing = None,
    text: opt.Text = None,
    encoding: opt.Encoding = None,
) -> Job:
    """Write a report on a model and a table that has the truth: one HTML file with pictures."""
    from fastmlp._cli.report import run_report

    return partial(run_report, model, file, out, target, _reading(context))


@_command
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
    from fastmlp._cli.option_values import read_hidden

    shape = Shape(rows, (inputs, *read_hidden(hidden), outputs), batch_size, dtype)
    return partial(run_bench, shape, threads, seconds, bool(json))
