"""C headers compile without a warning as C99 and as C++, and compute what the network does.

How close: 1e-5 (float) or 1e-13 (double) of the largest number of the row, or of 1 if that is more.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest

import fastmlp
from export_tools import (
    DTYPES,
    HIDDEN,
    HOSTILE_COLUMNS,
    NAN,
    OPTIONS,
    OUTPUTS,
    EmbeddedNetwork,
    as_numbers,
    assert_rows_close,
    homes,
    network,
    network_of_homes,
    new_homes,
    rows,
)
from fastmlp.data import Table, TableEncoder
from fastmlp.export import to_c

COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
RTOL = {"float32": 1e-5, "float64": 1e-13}
REAL = {"float32": "float", "float64": "double"}

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")


def run_c(folder: Path, main: str, given: bytes = b"", options: Sequence[str] = ()) -> bytes:
    """Compile a program, run it and return what it writes."""
    (folder / "main.c").write_text(main, encoding="ascii")
    program = folder / "main"
    command = [str(COMPILER), *STRICT, *options, folder / "main.c", "-o", program, "-lm"]
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    assert compiled.returncode == 0, compiled.stderr
    done = subprocess.run([program], input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def forward_of(networks: Sequence[Any], X: np.ndarray, options: Sequence[str] = ()) -> np.ndarray:
    """Return the outputs of networks of the same sizes, (networks, n, outputs), from one program."""
    inputs, outputs = networks[0].layer_sizes[0], networks[0].layer_sizes[-1]
    real = REAL[X.dtype.name]
    with TemporaryDirectory() as folder:
        for i, net in enumerate(networks):
            to_c(net, Path(folder) / f"m{i}.h", name=f"m{i}")
        includes = "\n".join(f'#include "m{i}.h"' for i in range(len(networks)))
        calls = "\n".join(f"m{i}_forward(x, out + {i * outputs});" for i in range(len(networks)))
        main = f"""
            #include <stdio.h>
            {includes}
            int main(void)
            {{
                {real} x[{inputs}], out[{len(networks) * outputs}];
                while (fread(x, sizeof x, 1, stdin) == 1) {{
                    {calls}
                    fwrite(out, sizeof out, 1, stdout);
                }}
                return 0;
            }}
        """
        result = np.frombuffer(run_c(Path(folder), main, X.tobytes(), options), X.dtype)
    return result.reshape(len(X), len(networks), outputs).swapaxes(0, 1)


# ---------------------------------------------------------------------------------------------- the numbers


@cache
def hidden_case(dtype: str) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    networks = {name: network((4, 7, 5, 6, 3), name, dtype=dtype) for name in HIDDEN}
    X = rows(100, 4, dtype)
    return networks, X, forward_of(list(networks.values()), X)


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", HIDDEN)
def test_every_hidden_activation_agrees(activation: str, dtype: str) -> None:
    networks, X, results = hidden_case(dtype)
    assert_rows_close(results[list(networks).index(activation)], networks[activation].forward(X), RTOL[dtype])


@cache
def output_case(dtype: str) -> tuple[dict[tuple[str, str], Any], np.ndarray, np.ndarray]:
    networks = {(loss, output): network((4, 6, 3), "relu", loss, output, dtype) for loss, output in OUTPUTS}
    X = rows(100, 4, dtype)
    return networks, X, forward_of(list(networks.values()), X)


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("loss", "output"), OUTPUTS)
def test_every_loss_and_output_activation_agrees(loss: str, output: str, dtype: str) -> None:
    networks, X, results = output_case(dtype)
    at = list(networks).index((loss, output))
    assert_rows_close(results[at], networks[loss, output].forward(X), RTOL[dtype])


@needs_compiler
def test_large_values_and_sanitizers() -> None:
    networks = [network((4, 6, 3), name, "softmax_cross_entropy") for name in HIDDEN]
    X = np.array([[0, 0, 0, 0], [1e3, -1e3, 1e3, 1e3], [1e-40, 0, 1e-30, 3]], np.float32)
    sanitizers = ("-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all")
    for net, result in zip(networks, forward_of(networks, X, sanitizers), strict=True):
        assert np.isfinite(result).all()
        assert_rows_close(result, net.forward(X), 1e-5)


@needs_compiler
@pytest.mark.parametrize("sizes", [(4, 3), (4, 1, 9, 2, 3)])
def test_any_depth(sizes: tuple[int, ...]) -> None:
    net = network(sizes, dtype="float64")
    X = rows(20, 4, "float64")
    assert_rows_close(forward_of([net], X)[0], net.forward(X), 1e-13)


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_codes_of_embeddings_are_looked_up(dtype: str) -> None:
    net = EmbeddedNetwork(np.dtype(dtype))
    X = net.rows()
    X[:3, 1] = [-1, 3, NAN]  # no codes of the table: taken for 0
    expected = X.copy()
    expected[:3, 1] = 0
    got = forward_of([net], X, ("-fsanitize=undefined,address", "-fno-sanitize-recover=all"))[0]
    assert_rows_close(got, net.forward(expected), RTOL[dtype])


# ------------------------------------------------------------------------------------------------ predictions


def predict_of(net: fastmlp.Network, folder: Path, statements: str, X: np.ndarray) -> list[str]:
    """Return a line for each row, as the statements write it."""
    to_c(net, folder / "model.h")
    main = f"""
        #include <stdio.h>
        #include "model.h"
        int main(void)
        {{
            {REAL[X.dtype.name]} x[model_n_inputs];
            while (fread(x, sizeof x, 1, stdin) == 1) {{
                {statements}
            }}
            return 0;
        }}
    """
    return run_c(folder, main, X.tobytes()).decode().splitlines()


LABELS = [
    (["??=what??/", 'say "hi"\\', "ñandú\n*/ 漢"], "%s"),
    ([-(2**63), 0, 2**62], "%lld"),
    ([0.125, 1.5, 1e300], "%.17g"),
]


@needs_compiler
@pytest.mark.parametrize(("labels", "shown"), LABELS, ids=["texts", "integers", "floats"])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "hinge"])
def test_the_index_of_the_label_is_returned(labels: list[Any], shown: str, loss: str, tmp_path: Path) -> None:
    net = network((4, 6, 3), "tanh", loss)
    net.classes = np.array(labels)
    X = rows(60, 4)
    show = f'printf("%zu {shown};", model_predict(x), model_classes[model_predict(x)]);'
    text = "\n".join(predict_of(net, tmp_path, show, X))
    indices = net.forward(X).argmax(axis=1)
    assert set(indices) == {0, 1, 2}
    assert text == "".join(f"{i} {shown.replace('lld', 'd') % labels[i]};" for i in indices)


@needs_compiler
def test_two_classes_from_one_probability(tmp_path: Path) -> None:
    net = network((4, 6, 1), "tanh", "binary_cross_entropy")
    net.classes = np.array([False, True])
    X = rows(60, 4)
    got = predict_of(net, tmp_path, 'printf("%d\\n", model_classes[model_predict(x)]);', X)
    assert [bool(int(line)) for line in got] == net.predict(X).tolist()


@needs_compiler
def test_several_labels_at_once(tmp_path: Path) -> None:
    net = network((4, 6, 2), "tanh", "binary_cross_entropy")
    X = rows(60, 4)
    show = 'int labels[2]; model_predict(x, labels); printf("%d %d\\n", labels[0], labels[1]);'
    got = predict_of(net, tmp_path, show, X)
    assert [[int(label) for label in line.split()] for line in got] == net.predict(X).tolist()


@needs_compiler
def test_several_quantiles_come_sorted(tmp_path: Path) -> None:
    net = network((4, 6, 3), "tanh", "quantile(0.1, 0.5, 0.9)", dtype="float64")
    X = rows(60, 4, "float64")
    assert (np.diff(net.forward(X)) < 0).any()
    show = 'double v[3]; model_predict(x, v); printf("%.17g %.17g %.17g\\n", v[0], v[1], v[2]);'
    got = [[float(value) for value in line.split()] for line in predict_of(net, tmp_path, show, X)]
    np.testing.assert_allclose(got, net.predict(X), rtol=1e-12, atol=1e-13)


# ------------------------------------------------------------------------------------------------ the encoder


def predict_table(net: fastmlp.Network, table: Table, folder: Path) -> list[str]:
    """Return the lines of a program with the table's rows in it."""
    assert net.encoder is not None
    texts = net.encoder.text_columns
    numbers = [name for name in net.encoder.input_names if name not in texts]
    to_c(net, folder / "model.h")
    blocks = []
    for row in range(table.n_rows):
        given = [as_numbers(table[name])[row] for name in numbers]
        values = ", ".join("NAN" if np.isnan(value) else repr(float(value)) for value in given)
        strings = ", ".join("NULL" if table[name][row] is None else f'"{table[name][row]}"' for name in texts)
        show = "double v = model_classes[model_predict(n, t)][0] - 'a';"
        if net.classes is None:
            show = "double v; model_predict(n, t, &v);"
        blocks.append(
            f"{{ const double n[] = {{ {values} }}; const char *const t[] = {{ {strings or 'NULL'} }}; {show}"
            ' printf("%.17g\\n", (double)v); }'
        )
    body = "\n".join(blocks)
    main = f'#include <stdio.h>\n#include "model.h"\nint main(void)\n{{\n{body}\nreturn 0;\n}}\n'
    return run_c(folder, main).decode().splitlines()


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", ["price", "kind"])
def test_a_tables_row_goes_in_and_units_or_labels_come_out(target: str, dtype: str, tmp_path: Path) -> None:
    net = network_of_homes(target, dtype)
    assert net.encoder is not None
    got = [float(line) for line in predict_table(net, new_homes(), tmp_path)]
    predicted = net.predict(net.encoder.transform(new_homes(), dtype))
    if target == "kind":
        assert got == [float(label == "b") for label in predicted]
    else:
        np.testing.assert_allclose(got, net.encoder.inverse_target(predicted), rtol=RTOL[dtype])


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", OPTIONS)
def test_options_of_the_encoder_are_computed_too(options: str, dtype: str, tmp_path: Path) -> None:
    net = network_of_homes("price", dtype, **OPTIONS[options])
    for table in (new_homes(), homes()):
        got = [float(line) for line in predict_table(net, table, tmp_path)]
        np.testing.assert_allclose(got, net.predict(table), rtol=20 * RTOL[dtype])


@needs_compiler
@pytest.mark.parametrize("scale", ["clipped", "quantile"])
@pytest.mark.parametrize("values", HOSTILE_COLUMNS)
def test_hostile_columns_are_scaled_alike(scale: Any, values: list[float], tmp_path: Path) -> None:
    encoder = TableEncoder("y", scale=scale).fit(Table({"x": values, "y": np.arange(len(values)) + 0.5}))
    net = network((len(encoder.feature_names), 1), dtype="float64")
    net.encoder = encoder
    table = Table({"x": np.array([*values, np.nan, -1.7e308, -1, 0, 5e-324, 1, 1e300])})
    got = [float(line) for line in predict_table(net, table, tmp_path)]
    np.testing.assert_allclose(got, net.predict(table), rtol=1e-12, atol=1e-14)


@needs_compiler
@pytest.mark.parametrize(
    ("target", "loss", "outputs"),
    [(["price", "rooms"], "squared_error", 2), ("price", "quantile(0.1, 0.5, 0.9)", 3)],
    ids=["several targets", "several quantiles"],
)
def test_several_values_come_in_their_units(target: Any, loss: str, outputs: int, tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 20)
    table = Table({"x": x, "price": 1e9 + 2000 * x, "rooms": 3 - 2 * x})
    encoder = TableEncoder(target, ignore=[] if outputs == 2 else ["rooms"]).fit(table)
    net = network((1, 5, outputs), "tanh", loss)
    net.encoder = encoder
    to_c(net, tmp_path / "model.h")
    main = f"""
        #include <stdio.h>
        #include "model.h"
        int main(void)
        {{
            for (int i = -5; i <= 5; i++) {{
                const double numbers[] = {{ i / 4.0 }};
                double values[{outputs}];
                model_predict(numbers, NULL, values);
                for (int j = 0; j < {outputs}; j++)
                    printf("%.17g\\n", values[j]);
            }}
            return 0;
        }}
    """
    got = np.array([float(line) for line in run_c(tmp_path, main).split()]).reshape(11, outputs)
    expected = net.predict(Table({"x": np.arange(-5, 6) / 4}))
    for i in range(outputs):  # float32 at 1e9 has steps of 64
        scale = table["rooms" if outputs == 2 and i else "price"].std()
        np.testing.assert_allclose(got[:, i], expected[:, i], rtol=0, atol=1e-5 * scale)
    assert (np.diff(net.forward(np.array([[0.5], [1.0]], np.float32))) < 0).any()  # so that sorting matters


HOSTILE = [
    "*/ int evil;",
    "/* nested",
    "??/",
    "a\\",
    'b"',
    "line\nfeed",
    "käse",
    "%s",
    "$name",
    "${real}",
    "",
]


@needs_compiler
def test_hostile_names_and_categories_stay_text(tmp_path: Path) -> None:
    categories = np.array([*HOSTILE, "end"], dtype=object)
    columns: dict[str, Any] = {f"{name}!": np.arange(12.0) for name in HOSTILE}
    encoder = TableEncoder("y", min_count=1).fit(Table({**columns, "text": categories, "y": np.arange(12.0)}))
    net = network((len(encoder.feature_names), 1), dtype="float64")
    net.encoder = encoder
    to_c(net, tmp_path / "model.h")
    literals = ", ".join(
        '"' + "".join(f"\\{byte:03o}" for byte in text.encode()) + '"' for text in categories
    )
    main = f"""
        #include <stdio.h>
        #include "model.h"
        int main(void)
        {{
            const char *const texts[] = {{ {literals} }};
            const double numbers[{len(HOSTILE)}] = {{ 0 }};
            for (int i = 0; i < {len(categories)}; i++) {{
                double v;
                model_predict(numbers, texts + i, &v);
                printf("%.17g\\n", v);
            }}
            return 0;
        }}
    """
    got = [float(line) for line in run_c(tmp_path, main).split()]
    zeros = {name: np.zeros(12) for name in columns}
    X = encoder.transform(Table({**zeros, "text": categories}), "float64")
    np.testing.assert_allclose(got, encoder.inverse_target(net.predict(X)), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("correct?", "correct?"),
        ("a * b / c", "a * b / c"),
        ("*/ int evil; /*", "*\\u002f int evil; \\u002f*"),
        ("/*/", "\\u002f*\\u002f"),
        ("what???/", "what?\\u003f?/"),
        ("käse", "k\\u00e4se"),
        ('"\\\n\0😀', '\\"\\\\\\u000a\\u0000\\U0001f600'),
    ],
)
def test_names_in_the_comment_stay_readable(name: str, written: str, tmp_path: Path) -> None:
    encoder = TableEncoder("y", task="regression").fit(Table({name: [1.0, 2.0], "y": [1.5, 2.0]}))
    net = network((1, 1))
    net.encoder = encoder
    to_c(net, tmp_path / "model.h")
    assert f'numbers[0]  "{written}"\n' in (tmp_path / "model.h").read_text()
    if COMPILER is not None:
        run_c(tmp_path, '#include "model.h"\nint main(void) { return model_n_outputs - 1; }\n')


# --------------------------------------------------------------------------------------------------- the file


@pytest.mark.skipif(shutil.which("c++") is None, reason="there is no C++ compiler")
def test_the_header_is_cpp_too_and_may_be_included_twice(tmp_path: Path) -> None:
    to_c(network_of_homes("kind", "float32"), tmp_path / "a.h", name="homes")
    to_c(EmbeddedNetwork(np.dtype("float64")), tmp_path / "b.h", name="codes")  # type: ignore[arg-type]
    main = '#include "a.h"\n#include "b.h"\n#include "a.h"\nint main() { return homes_n_classes - 2; }\n'
    (tmp_path / "main.cpp").write_text(main)
    options = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["c++", *options, tmp_path / "main.cpp", "-o", tmp_path / "main"], check=True)
    subprocess.run([tmp_path / "main"], check=True)


def test_only_three_headers_are_included_and_all_is_ascii(tmp_path: Path) -> None:
    net = network_of_homes("kind", "float32")
    net.classes = np.array(["ä", "漢"])
    to_c(net, tmp_path / "model.h")
    text = (tmp_path / "model.h").read_bytes().decode("ascii")
    includes = [line for line in text.splitlines() if line.startswith("#include")]
    assert includes == ["#include <math.h>", "#include <stddef.h>", "#include <string.h>"]
    assert not {"malloc", "extern", "printf"} & set(text.replace("(", " ").split())


@pytest.mark.parametrize("name", ["", "2nd", "a-b", "a b", "naïve", "x;", "a\n", "*/"])
def test_names_must_be_identifiers(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name must be a C identifier"):
        to_c(network(), tmp_path / "model.h", name=name)
    with pytest.raises(TypeError, match="name must be a C identifier, got 3"):
        to_c(network(), tmp_path / "model.h", name=3)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_headers_and_empty_files_are_replaced_and_others_left(tmp_path: Path) -> None:
    path = tmp_path / "model.h"
    path.touch()
    to_c(network(), path)
    first = path.read_bytes()
    to_c(network((2, 3)), path)
    assert path.read_bytes() != first
    for content in (b"#include <stdio.h>\n", b"/* fastmlp", b"\xff\x00"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="there already and is not a C header of fastmlp; it is left"):
            to_c(network(), path)
        assert path.read_bytes() == content
    with pytest.raises(ValueError, match="path must name a file, got the directory"):
        to_c(network(), tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_what_c_cannot_hold_is_refused(tmp_path: Path) -> None:
    net = network(loss="softmax_cross_entropy")
    net.classes = np.array(["a", "b\0c", "d"])
    with pytest.raises(
        ValueError, match=r"'b\\x00c' cannot be written in C, where a text ends at its first NUL"
    ):
        to_c(net, tmp_path / "model.h")
    net.classes = np.array(["a", "d", "\ud800"])
    with pytest.raises(ValueError, match="no form in UTF-8"):
        to_c(net, tmp_path / "model.h")
    net.biases[0][0] = np.inf
    with pytest.raises(ValueError, match="NaN or infinity cannot be exported"):
        to_c(net, tmp_path / "model.h")
    assert not list(tmp_path.iterdir())
