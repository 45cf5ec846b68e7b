"""Readers of archives."""

from __future__ import annotations

import io
import itertools
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz.models import DATA, SEED_BYTES, file_of
from samovar.errors import SamovarError
from samovar.image.zip_members import read_members
from samovar.store.unpack import extract_tar, read_tar, scan_tar
from samovar.store.unpack_inflate import inflated
from samovar.store.unpack_layer import extract_layer, scan_layer
from samovar.store.unpack_limits import Limits
from samovar.store.unpack_zip import extract_zip

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMITS = Limits(members=100, size_bytes=1 << 24, free_bytes=1 << 20)


def read_tars(content: bytes) -> None:
    content = with_checksums(content)
    for read in (scan_tar, read_tar, scan_layer):
        try:
            read(io.BytesIO(content), limits=LIMITS)
        except SamovarError:
            continue
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "inside"
        for unpack in (extract_tar, extract_layer):
            with suppress(SamovarError):
                unpack(io.BytesIO(content), inside, limits=LIMITS)
            assert [path.name for path in Path(folder).iterdir()] in ([], ["inside"])


def with_checksums(content: bytes) -> bytes:
    """Put right the checksum of every header: a fuzzer does not guess sums."""
    made = bytearray(content[: len(content) // 512 * 512])
    at = 0
    while at < len(made):
        header = made[at : at + 512]
        if any(header):
            total = sum(header[:148]) + 8 * 32 + sum(header[156:])
            made[at + 148 : at + 156] = b"%06o\0 " % total
        digits = header[124:136].strip(b" \0")
        size = int(digits, 8) if digits and not digits.strip(b"01234567") else 0
        at += 512 + -(-size // 512) * 512
    return bytes(made)


def read_gzip(content: bytes) -> None:
    with inflated(io.BytesIO(content), LIMITS) as stream:
        while stream.read(1 << 16):
            pass


def read_zips(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with suppress(SamovarError):
            extract_zip(io.BytesIO(content), Path(folder) / "inside", limits=LIMITS)
        assert [path.name for path in Path(folder).iterdir()] in ([], ["inside"])
    with file_of(content) as path:
        for member in read_members(path):
            if member.size_bytes < LIMITS.size_bytes:
                member.read()


def layers() -> Iterator[bytes]:
    for path in sorted((DATA / "layers").iterdir()):
        if ".tar" in path.name and path.stat().st_size <= SEED_BYTES:
            yield path.read_bytes()


def zips() -> Iterator[bytes]:
    for path in itertools.chain(
        (DATA / "layers").iterdir(), (DATA / "audit" / "malicious").iterdir()
    ):
        content = path.read_bytes()
        if content.startswith(b"PK") and len(content) <= SEED_BYTES:
            yield content
    with zipfile.ZipFile(made := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b.py", "pass\n" * 9)
        archive.writestr("a-1.dist-info/RECORD", "")
    yield made.getvalue()
