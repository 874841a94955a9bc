"""Model files: safetensors with JSON metadata. Nothing in a file is ever executed."""

from __future__ import annotations

import errno
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from fastmlp._base.files import replace_own_file
from fastmlp._base.said import say
from fastmlp._base.tensor_file import pieces
from fastmlp._base.text import shortened
from fastmlp._model.architecture import checked_sizes
from fastmlp._model.history import History
from fastmlp._model.history_file import NAME, read_rows
from fastmlp._model.model import Made, Model, from_metadata, metadata
from fastmlp._model.parts import Parts, checked_parts, layer_shapes
from fastmlp._native import core as _core
from fastmlp.data import TableEncoder

if TYPE_CHECKING:
    from os import PathLike

#: 2 has embeddings or a run, 3 a run whose first epochs lie in another file, 4 several networks, 5 periodic
#: columns, an input scale or parametric activations, whatever else it has; a file without them is of the
#: first format. Older versions read it unless its encoder has settings that they do not know, and say which.
FORMAT = 5
ENSEMBLE_FORMAT = 4
_TWO_FILES_FORMAT = 3
_RUN_FORMAT = 2
_FIRST_FORMAT = 1

#: What a file's tensors are called in safetensors' own words.
_DTYPES = {"float32": "F32", "float64": "F64"}

#: Types that labels may have, as NumPy writes them.
_LABEL_TYPES = re.compile(r"[<|](b1|[iu][1248]|f[248]|[US]\d{1,5}|[Mm]8\[\w{1,2}\])|\|O")


@dataclass(frozen=True)
class RunRecord:
    """What a checkpoint holds besides the network: the run's settings and how far it is."""

    settings: dict[str, Any]
    steps: int
    arrays: dict[str, NDArray[Any]]  # s1, s2, best: laid out as the parameters
    progress: NDArray[np.float64]  # (7,)
    own_rows: NDArray[np.float64]  # rows of the history that are not in another file, (rows, columns)
    file: tuple[str, int] | None  # the name of that file, and how many of its rows are the run's


ARRAYS = ("s1", "s2", "best")
_LETTERS = 500  # of what is said of a file, whatever is in it
_NO_MEMORY = os.strerror(errno.ENOMEM)
_PROGRESS = 7


def save(network: Model, path: str | PathLike[str]) -> None:
    """Write a network, over no file but another model."""
    replace_own_file(path, serialized(network), "a fastmlp model", may_replace)


def header(network: Model) -> dict[str, Any]:
    """Return what a model file says of a network besides its numbers."""
    described = metadata(network) | {
        "format": format_of(_RUN_FORMAT if network.embeddings else _FIRST_FORMAT, network),
        "version": version("fastmlp"),
        "classes": None if network.classes is None else _classes_to_json(network.classes),
        "feature_names": list(network.feature_names),
        "target_names": list(network.target_names),
        "history": {"columns": list(network.history.columns)},
        "stop_reason": network.stop_reason,
        "encoder": None if network.encoder is None else network.encoder.to_dict(),
    }
    return described | ({"origin": network.origin} if network.origin else {})


def format_of(format: int, *networks: Model) -> int:
    """Return the format of a file that would have a given one, were it not for its networks' parts."""
    parts = (network._parts for network in networks)
    return FORMAT if any(p.periodic or p.input_scale or p.parametric for p in parts) else format


def has_parts(described: Any) -> bool:
    """Whether a network is described that files before the last format cannot have."""
    names = ("periodic", "input_scale", "parametric")
    return isinstance(described, dict) and any(described.get(name) for name in names)


def serialized(network: Model, run: RunRecord | None = None) -> Iterator[bytes | NDArray[Any]]:
    """Return the content of a model file, piece by piece; with a run, of a checkpoint."""
    if _core.first_nonfinite(network.parameters) >= 0:
        raise ValueError("a network whose parameters hold NaN or infinity cannot be saved")
    described = header(network)
    # The header, where the rest is, has no room for many epochs.
    rows = network.history.table() if run is None else run.own_rows
    tensors = {"history": rows} | parameters_by_name(network)
    if run is not None:
        described["format"] = format_of(_RUN_FORMAT if run.file is None else _TWO_FILES_FORMAT, network)
        described["run"] = {"settings": run.settings, "steps": run.steps}
        if run.file is not None:
            described["history"] |= {"file": run.file[0], "rows_in_file": run.file[1]}
        tensors |= {f"run.{name}": run.arrays[name] for name in ARRAYS} | {"run.progress": run.progress}
    return pieces(tensors, {"fastmlp": json.dumps(described)})


def parameters_by_name(network: Model) -> dict[str, NDArray[Any]]:
    """Return the parameters by their names in a file, in the order of the flat buffer."""
    return network._own_views.named()


def may_replace(path: Path) -> bool:
    """Tell whether a file is empty, or by its header one that fastmlp wrote."""
    try:
        size = path.stat().st_size
        if size == 0:
            return True
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(size, 2**28):
                return False
            header = json.loads(file.read(length))
        return "fastmlp" in header["__metadata__"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def load_run(path: str | PathLike[str]) -> tuple[Model, RunRecord]:
    """Read a checkpoint."""
    return read_file(
        path,
        lambda described, file: (
            read_network(Model, described, file, Path(path), whole=True),
            _read_run(described, file),
        ),
    )


Read = TypeVar("Read")


def read_file(path: str | PathLike[str], read: Callable[[dict[str, Any], Any], Read]) -> Read:
    """Return what `read` makes of a file's metadata and tensors; ValueError where that is no model."""
    with Path(path).open("rb"):  # a missing file, a directory or a lack of rights: the system's own error
        pass
    try:
        with safe_open(path, framework="np") as file:
            described = json.loads((file.metadata() or {})["fastmlp"])
            if not isinstance(described, dict):
                raise ValueError("its metadata is not a JSON object")
            return read(described, file)
    except (
        SafetensorError,
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        RecursionError,
        OverflowError,
    ) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) and error.args else str(error)
        if isinstance(error, SafetensorError) and _NO_MEMORY in reason:
            raise _no_memory(path) from None
        reason = shortened(reason[: 2 * _LETTERS], _LETTERS)
        raise ValueError(f"{os.fspath(path)}: not a fastmlp model: {reason}") from None
    except MemoryError:
        raise _no_memory(path) from None


def _no_memory(path: str | PathLike[str]) -> MemoryError:
    size = Path(path).stat().st_size / 1e6
    return MemoryError(f"{os.fspath(path)}: not enough memory to load this file of {size:.1f} MB")


def _check_format(described: dict[str, Any]) -> None:
    if "networks" in described:
        raise ValueError("it holds an ensemble of networks, where one network is needed")
    if described["format"] not in (_FIRST_FORMAT, _RUN_FORMAT, _TWO_FILES_FORMAT, FORMAT):
        raise ValueError(
            f"its format is {described['format']!r}, this version of fastmlp reads up to {FORMAT}"
        )
    if (described["format"] == FORMAT) != has_parts(described):
        raise ValueError(f"its format is {described['format']!r}, which does not go with its network")
    in_two_files = "file" in described["history"]
    if described["format"] != FORMAT and (described["format"] == _TWO_FILES_FORMAT) != in_two_files:
        raise ValueError(f"its format is {described['format']!r}, which does not go with its history")
    if described["dtype"] not in _DTYPES:
        raise ValueError(f"its dtype is {described['dtype']!r}")


def read_network(
    make: type[Made], described: dict[str, Any], file: Any, path: Path, whole: bool = False
) -> Made:
    """Return the network of a file, whose path is given.

    Every shape is checked before memory is taken for it. The first epochs of a history may lie in another
    file; unless the history must be whole, there is a warning if that is not there.
    """
    _check_format(described)
    _check_counts(described, len(file.keys()))
    sizes = checked_sizes(described["layer_sizes"])
    shapes = _shapes(sizes, checked_parts(**_described_parts(described), inputs=sizes[0]))
    history = described["history"]
    expected = (
        {*shapes} if "rows" in history else {*shapes, "history"}
    )  # the first files have rows in the header
    if "run" in described:  # a checkpoint
        expected |= {f"run.{name}" for name in (*ARRAYS, "progress")}
    if set(file.keys()) != expected:
        missing, more = sorted(expected - {*file.keys()}), sorted({*file.keys()} - expected)
        raise ValueError(f"of its tensors {missing[:9]} are missing, {more[:9]} should not be there")
    dtype = _DTYPES[described["dtype"]]
    for name, shape in shapes.items():
        _check_tensor(file, name, shape, dtype)
    network = from_metadata(make, described, None)
    for name, array in parameters_by_name(network).items():
        array[...] = _finite(file, name)
    names = described.get("feature_names", ())
    twice = len(names) == network.layer_sizes[0] and len(set(names)) < len(names)
    network.feature_names = () if twice else names  # earlier files may have a name twice
    network.target_names = described.get("target_names", ())
    rows = history["rows"] if "rows" in history else file.get_tensor("history")
    network.history = _history(history["columns"], rows, _other_file(history), path, whole)
    if not isinstance(described["stop_reason"], (str, type(None))):
        raise ValueError(f"its stop_reason is {described['stop_reason']!r}")
    network.stop_reason = described["stop_reason"]
    origin = described.get("origin", {})  # older files have none
    if not isinstance(origin, dict):
        raise ValueError(f"its origin must be an object, got {origin!r:.60}")
    network.origin = origin
    network._classes = _classes(described["classes"], network)
    if described["encoder"] is not None:
        network.encoder = TableEncoder.from_dict(described["encoder"])
    return network


def _described_parts(described: dict[str, Any]) -> dict[str, Any]:
    """Return what a file says of parts; not all files have them."""
    return {name: described[name] for name in Parts().described() if name in described}


def _shapes(sizes: tuple[int, ...], parts: Parts) -> dict[str, list[int]]:
    """Return the shape of each tensor that has parameters."""
    shapes: dict[str, list[int]] = {}
    for i, (inputs, outputs) in enumerate(layer_shapes(sizes, parts)):
        shapes[f"W{i}"], shapes[f"b{i}"] = [inputs, outputs], [outputs]
    shapes |= {f"E{i}": [codes, width] for i, (_, codes, width) in enumerate(parts.embeddings)}
    for i, of_column in enumerate(parts.periodic_shapes()):
        shapes |= {f"P{i}.{letter}": [*shape] for letter, shape in zip("wbVc", of_column, strict=True)}
    if parts.input_scale:
        shapes["s"] = [parts.first_inputs(sizes[0])]
    return shapes | {f"alpha{i}": [outputs] for i, outputs in enumerate(parts.alphas(sizes))}


def _check_counts(described: dict[str, Any], tensors: int) -> None:
    """Refuse more layers or parts than there can be, before any work is done for each of them."""
    for name in ("layer_sizes", "embeddings", "periodic"):
        several = described.get(name)
        if isinstance(several, list) and len(several) > tensors:
            raise ValueError(f"it has {len(several)} {name}, but only {tensors} tensors")


def _check_tensor(file: Any, name: str, shape: list[int], dtype: str) -> None:
    entry = file.get_slice(name)
    if list(entry.get_shape()) != shape or entry.get_dtype() != dtype:
        raise ValueError(f"{name} has shape {entry.get_shape()}, type {entry.get_dtype()}; expected {shape}")


def _finite(file: Any, name: str) -> NDArray[Any]:
    """Return a tensor of finite numbers."""
    tensor: NDArray[Any] = file.get_tensor(name)
    if _core.first_nonfinite(tensor) >= 0:
        raise ValueError(f"{name} holds NaN or infinity")
    return tensor


def _read_run(described: dict[str, Any], file: Any) -> RunRecord:
    """Return what a checkpoint holds besides the network."""
    run = described["run"]
    if not isinstance(run["settings"], dict) or type(run["steps"]) is not int or run["steps"] < 1:
        raise ValueError("its run must have settings and a number of steps")
    names = set(file.keys()) - {"history"}
    size = sum(math.prod(file.get_slice(name).get_shape()) for name in names if not name.startswith("run."))
    dtype = _DTYPES[described["dtype"]]
    for name in ARRAYS:
        _check_tensor(file, f"run.{name}", [size], dtype)
    # Squares in an optimizer's state may be infinite.
    arrays: dict[str, NDArray[Any]] = {name: file.get_tensor(f"run.{name}") for name in ARRAYS}
    progress: NDArray[np.float64] = file.get_tensor("run.progress")
    own_rows, other = file.get_tensor("history"), _other_file(described["history"])
    if not _is_progress(progress) or run["steps"] >= 2**63 or not (len(own_rows) or other):
        raise ValueError("its run.progress, run.steps or history are not those of a run")
    return RunRecord(run["settings"], run["steps"], arrays, progress, own_rows, other)


def _is_progress(progress: NDArray[Any]) -> bool:
    """Tell whether these may be the numbers of a run: losses may be infinite, counts and rates not."""
    if progress.shape != (_PROGRESS,) or progress.dtype != np.float64 or np.isnan(progress).any():
        return False
    _, _, epochs, candidate, rate, _, bad_epochs = progress.tolist()
    counts = all(0 <= count < 2**53 and count == int(count) for count in (epochs, bad_epochs))
    return counts and candidate in (0, 1) and 0 <= rate < math.inf


def _other_file(history: dict[str, Any]) -> tuple[str, int] | None:
    """Return the name of the file that holds the first epochs, and how many; None where there is none."""
    if "file" not in history:
        return None
    name, rows = history["file"], history["rows_in_file"]
    if not isinstance(name, str) or not NAME.fullmatch(name) or type(rows) is not int or rows < 1:
        raise ValueError(f"its history names the file {name!r} of {rows!r} epochs")
    return name, rows


def _history(
    columns: list[str], rows: Any, other: tuple[str, int] | None, path: Path, whole: bool
) -> History:
    expected = History().columns
    if tuple(columns[: len(expected)]) != expected or not all(isinstance(name, str) for name in columns):
        raise ValueError(f"its history must begin with the columns {', '.join(expected)}")
    table = np.asarray(rows, dtype=np.float64)
    if len(table) and table.shape != (len(rows), len(columns)):
        raise ValueError(f"its history has shape {table.shape}, but {len(columns)} columns")
    if other is not None:
        try:
            earlier = read_rows(path.parent, *other, len(columns))
        except OSError as error:
            text = f"{other[0]}, which holds its first {other[1]} epochs, cannot be read beside it: {error}"
            if whole:
                raise ValueError(text) from None
            say(f"{os.fspath(path)}: {text}", RuntimeWarning)
            return History.from_table(columns, table)
        table = np.concatenate([earlier, table.reshape(-1, len(columns))])
        if (np.diff(table[:, 0]) < 1).any():
            raise ValueError(f"{other[0]} does not hold its first {other[1]} epochs, but others")
    return History.from_table(columns, table)


def _classes_to_json(classes: NDArray[Any]) -> dict[str, Any]:
    kind = classes.dtype.kind
    if kind == "M":
        values = classes.astype(str).tolist()
    elif kind == "m":
        values = classes.astype(np.int64).tolist()
    elif kind == "S":
        values = [value.decode("latin-1") for value in classes.tolist()]
    else:
        values = classes.tolist()
    if not _LABEL_TYPES.fullmatch(classes.dtype.str) or not all(
        isinstance(value, (str, int, float, bool)) for value in values
    ):
        raise ValueError(f"labels of dtype {classes.dtype} cannot be saved; use strings, numbers or dates")
    return {"dtype": _narrowest(classes.dtype.str, values), "values": values}


def _narrowest(kind: str, values: list[Any]) -> str:
    """Return a type of texts no wider than they need; other types as they are."""
    if kind[1:2] not in ("U", "S"):
        return kind
    longest = max((len(value) for value in values if isinstance(value, str)), default=0)
    return f"{kind[:2]}{min(int(kind[2:]), max(longest, 1))}"


def _classes(described: Any, network: Model) -> NDArray[Any] | None:
    default = network.classes
    if described is None or default is None:
        if described is not None or (default is not None):
            raise ValueError(f"its classes do not go with loss {network.loss}")
        return None
    values, kind = described["values"], described["dtype"]
    if not isinstance(kind, str) or not _LABEL_TYPES.fullmatch(kind):
        raise ValueError(f"its classes have type {kind!r}")
    if len(values) != len(default) or not all(isinstance(value, (str, int, float, bool)) for value in values):
        raise ValueError(f"it has {len(values)} classes, expected {len(default)} labels")
    kind = _narrowest(kind, values)  # no more memory than the file has texts
    texts = [value.encode("latin-1") for value in values] if "S" in kind else values
    classes = np.array(texts, dtype=kind)
    ordered = len(classes) == 2 and classes[0] == classes[1]  # an estimator that saw one class
    if not ordered and not (classes[1:] > classes[:-1]).all():
        raise ValueError("its classes must be sorted and different")
    if _classes_to_json(classes)["values"] != values:
        raise ValueError(f"its classes do not fit their type {kind!r}")
    return classes
