"""A zip archive that holds one file is looked into, as gzip is; others are refused in a line."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastmlp.data import Table, read, read_csv

CSV = b"a,b\n1,x\n2,y\n"
PACKINGS = {
    "stored": zipfile.ZIP_STORED,
    "deflated": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def archive(members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("packing", PACKINGS.values(), ids=PACKINGS)
@pytest.mark.parametrize("name", ["t.csv.zip", "t.zip", "t"])
def test_the_only_file_is_read(name: str, packing: int, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(archive({"folder/": b"", "folder/t.csv": CSV, "__MACOSX/._t.csv": b"x"}, packing))
    X, y = read(path, "b")
    assert isinstance(X, Table)
    assert X["a"].tolist() == [1, 2]
    assert y is not None
    assert y.tolist() == ["x", "y"]
    assert X.source == str(path)
    with path.open("rb") as file:
        assert read_csv(file).names == ("a", "b")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.jsonl", b'{"a": 1}\n{"a": 2}\n'),
        ("t.tsv", b"a\tb\n1\tx\n2\ty\n"),
        ("T.CSV", b"a\n1\n2\n"),
    ],
)
def test_the_suffix_within_the_archive_decides(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    path.write_bytes(archive({name: content}))
    assert read(path).X["a"].tolist() == [1, 2]


def test_archives_of_arrays_are_read_as_before(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", X=np.eye(2))
    np.savez_compressed(tmp_path / "two.npz", X=np.eye(2), y=[0, 1])
    assert read(tmp_path / "one.npz").X.tolist() == [[1, 0], [0, 1]]
    assert read(tmp_path / "two.npz").y.tolist() == [0, 1]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            archive({"a.csv": CSV, "b.csv": CSV}),
            r"it holds 2 files \('a.csv', 'b.csv'\); unpack it and read one",
        ),
        (
            archive({f"{i}.csv": CSV for i in range(9)}),
            r"9 files \('0.csv', '1.csv', '2.csv', ...\); unpack it",
        ),
        (archive({"[Content_Types].xml": b"x", "b.xml": b"x"}), "Excel workbook"),
        (archive({}), "no arrays are in it|this is a zip archive"),
        (archive({"a.csv": bytes(120 * 2**20)}), "zip archive: .* packed bytes unpack to .* over 200 times"),
        (archive({"a.csv": CSV * 99})[:-9], "zip archive: File is not a zip file"),
        (archive({"a.csv": CSV * 99}).replace(b"a,b\n", b"\0\0\0\0")[:60], "zip archive: "),
    ],
    ids=["two files", "nine files", "a workbook", "no file", "a bomb", "cut", "overwritten"],
)
def test_other_archives_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    path.write_bytes(content)
    for reader in (read, read_csv):
        with pytest.raises(ValueError, match=rf"t\.zip: .*(?:{message})"):
            reader(path)


def test_an_archive_that_asks_for_a_password_is_refused() -> None:
    content = bytearray(archive({"a.csv": CSV}, zipfile.ZIP_STORED))
    for head, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(head) + place] |= 1  # the flag of encryption
    with pytest.raises(ValueError, match="zip archive: it asks for a password; unpack it first"):
        read(io.BytesIO(bytes(content)))
