"""The options of the commands, and the reading of those that are more than one number or word.

Those of `train` are named like the arguments of `fastmlp.train`. One that is not given is None and is not
passed on, so that function's own defaults hold; the help gives them in brackets.
"""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

_MODEL = "A model saved by fastmlp (.safetensors)."

Version = Annotated[bool, Option("--version", help="Print the version and exit.", is_eager=True)]

Data = Annotated[
    str, Argument(metavar="DATA", help="A CSV file, plain or gzipped; or iris, the data that comes along.")
]
Target = Annotated[str | None, Option(help="The column to predict.")]
Ignore = Annotated[str | None, Option(help="Columns to leave out: id,name.")]
Test = Annotated[float, Option(help="The part of the rows kept for the test; 0 keeps none.")]
Validation = Annotated[
    float | None, Option(help="The part of the training rows to validate on after each epoch.")
]
Save = Annotated[
    str | None, Option(help="Where to save the model. Replaces a model of fastmlp, never another file.")
]
Hidden = Annotated[str | None, Option(help="Widths of the hidden layers: 64,64; or none. [100]")]
Activation = Annotated[
    str | None,
    Option(
        help="One for all hidden layers, or one each (relu,tanh): identity, relu, leaky_relu, elu, gelu, "
        "silu, softplus, tanh, sigmoid. [relu]"
    ),
]
Loss = Annotated[
    str | None,
    Option(
        help="For labels softmax_cross_entropy, binary_cross_entropy, hinge; for quantities squared_error, "
        "absolute_error, huber(1), quantile(0.5), poisson. [auto: the first that fits]"
    ),
]
OutputActivation = Annotated[str | None, Option(help="Activation of the output. [auto: the loss's]")]
Optimizer = Annotated[str | None, Option(help="sgd, rmsprop, adagrad, adam, adamw or lbfgs. [adam]")]
LearningRate = Annotated[float | None, Option(help="Step size. [the optimizer's]")]
BatchSize = Annotated[str | None, Option(help="Rows in a batch, full or auto. [auto: at most 200]")]
Epochs = Annotated[
    int | None, Option(help="Passes over the training rows. [200, or more to make 3000 steps]")
]
L2 = Annotated[float | None, Option(help="Penalty l2/2 on the sum of squared weights. [0]")]
Dropout = Annotated[float | None, Option(help="The part of the hidden units dropped in a step. [0]")]
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
Threads = Annotated[int | None, Option(help="Most threads to use; results do not depend on it.")]

Model = Annotated[str, Argument(metavar="MODEL", help=_MODEL)]
ModelOrNone = Annotated[str | None, Argument(metavar="MODEL", help=_MODEL)]
File = Annotated[
    str, Argument(metavar="FILE", help="A CSV file with the columns the model was trained on, or iris.")
]
Output = Annotated[str | None, Option(help="The CSV file to write. [standard output]")]
Proba = Annotated[bool, Option("--proba", help="Write the probability of each class too.")]


class FullBatch:
    """Stands for batch_size=None, which an option that was not given cannot."""


def read_hidden(text: str | None) -> tuple[int, ...] | None:
    """Read "64,64" as (64, 64) and "none" as ()."""
    if text is None:
        return None
    if text.strip().lower() in ("", "none"):
        return ()
    try:
        return tuple(int(width) for width in text.split(","))
    except ValueError:
        raise ValueError(
            f"--hidden must be whole numbers with commas between them, such as 64,64, or none; got {text!r}"
        ) from None


def read_activation(text: str | None) -> str | list[str] | None:
    """Read "relu" as one name and "relu,tanh" as one name a layer."""
    if text is None or "," not in text:
        return text
    return [name.strip() for name in text.split(",")]


def read_batch_size(text: str | None) -> int | str | type[FullBatch] | None:
    """Read "full", "auto" or a whole number."""
    if text is None or text == "auto":
        return text
    if text == "full":
        return FullBatch
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"--batch-size must be a whole number, full or auto; got {text!r}") from None


def read_names(text: str | None) -> tuple[str, ...]:
    """Read "id,name" as two names."""
    return () if text is None else tuple(dict.fromkeys(name.strip() for name in text.split(",")))
