"""The command line: what it prints, saves and predicts."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import fastmlp
from fastmlp.data import TableEncoder, read_csv

if TYPE_CHECKING:
    from cli_tools import Run

pytest_plugins = ["cli_tools"]

# The folder of larger data sets lies beside the repository, or where FASTMLP_DATA says.
DATA = Path(os.environ.get("FASTMLP_DATA", Path(__file__).parents[2] / "shared" / "data"))
HOUSING = DATA / "housing.csv.gz"

COMMANDS = ("train", "cv", "search", "predict", "evaluate", "export", "report", "info", "bench")


def write_homes(path: Path, n: int = 400) -> None:
    """Write a table like the California housing data: numbers, gaps, a category, a price in units of 1e5."""
    rng = np.random.default_rng(1)
    rooms, income = rng.uniform(1, 9, n).round(1), rng.uniform(1, 10, n).round(2)
    place = rng.choice(["INLAND", "NEAR BAY", "<1H OCEAN"], n)
    price = 3e4 * income + 1e4 * rooms + 5e4 * (place == "NEAR BAY")
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["rooms", "income", "price", "place"])
        for i in range(n):
            writer.writerow(["" if i % 10 == 3 else rooms[i], income[i], f"{price[i]:.1f}", place[i]])


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# ------------------------------------------------------------------------------------------------------ train


def test_train_iris_prints_epochs_accuracy_and_confusion_matrix(run: Run) -> None:
    status, out, err = run("train", "iris", "--hidden", "6")
    assert (status, err) == (0, "")
    assert "iris: 150 rows, 4 other columns" in out
    assert "target: species, labels of 3 classes (classification)" in out
    assert "4 numbers: sepal_length, sepal_width, petal_length, petal_width" in out
    assert "rows: 90 to train on, 21 to validate on, 39 to test on (seed 0)" in out
    assert "  always 'setosa': accuracy 0.333, log loss 1.0" in out
    assert "\nverdict: sound: log loss " in out
    assert "network: 4-6-3, 51 parameters, loss softmax_cross_entropy" in out
    words = [line.split() for line in out.split("validation accuracy")[1].split("trained ")[0].splitlines()]
    epochs = [int(row[0]) for row in words if row and row[0].isdigit()]
    assert epochs == [1, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500]
    accuracy = float(out.split("test accuracy ")[1].split()[0])
    assert accuracy >= 0.9
    matrix = out.split("rows: true class, columns: predicted")[1].splitlines()
    counts = np.array(
        [line.split()[1:] for line in matrix if line.split()[1:2] and line.split()[1].isdigit()], int
    )
    assert counts.shape == (3, 3)
    assert counts.sum(axis=1).tolist() == [13, 13, 13]
    assert np.trace(counts) / 39 == pytest.approx(accuracy, abs=1e-4)


def test_the_same_seed_prints_the_same_table_and_another_seed_another(run: Run) -> None:
    def table(seed: int) -> str:
        status, out, _ = run("train", "iris", "--epochs", "5", "--seed", seed)
        assert status == 0
        return "\n".join(line for line in out.splitlines() if not line.startswith("trained"))

    assert table(3) == table(3)
    assert table(3) != table(4)


def test_a_table_with_gaps_and_categories_is_learned_saved_and_predicted_raw(
    run: Run, tmp_path: Path
) -> None:
    homes, model = tmp_path / "homes.csv.gz", tmp_path / "m.safetensors"
    write_homes(homes)
    status, out, err = run(
        "train", homes, "--target", "price", "--hidden", "16", "--learning-rate", "0.01",
        "--validation", "0.2", "--test", "0.25", "--save", model,
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert "target: price, numbers (regression)" in out
    assert "rows: 240 to train on, 60 to validate on, 100 to test on (seed 0)" in out
    assert "validation R2" in out
    assert "kept the weights of epoch" in out
    assert float(out.split("test R2 ")[1].split(",")[0]) > 0.95
    assert float(out.split("RMSE ")[1].split(",")[0]) < 25_000  # in the units of the price
    assert f"saved to {model}" in out

    network = fastmlp.load(model)
    assert isinstance(network.encoder, TableEncoder)
    table = read_csv(homes)
    expected = network.encoder.inverse_target(
        network.predict(network.encoder.transform(table, network.dtype))
    )
    status, out, err = run("predict", model, homes)
    assert (status, err) == (0, "")
    predicted = np.array([row["prediction"] for row in rows_of(out)], dtype=np.float32)
    np.testing.assert_array_equal(predicted, expected.astype(np.float32))

    # The columns in another order, without the target, and a category that training did not have.
    (tmp_path / "new.csv").write_text("place;income;rooms\nNEAR BAY;5,5;\nMOON;5;5\n", encoding="utf-8")
    status, out, err = run("predict", model, "new.csv", "--output", "new-predicted.csv")
    assert (status, out, err) == (0, "", "")
    values = [
        float(row["prediction"]) for row in rows_of(Path("new-predicted.csv").read_text(encoding="utf-8"))
    ]
    assert values[0] == pytest.approx(3e4 * 5.5 + 1e4 * 5 + 5e4, rel=0.15)
    assert len(values) == 2


def test_the_encoder_sees_the_training_rows_alone(run: Run, tmp_path: Path) -> None:
    from fastmlp.data import holdout

    write_homes(tmp_path / "homes.csv.gz")
    table = read_csv(tmp_path / "homes.csv.gz")
    run("train", "homes.csv.gz", "--target", "price", "--epochs", "1", "--validation", "0.2",
        "--test", "0.25", "--seed", "5", "--save", "m.safetensors")  # fmt: skip
    rest, _ = holdout(400, 0.25, 5)
    kept, _ = holdout(len(rest), 0.2, 5, substream=1)
    expected = TableEncoder("price", task="regression").fit(table.take(rest[kept]))  # which it says
    encoder = fastmlp.load("m.safetensors").encoder
    assert encoder is not None
    assert encoder.to_dict() == expected.to_dict()


@pytest.mark.skipif(not HOUSING.exists(), reason=f"needs {HOUSING.name} in FASTMLP_DATA or ../shared/data")
def test_california_housing_is_learned(run: Run) -> None:
    status, out, err = run(
        "train", HOUSING, "--target", "median_house_value", "--epochs", "30", "--save", "h.st"
    )
    assert status == 0
    assert all(line.startswith("epoch ") for line in err.splitlines())  # where it takes over five seconds
    assert "20640 rows, 9 other columns" in out
    assert float(out.split("test R2 ")[1].split(",")[0]) > 0.7
    status, out, _ = run("predict", "h.st", HOUSING)
    assert status == 0
    assert len(rows_of(out)) == 20640


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ("yes no", (), "labels of 2 classes"),
        ("1 2 3", (), "labels of 3 classes"),
        ("1 2 3", ("--loss", "squared_error"), "numbers (regression)"),
        ("1 2 3", ("--loss", "poisson"), "numbers (regression)"),
        ("1.5 2.5", (), "numbers (regression)"),
        ("1.0 2.0", ("--loss", "hinge"), "labels of 2 classes"),
        ("0 1", ("--loss", "binary_cross_entropy"), "labels of 2 classes"),
        (" ".join(map(str, range(30))), (), "numbers (regression)"),
        (" ".join(map(str, range(30))), ("--loss", "softmax_cross_entropy"), "labels of 30 classes"),
    ],
)
def test_what_the_target_is_taken_for(run: Run, values: str, options: tuple[str, ...], said: str) -> None:
    cells = values.split() * (60 // len(values.split()))
    Path("t.csv").write_text(
        "x,y\n" + "".join(f"{i % 7},{v}\n" for i, v in enumerate(cells)), encoding="utf-8"
    )
    status, out, err = run("train", "t.csv", "--target", "y", "--epochs", "2", *options)
    assert (status, err) == (0, "")
    assert said in out


def test_counts_keep_their_units_for_poisson(run: Run) -> None:
    Path("t.csv").write_text("x,y\n" + "".join(f"{i % 7},{i % 7}\n" for i in range(70)), encoding="utf-8")
    status, _, _ = run("train", "t.csv", "--target", "y", "--loss", "poisson", "--epochs", "2", "--save", "m")
    assert status == 0
    encoder = fastmlp.load("m").encoder
    assert encoder is not None
    assert encoder.inverse_target([3.0]).tolist() == [3.0]


@pytest.mark.parametrize(
    "options",
    [
        ("--hidden", "none"),
        ("--hidden", "8,4", "--activation", "tanh,relu"),
        ("--activation", "gelu", "--optimizer", "sgd", "--learning-rate", "0.1"),
        ("--batch-size", "full", "--dtype", "float64"),
        ("--batch-size", "16", "--no-shuffle", "--l2", "0.001"),
        ("--dropout", "0.2", "--clip-norm", "1"),
        ("--validation", "0.2", "--patience", "2", "--min-delta", "0.01", "--no-restore-best"),
        ("--class-weight", "balanced", "--init", "glorot_normal", "--threads", "1"),
        ("--loss-target", "100"),
        ("--max-time", "0.001"),
        ("--loss", "hinge"),
        ("--loss", "binary_cross_entropy", "--test", "0"),
        ("--loss", "softmax_cross_entropy", "--output-activation", "auto"),
        ("--ignore", "x1,x2"),
    ],
)
def test_the_options_of_train_are_understood(run: Run, options: tuple[str, ...]) -> None:
    rows = "".join(f"{i % 7},{i % 3},{i % 5},{'ab'[i % 2]}\n" for i in range(60))
    Path("t.csv").write_text("x0,x1,x2,y\n" + rows, encoding="utf-8")
    status, out, err = run("train", "t.csv", "--target", "y", "--epochs", "5", *options)
    assert (status, err) == (0, "")
    assert "trained" in out


def test_many_classes_are_summed_up_as_confusions(run: Run) -> None:
    Path("t.csv").write_text("x,y\n" + "".join(f"{i % 7},c{i % 15}\n" for i in range(150)), encoding="utf-8")
    status, out, _ = run("train", "t.csv", "--target", "y", "--epochs", "1")
    assert status == 0
    assert "15 classes; the most frequent confusions:" in out


def test_names_from_the_data_are_printed_as_they_are_but_never_as_control_characters(run: Run) -> None:
    names = ["[bold]a[/bold]", "[/]", ":smile:", "\x1b[31mred"]
    rows = "".join(f"{i % 7},{names[i % 4]}\n" for i in range(80))
    Path("t.csv").write_text("[x],y\n" + rows, encoding="utf-8")
    status, out, _ = run("train", "t.csv", "--target", "y", "--epochs", "1")
    assert status == 0
    for name in ("[bold]a[/bold]", "[/]", ":smile:", r"\x1b[31mred"):
        assert name in out
    assert "\x1b" not in out


# ------------------------------------------------------------------------------------------- predict and info


def test_predict_gives_labels_and_probabilities_in_the_order_of_the_rows(run: Run, model: Path) -> None:
    status, out, err = run("predict", model, "iris", "--proba")
    assert (status, err) == (0, "")
    rows = rows_of(out)
    names = ["setosa", "versicolor", "virginica"]
    assert list(rows[0]) == ["prediction", *(f"probability_{name}" for name in names)]
    probabilities = np.array([[float(row[f"probability_{name}"]) for name in names] for row in rows])
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert [row["prediction"] for row in rows] == [names[i] for i in probabilities.argmax(axis=1)]


def test_predict_replaces_an_older_output_whole_and_leaves_nothing_else(run: Run, model: Path) -> None:
    Path("out.csv").write_text("prediction\nold\n", encoding="utf-8")
    before = sorted(Path().iterdir())
    assert run("predict", model, "iris", "--output", "out.csv") == (0, "", "")
    assert sorted(Path().iterdir()) == before
    assert len(rows_of(Path("out.csv").read_text(encoding="utf-8"))) == 150


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_another_file_is_never_an_output(run: Run, model: Path, command: str) -> None:
    Path("data.txt").write_text("years,of,work\n", encoding="utf-8")
    status, out, err = run(command, model, "iris", "--output", "data.txt")
    assert (status, out) == (2, "")
    assert err == (
        "fastmlp: error: --output: data.txt: is there already and was not written by this command; "
        "it is left as it is\n"
    )
    assert Path("data.txt").read_text(encoding="utf-8") == "years,of,work\n"


def test_a_checkpoint_takes_the_raw_file_like_the_model(run: Run) -> None:
    write_homes(Path("homes.csv.gz"))
    command = ("train", "homes.csv.gz", "--target", "price", "--epochs", "4", "--validation", "0",
               "--save", "m.safetensors")  # fmt: skip
    assert run(*command, "--checkpoint", "run", "--keep", "1", "--quiet") == (0, "", "")
    _, of_model, _ = run("predict", "m.safetensors", "homes.csv.gz")
    _, of_checkpoint, _ = run("predict", "run/epoch-00000004.safetensors", "homes.csv.gz")
    assert of_checkpoint == of_model
    assert run(*command, "--checkpoint", "run", "--resume", "run", "--quiet") == (0, "", "")
    status, _, err = run(*command, "--resume", "run", "--scale", "robust")
    assert status == 2
    assert "fingerprint of the rows" in err


def test_houses_are_predicted_as_well_as_by_a_tuned_network(run: Run) -> None:
    if not HOUSING.exists():
        pytest.skip("the housing data is not in the folder of larger data sets")
    scores = []
    for seed in range(2):
        command = ("train", HOUSING, "--target", "median_house_value", "--validation", "0.2", "--seed", seed)
        status, out, _ = run(*command, "--epochs", "60", "--json")
        assert status == 0
        scores.append(json.loads(out)["metrics"]["r2"])
    assert np.mean(scores) >= 0.79


def test_mnist_images_are_told_apart(run: Run) -> None:
    images = DATA / "t10k-images-idx3-ubyte.gz"
    if not images.exists():
        pytest.skip("MNIST's images are not in the folder of larger data sets")
    status, out, _ = run(
        "train", images, "--validation", "0.2", "--split", "time", "--epochs", "20", "--json"
    )
    assert status == 0
    outcome = json.loads(out)
    assert outcome["rows"] == {"training": 8000, "validation": 2000, "test": 0}
    assert outcome["metrics"]["accuracy"] >= 0.965


def test_a_model_trained_on_arrays_takes_plain_columns_in_order(run: Run) -> None:
    X = np.linspace(-1, 1, 40).reshape(20, 2)
    network = fastmlp.train(X, X[:, 0], hidden=(4,), epochs=5, dtype="float64")
    network.save("plain.safetensors")
    Path("x.csv").write_text("a,b\n" + "".join(f"{a!r},{b!r}\n" for a, b in X.tolist()), encoding="utf-8")
    status, out, err = run("predict", "plain.safetensors", "x.csv")
    assert (status, err) == (0, "")
    np.testing.assert_array_equal([float(row["prediction"]) for row in rows_of(out)], network.predict(X))


def test_info_describes_a_model(run: Run, model: Path) -> None:
    status, out, err = run("info", model)
    assert (status, err) == (0, "")
    for text in ("4-6-3", "relu", "softmax", "51 of float32", "setosa, versicolor, virginica", "50 epochs",
                 "species (classification)", "petal_width (number)"):  # fmt: skip
        assert text in out


def test_info_without_a_model_describes_the_installation(run: Run) -> None:
    status, out, err = run("info")
    assert (status, err) == (0, "")
    assert out.strip()


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), *((command, "-h") for command in COMMANDS), ("train", "--help")]
)
def test_help_is_printed(run: Run, arguments: tuple[str, ...]) -> None:
    status, out, err = run(*arguments)
    assert (status, err) == (0, "")
    assert "Usage: fastmlp" in out
