"""Columns out of the buffers of a record batch, each checked against what the batch has.

References
----------
Apache Arrow columnar format, "Physical memory layout"; format/Message.fbs, RecordBatch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from samovar.errors import InvalidInput
from samovar.runtime.arrow.flatbuffers import malformed
from samovar.runtime.arrow.types import BOOL, DECIMAL, LARGE_UTF8, NULL, UTF8

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.runtime.arrow.flatbuffers import Table
    from samovar.runtime.arrow.types import ArrowType

_MAX_BUFFERS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Values of a column.

    Parameters
    ----------
    array : ndarray, shape (n,)
        Numbers, bools, datetime64, or objects: texts, and decimals as texts.
    valid : ndarray of bool, shape (n,), or None
        Which of them are no nulls; None where all are.
    """

    array: Any
    valid: Any = None


class Batch:
    """A record batch whose columns are read one after another.

    Parameters
    ----------
    rows : int
        How many it has.
    nodes : list of (int, int)
        Length and number of nulls of each column.
    buffers : list of (int, int)
        Offset and length of each buffer.
    data : memoryview
        The body of its message.
    """

    def __init__(
        self,
        rows: int,
        nodes: list[tuple[int, int]],
        buffers: list[tuple[int, int]],
        data: memoryview,
    ) -> None:
        self.rows = rows
        self._nodes = iter(nodes)
        self._buffers = iter(buffers)
        self._data = data

    @classmethod
    def read(cls, table: Table, data: memoryview, columns: int) -> Batch:
        """Read the lists of a batch of so many columns."""
        if table.table(3) is not None:
            raise InvalidInput(
                "The buffers of the Arrow stream are compressed, which is not read here.",
                hint="Write it without compression; Content-Encoding: gzip makes it small.",
                code="unsupported_encoding",
            )
        rows = table.scalar(0, "<q")
        if rows < 0:
            raise malformed("A batch has less than no rows.")
        nodes = table.pairs(1, columns)
        return cls(rows, nodes, table.pairs(2, _MAX_BUFFERS * columns), data)

    def node(self) -> int:
        """Give the length of the next column, which is that of the batch."""
        length, _ = next(self._nodes, (-1, 0))
        if length != self.rows:
            raise malformed("A column is not as long as its batch.")
        return length

    def buffer(self, size: int) -> memoryview:
        """Give the next buffer, which has at least so many bytes."""
        offset, length = next(self._buffers, (-1, 0))
        if not (0 <= offset <= len(self._data) and 0 <= length <= len(self._data) - offset):
            raise malformed("A buffer lies outside of its message.")
        if length < size:
            raise malformed("A buffer is shorter than its column.")
        return self._data[offset : offset + length]

    def end(self) -> None:
        """Check that nothing was left over."""
        if next(self._nodes, None) is not None or next(self._buffers, None) is not None:
            raise malformed("A batch has more buffers than its columns need.")


def read_values(batch: Batch, kind: ArrowType) -> Values:
    """Read the next column of a batch.

    Raises
    ------
    InvalidInput
        Where its buffers do not hold it.
    """
    count = batch.node()
    if kind.number == NULL:
        return Values(array=np.full(count, None, dtype=object), valid=np.zeros(count, dtype=bool))
    valid = _bits(batch.buffer(0), count, may_be_absent=True)
    if kind.number == BOOL:
        return Values(array=_bits(batch.buffer((count + 7) // 8), count), valid=valid)
    if kind.number in {UTF8, LARGE_UTF8}:
        return Values(array=_texts(batch, count, wide=kind.number == LARGE_UTF8), valid=valid)
    if kind.number == DECIMAL:
        data = batch.buffer(count * kind.item_bytes)
        return Values(array=_decimals(data, count, kind), valid=valid)
    dtype = np.dtype(kind.stored)
    data = batch.buffer(count * dtype.itemsize)[: count * dtype.itemsize]
    array = np.frombuffer(data, dtype=dtype).astype(kind.dtype, copy=False)
    return Values(array=array, valid=valid)


def joined(kind: ArrowType, parts: Sequence[Values]) -> Values:
    """Put the values of several batches together, in order."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Values(array=np.empty(0, dtype=kind.dtype or object))
    valid = None
    if any(part.valid is not None for part in parts):
        valid = np.concatenate(
            [
                np.ones(len(part.array), dtype=bool) if part.valid is None else part.valid
                for part in parts
            ]
        )
    return Values(array=np.concatenate([part.array for part in parts]), valid=valid)


def _bits(data: memoryview, count: int, *, may_be_absent: bool = False) -> Any:
    """Unpack bits, least significant first; None for a bitmap of nulls that says nothing."""
    if may_be_absent and not len(data):
        return None
    size = (count + 7) // 8
    if len(data) < size:
        raise malformed("A bitmap is shorter than its column.")
    bits = np.unpackbits(np.frombuffer(data[:size], np.uint8), count=count, bitorder="little")
    flags: Any = bits.astype(bool)
    return None if may_be_absent and flags.all() else flags


def _texts(batch: Batch, count: int, *, wide: bool) -> Any:
    dtype = np.dtype("<i8" if wide else "<i4")
    # A column without rows may have no offsets at all.
    size = (count + 1) * dtype.itemsize if count else 0
    offsets = np.frombuffer(batch.buffer(size)[:size], dtype=dtype)
    data = batch.buffer(0)
    texts: Any = np.empty(count, dtype=object)
    if not count:
        return texts
    if int(offsets[0]) < 0 or int(offsets[-1]) > len(data) or (offsets[1:] < offsets[:-1]).any():
        raise malformed("Texts lie outside of their buffer.")
    start = int(offsets[0])
    places = (offsets - start).tolist()
    whole = bytes(data[start : int(offsets[-1])])
    bounds = pairwise(places)
    if whole.isascii():
        letters = whole.decode("ascii")
        texts[:] = [letters[begin:end] for begin, end in bounds]
        return texts
    for number, (begin, end) in enumerate(bounds):
        try:
            texts[number] = whole[begin:end].decode()
        except UnicodeDecodeError:
            raise InvalidInput(
                f"Row {number} of a column of texts is not UTF-8.", code="malformed_body"
            ) from None
    return texts


def _decimals(data: memoryview, count: int, kind: ArrowType) -> Any:
    size = kind.item_bytes
    texts: Any = np.empty(count, dtype=object)
    texts[:] = [
        f"{int.from_bytes(data[at : at + size], 'little', signed=True)}E{-kind.scale}"
        for at in range(0, count * size, size)
    ]
    return texts
