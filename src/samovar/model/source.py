"""Read a byte stream in order: small pieces are kept, large ones passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final

from samovar.errors import InvalidModel

if TYPE_CHECKING:
    from io import BufferedReader

BROKEN: Final = "broken_stream"
_PIECE: Final = 1 << 20
_LINE: Final = 1 << 16


def broken(why: str) -> InvalidModel:
    """Make the error for a stream that cannot be read on."""
    return InvalidModel(why, code=BROKEN)


class Source:
    """A stream with its position, and its size where that is known.

    Parameters
    ----------
    stream : BufferedReader
        At its beginning.
    size : int or None
        In bytes; None where only reading on would tell (a compressed stream).
    """

    def __init__(self, stream: BufferedReader | BinaryIO, size: int | None) -> None:
        self._stream: Any = stream
        self._size = size
        self.read_some = stream.read
        self.position = stream.tell

    def read(self, size: int) -> bytes:
        """Read exactly so many bytes (few: larger ones are for `skip`)."""
        data = self.read_some(size)
        if len(data) < size:
            raise broken("The stream ends in the middle of a value.")
        return data

    def skip(self, size: int) -> None:
        """Pass over bytes without keeping them."""
        self.require(size)
        if self._size is not None:
            self._stream.seek(size, 1)
            return
        while size > 0:
            got = len(self.read_some(min(size, _PIECE)))
            if got == 0:
                raise broken("The stream ends in the middle of a value.")
            size -= got

    def require(self, size: int) -> None:
        """Refuse a length that the file cannot hold, before anything is read."""
        if self._size is not None and size > self._size - self.position():
            raise broken(f"A value claims {size} bytes, more than the file has left.")

    def line(self) -> bytes:
        """Read to the end of a short line, without its newline."""
        line: bytes = self._stream.readline(_LINE)
        if not line.endswith(b"\n"):
            raise broken("The stream ends, or runs too long, in the middle of a line.")
        return line[:-1]

    def long_line(self) -> tuple[bytes, int]:
        """Read a line of any length; give its first part and its whole length."""
        first: bytes = self._stream.readline(_LINE)
        line = first
        size = len(line)
        while not line.endswith(b"\n"):
            line = self._stream.readline(_PIECE)
            if not line:
                raise broken("The stream ends in the middle of a line.")
            size += len(line)
        return first.rstrip(b"\n") if size == len(first) else first, size - 1

    def at_end(self) -> bool:
        """Say whether nothing follows."""
        return not self._stream.peek(1)
