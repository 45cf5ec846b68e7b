"""Store a large file in pieces that its content cuts, so that a changed row costs one piece.

A cut falls after a line whose last bytes have a certain checksum, no nearer than ``MIN_BYTES`` and
no farther than ``MAX_BYTES`` from the one before. An inserted or deleted line therefore moves the
cuts around it, and not those of the rest of the file.
"""

from __future__ import annotations

import hashlib
import mmap
import zlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from samovar.core.digest import Digest
from samovar.core.run import RunFile
from samovar.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from samovar.store.layout import Store

MIN_BYTES: Final = 1 << 20
MAX_BYTES: Final = 4 << 20
WHOLE_BYTES: Final = 2 << 20
"""Smaller files are stored whole."""
_WINDOW: Final = 32
_MASK: Final = 0x3FF
_READ: Final = 1 << 20
_WRITERS: Final = 4


def cut(data: memoryview | bytes | mmap.mmap, size: int) -> Iterator[tuple[int, int]]:
    """Give the begin and end of each piece.

    Parameters
    ----------
    data : bytes-like
        The file's content; it must have ``find``.
    size : int
        Its length.
    """
    begin = 0
    while size - begin > MIN_BYTES:
        end = _next_cut(data, begin, size)  # type: ignore[arg-type] # bytes or mmap have find
        yield begin, end
        begin = end
    if begin < size or size == 0:
        yield begin, size


def _next_cut(data: mmap.mmap, begin: int, size: int) -> int:
    limit = min(begin + MAX_BYTES, size)
    place = begin + MIN_BYTES
    while True:
        place = data.find(b"\n", place, limit) + 1
        if place == 0:
            return limit
        if zlib.crc32(data[place - _WINDOW : place]) & _MASK == 0:
            return place


def store_file(store: Store, path: Path, name: str) -> RunFile:
    """Store a file, whole or in pieces, and describe it.

    Parameters
    ----------
    store : Store
        Pieces that it has already are not written again.
    path : Path
        The file.
    name : str
        Its path in the project.
    """
    size = path.stat().st_size
    if size <= WHOLE_BYTES:
        digest = store.put_bytes(path.read_bytes())
        return RunFile(path=name, digest=digest, size_bytes=size)
    whole = hashlib.sha256()
    chunks: list[Digest] = []
    waiting: deque[Future[Digest]] = deque()
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ThreadPoolExecutor(_WRITERS) as pool,
    ):
        for begin, end in cut(data, size):
            piece = data[begin:end]
            waiting.append(pool.submit(_store_piece, store, piece))
            # Hashing and writing let other threads go on; so many pieces are in memory at most.
            whole.update(piece)
            if len(waiting) > 2 * _WRITERS:
                chunks.append(waiting.popleft().result())
        chunks += [piece.result() for piece in waiting]
    return RunFile(
        path=name,
        digest=Digest("sha256:" + whole.hexdigest()),
        size_bytes=size,
        chunks=tuple(chunks),
    )


def _store_piece(store: Store, piece: bytes) -> Digest:
    digest = Digest.of(piece)
    if not store.has_blob(digest, len(piece)):
        store.put_stream([piece], expected=digest)
    return digest


def read_file(store: Store, file: RunFile) -> Iterator[bytes]:
    """Give a stored file's bytes, checked against its digest at the end.

    Raises
    ------
    Damaged
        Naming the digest of what is missing or altered.
    """
    state = hashlib.sha256()
    for digest in file.chunks or (file.digest,):
        try:
            with store.blob_path(digest).open("rb") as blob:
                while piece := blob.read(_READ):
                    state.update(piece)
                    yield piece
        except FileNotFoundError:
            raise Damaged(
                f"{file.path} is not kept any more: its digest is {file.digest}.",
                why=f"The blob {digest} is missing from the store.",
                hint="Pull the run again, or put the very same file into the project.",
                code="data_gone",
            ) from None
    if state.hexdigest() != file.digest.hex:
        raise Damaged(f"The stored {file.path} is not what its digest {file.digest} says.")
