"""fastmlp's estimators for tables beside boosted trees, scikit-learn's MLP and RealMLP-TD-S.

    pip install '.[bench-tables]'
    python bench/tables.py [--tables NAME,..] [--models NAME,..] [--splits 3] [--folder DIR] --results FILE
    python bench/tables.py --results FILE --show [--half judge]

Each model learns from three quarters of the rows of a table and is tested on the others; the splits have the
seeds 0, 1, .. All have their defaults and two threads; seconds are those of `fit`. Results go to the file as
they come, and what is there is not measured again: so a long run can be stopped and go on. The defaults of
fastmlp were chosen on the tables of the half "choose" alone; "judge" is what they are judged on.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections import defaultdict
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
from machine import describe
from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error
from table_peers import CONTENDERS, installed
from table_sets import FOLDER, HALVES, SETS, Rows, split

Result = dict[str, Any]
SCORE = {"regression": "r2", "classification": "log_loss"}  # by which models are ranked
BETTER = {"r2": 1, "log_loss": -1}


def measure(name: str, rows: Rows, model: str, seed: int) -> Result:
    """Fit a model to three quarters of a table, and return its scores on the rest."""
    task, contender = SETS[name].task, CONTENDERS[model]
    learned, tested = split(rows, task, seed)
    X = contender.prepare(rows.X, rows.categories)
    estimator = contender.make(task, rows.categories, seed)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X.iloc[learned], rows.y[learned])
        seconds = time.perf_counter() - start
        if task == "regression":
            scores = scores_of_values(rows.y[tested], estimator.predict(X.iloc[tested]))
        else:
            scores = scores_of_labels(
                rows.y[tested], estimator.predict_proba(X.iloc[tested]), estimator.classes_
            )
    return {"table": name, "model": model, "split": seed, "rows": len(learned), "seconds": seconds} | scores


def scores_of_values(y: Any, predicted: Any) -> dict[str, float]:
    """Return R2 and the root of the mean squared error."""
    predicted = np.asarray(predicted, float).reshape(-1)
    return {"r2": r2_score(y, predicted), "rmse": root_mean_squared_error(y, predicted)}


def scores_of_labels(y: Any, probabilities: Any, classes: Any) -> dict[str, float]:
    """Return accuracy and log loss, in which no probability is below 1e-7."""
    p = np.clip(np.asarray(probabilities, float), 1e-7, 1)
    labels = np.asarray(classes).astype(str)
    return {
        "accuracy": accuracy_score(y.astype(str), labels[p.argmax(axis=1)]),
        "log_loss": log_loss(y.astype(str), p / p.sum(axis=1, keepdims=True), labels=list(labels)),
    }


def run(options: argparse.Namespace) -> None:
    """Measure what the file does not have yet."""
    done = read(options.results)
    have = {(r["table"], r["model"], r["split"]) for r in done}
    for name in options.tables:
        rows = SETS[name].load(options.folder)
        for seed in range(options.splits):
            for model in options.models:
                if (name, model, seed) in have:
                    continue
                result = measure(name, rows, model, seed)
                with options.results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(result) + "\n")
                score = SCORE[SETS[name].task]
                print(
                    f"{name} {seed} {model}: {score} {result[score]:.4f}, {result['seconds']:.1f} s",
                    flush=True,
                )


def read(path: Path) -> list[Result]:
    """Return the results of a file, none if there is no such file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def averages(results: list[Result]) -> dict[str, dict[str, dict[str, float]]]:
    """Return the mean of each score over the splits, and the median of the seconds, by table and model."""
    groups: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        groups[result["table"], result["model"]].append(result)
    by_table: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for (table, model), group in groups.items():
        scores = {
            s: mean(r[s] for r in group) for s in ("r2", "rmse", "accuracy", "log_loss") if s in group[0]
        }
        by_table[table][model] = scores | {"seconds": median(r["seconds"] for r in group)}
    return by_table


def ranks(scores: dict[str, float], better: int) -> dict[str, float]:
    """Return the place of each model by its score, 1 for the best; equal scores share the mean of theirs."""
    return {
        model: 1
        + sum(better * other > better * score for other in scores.values())
        + (sum(other == score for other in scores.values()) - 1) / 2
        for model, score in scores.items()
    }


def show(results: list[Result], half: str | None, models: list[str]) -> None:
    """Print a table of scores, and below it ranks, wins and times."""
    found = {t: s for t, s in averages(results).items() if half in (None, SETS[t].half)}
    models = [m for m in models if any(m in by_model for by_model in found.values())]
    print("| table (rows) | " + " | ".join(models) + " |\n|---" * 1 + "|---" * len(models) + "|")
    places: dict[str, list[float]] = defaultdict(list)
    for name in (n for n in SETS if n in found):
        score = SCORE[SETS[name].task]
        scores = {m: found[name][m][score] for m in models if m in found[name]}
        best = max(scores.values(), key=lambda s: BETTER[score] * s)
        if len(scores) == len(models):
            for model, place in ranks(scores, BETTER[score]).items():
                places[model].append(place)
        cells = [f"**{s:.3f}**" if s == best else f"{s:.3f}" for s in (scores.get(m, np.nan) for m in models)]
        rows = next(r["rows"] for r in results if r["table"] == name)
        print(f"| {name}, {score.replace('_', ' ')} ({rows:,}) | " + " | ".join(cells) + " |")
    print("| mean rank | " + " | ".join(f"{mean(places[m]):.2f}" if places[m] else "" for m in models) + " |")
    for peer in ("LightGBM", "CatBoost", "RealMLP-TD-S"):
        if peer in models:
            print(f"| wins against {peer} | " + " | ".join(wins(found, m, peer) for m in models) + " |")
    seconds = (median(f[m]["seconds"] for f in found.values() if m in f) for m in models)
    print("| median seconds of a fit | " + " | ".join(f"{s:.1f}" for s in seconds) + " |")


def wins(found: dict[str, dict[str, dict[str, float]]], model: str, peer: str) -> str:
    """Return on how many tables a model is better than a peer."""
    both = [(SCORE[SETS[t].task], f) for t, f in found.items() if model in f and peer in f]
    if model == peer or not both:
        return ""
    won = sum(BETTER[s] * f[model][s] > BETTER[s] * f[peer][s] for s, f in both)
    return f"{won} of {len(both)}"


def parse() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", default=",".join(SETS), help="names, or a half: " + ", ".join(HALVES))
    parser.add_argument("--models", default=",".join(CONTENDERS))
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of the files of tables")
    parser.add_argument("--results", type=Path, required=True, help="a file of JSON lines")
    parser.add_argument("--show", action="store_true", help="print what the file has, and measure nothing")
    parser.add_argument("--half", choices=HALVES, help="show the tables of this half alone")
    options = parser.parse_args()
    options.tables = [
        n for n in SETS if n in options.tables.split(",") or SETS[n].half in options.tables.split(",")
    ]
    options.models = options.models.split(",")
    if unknown := set(options.models) - set(CONTENDERS):
        parser.error(f"unknown models: {', '.join(sorted(unknown))}; known: {', '.join(CONTENDERS)}")
    if missing := set(options.models) - set(installed()):
        parser.error(f"not installed: {', '.join(sorted(missing))}; pip install 'fastmlp[bench-tables]'")
    return options


def main() -> None:
    """Measure, or show."""
    options = parse()
    if not options.show:
        describe(["fastmlp"], None, "float32")
        run(options)
    show(read(options.results), options.half, options.models)


if __name__ == "__main__":
    main()
