"""Products in bfloat16 against float32: the time of a step, in turns in one process, and the losses.

    python bench/bfloat16.py [--cases mnist,higgs,wide] [--threads 1,2] [--rounds 9]

Of each case and number of threads: the best times of the rounds, the ratio of these, the median of the
rounds' ratios, and the loss of the last epoch in float32 and in bfloat16. Epochs after the first one count.
"""

from __future__ import annotations

import argparse
from statistics import median

from cases import TRAIN, TrainCase

import fastmlp

EPOCHS = 3


def step_and_loss(case: TrainCase, threads: int, compute: str | None) -> tuple[float, float]:
    """Return the microseconds of a step, and the last epoch's loss."""
    X, y = case.data()
    net = fastmlp.train(
        X, y, task="regression" if case.regression else "classification", encode=False,
        hidden=case.sizes[1:-1], activation=case.activation, batch_size=case.batch, epochs=EPOCHS,
        threads=threads, compute=compute,
    )  # fmt: skip
    seconds = net.history["seconds"]
    return (seconds[-1] - seconds[0]) / ((EPOCHS - 1) * case.steps) * 1e6, float(net.history["loss"][-1])


def main() -> None:
    """Run the cases that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", default="mnist,higgs,wide")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    print("case     threads     float32 us   bfloat16 us   best   median   losses")
    for name in options.cases.split(","):
        for threads in map(int, options.threads.split(",")):
            plain, rounded = [], []
            for turn in range(options.rounds):
                runs = [(plain, None), (rounded, "bfloat16")]
                for results, compute in runs if turn % 2 else runs[::-1]:
                    results.append(step_and_loss(TRAIN[name], threads, compute))
            times = [min(time for time, _ in results) for results in (plain, rounded)]
            best = times[0] / times[1]
            middle = median(p[0] / r[0] for p, r in zip(plain, rounded, strict=True))
            numbers = f"{times[0]:14,.0f} {times[1]:13,.0f} {best:6.2f} {middle:8.2f}"
            print(f"{name:8} {threads:7} {numbers}   {plain[0][1]:.5f} {rounded[0][1]:.5f}", flush=True)


if __name__ == "__main__":
    main()
