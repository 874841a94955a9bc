"""Damaged and hostile files: an error that names the file, no crash, and no memory for what is not there."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet

from fastmlp.data import (
    Table,
    read,
    read_arrow,
    read_csv,
    read_idx,
    read_npy,
    read_npz,
    read_parquet,
    read_svmlight,
)

ARROW = pa.table(
    {
        "a": pa.array([1, 2, None] * 20),
        "s": ["x", "yy", None] * 20,
        "d": pa.array([1, 2, 3] * 20, pa.timestamp("us")),
        "c": pa.array(["u", "v", None] * 20).dictionary_encode(),
        "b": [True, False, None] * 20,
    }
)


def written(write: Callable[[io.BytesIO], Any]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def write_ipc(new: Callable[..., Any], file: io.BytesIO) -> None:
    with new(file, ARROW.schema) as writer:
        writer.write_table(ARROW)


def write_zip(file: io.BytesIO, name: str, content: bytes, packing: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(file, "w", packing) as archive:
        archive.writestr(name, content)


FILES: dict[str, tuple[Callable[[Any], Any], bytes]] = {
    "parquet": (read_parquet, written(lambda file: parquet.write_table(ARROW, file))),
    "arrow": (read_arrow, written(lambda file: write_ipc(ipc.new_file, file))),
    "stream": (read_arrow, written(lambda file: write_ipc(ipc.new_stream, file))),
    "feather": (read_arrow, written(lambda file: feather.write_feather(ARROW, file))),
    "npy": (read_npy, written(lambda file: np.save(file, np.arange(12.0).reshape(3, 4)))),
    "npz": (read_npz, written(lambda file: np.savez_compressed(file, X=np.eye(3), y=np.arange(3)))),
    "idx": (read_idx, b"\0\0\x08\x03" + struct.pack(">3I", 2, 3, 4) + bytes(24)),
    "idx.gz": (read_idx, gzip.compress(b"\0\0\x0d\x02" + struct.pack(">2I", 2, 3) + bytes(24))),
    "csv.zip": (read_csv, written(lambda file: write_zip(file, "a.csv", b"a,b\n1,x\n2,y\n" * 9))),
    "svm": (read_svmlight, b"1 1:0.5 3:1\n-1 2:1e3 # x\n"),
}


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Change, cut or lengthen a few places."""
    data = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 5])):
        place, action = chance.randrange(len(data) + 1), chance.random()
        if action < 0.6 and place < len(data):
            data[place] = chance.choice([0, 127, 128, 255, chance.randrange(256)])
        elif action < 0.8:
            del data[place:]
        else:
            data[place:place] = chance.randbytes(chance.randrange(1, 9))
    return bytes(data)


@pytest.mark.parametrize("form", FILES)
def test_any_damage_is_an_error_that_names_the_file_or_no_error(form: str, tmp_path: Path) -> None:
    reader, content = FILES[form]
    chance, path = random.Random(form), tmp_path / f"t.{form}"
    named: list[bool] = []
    for _ in range(300):
        path.unlink(missing_ok=True)  # to cut a file to nothing is slow on some file systems
        path.write_bytes(mutated(content, chance))
        for read_it in (reader, read):
            try:
                read_it(path)
            except (ValueError, TypeError) as error:
                named.append(str(path) in str(error) or str(error).startswith("x: no column is left"))
    assert len(named) > 100
    assert all(named)


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("part", [0, 0.3, 0.9])
def test_a_truncated_or_empty_file_is_an_error(form: str, part: float, tmp_path: Path) -> None:
    reader, content = FILES[form]
    path = tmp_path / f"t.{form}"
    path.write_bytes(content[: int(part * len(content))])
    if form == "svm" and part > 0:
        path.write_bytes(b"1 1:0.5 3")
    with pytest.raises(ValueError, match="t." + form):
        reader(path)


@pytest.mark.parametrize(
    "reader",
    sorted({reader for reader, _ in FILES.values()} - {read_csv}, key=lambda reader: reader.__name__),
    ids=lambda reader: reader.__name__,
)
def test_a_file_of_another_format_is_an_error(reader: Callable[[Any], Any], tmp_path: Path) -> None:
    path = tmp_path / "t.bin"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"t\.bin: "):
        reader(path)


def npy_with(header: str, values: bytes = b"") -> io.BytesIO:
    head = header.encode().ljust(118) + b"\n"
    return io.BytesIO(b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head + values)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1099511627776)}",
            r"float64 values of shape \(1099511627776, 1099511627776\) take 9671406556917033397649408 bytes",
        ),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3)}", "damaged"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "Python objects, which only pickle could"),
        ("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (0,)}", "it holds dtype"),
        ("__import__('os').abort()", "its header cannot be read"),
        ("[" * 100, "its header cannot be read"),
    ],
)
def test_a_hostile_npy_is_refused(header: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"<file>: .*{message}"):
        read_npy(npy_with(header))


def zip_of(packing: int = zipfile.ZIP_DEFLATED, **members: bytes) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


ARRAY = FILES["npy"][1]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (zip_of(), "no arrays are in it"),
        (zip_of(**{"[Content_Types].xml": b"x"}), "this is an Excel workbook; save its sheet as CSV"),
        (zip_of(**{"X.npy": ARRAY, "readme.txt": b"x"}), "'readme.txt' in it is no .npy array"),
        (zip_of(**{"X.npy": ARRAY[:-1]}), r"X\.npy: damaged \.npy file"),
        (zip_of(zipfile.ZIP_BZIP2, **{"X.npy": ARRAY}), r"X\.npy: packed in another way than NumPy does"),
        (zip_of(**{"X.npy": bytes(120 * 2**20)}), "over 200 times as many; if you trust"),
    ],
)
def test_a_hostile_npz_is_refused(file: io.BytesIO, message: str) -> None:
    file.seek(0)
    with pytest.raises(ValueError, match=f"<file>: .*{message}"):
        read_npz(file)


def test_names_in_an_npz_are_names_and_no_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = zip_of(**{"../../X.npy": ARRAY, "/y.npy": ARRAY})
    file.seek(0)
    assert set(read_npz(file)) == {"../../X", "/y"}
    assert not list(tmp_path.iterdir())


def test_two_arrays_of_one_name_are_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("X.npy", ARRAY)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("X.npy", ARRAY)
    file.seek(0)
    with pytest.raises(ValueError, match="two arrays have the same name, 'X'"):
        read_npz(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"no IDX file: it begins with the bytes \(none\)"),
        (b"\0\0\x07\x01", "no IDX file: it begins with the bytes 00 00 07 01"),
        (b"\0\0\x08\x00", "no IDX file"),
        (b"\0\0\x08\x03\0\0\0\1", "damaged IDX file: it ends within its header"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "damaged IDX file: 4294967295 x 4294967295 values of uint8 make"),
        (
            b"\0\0\x08\x01\0\0\0\2\1",
            "damaged IDX file: 2 values of uint8 make 10 bytes with the header, the file has 9",
        ),
        (
            b"\0\0\x08\x01\0\0\0\2\1\1\1",
            "damaged IDX file: 2 values of uint8 make 10 bytes with the header, the file has 11",
        ),
        (b"\0\0\x08\x01\0\0\0\0", "damaged IDX file: 0 values"),
    ],
)
def test_an_idx_file_of_the_wrong_length_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"<file>: {message}"):
        read_idx(io.BytesIO(content))


def test_gzip_that_grows_as_no_data_does_is_cut_short() -> None:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(2**20)
    bomb = b"".join(packer.compress(zeros) for _ in range(120)) + packer.flush()
    for reader in (read, read_idx, read_npy):
        with pytest.raises(ValueError, match="packed bytes unpack to"):
            reader(io.BytesIO(bomb))


def test_a_parquet_file_of_one_endless_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    parquet.write_table(pa.table({"a": np.zeros(14_000_000, np.int8)}), path)
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"run\.parquet: .* packed bytes unpack to 112000000"):
        read(path)


def test_feather_of_the_first_version_is_explained() -> None:
    with pytest.raises(ValueError, match="this is Feather version 1; write it again"):
        read(io.BytesIO(b"FEA1" + bytes(40)))


def test_an_arrow_file_that_points_outside_of_itself_is_refused() -> None:
    file = io.BytesIO()
    with ipc.new_stream(file, pa.schema({"a": pa.string()})) as writer:
        writer.write_table(pa.table({"a": ["x" * 77]}))
    before, ends, after = file.getvalue().rpartition(struct.pack("<2i", 0, 77))
    assert ends
    with pytest.raises(ValueError, match="<file>: damaged, or no Arrow file"):
        read_arrow(io.BytesIO(before + struct.pack("<2i", 0, 10**6) + after))


def test_damage_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(FILES["parquet"][1][:-9])
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"t\.parquet"):
        read(path)
    assert path.read_bytes() == before
    path.write_bytes(FILES["parquet"][1])
    assert isinstance(read(path).X, Table)
