"""The three readers of zips refuse the same contradictions: layers, wheels, and models."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from samovar.errors import SamovarError
from samovar.image.zip_members import read_members
from samovar.model.zip_members import Archive
from samovar.store.unpack_zip import extract_zip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def zipped(*names: str, **options: Any) -> bytearray:
    with zipfile.ZipFile(made := io.BytesIO(), "w", **options) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"content" * 9)
    return bytearray(made.getvalue())


def directory_at(content: bytearray) -> int:
    return content.index(b"PK\x01\x02")


def altered(at: int, fmt: str, value: object) -> bytes:
    content = zipped("one.pkl", "two.pkl")
    struct.pack_into(fmt, content, at, value)
    return bytes(content)


def in_directory(offset: int, fmt: str, value: object) -> bytes:
    return altered(directory_at(zipped("one.pkl", "two.pkl")) + offset, fmt, value)


def sharing_bytes() -> bytes:
    """Let both entries of the directory say one place, and call both headers the same."""
    content = zipped("one.pkl", "one.pk2")
    second = content.index(b"PK\x01\x02", directory_at(content) + 1)
    struct.pack_into("<L", content, second + 42, 0)
    return bytes(content)


CONTRADICTIONS = {
    "another method": altered(8, "<H", 8),
    "another name": altered(30, "3s", b"eno"),
    "another size": altered(22, "<L", 1),
    "another packed size": altered(18, "<L", 1),
    "no header": altered(0, "4s", b"PK\x09\x09"),
    "encrypted": in_directory(8, "<H", 1),
    "a rare method": in_directory(10, "<H", 12),
    "a link": in_directory(38, "<L", 0o120777 << 16),
    "a header behind the end": in_directory(42, "<L", 1 << 20),
    "shared bytes": sharing_bytes(),
}


def unpack(path: Path) -> None:
    with path.open("rb") as stream:
        extract_zip(stream, path.parent / "inside")


def open_model(path: Path) -> None:
    with Archive(path) as archive:
        assert archive.names


READERS: dict[str, Callable[[Path], object]] = {
    "unpack": unpack,
    "wheel": lambda path: [member.read() for member in read_members(path)],
    "model": open_model,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_contradiction_is_refused(reader: str, case: str, tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(CONTRADICTIONS[case])
    with pytest.raises(SamovarError):
        READERS[reader](path)
    assert not (tmp_path / "inside").exists()


@pytest.mark.parametrize("reader", READERS)
def test_an_honest_zip_is_read(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(bytes(zipped("one.pkl", "two.pkl")))
    READERS[reader](path)
