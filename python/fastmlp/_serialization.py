"""Model files: safetensors with JSON metadata. Nothing in a file is ever executed."""

from __future__ import annotations

import json
import os
import re
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from fastmlp._files import replace_file
from fastmlp._history import History
from fastmlp._network import Network
from fastmlp._validation import layer_sizes

if TYPE_CHECKING:
    from os import PathLike

FORMAT = 1

#: What a file's tensors are called in safetensors' own words.
_DTYPES = {"float32": "F32", "float64": "F64"}

#: Types that labels may have, as NumPy writes them.
_LABEL_TYPES = re.compile(r"[<|](b1|[iu][1248]|f[248]|[US]\d{1,5}|[Mm]8\[\w{1,2}\])|\|O")


def metadata(network: Network) -> dict[str, Any]:
    """Return what makes an untrained network."""
    return {
        "layer_sizes": list(network.layer_sizes),
        "activation": list(network.activations),
        "loss": network.loss,
        "output_activation": network.output_activation,
        "l2": network.l2,
        "dtype": network.dtype.name,
    }


def from_metadata(described: dict[str, Any], parameters: NDArray[Any]) -> Network:
    """Return the network that `metadata` described."""
    names = ("layer_sizes", "activation", "loss", "output_activation", "l2", "dtype")
    network = Network(**{name: described[name] for name in names}, init="zeros")
    network.parameters[:] = parameters
    return network


def save(network: Network, path: str | PathLike[str]) -> None:
    """Write a network, over no file but another model."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"path must name a file, got the directory {os.fspath(path)!r}")
    if path.is_file() and not may_replace(path):
        raise ValueError(
            f"{os.fspath(path)}: is there already and is not a fastmlp model; it is left as it is"
        )
    if not np.isfinite(network.parameters).all():
        raise ValueError("a network whose parameters hold NaN or infinity cannot be saved")
    described = metadata(network) | {
        "format": FORMAT,
        "version": version("fastmlp"),
        "classes": None if network.classes is None else _classes_to_json(network.classes),
        "feature_names": list(network.feature_names),
        "history": {"columns": list(network.history.columns)},
        "stop_reason": network.stop_reason,
        "encoder": None if network.encoder is None else network.encoder.to_dict(),
    }
    # The header, where the rest is, has no room for many epochs.
    tensors = {"history": np.array(network.history.rows(), np.float64)}
    for i, (W, b) in enumerate(zip(network.weights, network.biases, strict=True)):
        tensors[f"W{i}"], tensors[f"b{i}"] = W, b
    replace_file(path, to_bytes(tensors, metadata={"fastmlp": json.dumps(described)}))


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


def load(path: str | PathLike[str]) -> Network:
    """Read a network that `Network.save` wrote.

    Parameters
    ----------
    path : path
        A safetensors file of this library.

    Returns
    -------
    Network
        With its classes, history and encoder.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is damaged, or not a model of this library, or of a newer format.
    """
    with Path(path).open("rb"):  # a missing file, a directory or a lack of rights: the system's own error
        pass
    try:
        with safe_open(path, framework="np") as file:
            described = _checked(json.loads((file.metadata() or {})["fastmlp"]))
            return _read(described, file)
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
        raise ValueError(f"{os.fspath(path)}: not a fastmlp model: {reason}") from None


def _checked(described: Any) -> dict[str, Any]:
    if not isinstance(described, dict):
        raise ValueError("its metadata is not a JSON object")
    if described["format"] != FORMAT:
        raise ValueError(f"its format is {described['format']!r}, this version of fastmlp reads {FORMAT}")
    if described["dtype"] not in _DTYPES:
        raise ValueError(f"its dtype is {described['dtype']!r}")
    return described


def _read(described: dict[str, Any], file: Any) -> Network:
    """Check every shape before memory is taken for it."""
    sizes = layer_sizes("layer_sizes", described["layer_sizes"])
    shapes: dict[str, list[int]] = {}
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        shapes[f"W{i}"], shapes[f"b{i}"] = [inputs, outputs], [outputs]
    history = described["history"]
    expected = (
        {*shapes} if "rows" in history else {*shapes, "history"}
    )  # the first files have rows in the header
    if set(file.keys()) != expected:
        raise ValueError(f"its tensors are {sorted(file.keys())}, expected {sorted(expected)}")
    parts = []
    for name, shape in shapes.items():
        entry = file.get_slice(name)
        if list(entry.get_shape()) != shape or entry.get_dtype() != _DTYPES[described["dtype"]]:
            raise ValueError(
                f"{name} has shape {entry.get_shape()}, type {entry.get_dtype()}; expected {shape}"
            )
        parts.append(file.get_tensor(name).ravel())
        if not np.isfinite(parts[-1]).all():
            raise ValueError(f"{name} holds NaN or infinity")
    names = described.get("feature_names", [])
    if (
        not isinstance(names, list)
        or not all(isinstance(n, str) for n in names)
        or len(names) not in (0, sizes[0])
    ):
        raise ValueError(f"its feature_names must be {sizes[0]} strings, or none")
    network = from_metadata(described, np.concatenate(parts))
    network.feature_names = tuple(names)
    rows = history["rows"] if "rows" in history else file.get_tensor("history")
    network.history = _history(history["columns"], rows)
    if not isinstance(described["stop_reason"], (str, type(None))):
        raise ValueError(f"its stop_reason is {described['stop_reason']!r}")
    network.stop_reason = described["stop_reason"]
    network.classes = _classes(described["classes"], network)
    if described["encoder"] is not None:
        from fastmlp.data import TableEncoder

        network.encoder = TableEncoder.from_dict(described["encoder"])
    return network


def _history(columns: list[str], rows: Any) -> History:
    expected = History().columns
    if tuple(columns[: len(expected)]) != expected or not all(isinstance(name, str) for name in columns):
        raise ValueError(f"its history must begin with the columns {', '.join(expected)}")
    table = np.asarray(rows, dtype=np.float64)
    if len(table) and table.shape != (len(rows), len(columns)):
        raise ValueError(f"its history has shape {table.shape}, but {len(columns)} columns")
    return History(columns, [(int(epoch), *values) for epoch, *values in table.tolist()])


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
    return {"dtype": classes.dtype.str, "values": values}


def _classes(described: Any, network: Network) -> NDArray[Any] | None:
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
    if "S" in kind:
        values = [value.encode("latin-1") for value in values]
    return np.array(values, dtype=kind)
