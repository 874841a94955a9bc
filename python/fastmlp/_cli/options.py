"""The options of the commands, and the reading of those that are more than one number or word.

Those of `train` are named like the arguments of `fastmlp.train`. One that is not given is None and is not
passed on, so that function's own defaults hold; the help gives them in brackets.
"""

from __future__ import annotations

import csv
import io
from typing import Annotated

from typer import Argument, Option

from fastmlp._base.validation import Number, name_and_numbers
from fastmlp.spec.activations import ELEMENTWISE
from fastmlp.spec.optimizers import ADAMW, OPTIMIZERS, Adam
from fastmlp.spec.schedules import Cosine, OneCycle
from fastmlp.spec.texts import losses_of_labels, losses_of_values

_MODEL = "A model saved by fastmlp (.safetensors)."

Version = Annotated[bool, Option("--version", help="Print the version and exit.", is_eager=True)]

_DATA = (
    "A file: CSV, Parquet, Arrow, NumPy, IDX or svmlight, also gzipped; - for standard input; or iris, "
    "the data that comes along."
)

Data = Annotated[str, Argument(metavar="DATA", help=_DATA)]
DataOrConfig = Annotated[str | None, Argument(metavar="DATA", help=_DATA)]
Config = Annotated[
    str | None, Option(help="A TOML file of these options, such as hidden = [64, 64]; given ones win.")
]
Target = Annotated[
    str | None,
    Option(
        help="The column to predict: its name, or its place from 0; of IDX images, the file of the labels."
    ),
]
Inputs = Annotated[
    str | None, Option("--x", help="The input columns, by name or place: a,b. [all but the target]")
]
Ignore = Annotated[str | None, Option(help="Columns to leave out, by name or place: id,name.")]
Split = Annotated[
    str | None,
    Option(help="Hold back rows at random, or the last ones, as time goes on: random or time. [random]"),
]
Test = Annotated[
    float | None,
    Option(help="The part of the rows kept for the test; 0 keeps none. [0.25, or 0 with --validation]"),
]
Validation = Annotated[
    float | None, Option(help="The part of the training rows to validate on after each epoch.")
]
Scale = Annotated[
    str | None,
    Option(
        help="Of numbers: standard, robust (against outliers) or common (one for all columns). "
        "[standard; common for pixels]"
    ),
]
Checkpoint = Annotated[str | None, Option(help="Folder to write checkpoints to.")]
Every = Annotated[int | None, Option(help="Epochs from one checkpoint to the next. [1]")]
Keep = Annotated[int | None, Option(help="How many checkpoints stay. [3]")]
Resume = Annotated[
    str | None,
    Option(help="Folder of checkpoints of the same run, to go on from; may be that of --checkpoint."),
]
Report = Annotated[
    str | None, Option(help="Where to write a report, one HTML file with pictures. Replaces a report only.")
]
Json = Annotated[bool | None, Option("--json", help="Print one JSON object instead of text.")]
Quiet = Annotated[bool | None, Option("--quiet", help="Print nothing but warnings and errors.")]
Save = Annotated[
    str | None, Option(help="Where to save the model. Replaces a model of fastmlp, never another file.")
]
Hidden = Annotated[str | None, Option(help="Widths of the hidden layers: 64,64; or none. [128,64]")]
Activation = Annotated[
    str | None,
    Option(help=f"One for all hidden layers, or one each (relu,tanh): {', '.join(ELEMENTWISE)}. [relu]"),
]
Loss = Annotated[
    str | None,
    Option(
        help=f"For labels {losses_of_labels()}; for quantities {losses_of_values()}. "
        "[auto: the first that fits]"
    ),
]
OutputActivation = Annotated[str | None, Option(help="Activation of the output. [auto: the loss's]")]
Optimizer = Annotated[
    str | None,
    Option(help=f"{', '.join(OPTIMIZERS)}; or adamw(weight decay). [adamw(0.1), or adam]"),
]
LearningRate = Annotated[
    str | None,
    Option(
        help="Step size, or a schedule with its largest: cosine(0.003), one_cycle(0.01). "
        "[one_cycle(0.01), or the optimizer's]"
    ),
]
BatchSize = Annotated[str | None, Option(help="Rows in a batch, full or auto. [auto: at most 200]")]
Epochs = Annotated[
    int | None, Option(help="Passes over the training rows. [200, or more to make 3000 steps]")
]
L2 = Annotated[float | None, Option(help="Penalty l2/2 on the sum of squared weights. [0]")]
Dropout = Annotated[float | None, Option(help="The part of the hidden units dropped in a step. [0.1, or 0]")]
ClipNorm = Annotated[float | None, Option(help="A longer gradient is scaled down to this length.")]
Patience = Annotated[int | None, Option(help="Stop after so many epochs without a lower loss.")]
MinDelta = Annotated[float | None, Option(help="How much lower, for --patience. [0]")]
RestoreBest = Annotated[
    bool | None, Option("--restore-best/--no-restore-best", help="End with the best weights. [yes]")
]
LossTarget = Annotated[float | None, Option(help="Stop when the loss of an epoch is this or lower.")]
MaxTime = Annotated[float | None, Option(help="Stop after so many seconds.")]
ClassWeight = Annotated[str | None, Option(help="balanced: all classes weigh the same.")]
Shuffle = Annotated[bool | None, Option("--shuffle/--no-shuffle", help="Shuffle each epoch. [yes]")]
Init = Annotated[str | None, Option(help="First weights: he_uniform, glorot_normal, normal(0.01) ... [auto]")]
Seed = Annotated[
    int | None, Option(help="Of the split, the first weights, the shuffling and the dropout. [0]")
]
Dtype = Annotated[str | None, Option(help="float32 or float64. [float32]")]
Threads = Annotated[int | None, Option(help="Most threads to use; results do not depend on it. [all]")]

Model = Annotated[str, Argument(metavar="MODEL", help=_MODEL)]
ModelOrNone = Annotated[str | None, Argument(metavar="MODEL", help=_MODEL)]
File = Annotated[
    str, Argument(metavar="FILE", help="A file with the columns the model was trained on; -; or iris.")
]
Output = Annotated[str | None, Option(help="The file to write, or - for standard output. [-]")]
ModelTarget = Annotated[str | None, Option("--target", help="The column of the truth. [the model's]")]
Proba = Annotated[bool, Option("--proba", help="Write the probability of each class too.")]
ExportFormat = Annotated[str, Option("--to", help="onnx, or c for C source.")]
ExportOutput = Annotated[str, Option("--output", help="The file to write, or - for standard output.")]
ExportName = Annotated[str, Option("--name", help="What the names in C begin with.")]
ReportOut = Annotated[str, Option("--out", help="The HTML file to write. Replaces a report only.")]

Rows = Annotated[int, Option(min=1, help="Rows to train on.")]
BenchHidden = Annotated[str, Option("--hidden", help="Widths of the hidden layers: 64,64; or none.")]
BenchBatch = Annotated[int, Option("--batch-size", min=1, help="Rows in a batch.")]
BenchDtype = Annotated[str, Option("--dtype", help="float32 or float64.")]
NumberInputs = Annotated[int, Option("--inputs", min=1, help="Inputs of the network.")]
NumberOutputs = Annotated[int, Option("--outputs", min=2, help="Classes to tell apart.")]
Seconds = Annotated[float, Option(help="About how long each measurement takes.")]

#: The options that are a number or a text.
NUMBERS_OR_TEXTS = ("learning_rate",)

#: The options that are several words with commas between them.
LISTS = ("hidden", "activation", "ignore", "x")


def read_hidden(text: str) -> tuple[int, ...]:
    """Read "64,64" as (64, 64) and "none" as ()."""
    if text.strip().lower() in ("", "none"):
        return ()
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError:
        raise ValueError(
            f"--hidden must be whole numbers with commas between them, such as 64,64, or none; got {text!r}"
        ) from None


def read_activation(text: str) -> str | list[str]:
    """Read "relu" as one name and "relu,tanh" as one name a layer."""
    return [name.strip() for name in text.split(",")] if "," in text else text


_SCHEDULES: dict[str, type[Cosine | OneCycle]] = {"cosine": Cosine, "one_cycle": OneCycle}


def read_learning_rate(text: str) -> float | Cosine | OneCycle:
    """Read "0.01" as a number and "cosine(0.01)" or "one_cycle(0.01)" as a schedule."""
    try:
        name, numbers = name_and_numbers("learning_rate", text, dict.fromkeys(_SCHEDULES, Number("", 0.01)))
        return _SCHEDULES[name](*numbers)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"--learning-rate must be a number, cosine(rate) or one_cycle(rate), rate above 0; got {text!r}"
        ) from None


def read_optimizer(text: str) -> str | Adam:
    """Read "adamw(0.1)" as AdamW with this weight decay; other names stand for themselves."""
    if not text.startswith("adamw("):
        return text
    try:
        _, numbers = name_and_numbers("optimizer", text, {"adamw": Number("", ADAMW.weight_decay)})
        return Adam(weight_decay=numbers[0])
    except ValueError:
        raise ValueError(
            f"--optimizer: the weight decay must be a number of at least 0, as in adamw(0.1); got {text!r}"
        ) from None


def read_batch_size(text: str) -> int | str | None:
    """Read "full" as None, "auto", or a whole number."""
    if text == "auto":
        return text
    if text == "full":
        return None
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"--batch-size must be a whole number, full or auto; got {text!r}") from None


def read_names(option: str, text: str) -> tuple[str, ...]:
    """Read "id,name" as two names; one that has a comma itself stands in double quotes."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True))
    except csv.Error as error:
        raise ValueError(f"{option} must be names with commas between them; got {text!r}: {error}") from None
    names = tuple(dict.fromkeys(name.strip() for row in rows for name in row))
    if not names:
        raise ValueError(f"{option} must be names with commas between them, got none")
    return names
