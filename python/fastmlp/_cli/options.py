"""The options of the commands.

Those of `train` are named like the arguments of `fastmlp.train`. One that is not given is None and is not
passed on, so that function's own defaults hold; the help gives them in brackets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from typer import Argument, Option

from fastmlp._inspect.scorers import METRICS
from fastmlp.spec.activations import ELEMENTWISE
from fastmlp.spec.optimizers import OPTIMIZERS
from fastmlp.spec.texts import losses_of_labels, losses_of_values


def _option(panel: str | None) -> Callable[..., Any]:
    """Return what makes an option of a group of the help, in which brackets stand for themselves."""

    def option(*names: str, help: str, **others: Any) -> Any:
        return Option(*names, help=help.replace("[", r"\["), rich_help_panel=panel, **others)

    return option


# The groups of options in the help.
_columns = _option("Columns")
_reading = _option("Reading the file")
_rows = _option("Rows")
_network = _option("Network")
_training = _option("Training")
_stopping = _option("Stopping and checkpoints")
_searching = _option("Search")
_output = _option("Output")
_other = _option(None)

_OUTPUT = ("--output", "--out")

_MODEL = "A model saved by fastmlp (.safetensors)."

Version = Annotated[bool, _other("--version", help="Print the version and exit.", is_eager=True)]

_DATA = (
    "A file: CSV, Parquet, Arrow, NumPy, IDX or svmlight, also gzipped; - for standard input; or iris, "
    "the data that comes along."
)

Data = Annotated[str, Argument(metavar="DATA", help=_DATA)]
DataOrConfig = Annotated[str | None, Argument(metavar="DATA", help=_DATA)]
Config = Annotated[
    str | None, _other(help="A TOML file of these options, such as hidden = [64, 64]; given ones win.")
]
Target = Annotated[
    list[str] | None,
    _columns(
        metavar="NAMES",
        help="The column to predict: its name, or its place from 0; of IDX images, the file of the labels. "
        "Several columns of quantities: a,b.",
    ),
]
Task = Annotated[
    str | None,
    _columns(
        help="What the target is for: classification (labels), regression (quantities) or auto. [auto]",
    ),
]
Inputs = Annotated[
    list[str] | None,
    _columns(
        "--x",
        metavar="NAMES",
        help="The input columns, by name or place: a,b. [all but the target]",
    ),
]
Ignore = Annotated[
    list[str] | None,
    _columns(metavar="NAMES", help="Columns to leave out, by name or place: name,notes."),
]
Ids = Annotated[
    list[str] | None,
    _columns(
        "--id",
        metavar="NAMES",
        help="Columns that name the rows: no inputs, but predict writes them beside its predictions.",
    ),
]
Weight = Annotated[
    str | None,
    _columns(metavar="NAME", help="A column that says what each row counts; no input."),
]
Group = Annotated[
    str | None,
    _columns(
        metavar="NAME",
        help="A column whose equal values belong together: such rows are held back together or not at all; "
        "no input.",
    ),
]
Groups = Annotated[
    str | None,
    _columns(
        "--groups",
        "--group",
        metavar="NAME",
        help="A column whose equal values belong together: such rows are in one fold; no input.",
    ),
]
DropMissingTarget = Annotated[
    bool | None,
    _columns(
        "--drop-missing-target",
        help="Leave out rows without a target, which is what happens anyway, with --strict too.",
    ),
]
Strict = Annotated[
    bool | None,
    _columns(
        "--strict",
        help="Leave out nothing by itself: identifiers, constant columns and rows without a target are an "
        "error that lists all of them.",
    ),
]
Header = Annotated[
    bool | None,
    _reading(
        "--header/--no-header",
        help="Whether the first line of a CSV file names the columns; without, they are called 0, "
        "1 and so on. [yes; a first line of numbers is asked about]",
    ),
]
Delimiter = Annotated[
    str | None,
    _reading(
        help="Between the cells of a CSV file: one character, or tab. [told by the file]",
    ),
]
Missing = Annotated[
    list[str] | None,
    _reading(metavar="TEXTS", help="More texts that stand for a missing value in a CSV file: -999,unknown."),
]
Text = Annotated[
    list[str] | None,
    _reading(
        metavar="NAMES",
        help="Columns of a CSV file to read as texts, whatever they look like: zip,phone.",
    ),
]
Encoding = Annotated[
    str | None,
    _reading(help="Of a CSV file, such as utf-8, cp1252 or utf-16. [told by the file]"),
]
StripDot = Annotated[
    bool | None,
    _reading(
        "--strip-dot",
        help="Remove a final dot from the labels of the target, as in '<=50K.'.",
    ),
]
EvaluatedRows = Annotated[
    str,
    _other(
        "--rows",
        help="Of the file that the model was trained on: all, or only those that were for training, "
        "validation or test; the split is repeated.",
    ),
]
Split = Annotated[
    str | None,
    _rows(help="Hold back rows at random, or the last ones, as time goes on: random or time. [random]"),
]
Test = Annotated[
    float | None,
    _rows(help="The part of the rows kept for the test; 0 keeps none. [0.25, or 0 with --validation]"),
]
Validation = Annotated[
    float | None,
    _rows(help="The part of the training rows to validate on after each epoch; 0 keeps none. [0.2]"),
]
TrialValidation = Annotated[
    float | None,
    _rows(
        "--validation",
        help="The part of the training rows to judge trials by, after each epoch; more than 0. [0.2]",
    ),
]
Folds = Annotated[int | None, _rows(help="Into how many parts the rows are divided. [5]")]
Repeats = Annotated[int | None, _rows(help="How often they are divided anew. [1]")]
FoldSplit = Annotated[
    str | None,
    _rows(
        "--split",
        help="How: stratified (each label evenly), plain (at random), grouped (by --groups), time (each part "
        "is tested by what was learned from those before it) or auto. [auto: grouped with --groups, else "
        "stratified for labels, plain for quantities]",
    ),
]
FoldValidation = Annotated[
    float | None,
    _rows(
        "--validation",
        help="The part of the rows of each fold to validate on after each epoch; 0 keeps none. [0.2]",
    ),
]
Metric = Annotated[
    str | None,
    _rows(help=f"What the folds are scored by: {', '.join(METRICS)}. [auto: accuracy, or r2]"),
]
Scale = Annotated[
    str | None,
    _columns(
        help="Of numbers: standard, robust (against outliers), common (one for all columns), clipped "
        "(robust, and smoothly within -3 and 3) or quantile (to a normal distribution). "
        "[standard; common for pixels]"
    ),
]
Checkpoint = Annotated[str | None, _stopping(help="Folder to write checkpoints to.")]
Every = Annotated[int | None, _stopping(help="Epochs from one checkpoint to the next. [1]")]
Keep = Annotated[int | None, _stopping(help="How many checkpoints stay. [3]")]
Resume = Annotated[
    str | None,
    _stopping(help="Folder of checkpoints of the same run, to go on from; may be that of --checkpoint."),
]
Report = Annotated[
    str | None, _output(help="Where to write a report, one HTML file with pictures. Replaces a report only.")
]
Json = Annotated[bool | None, _output("--json", help="Print one JSON object instead of text.")]
Quiet = Annotated[bool | None, _output("--quiet", help="Print nothing but warnings and errors.")]
Save = Annotated[
    str | None, _output(help="Where to save the model. Replaces a model of fastmlp, never another file.")
]
SaveFolds = Annotated[
    str | None,
    _output(
        "--save",
        help="Where to save the networks of the folds as one model, an ensemble. Replaces a model of "
        "fastmlp, never another file.",
    ),
]
Predictions = Annotated[
    str | None,
    _output(
        help="Where to write a prediction for each row, by the network that did not see it: CSV, or Parquet. "
        "Replaces such a file only.",
    ),
]
FoldProba = Annotated[
    bool | None, _output("--proba", help="Write the probability of each class to --predictions, too.")
]
Hidden = Annotated[
    list[str] | None, _network(metavar="WIDTHS", help="Widths of the hidden layers: 64,64; or none. [128,64]")
]
GivenHidden = Annotated[
    list[str] | None,
    _network("--hidden", metavar="WIDTHS", help="Widths of the hidden layers: 64,64; or none. [searched]"),
]
_ACTIVATION = f"One for all hidden layers, or one each (relu,tanh): {', '.join(ELEMENTWISE)}."
Activation = Annotated[list[str] | None, _network(metavar="NAMES", help=f"{_ACTIVATION} [relu]")]
GivenActivation = Annotated[
    list[str] | None, _network("--activation", metavar="NAMES", help=f"{_ACTIVATION} [searched]")
]
Loss = Annotated[
    str | None,
    _network(
        help=f"For labels {losses_of_labels()}; for quantities {losses_of_values()}. "
        "[auto: the first that fits]"
    ),
]
OutputActivation = Annotated[str | None, _network(help="Activation of the output. [auto: the loss's]")]
Optimizer = Annotated[
    str | None,
    _training(help=f"{', '.join(OPTIMIZERS)}; or adamw(weight decay). [adamw(0.1), or adam]"),
]
LearningRate = Annotated[
    str | None,
    _training(
        help="Step size, or a schedule with its largest: cosine(0.003), one_cycle(0.01), cos_log(0.04), "
        "flat_cos(0.01). [one_cycle(0.01), or the optimizer's]"
    ),
]
GivenOptimizer = Annotated[
    str | None,
    _training("--optimizer", help=f"{', '.join(OPTIMIZERS)}; or adamw(weight decay). [adamw(searched)]"),
]
GivenLearningRate = Annotated[
    str | None,
    _training(
        "--learning-rate",
        help="Step size, or a schedule with its largest: cosine(0.003), one_cycle(0.01), cos_log(0.04), "
        "flat_cos(0.01). [cosine(searched)]",
    ),
]
BatchSize = Annotated[str | None, _training(help="Rows in a batch, full or auto. [auto: at most 200]")]
GivenBatchSize = Annotated[
    str | None, _training("--batch-size", help="Rows in a batch, full or auto. [searched]")
]
Epochs = Annotated[
    int | None,
    _training(
        help="Passes over the training rows. [200, or more to make 500 steps for labels, 3000 for quantities]"
    ),
]
L2 = Annotated[float | None, _training(help="Penalty l2/2 on the sum of squared weights. [0]")]
_DROPOUT = "The part of the hidden units dropped in a step, or a schedule of it: flat_cos(0.15). "
Dropout = Annotated[str | None, _training(help=_DROPOUT + "[0.1 or 0.3, or 0]")]
GivenDropout = Annotated[str | None, _training("--dropout", help=_DROPOUT + "[searched]")]
ClipNorm = Annotated[float | None, _training(help="A longer gradient is scaled down to this length.")]
Patience = Annotated[int | None, _stopping(help="Stop after so many epochs without a lower loss.")]
MinDelta = Annotated[float | None, _stopping(help="How much lower, for --patience. [0]")]
RestoreBest = Annotated[
    bool | None, _stopping("--restore-best/--no-restore-best", help="End with the best weights. [yes]")
]
LossTarget = Annotated[float | None, _stopping(help="Stop when the loss of an epoch is this or lower.")]
MaxTime = Annotated[float | None, _stopping(help="Stop after so many seconds.")]
ClassWeight = Annotated[str | None, _training(help="balanced: all classes weigh the same.")]
Shuffle = Annotated[bool | None, _training("--shuffle/--no-shuffle", help="Shuffle each epoch. [yes]")]
Init = Annotated[
    str | None, _network(help="First weights: he_uniform, glorot_normal, normal(0.01) ... [auto]")
]
Seed = Annotated[
    int | None, _training(help="Of the split, the first weights, the shuffling and the dropout. [0]")
]
Dtype = Annotated[str | None, _network(help="float32 or float64. [float32]")]
Compute = Annotated[
    str | None,
    _training(help="bfloat16: products in it, on processors with AVX512_BF16. [as dtype]"),
]
Threads = Annotated[int | None, _training(help="Most threads to use; results do not depend on it. [all]")]

Shards = Annotated[
    int | None,
    _training(
        help="Equal parts of the rows, each of which has its share in every step: 1, 2, 4, 8 ... As many "
        "processes or fewer, which mpiexec starts, deal them out; results depend on the parts alone. [1]",
    ),
]
Timeout = Annotated[
    float | None,
    _training(help="Under mpiexec: seconds to wait for another process. [300]"),
]

Trials = Annotated[int | None, _searching(help="How many, with those in --storage. [64]")]
TrialTime = Annotated[float | None, _searching("--max-time", help="Stop the search after so many seconds.")]
TrialFolds = Annotated[
    int | None,
    _searching(
        "--folds",
        help="Judge trials by the mean over so many folds of the training rows; the best one then learns "
        "from all of them. [none: by --validation]",
    ),
]
TrialMetric = Annotated[
    str | None,
    _searching("--metric", help="What is compared: loss, score (accuracy or R2) or auto. [auto: the loss]"),
]
Sampler = Annotated[
    str | None,
    _searching(help="What proposes trials: tpe, random or grid (of a --space of arrays). [tpe]"),
]
Halving = Annotated[
    int | None,
    _searching(
        help="Successive halving: this part of the trials goes on for as many times the epochs; 0 trains all "
        "to the end. [3]",
    ),
]
Space = Annotated[
    str | None,
    _searching(
        help='What varies: a TOML file of options, such as hidden = ["64", "64,32"] and '
        "dropout = {low = 0.0, high = 0.5}. "
        "[depth, width, activation, rate, weight decay, dropout, batch size]",
    ),
]
Storage = Annotated[
    str | None,
    _searching(
        help="A file that keeps the trials: the same command goes on from it. SQLite (.db), or a journal."
    ),
]

Model = Annotated[str, Argument(metavar="MODEL", help=_MODEL)]
ModelOrNone = Annotated[str | None, Argument(metavar="MODEL", help=_MODEL)]
File = Annotated[
    str, Argument(metavar="FILE", help="A file with the columns the model was trained on; -; or iris.")
]
Output = Annotated[str | None, _other(*_OUTPUT, help="The file to write, or - for standard output. [-]")]
ModelTarget = Annotated[str | None, _other("--target", help="The column of the truth. [the model's]")]
Proba = Annotated[bool, _other("--proba", help="Write the probability of each class too.")]
ExportFormat = Annotated[str, _other("--to", help="onnx, or c for C source.")]
ExportOutput = Annotated[str, _other(*_OUTPUT, help="The file to write, or - for standard output.")]
ExportName = Annotated[str, _other("--name", help="What the names in C begin with.")]
ReportOut = Annotated[str, _other(*_OUTPUT, help="The HTML file to write. Replaces a report only.")]

Rows = Annotated[int, _other(min=1, help="Rows to train on.")]
BenchHidden = Annotated[str, _other("--hidden", help="Widths of the hidden layers: 64,64; or none.")]
BenchBatch = Annotated[int, _other("--batch-size", min=1, help="Rows in a batch.")]
BenchDtype = Annotated[str, _other("--dtype", help="float32 or float64.")]
NumberInputs = Annotated[int, _other("--inputs", min=1, help="Inputs of the network.")]
NumberOutputs = Annotated[int, _other("--outputs", min=2, help="Classes to tell apart.")]
Seconds = Annotated[float, _other(help="About how long each measurement takes.")]
