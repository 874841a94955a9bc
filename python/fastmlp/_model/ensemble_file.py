"""The file of an ensemble: the model files of its networks in one, with each encoder once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import NDArray

from fastmlp._base.files import replace_own_file
from fastmlp._base.tensor_file import pieces
from fastmlp._model.ensemble import EnsembleModel, restored
from fastmlp._model.ensemble_checks import checked_members
from fastmlp._model.files import (
    ENSEMBLE_FORMAT,
    FORMAT,
    format_of,
    has_parts,
    header,
    may_replace,
    parameters_by_name,
    read_file,
    read_network,
)
from fastmlp._model.model import Model
from fastmlp._native import core as _core
from fastmlp.data import TableEncoder

if TYPE_CHECKING:
    from os import PathLike

Made = TypeVar("Made", bound=Model)
Together = TypeVar("Together", bound=EnsembleModel)


def save_ensemble(ensemble: EnsembleModel, path: str | PathLike[str]) -> None:
    """Write an ensemble, over no file but another model."""
    replace_own_file(path, _serialized(ensemble), "a fastmlp model", may_replace)


def load_any(path: str | PathLike[str], make: type[Made], together: type[Together]) -> Made | Together:
    """Read a model file, as one of the classes to make; `fastmlp.load` says what is raised."""

    def read(described: dict[str, Any], file: Any) -> Made | Together:
        if "networks" in described:
            return _read(make, together, described, file, Path(path))
        return read_network(make, described, file, Path(path))

    return read_file(path, read)


def _serialized(ensemble: EnsembleModel) -> Iterator[bytes | NDArray[Any]]:
    """Return the content of the file, piece by piece."""
    checked_members(ensemble.networks)  # their classes and encoders may have been changed
    headers = []
    tensors: dict[str, NDArray[Any]] = {}
    for i, (network, place) in enumerate(zip(ensemble.networks, ensemble._encoder_places, strict=True)):
        if _core.first_nonfinite(network.parameters) >= 0:
            raise ValueError(f"networks[{i}] holds NaN or infinity in its parameters: it cannot be saved")
        headers.append(header(network) | {"encoder": place})
        named = {"history": network.history.table()} | parameters_by_name(network)
        tensors |= {f"{i}.{name}": array for name, array in named.items()}
    described = {
        "format": format_of(ENSEMBLE_FORMAT, *ensemble.networks),
        "version": version("fastmlp"),
        "weights": ensemble.weights.tolist(),
        "networks": headers,
        "encoders": [encoder.to_dict() for encoder in ensemble._encoders],
        "origin": ensemble.origin,
    }
    return pieces(tensors, {"fastmlp": json.dumps(described)})


class _Part:
    """The tensors of one network in the file of several, by their names in a file of its own."""

    def __init__(self, file: Any, prefix: str, names: list[str]) -> None:
        self._file, self._prefix, self._names = file, prefix, names

    def keys(self) -> list[str]:
        return self._names

    def get_slice(self, name: str) -> Any:
        return self._file.get_slice(self._prefix + name)

    def get_tensor(self, name: str) -> Any:
        return self._file.get_tensor(self._prefix + name)


def _read(
    make: type[Made], together: type[Together], described: dict[str, Any], file: Any, path: Path
) -> Together:
    headers = described["networks"]
    several = isinstance(headers, list) and any(map(has_parts, headers))
    if described["format"] != (FORMAT if several else ENSEMBLE_FORMAT):
        raise ValueError(
            f"its format is {described['format']!r}, this version of fastmlp reads up to {FORMAT}"
        )
    for name in ("networks", "encoders", "weights"):
        if not isinstance(described[name], list):
            raise ValueError(f"its {name} must be a list, got {described[name]!r:.60}")
    names: dict[str, list[str]] = {}
    for key in file.keys():  # noqa: SIM118 (not a dict)
        place, _, name = key.partition(".")
        names.setdefault(place, []).append(name)
    if set(names) != {str(i) for i in range(len(names))} or len(names) != len(headers):
        raise ValueError(f"it has {len(headers)} networks, its tensors are of {sorted(names)[:9]}")
    encoders = [TableEncoder.from_dict(encoder) for encoder in described["encoders"]]
    networks = [
        _read_member(make, one, _Part(file, f"{i}.", names[str(i)]), path, encoders)
        for i, one in enumerate(headers)
    ]
    origin = described["origin"]
    if not isinstance(origin, dict):
        raise ValueError(f"its origin must be an object, got {origin!r:.60}")
    return restored(together, networks, described["weights"], origin)


def _read_member(
    make: type[Made], described: Any, part: _Part, path: Path, encoders: list[TableEncoder]
) -> Made:
    if not isinstance(described, dict):
        raise ValueError(f"its networks must be objects, got {described!r:.60}")
    place = described["encoder"]
    if place is not None and (type(place) is not int or not 0 <= place < len(encoders)):
        raise ValueError(f"a network has encoder {place!r:.60} of {len(encoders)}")
    network = read_network(make, described | {"encoder": None}, part, path)
    if place is not None:
        network.encoder = encoders[place]
    return network
