"""Bounded reading of compressed streams."""

from __future__ import annotations

import io
import sys
import zlib

import pytest

from samovar.core.compression import compression_of, decompressed, limit_for
from samovar.errors import InvalidModel, Unavailable


def test_a_compression_is_known_by_its_first_bytes() -> None:
    assert compression_of(zlib.compress(b"a")) == "zlib"
    assert compression_of(b"\x80\x04N.") is None


def test_the_limit_grows_with_the_file() -> None:
    assert limit_for(10 << 20) > limit_for(1 << 20) > 1 << 20


def test_reading_stops_at_the_limit_and_tells_where_it_is() -> None:
    content = zlib.compress(bytes(1 << 20))
    stream = decompressed(io.BytesIO(content), "zlib", 1 << 20)
    assert stream.readable()
    assert len(stream.read(1000)) == 1000
    assert stream.tell() == 1000
    assert len(stream.read()) == (1 << 20) - 1000
    with pytest.raises(InvalidModel, match="bomb") as caught:
        decompressed(io.BytesIO(content), "zlib", 1000).read()
    assert caught.value.code == "broken_stream"


@pytest.mark.parametrize(("compression", "module"), [("lz4", "lz4.frame"), ("bz2", "bz2")])
def test_a_python_without_a_compression_is_named(
    compression: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Unavailable, match=compression):
        decompressed(io.BytesIO(), compression, 1)
