"""Zip files from outside are taken whole, or not at all."""

from __future__ import annotations

import io
import stat
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given

from hostile_tars import (
    MANY,
    names,
    names_in,
)
from samovar.errors import Damaged, Refused, SamovarError
from samovar.store.unpack_zip import extract_zip


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def zip_link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def test_zip_is_unpacked(tmp_path: Path) -> None:
    program = zipfile.ZipInfo("bin/run")
    program.external_attr = (stat.S_IFREG | 0o755) << 16
    content = zipped(("d/f", b"1" * 5000), ("empty/", b""), (program, b"#!"))
    assert extract_zip(io.BytesIO(content), tmp_path / "into") == ["d/f", "bin/run"]
    assert (tmp_path / "into/d/f").read_bytes() == b"1" * 5000
    assert (tmp_path / "into/bin/run").stat().st_mode & 0o777 == 0o755


def overlapping() -> bytes:
    """Let two directory entries point to the same bytes."""
    content = bytearray(zipped(("a", bytes(1000)), ("b", bytes(1000))))
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = bytes(4)
    return bytes(content)


def lying_about_its_size() -> bytes:
    content = bytearray(zipped(("a", bytes(100_000))))
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (10).to_bytes(4, "little")
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        zipped(("../out", b"1")),
        zipped(("/out", b"1")),
        zipped(("a/../../out", b"1")),
        zipped(("a", b"1"), ("A", b"2")),
        zipped(zip_link("l", "/etc/passwd")),
        zipped(("big", bytes(100_000_000))),
        zipped(("CON", b"1")),
        overlapping(),
        lying_about_its_size(),
        zipped(("a", b"1"))[:-10],
        b"PK",
        b"",
    ],
)
def test_hostile_zip_leaves_nothing(content: bytes, tmp_path: Path) -> None:
    with pytest.raises((Refused, Damaged)):
        extract_zip(io.BytesIO(content), tmp_path / "into")
    assert names_in(tmp_path) == []


@MANY
@given(name=names.filter(bool))
def test_no_zip_reaches_out(name: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        try:
            extract_zip(io.BytesIO(zipped((name, b"1"))), Path(scratch, "into"))
        except SamovarError:
            assert names_in(scratch) == []
        assert names_in(scratch) in ([], ["into"])
