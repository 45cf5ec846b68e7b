"""Answers as an Arrow IPC stream of one batch; its columns are those of ``predict -o F.arrow``.

References
----------
Apache Arrow columnar format, "IPC Streaming Format"; format/Schema.fbs, format/Message.fbs.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from samovar.runtime.arrow.flatbuffers import Pairs, Scalar, write_table
from samovar.runtime.arrow.types import BOOL, FLOAT, INT, UTF8
from samovar.runtime.outputs import json_scalar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.runtime.outputs import Answer

MEDIA_TYPE: Final = b"application/vnd.apache.arrow.stream"
_VERSION: Final = Scalar("h", 4)  # MetadataVersion.V5
_SCHEMA, _BATCH = 1, 3
_END: Final = b"\xff\xff\xff\xff\0\0\0\0"
_PRECISIONS: Final = {4: 1, 8: 2}


def write_stream(answers: Sequence[Answer]) -> bytes:
    """Write answers to rows: ``prediction``, or ``prediction_0``, ... where there are several."""
    arrays = [column for answer in answers for column in _columns(answer.values)]
    names = ["prediction"] if len(arrays) == 1 else [f"prediction_{i}" for i in range(len(arrays))]
    fields, nodes, buffers, body = [], [], [], bytearray()
    for name, array in zip(names, arrays, strict=True):
        kind, blobs, nulls = _encoded(array)
        fields.append([name, Scalar("b", 1), *kind, None, ()])
        nodes.append((len(array), nulls))
        for blob in blobs:
            buffers.append((len(body), len(blob)))
            body += blob
            body += bytes(-len(body) % 8)
    schema = [Scalar("h", 0), tuple(fields)]
    batch = [Scalar("q", len(arrays[0])), Pairs(nodes), Pairs(buffers)]
    return b"".join([_message(_SCHEMA, schema, b""), _message(_BATCH, batch, bytes(body)), _END])


def _message(kind: int, header: list[Any], body: bytes) -> bytes:
    data = write_table([_VERSION, Scalar("b", kind), header, Scalar("q", len(body))])
    data += bytes(-len(data) % 8)
    return b"".join([struct.pack("<iI", -1, len(data)), data, body])


def _columns(values: Any) -> list[Any]:
    """Give one array for each value that a row has."""
    if values.ndim == 1:
        return [values]
    flat = values.reshape(values.shape[0], -1)
    return [flat[:, place] for place in range(flat.shape[1])]


def _encoded(array: Any) -> tuple[list[Any], list[bytes], int]:
    """Give the type's number and table, the buffers, and how many nulls there are."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        bits = np.packbits(array, bitorder="little").tobytes()
        return [Scalar("b", BOOL), []], [b"", bits], 0
    if kind == "f":
        if size not in _PRECISIONS:
            array, size = array.astype(np.float32), 4
        number, table = FLOAT, [Scalar("h", _PRECISIONS[size])]
    elif kind in "iu":
        number, table = INT, [Scalar("i", size * 8), Scalar("b", int(kind == "i"))]
    else:
        return _texts(array)
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return [Scalar("b", number), table], [b"", little.tobytes()], 0


def _texts(array: Any) -> tuple[list[Any], list[bytes], int]:
    """Write labels as texts, as files of predictions have them."""
    scalars = [json_scalar(value) for value in array.tolist()]
    valid = np.array([scalar is not None for scalar in scalars], dtype=bool)
    texts = ["" if scalar is None else str(scalar) for scalar in scalars]
    data = [text.encode("utf-8", "backslashreplace") for text in texts]
    offsets: Any = np.zeros(len(data) + 1, dtype="<i8")
    np.cumsum([len(text) for text in data], out=offsets[1:])
    bitmap = b"" if valid.all() else np.packbits(valid, bitorder="little").tobytes()
    buffers = [bitmap, offsets.astype("<i4").tobytes(), b"".join(data)]
    return [Scalar("b", UTF8), []], buffers, int((~valid).sum())
