"""Frames: batches of columns or outputs between two processes, as bytes that need no parsing.

A frame is eight bytes with the length of its header (little-endian), the header (JSON), and the
buffers of its parts one after another, each padded to eight bytes. A part is either a buffer in
row-major order of a NumPy type, or a list of JSON values in the header.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final

from samovar.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LENGTH: Final = struct.Struct("<Q")
_ALIGNMENT: Final = 8
_MAX_HEADER: Final = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A column, or an output.

    Parameters
    ----------
    name : str
        Of the column or output.
    shape : tuple of int
        Rows first.
    dtype : str or None
        NumPy's name of the type; None for JSON values.
    data : bytes-like or list
        The buffer, or the values in row-major order.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str | None
    data: Any


def write_frame(stream: IO[bytes], parts: Sequence[Part]) -> None:
    """Write one frame.

    Raises
    ------
    ValueError
        Where a JSON value is NaN or infinite.
    """
    listed = []
    for part in parts:
        entry: dict[str, Any] = {"name": part.name, "shape": list(part.shape), "dtype": part.dtype}
        if part.dtype is None:
            entry["values"] = part.data
        else:
            entry["bytes"] = memoryview(part.data).nbytes
        listed.append(entry)
    header = json.dumps(listed, allow_nan=False, ensure_ascii=False).encode()
    stream.write(_LENGTH.pack(len(header)))
    stream.write(header)
    for part in parts:
        if part.dtype is not None:
            stream.write(part.data)
            stream.write(b"\0" * (-memoryview(part.data).nbytes % _ALIGNMENT))


def read_frames(stream: IO[bytes]) -> Iterator[list[Part]]:
    """Give frame after frame.

    Raises
    ------
    Damaged
        Where the stream ends within one.
    """
    while start := stream.read(_LENGTH.size):
        if len(start) < _LENGTH.size:
            raise Damaged("A frame is cut off.")
        (length,) = _LENGTH.unpack(start)
        if length > _MAX_HEADER:
            raise Damaged("A frame has an impossible header.")
        parts = []
        for entry in json.loads(_exactly(stream, length)):
            data = entry.get("values")
            if entry["dtype"] is not None:
                size = entry["bytes"]
                data = memoryview(_exactly(stream, size + -size % _ALIGNMENT))[:size]
            parts.append(
                Part(
                    name=entry["name"],
                    shape=tuple(entry["shape"]),
                    dtype=entry["dtype"],
                    data=data,
                )
            )
        yield parts


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise Damaged("A frame is cut off.")
    return data
