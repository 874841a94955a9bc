"""The command `fastmlp evaluate`."""

from __future__ import annotations

import io

from fastmlp._cli.files import STREAM, check_output, load_model, load_rows, write_output
from fastmlp._cli.show import console, show_metrics, to_json
from fastmlp._inspect.evaluation import evaluate


def run_evaluate(model: str, data: str, target: str | None, output: str | None, as_json: bool) -> int:
    """Compare a model's predictions with the truth."""
    check_output("--output", output, (model, data), begins=('{"model"', "accuracy ", "R2 ", "coverage "))
    network = load_model(model)
    metrics = evaluate(network, load_rows(network, data), target).metrics
    if as_json:
        write_output(output, to_json({"model": model, "data": data, **metrics.to_dict()}))
    elif output is None or output == STREAM:
        show_metrics(console(), metrics, per_class=True)
    else:
        text = io.StringIO()
        show_metrics(console(text), metrics, per_class=True)
        write_output(output, text.getvalue())
    return 0
