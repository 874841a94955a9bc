"""A network, or an ensemble of networks, as a C99 header."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastmlp._base.files import replace_own_file
from fastmlp._export import common
from fastmlp._export.c_columns import COLUMNS
from fastmlp._export.c_inputs import write_inputs
from fastmlp._export.c_text import Source, integer, number, quoted, string
from fastmlp.data._dates import DateColumn
from fastmlp.data._target import LOG_OF_MOST
from fastmlp.spec.activations import ACTIVATIONS

if TYPE_CHECKING:
    from os import PathLike

    from fastmlp._model.model import Model
    from fastmlp._model.predictor import Predictor
    from fastmlp.data import TableEncoder

_MARK = "/* fastmlp C99 model"

_ELEMENTWISE = """\
static inline void ${name}_$activation($real *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const $real z = a[i];
        a[i] = $formula;
    }
}
"""

_PARAMETRIC = """\
/* a = z + alpha (f(z) - z) */
static inline void ${name}_parametric_$activation($real *a, const $real *alpha, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const $real z = a[i], f = $formula;
        a[i] = z + alpha[i] * (f - z);
    }
}
"""

_SOFTMAX = """\
static inline void ${name}_softmax($real *a, size_t n)
{
    $real top = a[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        top = a[i] > top ? a[i] : top;
    for (size_t i = 0; i < n; i++) {
        a[i] = exp$f(a[i] - top); /* at most 1: nothing overflows */
        sum += a[i];
    }
    for (size_t i = 0; i < n; i++)
        a[i] /= sum;
}
"""

_DENSE = """\
/* z = in W + b, with W of n_in rows and n_out columns */
static inline void ${name}_dense(const $real *in, const $real *W, const $real *b,
                                size_t n_in, size_t n_out, $real *z)
{
    for (size_t j = 0; j < n_out; j++)
        z[j] = b[j];
    for (size_t i = 0; i < n_in; i++)
        for (size_t j = 0; j < n_out; j++)
            z[j] += in[i] * W[i * n_out + j];
}
"""

_ADD = """\
/* sum += factor a, with a factor for all n outputs or, where step is 1, for each */
static inline void ${name}_add(const $real *a, const double *factor, size_t step, size_t n, double *sum)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += factor[i * step] * a[i];
}
"""

_FUNCTION = """\
static inline $result ${name}_$function($arguments)
{
$body
}
"""


class _Prediction(NamedTuple):
    """What `predict` is in C: its result, its last argument, its statements, and a sentence on it."""

    result: str
    argument: str
    body: str
    says: str


_INDEX = "returns the index of the label in ${name}_classes"

_PREDICTIONS = {
    "largest": _Prediction(
        "size_t",
        "",
        """\
$real out[$size];
${name}_forward($input, out);
size_t best = 0;
for (size_t i = 1; i < $size; i++)
    if (out[i] > out[best])
        best = i;
return best;""",
        _INDEX,
    ),
    "likelier": _Prediction(
        "size_t",
        "",
        """\
$real out[1];
${name}_forward($input, out);
return out[0] > 0.5$f ? 1 : 0;""",
        _INDEX,
    ),
    "labels": _Prediction(
        "void",
        ", int *labels",
        """\
$real out[$size];
${name}_forward($input, out);
for (size_t i = 0; i < $size; i++)
    labels[i] = out[i] > 0.5$f ? 1 : 0;""",
        "writes 1 for each label that is predicted, 0 for the others",
    ),
    "values": _Prediction(
        "void",
        ", $type *values",
        "${name}_forward($input, values);",
        "writes ${name}_n_outputs values",
    ),
    "units": _Prediction(
        "void",
        ", double *values",
        """\
$real out[$size];
${name}_forward($input, out);
for (size_t i = 0; i < $size; i++)
    values[i] = out[i];""",
        "writes ${name}_n_outputs values, in the units of the target",
    ),
}

_SORT = """\
for (size_t i = 1; i < $size; i++) {
    const $type value = values[i];
    size_t j = i;
    for (; j > 0 && values[j - 1] > value; j--)
        values[j] = values[j - 1];
    values[j] = value;
}"""

_UNITS = """\
static const double scale[] = { $scale }, mean[] = { $mean };
for (size_t i = 0; i < $size; i++)
    values[i] = values[i] * scale[$which] + mean[$which];"""

_FROM_LOG = """\
for (size_t i = 0; i < $size; i++)
    values[i] = expm1(values[i] > $most ? $most : values[i]);"""

#: A row of a table, as the encoder takes it.
_RAW = "const double *numbers, const char *const *texts"

#: The types of labels in C, and how each is written.
_LABELS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "U": ("char *const", string),
    "i": ("long long", integer),
    "b": ("int", lambda label: str(int(label))),
    "f": ("double", number),
}


def to_c(network: Predictor, path: str | PathLike[str], name: str = "model") -> None:
    """Write a network as one C99 header that needs nothing but the standard library.

    It defines, with the given name in the place of ``model`` and float or double after the network's dtype,

    - ``void model_forward(const float *x, float *out)``: the outputs of `Network.forward` for one row;
    - ``model_predict``: what `Network.predict` gives. With classes it returns the index of the label in
      ``model_classes``; else it fills an array with the values, or with 0 and 1 for several labels at once.
      If the encoder standardised the target, the values are double and in its own units;
    - with an encoder, ``void model_encode(const double *numbers, const char *const *texts, float *x)``, and
      ``model_predict`` takes ``numbers`` (booleans as 0 and 1, dates as days since 1970-01-01, NaN where
      missing) and ``texts`` (UTF-8, NULL where missing) in the place of x. The comment at the top says which
      column is where.

    Of an ensemble, ``model_forward`` gives the weighted mean of its networks' outputs, in double if they have
    different dtypes. If they have encoders of their own, it takes ``numbers`` and ``texts``, too, and gives
    values as double in the units of the target, or of log(1 + target) if that was learned; there is no
    ``model_encode``.

    There is no state and no allocation; the activations of the two widest layers are on the stack.

    Parameters
    ----------
    network : Network or Ensemble
    path : path
        An empty file or a header that this function wrote is replaced once the new one is complete.
    name : str, default "model"
        A C identifier that all names in the file begin with.

    Raises
    ------
    TypeError, ValueError
        If name is no C identifier, path is a directory or a file of another sort, parameters are not finite,
        labels are of types that C does not have, or a text holds the NUL character.
    OSError
        If the file cannot be written.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a C identifier, got {name!r}")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"name must be a C identifier (letters, digits and _, no digit first), got {name!r}")
    parts = common.parts(network)
    common.check_finite(parts.networks)
    replace_own_file(path, _header(network, parts, name).encode("ascii"), "a C header of fastmlp", _is_header)


def _is_header(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_MARK)) == _MARK.encode()


def _header(network: Predictor, parts: common.Parts, name: str) -> str:
    source = Source(name, parts.dtype)
    places = _places(parts.encoders)
    source.add("$comment", comment=_comment(network, parts, places, source))
    guard = f"FASTMLP_{name}_H"
    source.add(
        f"#ifndef {guard}\n#define {guard}\n\n#include <math.h>\n#include <stddef.h>\n#include <string.h>\n"
    )
    _sizes_and_classes(source, network, parts)
    several = len(parts.encoders) > 1
    for i, encoder in enumerate(parts.encoders):
        source.part = f"e{i}_" if several else ""
        _encode(source, encoder, places)
    source.add(_DENSE)
    one = len(parts.networks) == 1 and parts.shift is None and not several
    for i, part in enumerate(parts.networks):
        source.part = "" if one else f"n{i}_"
        _forward(source, part.network)
    source.part = ""
    if not one:
        _mean(source, parts, network._n_outputs)
    _predict(source, network, parts)
    source.add(f"#endif /* {guard} */\n")
    return source.text()


def _comment(network: Predictor, parts: common.Parts, places: dict[str, str], source: Source) -> str:
    """Return the comment at the top: what the network is, and where each column goes."""
    lines = [f"{_MARK}, written by fastmlp {version('fastmlp')}.", ""]
    if len(parts.networks) > 1:
        lines.append(f"   The mean of {len(parts.networks)} networks.")
    networks = [part.network for part in parts.networks]
    for shape in dict.fromkeys(map(_shape, networks)):
        lines.append(f"   {shape}; loss {network.loss}.")
    takes = "the columns of a table" if len(parts.encoders) > 1 else "${name}_n_inputs numbers"
    writes = "activations"
    if parts.shift is not None:
        writes = "values in the units of " + (
            "log(1 + target)" if common.learned_log(network) else "the target"
        )
    lines += [
        f"   ${{name}}_forward takes {takes} and writes ${{name}}_n_outputs {writes}.",
        f"   ${{name}}_predict {_PREDICTIONS[_kind(network)].says}.",
    ]
    lines = [source.fill(line) for line in lines]
    if parts.encoders:
        lines += ["", "   The columns of the table (NaN or NULL where missing; texts in UTF-8):"]
        columns = {column.name: column for encoder in parts.encoders for column in encoder.columns}
        for name, place in places.items():
            days = ", in days since 1970-01-01" if columns[name].kind == DateColumn.kind else ""
            lines.append(f"     {place}  {quoted(name)}{days}")
    return "\n".join([*lines, "*/\n"])


def _shape(network: Model) -> str:
    activations = ", ".join(common.layer_activations(network))
    return f"Layers {'-'.join(map(str, network.layer_sizes))}; activations {activations}"


def _places(encoders: Sequence[TableEncoder]) -> dict[str, str]:
    """Return where each column of a table is: numbers[0], texts[0], numbers[1], .."""
    counts = {"numbers": 0, "texts": 0}
    places: dict[str, str] = {}
    for column in (column for encoder in encoders for column in encoder.columns):
        kind = "texts" if COLUMNS[type(column)][0] else "numbers"
        if column.name not in places:
            places[column.name] = f"{kind}[{counts[kind]}]"
            counts[kind] += 1
        elif not places[column.name].startswith(kind):
            raise ValueError(
                f"column {column.name!r} is text for one encoder and numbers for another: they cannot be "
                "exported together"
            )
    return places


def _kind(network: Predictor) -> str:
    """Return which of `_PREDICTIONS` a network makes."""
    binary = common.loss_entry(network).one_output_for_two
    if network.classes is None:
        return "labels" if binary else "values" if common.units(network) is None else "units"
    return "likelier" if binary else "largest"


def _sizes_and_classes(source: Source, network: Predictor, parts: common.Parts) -> None:
    inputs = "" if len(parts.encoders) > 1 else f"${{name}}_n_inputs = {network._n_inputs}, "
    source.add(f"enum {{ {inputs}${{name}}_n_outputs = {network._n_outputs} }};\n")
    labels = common.labels(network)
    if labels is not None:
        kind, write = _LABELS[labels.dtype.kind]
        source.array(f"{kind} ${{name}}_classes", map(write, labels.tolist()))
        source.add("enum { ${name}_n_classes = sizeof ${name}_classes / sizeof ${name}_classes[0] };\n")


def _function(source: Source, result: str, function: str, arguments: str, body: list[str]) -> None:
    lines = [f"    {line}" for text in body for line in source.fill(text).split("\n")]
    function, arguments = source.part + function, source.fill(arguments)
    source.add(_FUNCTION, result=result, function=function, arguments=arguments, body="\n".join(lines))


def _encode(source: Source, encoder: TableEncoder, places: dict[str, str]) -> None:
    body = ["(void)numbers;", "(void)texts;"]  # there may be none of a kind
    at = 0
    for column in encoder.columns:
        body += COLUMNS[type(column)][1](source, column, places[column.name], at)
        at += len(column.feature_names)
    _function(source, "void", "encode", f"{_RAW}, $real *x", body)


def _forward(source: Source, network: Model) -> None:
    sizes = [network.weights[0].shape[0], *network.layer_sizes[1:]]
    body, value = write_inputs(source, network, sizes[0])
    if len(sizes) > 2:
        buffers = ", ".join(f"a{i}[{size}]" for i, size in enumerate(_buffers(sizes[1:-1])))
        body.append(f"$real {buffers};")
    activations = zip(common.layer_activations(network), common.layer_alphas(network), strict=True)
    layers = zip(network.weights, network.biases, activations, pairwise(sizes), strict=True)
    for i, (W, b, (activation, alpha), (inputs, outputs)) in enumerate(layers):
        source.numbers(f"W{i}", W)
        source.numbers(f"b{i}", b)
        into = "out" if i == len(sizes) - 2 else f"a{i % 2}"
        arrays = f"${{name}}_${{part}}W{i}, ${{name}}_${{part}}b{i}"
        body.append(f"${{name}}_dense({value}, {arrays}, {inputs}, {outputs}, {into});")
        if alpha is not None:
            source.numbers(f"alpha{i}", alpha)
            source.once(_PARAMETRIC, activation=activation, formula=source.fill(ACTIVATIONS[activation].c))
            body.append(f"${{name}}_parametric_{activation}({into}, ${{name}}_${{part}}alpha{i}, {outputs});")
        elif activation != "identity":
            formula = source.fill(ACTIVATIONS[activation].c)
            template = _ELEMENTWISE if formula else _SOFTMAX
            source.once(template, activation=activation, formula=formula)
            body.append(f"${{name}}_{activation}({into}, {outputs});")
        value = into
    _function(source, "void", "forward", "const $real *x, $real *out", body)


def _mean(source: Source, parts: common.Parts, size: int) -> None:
    """Write the mean of all networks, in double whatever their type."""
    source.add(_ADD)
    several = len(parts.encoders) > 1
    shift = np.zeros(size) if parts.shift is None else np.broadcast_to(parts.shift, size)
    body = [f"$real a[{size}];", f"double mean[{size}] = {{ {', '.join(map(number, shift))} }};"]
    if several:
        widest = max(len(encoder.feature_names) for encoder in parts.encoders)
        body.append(f"$real x[{widest}];")
    at = None
    for i, part in sorted(enumerate(parts.networks), key=lambda entry: entry[1].encoder):
        if several and part.encoder != at:
            at = part.encoder
            body.append(f"${{name}}_e{at}_encode(numbers, texts, x);")
        source.array(f"double ${{name}}_n{i}_factor", map(number, part.factor))
        body.append(f"${{name}}_n{i}_forward(x, a);")
        step = int(len(part.factor) > 1)
        body.append(f"${{name}}_add(a, ${{name}}_n{i}_factor, {step}, {size}, mean);")
    kind = "$real" if parts.shift is None else "double"
    body += [f"for (size_t i = 0; i < {size}; i++)", f"    out[i] = ({kind})mean[i];"]
    _function(source, "void", "forward", f"{_RAW if several else 'const $real *x'}, {kind} *out", body)


def _buffers(hidden: list[int]) -> list[int]:
    """Return the sizes of the one or two arrays that hidden layers take in turn."""
    return [max(hidden[start::2]) for start in range(min(2, len(hidden)))]


def _predict(source: Source, network: Predictor, parts: common.Parts) -> None:
    prediction, size = _PREDICTIONS[_kind(network)], network._n_outputs
    arguments, given, body = "const $real *x", "x", []
    if len(parts.encoders) == 1:
        arguments, body = _RAW, ["$real x[${name}_n_inputs];", "${name}_encode(numbers, texts, x);"]
    elif parts.encoders:
        arguments, given = _RAW, "numbers, texts"
    units = common.units(network)
    kind = source.fill("$real" if units is None and parts.shift is None else "double")
    body.append(source.fill(prediction.body, size=size, input=given))
    if common.sorts_outputs(network):
        body.append(source.fill(_SORT, size=size, type=kind))
    if units is not None:
        scale, mean = (", ".join(map(number, numbers)) for numbers in units)
        which = "i" if len(units[0]) > 1 else "0"
        body.append(source.fill(_UNITS, size=size, scale=scale, mean=mean, which=which))
    if common.learned_log(network):
        body.append(source.fill(_FROM_LOG, size=size, most=number(LOG_OF_MOST)))
    _function(
        source, prediction.result, "predict", arguments + prediction.argument.replace("$type", kind), body
    )
