"""A model file to read, which refuses to read or allocate more than it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from samovar.core.compression import PREFIX_BYTES, compression_of, decompressed, limit_for
from samovar.errors import InvalidModel

if TYPE_CHECKING:
    from pathlib import Path

_BUFFER = 1 << 17


class BoundedFile:
    """The bytes of a model file, decompressed where they are compressed.

    Parameters
    ----------
    path : Path
        The file; it is opened here.

    Raises
    ------
    InvalidModel
        While reading, where the file ends early or a length in it is absurd.
    """

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb", _BUFFER)
        size = path.stat().st_size
        compression = compression_of(self._file.read(PREFIX_BYTES))
        self._file.seek(0)
        self._stream: Any = self._file
        self._limit = size
        if compression is not None:
            self._limit = limit_for(size)
            self._stream = decompressed(self._file, compression, self._limit)
        self._position = 0

    def __enter__(self) -> BoundedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def require(self, size: int) -> None:
        """Refuse a length that the file cannot hold, before anything is allocated for it."""
        if size > self._limit - self._position:
            raise InvalidModel(f"A value claims {size} bytes, more than the file has left.")

    def read(self, size: int) -> bytes:
        """Read exactly so many bytes."""
        self.require(size)
        data: bytes = self._stream.read(size)
        self._position += len(data)
        if len(data) < size:
            raise InvalidModel("The file ends in the middle of a value.")
        return data

    def fill(self, view: memoryview) -> None:
        """Read exactly as many bytes as a buffer takes."""
        done = 0
        while done < len(view):
            got = self._stream.readinto(view[done:])
            if not got:
                raise InvalidModel("The file ends in the middle of an array.")
            done += got
        self._position += done

    def readline(self) -> bytes:
        """Read to the end of a line."""
        line: bytes = self._stream.readline(self._limit - self._position + 1)
        self._position += len(line)
        return line

    def at_end(self) -> bool:
        """Say whether nothing follows."""
        return not self._stream.read(1)
