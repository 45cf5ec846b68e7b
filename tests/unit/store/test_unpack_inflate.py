"""Compressed archives are read to a measure, and to their end."""

from __future__ import annotations

import gzip
import io
import os
import shutil

import pytest

from samovar.errors import Damaged, Refused
from samovar.store.unpack import Limits
from samovar.store.unpack_inflate import inflated


def test_gzip_is_inflated() -> None:
    content = os.urandom(1_000_000)
    assert inflated(io.BytesIO(gzip.compress(content))).read() == content


def test_gzip_members_behind_each_other_are_one_file() -> None:
    content = gzip.compress(b"one") + gzip.compress(b"") + gzip.compress(b"two")
    assert inflated(io.BytesIO(content)).read() == b"onetwo"


@pytest.mark.parametrize("size", [1, 9, 10, 20, 500, 999])
def test_cut_gzip_is_damaged(size: int) -> None:
    content = gzip.compress(os.urandom(1000))
    with pytest.raises(Damaged):
        inflated(io.BytesIO(content[:size])).read()


@pytest.mark.parametrize("content", [b"", b"\x28\xb5\x2f\xfd" + bytes(20), b"BZh9" + bytes(20)])
def test_what_is_no_gzip_is_damaged(content: bytes) -> None:
    with pytest.raises(Damaged):
        inflated(io.BytesIO(content)).read()


def test_junk_behind_gzip_is_damaged() -> None:
    with pytest.raises(Damaged):
        inflated(io.BytesIO(gzip.compress(b"one") + b"junk")).read()


def test_gzip_bomb_is_refused_early() -> None:
    bomb = gzip.compress(bytes(60_000_000), 1)
    stream = inflated(io.BytesIO(bomb), Limits(free_bytes=1_000_000))
    with pytest.raises(Refused, match="beyond all measure"):
        shutil.copyfileobj(stream, io.BytesIO())
