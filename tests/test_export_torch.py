"""to_torch computes what the network does; from_torch refuses by name what a network cannot have."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import fastmlp
from export_tools import (
    DTYPES,
    HIDDEN,
    OUTPUTS,
    PARTS,
    EmbeddedNetwork,
    assert_rows_close,
    network,
    network_of_parts,
    rows,
    rows_of_parts,
)
from fastmlp.export import from_torch, to_torch

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn

RTOL = {"float32": 1e-6, "float64": 1e-13}
EVERY = [*[(name, "squared_error", "identity") for name in HIDDEN], *[("relu", *pair) for pair in OUTPUTS]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("activation", "loss", "output"), EVERY)
def test_modules_compute_what_the_network_does_and_come_back(
    activation: str, loss: str, output: str, dtype: str
) -> None:
    net = network((3, 4, 5, 2), activation, loss, output, dtype)
    module = to_torch(net)
    X = rows(50, 3, dtype)
    assert_rows_close(module(torch.tensor(X)).detach().numpy(), net.forward(X), RTOL[dtype])
    back = from_torch(module, loss=loss)
    np.testing.assert_array_equal(back.forward(X), net.forward(X))
    assert (back.activations, back.output_activation, back.loss) == (net.activations, output, net.loss)


def test_weights_are_copies_and_can_be_trained() -> None:
    net = network()
    module = to_torch(net)
    before = net.parameters.copy()
    with torch.no_grad():
        for parameter in module.parameters():
            assert parameter.requires_grad
            parameter += 1
    np.testing.assert_array_equal(net.parameters, before)
    back = from_torch(module)
    np.testing.assert_allclose(back.parameters, before + 1)
    back.parameters[:] = 0
    assert module[0].weight.abs().sum() > 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_codes_of_embeddings_are_looked_up(dtype: str) -> None:
    net = EmbeddedNetwork(np.dtype(dtype))
    module = to_torch(net)  # type: ignore[arg-type]
    twin = pickle.loads(pickle.dumps(module))
    for made in (module, twin):
        got = made(torch.tensor(net.rows())).detach().numpy()
        assert_rows_close(got, net.forward(net.rows()), RTOL[dtype])
    assert all(parameter.requires_grad for parameter in module.parameters())
    with pytest.raises(ValueError, match=r"module\[0\] is ColumnEmbeddings; accepted are"):
        from_torch(module)


PARAMETERS = {"w": "P{}.w", "b": "P{}.b", "V": "P{}.V", "c": "P{}.c", "s": "s", "alpha": "alpha{}"}


def gradients(module: Any) -> dict[str, np.ndarray]:
    """Return the gradients of a module's parameters by the names that the network's views have."""
    found: dict[str, np.ndarray] = {}
    for path, parameter in module.named_parameters():
        name, gradient = path.rpartition(".")[2], parameter.grad.numpy()
        if isinstance(module.get_submodule(path.rpartition(".")[0]), nn.Linear):
            gradient, form = gradient.T, "W{}" if name == "weight" else "b{}"
        else:
            form = PARAMETERS.get(name, "E{}")
        free = (form.format(i) for i in range(len(found) + 1))
        found[next(name for name in free if name not in found)] = gradient
    return found


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("parts", PARTS)
def test_other_parts_are_modules_with_the_cores_gradients(parts: str, dtype: str) -> None:
    net, X = network_of_parts(PARTS[parts], dtype), rows_of_parts(60, dtype)
    module, y = to_torch(net), rows(60, 2, dtype)
    output = pickle.loads(pickle.dumps(module))(torch.tensor(X))
    rtol = {"float32": 1e-5, "float64": 1e-13}[dtype]
    assert_rows_close(output.detach().numpy(), net.forward(X), rtol)
    loss = ((module(torch.tensor(X)) - torch.tensor(y)) ** 2).sum() / (2 * len(X))
    loss.backward()
    expected = net._views(net.loss_and_gradient(X, y)[1]).named()
    got = gradients(module)
    assert got.keys() == expected.keys()
    for name, gradient in expected.items():
        largest = max(1, np.abs(gradient).max())
        np.testing.assert_allclose(got[name], gradient, rtol=0, atol=10 * rtol * largest, err_msg=name)
    with pytest.raises(ValueError, match=r"is (InputColumns|InputScale|Parametric|ColumnEmbeddings); accept"):
        from_torch(module)


def test_waves_of_many_turns_keep_their_digits() -> None:
    net = fastmlp.Network((1, 3), loss="squared_error", periodic=[(0, 4, 3)], seed=1)
    X = np.linspace(-1e4, 1e4, 1001, dtype=np.float32)[:, None]
    net.weights[0] = np.diag([0, 1, 1])
    net.periodic_parameters[0][0][...] = [1, 0.5, 2, -4]
    assert_rows_close(to_torch(net)(torch.tensor(X)).detach().numpy(), net.forward(X), 1e-6)


def test_nested_modules_dropout_and_missing_biases() -> None:
    block = nn.Sequential(nn.Linear(4, 4, bias=False), nn.GELU(), nn.Dropout(0.5))
    module = nn.Sequential(
        nn.Flatten(), block, nn.Sequential(nn.Linear(4, 3), nn.Identity()), nn.Linear(3, 2)
    )
    net = from_torch(module)
    assert (net.layer_sizes, net.activations) == ((4, 4, 3, 2), ("gelu", "identity"))
    assert not net.biases[0].any()
    X = rows(20, 4)
    assert_rows_close(net.forward(X), module.eval()(torch.tensor(X)).detach().numpy(), 1e-6)


@pytest.mark.parametrize(
    ("last", "loss"),
    [
        (nn.Softmax(-1), "softmax_cross_entropy"),
        (nn.Softmax(1), "softmax_cross_entropy"),
        (nn.Sigmoid(), "binary_cross_entropy"),
        (nn.Tanh(), "squared_error"),
        (nn.Identity(), "squared_error"),
    ],
)
def test_the_last_module_tells_the_loss(last: Any, loss: str) -> None:
    assert from_torch(nn.Sequential(nn.Linear(3, 2), last)).loss == loss


def test_a_named_loss_adds_its_activation_to_logits() -> None:
    logits = nn.Sequential(nn.Linear(3, 2))
    net = from_torch(logits, loss="softmax_cross_entropy")
    X = rows(20, 3)
    assert_rows_close(net.predict_proba(X), logits(torch.tensor(X)).softmax(1).detach().numpy(), 1e-6)
    assert from_torch(logits, loss="poisson").output_activation == "exp"


LINEAR = nn.Linear(3, 2)
REFUSED: dict[str, tuple[list[Any], str]] = {
    "a slope": ([LINEAR, nn.LeakyReLU(0.2)], r"module\[1\]: the negative_slope of LeakyReLU must be 0.01"),
    "an alpha": ([LINEAR, nn.ELU(2)], r"module\[1\]: the alpha of ELU must be 1.0"),
    "another gelu": ([LINEAR, nn.GELU("tanh")], r"module\[1\]: the approximate of GELU must be 'none'"),
    "a beta": ([LINEAR, nn.Softplus(2)], r"module\[1\]: the beta of Softplus must be 1.0"),
    "a threshold": (
        [LINEAR, nn.Softplus(1, 3)],
        r"module\[1\]: the threshold of Softplus must be 40.0 or 20.0",
    ),
    "softmax over rows": ([LINEAR, nn.Softmax(0)], r"module\[1\]: the dim of Softmax must be 1 or -1"),
    "log_softmax": ([LINEAR, nn.LogSoftmax(1)], r"module\[1\] is LogSoftmax; accepted are"),
    "an inner norm": ([nn.Sequential(LINEAR, nn.BatchNorm1d(2))], r"module\[0\]\[1\] is BatchNorm1d"),
    "two activations": ([LINEAR, nn.ReLU(), nn.Tanh()], r"module\[2\] \(Tanh\): .*only one may"),
    "an activation first": ([nn.ReLU(), LINEAR], r"module\[0\] \(ReLU\): .*must follow a dense layer"),
    "a hidden softmax": ([LINEAR, nn.Softmax(1), nn.Linear(2, 2)], r"activation\[0\] must be one of"),
    "half precision": ([nn.Linear(3, 2).bfloat16()], r"module\[0\]: weights must be float32 or float64"),
    "two precisions": ([LINEAR, nn.Linear(2, 2).double()], r"module\[1\]: weights are float64"),
    "other widths": ([LINEAR, LINEAR], r"module\[1\]: takes 3 values a row, got 2"),
    "nothing": ([], "there is no dense layer"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_modules_are_refused_by_name(name: str) -> None:
    modules, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        from_torch(nn.Sequential(*modules))


def test_softplus_keeps_its_digits_where_pytorch_would_cut_them() -> None:
    net = network((1, 1), loss="squared_error", output_activation="softplus", dtype="float64")
    net.parameters[:] = [1, 0]
    z = np.linspace(-40, 50, 200)[:, None]
    np.testing.assert_allclose(to_torch(net)(torch.tensor(z)).detach().numpy(), net.forward(z), rtol=1e-14)


def test_wrong_arguments() -> None:
    with pytest.raises(TypeError, match=r"module must be a torch\.nn\.Sequential, got Linear"):
        from_torch(nn.Linear(3, 2))
    with pytest.raises(ValueError, match="loss must be one of"):
        from_torch(nn.Sequential(nn.Linear(3, 2)), loss="mse")
    broken = nn.Sequential(nn.Linear(3, 2))
    with torch.no_grad():
        broken[0].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"init\[0\] W has nan"):
        from_torch(broken)


def test_the_result_is_an_ordinary_network() -> None:
    net = from_torch(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), loss="softmax_cross_entropy")
    iris = fastmlp.datasets.load_iris()
    assert fastmlp.train(iris.data, iris.target, hidden=(5,), init=net, epochs=2).layer_sizes == (4, 5, 3)
