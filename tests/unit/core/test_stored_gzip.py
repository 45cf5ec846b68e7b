"""Gzip files of stored blocks: any reader reads them, and their bytes depend on the content alone."""

from __future__ import annotations

import gzip
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samovar.core.stored_gzip import stored_gzip


@given(st.lists(st.binary(max_size=200_000), max_size=4))
def test_how_the_content_is_cut_does_not_matter(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    content = b"".join(stored_gzip(chunks))
    assert gzip.decompress(content) == whole
    assert b"".join(stored_gzip([whole])) == content


@pytest.mark.parametrize("size", [0, 1, 65534, 65535, 65536, 131070, 1_000_000])
def test_cost_is_five_bytes_in_a_block(size: int) -> None:
    content = b"".join(stored_gzip([bytes(size)]))
    assert len(content) == 10 + size + 5 * (size // 65535 + 1) + 8
    assert gzip.decompress(content) == bytes(size)


def test_bytes_are_the_same_for_ever() -> None:
    # The digest of every bundle rests on them.
    content = b"".join(stored_gzip([bytes(range(256)) * 1000]))
    assert (
        hashlib.sha256(content).hexdigest()
        == "b8f1ae9de750f2f0916d4a58ca5ce44bc0922d4c04bb8844529c4f8ae7d16673"
    )
