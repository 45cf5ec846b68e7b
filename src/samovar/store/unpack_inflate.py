"""Inflate gzip from outside, never holding more than a piece, never more than it may become."""

from __future__ import annotations

import io
import zlib
from typing import IO, TYPE_CHECKING, Any, Final

from samovar.errors import Refused
from samovar.store.unpack_limits import Limits, damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE: Final = 256 * 1024
_GZIP_WINDOW: Final = 31
_MAGIC: Final = b"\x1f\x8b"


class Inflated(io.RawIOBase):
    """What is inside a gzip file.

    Several members behind each other are one file, as RFC 1952 says (some builders write layers so,
    to be read from the middle); anything else behind the last one is an error.

    Parameters
    ----------
    stream : file object
        At the first byte of the gzip file.
    limits : Limits
        ``size_bytes``, ``ratio`` and ``free_bytes`` count.
    """

    def __init__(self, stream: IO[bytes], limits: Limits) -> None:
        super().__init__()
        self._pieces = self._inflate(stream, limits)
        self._waiting = b""

    def readable(self) -> bool:
        """Answer True, for `io.BufferedReader`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Inflate into a buffer; 0 at the end.

        Raises
        ------
        Refused
            Where it becomes larger than it may.
        Damaged
            Where it is no gzip file, or cut off.
        """
        view = memoryview(buffer)
        if not self._waiting:
            self._waiting = next(self._pieces, b"")
        data = self._waiting[: len(view)]
        view[: len(data)] = data
        self._waiting = self._waiting[len(data) :]
        return len(data)

    @staticmethod
    def _inflate(stream: IO[bytes], limits: Limits) -> Iterator[bytes]:
        taken = made = 0
        inflate, data = zlib.decompressobj(_GZIP_WINDOW), stream.read(_PIECE)
        while data:
            taken += len(data)
            while data:
                try:
                    piece = inflate.decompress(data, _PIECE)
                except zlib.error as error:
                    raise damaged(f"It is not gzip, or altered: {error}.") from error
                made += len(piece)
                if made > min(limits.size_bytes, limits.free_bytes + limits.ratio * taken):
                    raise _bomb(made)
                if piece:
                    yield piece
                data = inflate.unconsumed_tail
                if inflate.eof and inflate.unused_data:
                    data, inflate = inflate.unused_data, zlib.decompressobj(_GZIP_WINDOW)
            data = stream.read(_PIECE)
            if data and inflate.eof:
                inflate = zlib.decompressobj(_GZIP_WINDOW)
        if not inflate.eof:
            raise damaged("It is cut off.")


def inflated(stream: IO[bytes], limits: Limits | None = None) -> io.BufferedReader:
    """Give a buffered stream of what is inside a gzip file.

    Raises
    ------
    Damaged
        At once, where it does not begin as gzip does.
    """
    buffered = io.BufferedReader(stream, _PIECE) if isinstance(stream, io.RawIOBase) else stream
    return io.BufferedReader(Inflated(buffered, limits or Limits()), _PIECE)


def _bomb(made: int) -> Refused:
    return Refused(
        f"The archive is refused: it inflates beyond all measure, to more than {made} bytes.",
        hint="Nothing of it was kept. Ask whoever made the file how it came about.",
        code="hostile_tar",
    )
