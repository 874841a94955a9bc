"""Train the 4-6-3 ReLU network of a published run on iris and print its table beside ours.

The published run took its first weights and its 75 training rows from R, so both are read from a file.
Exits with 1 if any of the 60 rows differs in any of the 7 digits printed.
"""

import json
import sys
from pathlib import Path

import numpy as np

import fastmlp
from fastmlp import datasets

PUBLISHED = Path(__file__).parent.parent / "tests" / "data" / "iris_published_run.json"


def main() -> int:
    run = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    iris = datasets.load_iris()
    train_rows = np.array(run["train_rows"])
    test_rows = np.setdiff1d(np.arange(150), train_rows)
    W1, W2 = np.array(run["W1"]), np.array(run["W2"])

    network = fastmlp.train(
        iris.data[train_rows],
        iris.target[train_rows],
        hidden=(6,),
        activation="relu",
        init=[(W1, np.zeros(6)), (W2, np.zeros(3))],
        optimizer="sgd",
        learning_rate=0.01,
        l2=0.001,
        batch_size=None,
        epochs=3000,
        dtype="float64",
        validation=(iris.data[test_rows], iris.target[test_rows]),
        restore_best=False,
    )

    # As in the history, the published loss is from before a step's update, the accuracy from after it.
    losses = network.history["loss"]
    accuracies = network.history["validation_accuracy"]
    different = 0
    print("           published               fastmlp")
    print(" step      loss   accuracy       loss   accuracy")
    for step, loss, accuracy in run["table"]:
        ours = f"{losses[step - 1]:.7g}", f"{accuracies[step - 1]:.7g}"
        mark = "" if ours == (loss, accuracy) else "  differs"
        different += bool(mark)
        print(f"{step:5}  {loss:>9}  {accuracy:>9}  {ours[0]:>9}  {ours[1]:>9}{mark}")

    right = network.predict(iris.data[test_rows]) == iris.target[test_rows]
    equal, rows = len(run["table"]) - different, len(run["table"])
    print(f"\ntest accuracy {right.mean():.6f}; {equal} of {rows} rows equal")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
