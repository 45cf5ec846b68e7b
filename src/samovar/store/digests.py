"""Digests of files on the disk; core computes over bytes and opens nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from samovar.core.digest import Digest

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK: Final = 1024 * 1024


def digest_file(path: Path) -> Digest:
    """Compute the digest of a file, never holding more than a piece of it.

    Raises
    ------
    OSError
        Where it cannot be read.
    """
    with path.open("rb") as file:
        return Digest.of_chunks(iter(lambda: file.read(_CHUNK), b""))
