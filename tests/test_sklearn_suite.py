"""scikit-learn's own tests of its MLP, run with our classes in place of theirs.

The installed file is read and executed here, with its import exchanged; nothing of it is kept in this
repository.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import sklearn

pytestmark = [pytest.mark.filterwarnings("default")]

PRIVATE = {
    "test_gradient": "calls _loss_grad_lbfgs, a private method that takes scikit-learn's own buffers; our "
    "gradients are checked in test_gradients.py",
}

SOURCE = Path(sklearn.__file__).parent / "neural_network" / "tests" / "test_mlp.py"
THEIRS = "from sklearn.neural_network import MLPClassifier, MLPRegressor"
OURS = "from fastmlp import MLPClassifier, MLPRegressor"


def run_their_file() -> dict[str, object]:
    source = SOURCE.read_text(encoding="utf-8")
    assert source.count(THEIRS) == 1
    names: dict[str, object] = {"__name__": __name__, "__file__": str(SOURCE)}
    exec(compile(source.replace(THEIRS, OURS), SOURCE, "exec"), names)
    return names


names = run_their_file()
globals().update(
    {name: test for name, test in names.items() if name.startswith("test") and name not in PRIVATE}
)


@pytest.fixture
def global_random_seed() -> int:
    return 42


def test_every_test_of_theirs_is_run_or_named() -> None:
    theirs = {name for name in names if name.startswith("test")}
    assert set(PRIVATE) <= theirs
    assert len(theirs) >= 35
