"""Compressed model files: which compression, and a bounded stream of what is inside.

joblib and pandas write them; a reader must stop before a small file has filled the memory.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO, Final

from samovar.errors import InvalidModel, Unavailable

_MAGIC: Final = (
    (b"\x78\x01", "zlib"),
    (b"\x78\x5e", "zlib"),
    (b"\x78\x9c", "zlib"),
    (b"\x78\xda", "zlib"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
)
PREFIX_BYTES: Final = 6
_PIECE: Final = 1 << 18
_BASE_BYTES: Final = 64 << 20
_RATIO: Final = 100
_DICTIONARY_BYTES: Final = 128 << 20
_GZIP_WINDOW: Final = 31


def compression_of(prefix: bytes) -> str | None:
    """Name the compression that a file's first bytes announce, or None.

    Examples
    --------
    >>> compression_of(bytes.fromhex("1f8b08000000"))
    'gzip'
    """
    return next((name for magic, name in _MAGIC if prefix.startswith(magic)), None)


def limit_for(compressed_bytes: int) -> int:
    """Give how much a file may decompress to: far more than models do, less than bombs."""
    return _BASE_BYTES + _RATIO * compressed_bytes


class Decompressed(io.RawIOBase):
    """What is inside a compressed stream, read in order, up to a limit.

    Parameters
    ----------
    stream : file object
        At the beginning of the compressed bytes.
    compression : str
        As `compression_of` names it.
    limit : int
        Bytes after which reading is refused.

    Raises
    ------
    InvalidModel
        With the code ``broken_stream``, while reading: damaged, cut off, too large, or followed by
        other data.
    Unavailable
        Where the Python at hand lacks the compression.
    """

    def __init__(self, stream: BinaryIO, compression: str, limit: int) -> None:
        super().__init__()
        self._stream = stream
        self._compression = compression
        self._limit = limit
        self._position = 0
        self._waiting = b""
        self._decompressor, self._errors = _decompressor(compression)

    def readable(self) -> bool:
        """Answer True, for `io.BufferedReader`."""
        return True

    def tell(self) -> int:
        """Give the number of bytes read."""
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Decompress into a buffer; 0 at the end."""
        view = memoryview(buffer)
        data = self._next(len(view))
        view[: len(data)] = data
        self._position += len(data)
        if self._position > self._limit:
            raise _broken(f"It decompresses to more than {self._limit} bytes: a bomb.")
        return len(data)

    def _next(self, wanted: int) -> bytes:
        while not self._decompressor.eof:
            hungry = not self._waiting and getattr(self._decompressor, "needs_input", True)
            data = self._stream.read(_PIECE) if hungry else self._waiting
            try:
                made: bytes = self._decompressor.decompress(data, wanted)
            except self._errors as error:
                raise _broken(f"Its {self._compression} data is damaged: {error}.") from error
            # zlib hands back what it did not take; bz2, lzma and lz4 keep it themselves.
            self._waiting = getattr(self._decompressor, "unconsumed_tail", b"")
            if made:
                return made
            if hungry and not data and not self._decompressor.eof:
                raise _broken(f"Its {self._compression} data is cut off.")
        if getattr(self._decompressor, "unused_data", b"") or self._stream.read(1):
            raise _broken(f"Other data follows the {self._compression} data.")
        return b""


def decompressed(stream: BinaryIO, compression: str, limit: int) -> io.BufferedReader:
    """Give a buffered stream of what is inside (see `Decompressed`)."""
    return io.BufferedReader(Decompressed(stream, compression, limit), _PIECE)


def _decompressor(compression: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """Make a decompressor, and name what it raises; Pythons may lack some of the modules."""
    try:
        if compression in {"zlib", "gzip"}:
            import zlib

            window = zlib.MAX_WBITS if compression == "zlib" else _GZIP_WINDOW
            return zlib.decompressobj(window), (zlib.error,)
        if compression == "bz2":
            import bz2

            return bz2.BZ2Decompressor(), (OSError, ValueError)
        if compression == "lz4":
            import lz4.frame

            return lz4.frame.LZ4FrameDecompressor(), (RuntimeError, EOFError)
        import lzma

        kind = lzma.FORMAT_XZ if compression == "xz" else lzma.FORMAT_ALONE
        return lzma.LZMADecompressor(kind, memlimit=_DICTIONARY_BYTES), (lzma.LZMAError, EOFError)
    except ImportError as error:
        raise Unavailable(
            f"This Python cannot read {compression} data.",
            hint=f"Install the package {compression}."
            if compression == "lz4"
            else "Use a Python that was built with it.",
            code="no_compression",
        ) from error


def _broken(why: str) -> InvalidModel:
    return InvalidModel(why, code="broken_stream")
