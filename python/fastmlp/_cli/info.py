"""The command `fastmlp info`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table as Grid

from fastmlp._base.text import plural, shortened
from fastmlp._cli.files import load_model, write_output
from fastmlp._cli.show import column, console, to_json
from fastmlp._native.config import show_config
from fastmlp._network.ensemble import Ensemble

if TYPE_CHECKING:
    from fastmlp._model.model import Model
    from fastmlp._network.network import Network

_LISTED = 20


def describe_network(network: Network) -> dict[str, Any]:
    """Return plain values for JSON: what the network is, and the columns it was trained on."""
    return _layers(network) | _columns(network)


def _describe_ensemble(ensemble: Ensemble) -> dict[str, Any]:
    """Return the same of an ensemble, with what each network is and counts."""
    networks = [
        _layers(network) | {"weight": float(weight), "training": _training(network)}
        for network, weight in zip(ensemble.networks, ensemble.weights, strict=True)
    ]
    described = {"networks": networks, "parameters": ensemble.n_parameters, "dtype": ensemble.dtype.name}
    return described | _columns(ensemble)


def _layers(network: Model) -> dict[str, Any]:
    return {
        "layer_sizes": list(network.layer_sizes),
        "activations": list(network.activations),
        "output_activation": network.output_activation,
        "loss": network.loss,
        "l2": network.l2,
        "parameters": network.n_parameters,
        "dtype": network.dtype.name,
        "seed": network.seed,
    }


def _columns(network: Network | Ensemble) -> dict[str, Any]:
    """Return the labels, and the columns that the first encoder reads."""
    described: dict[str, Any] = {"classes": None if network.classes is None else network.classes.tolist()}
    encoder = network._reader
    if encoder is not None:
        described |= {
            "target": encoder.target if isinstance(encoder.target, str) else list(encoder.target_names),
            "task": encoder.task,
            "columns": list(encoder.input_names),
            "kinds": [_kind(column) for column in encoder.columns],
            "ignored": list(encoder.ignore),
            "inputs": encoder.feature_names,
        }
    return described


def _training(network: Model) -> dict[str, Any]:
    losses = column(network, "loss")
    return {
        "epochs": len(losses),
        "loss": float(losses[-1]) if len(losses) else None,
        "stop_reason": network.stop_reason,
    }


def run_info(model: str | None, as_json: bool) -> int:
    """Describe a model, or this installation."""
    if model is None:
        if as_json:
            raise ValueError("--json needs a MODEL")
        show_config()
        return 0
    network = load_model(model)
    size = Path(model).stat().st_size
    if isinstance(network, Ensemble):
        described = _describe_ensemble(network)
        lines = _ensemble_lines(described)
    else:
        described = describe_network(network) | {"training": _training(network)}
        lines = _lines(described)
    if as_json:
        write_output(None, to_json({"file": model, "bytes": size, **described}))
        return 0
    grid = Grid(box=box.SIMPLE, show_header=False)
    grid.add_column("")
    grid.add_column("", overflow="fold")
    grid.add_row("file", f"{shortened(model)}, {size:,} bytes")
    for name, value in lines.items():
        grid.add_row(name, value)
    console().print(grid)
    return 0


def _lines(described: dict[str, Any]) -> dict[str, str]:
    """Return the lines of the description for people, by their titles."""
    lines = {
        "layers": "-".join(map(str, described["layer_sizes"])),
        "activation": _activation(described),
        "output": shortened(described["output_activation"]),
        "loss": shortened(described["loss"]),
        "l2": f"{described['l2']:g}",
        "parameters": f"{described['parameters']:,} of {described['dtype']}",
    }
    if described["seed"] is not None:  # old model files have none
        lines["seed"] = str(described["seed"])
    lines |= _column_lines(described)
    return lines | ({"trained": _trained(described)} if described["training"]["epochs"] else {})


def _ensemble_lines(described: dict[str, Any]) -> dict[str, str]:
    """Return the lines on an ensemble: what it is, and one on each of the first networks."""
    networks = described["networks"]
    lines = {
        "ensemble": f"the weighted mean of {plural(len(networks), 'network')}",
        "parameters": f"{described['parameters']:,}",
        **_column_lines(described),
    }
    for i, network in enumerate(networks[:_LISTED]):
        layers = "-".join(map(str, network["layer_sizes"]))
        told = [layers, _activation(network), shortened(network["loss"]), network["dtype"]]
        if network["seed"] is not None:
            told.append(f"seed {network['seed']}")
        if network["training"]["epochs"]:
            told.append(_trained(network))
        lines[f"network {i}"] = f"weight {network['weight']:.4g}: {', '.join(told)}"
    more = len(networks) - _LISTED
    return lines | ({"": f"and {plural(more, 'more network')}"} if more > 0 else {})


def _trained(described: dict[str, Any]) -> str:
    training = described["training"]
    return f"{training['epochs']} epochs, last loss {training['loss']:.6g}"


def _activation(described: dict[str, Any]) -> str:
    hidden = described["activations"]
    return ", ".join(hidden if len(set(hidden)) > 1 else hidden[:1]) or "none (linear)"


def _column_lines(described: dict[str, Any]) -> dict[str, str]:
    lines = {}
    if described["classes"] is not None:
        lines["classes"] = _listing(described["classes"])
    if described.get("target") is not None:
        target = described["target"]
        names = [target] if isinstance(target, str) else target
        lines["target"] = f"{_listing(names)} ({described['task']})"
    if "columns" in described:
        columns = zip(described["columns"], described["kinds"], strict=True)
        lines["columns"] = _listing([f"{shortened(name, 40)} ({kind})" for name, kind in columns], 80)
        lines["inputs"] = _listing(described["inputs"])
    if described.get("ignored"):
        lines["ignored"] = _listing(described["ignored"])
    return lines


def _kind(column: Any) -> str:
    """Return what a column holds: "number", "date", "boolean", or "text, 12 categories"."""
    categories = getattr(column, "categories", None)
    return (
        str(column.kind)
        if categories is None
        else f"text, {plural(len(categories), 'category', 'categories')}"
    )


def _listing(values: list[Any], most: int = 40) -> str:
    names = [shortened(value, most) for value in values]
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
