"""Flatbuffers, as far as Arrow's messages need them: bounded reading, and writing.

References
----------
FlatBuffers, "Internals": tables, vtables, vectors, strings and unions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

_ALIGNMENT: Final = 8
_MAX_NAME: Final = 65_536


def malformed(why: str) -> InvalidInput:
    """Make the error for bytes that are no Arrow stream."""
    return InvalidInput(
        "The body is no valid Arrow stream.",
        why=why,
        hint="Write it with Arrow's stream writer (in Python: pyarrow.ipc.new_stream).",
        code="malformed_body",
    )


class Table:
    """A table inside a message; every offset is checked before it is followed.

    Parameters
    ----------
    data : memoryview
        The whole message.
    position : int
        Of the table.
    """

    __slots__ = ("_data", "_position", "_slots", "_vtable")

    def __init__(self, data: memoryview, position: int) -> None:
        self._data = data
        self._position = position
        self._vtable = position - self._read("<i", position)
        self._slots = (self._read("<H", self._vtable) - 4) // 2

    @classmethod
    def root(cls, data: memoryview) -> Table:
        """Give the table that a message begins with."""
        return cls(data, Table._unpack(data, "<I", 0))

    def scalar(self, slot: int, form: str, default: int = 0) -> int:
        """Read a number; ``form`` is struct's."""
        at = self._field(slot)
        return self._read(form, at) if at else default

    def table(self, slot: int) -> Table | None:
        """Follow the offset to another table."""
        at = self._field(slot)
        return Table(self._data, at + self._read("<I", at)) if at else None

    def tables(self, slot: int, most: int) -> list[Table]:
        """Follow a vector of tables, of which there may be no more than ``most``."""
        start, count = self._vector(slot)
        if count > most:
            raise malformed(f"It lists {count} columns; {most} are wanted.")
        places = range(start, start + 4 * count, 4)
        return [Table(self._data, place + self._read("<I", place)) for place in places]

    def pairs(self, slot: int, most: int) -> list[tuple[int, int]]:
        """Read a vector of structs of two long integers, no more than ``most``."""
        start, count = self._vector(slot)
        if count > most:
            raise malformed(f"A batch lists {count} buffers or nodes; there can be {most}.")
        if start + 16 * count > len(self._data):
            raise malformed("A list is cut off.")
        return list(struct.iter_unpack("<qq", self._data[start : start + 16 * count]))

    def text(self, slot: int) -> str | None:
        """Read a string."""
        start, count = self._vector(slot)
        if not start:
            return None
        if count > _MAX_NAME or start + count > len(self._data):
            raise malformed("A name is cut off, or too long.")
        try:
            return str(self._data[start : start + count], "utf-8")
        except UnicodeDecodeError:
            raise malformed("A name is not UTF-8.") from None

    def _field(self, slot: int) -> int:
        if slot >= self._slots:
            return 0
        offset = self._read("<H", self._vtable + 4 + 2 * slot)
        return self._position + offset if offset else 0

    def _vector(self, slot: int) -> tuple[int, int]:
        at = self._field(slot)
        if not at:
            return 0, 0
        start = at + self._read("<I", at)
        return start + 4, self._read("<I", start)

    def _read(self, form: str, at: int) -> int:
        return Table._unpack(self._data, form, at)

    @staticmethod
    def _unpack(data: memoryview, form: str, at: int) -> int:
        if not 0 <= at <= len(data) - struct.calcsize(form):
            raise malformed("An offset leads out of its message.")
        (value,) = struct.unpack_from(form, data, at)
        return int(value)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number in a table that is written.

    Parameters
    ----------
    form : str
        struct's letter: ``b``, ``h``, ``i``, ``q``.
    value : int
        The number.
    """

    form: str
    value: int


@dataclass(frozen=True, slots=True)
class Pairs:
    """A vector of structs of two long integers that is written."""

    values: Sequence[tuple[int, int]]


def write_table(fields: Sequence[Any]) -> bytes:
    """Write a message whose root is a table.

    Parameters
    ----------
    fields : sequence
        One for each slot: None, a `Scalar`, a string, `Pairs`, a list of fields (another table), or
        a tuple of such lists (a vector of tables).
    """
    out = bytearray(struct.pack("<II", _ALIGNMENT, 0))
    _write(out, list(fields))
    return bytes(out)


def _write(out: bytearray, value: Any) -> int:
    """Write an object at the end and give its position."""
    _pad(out, _ALIGNMENT)
    if isinstance(value, list):
        return _write_table(out, value)
    if isinstance(value, str):
        data = value.encode()
        position = len(out)
        out += struct.pack("<I", len(data)) + data + b"\0"
        return position
    if isinstance(value, Pairs):
        out += bytes(4)  # the length before structs that are aligned to eight bytes
        position = len(out)
        out += struct.pack("<I", len(value.values))
        for pair in value.values:
            out += struct.pack("<qq", *pair)
        return position
    position = len(out)
    out += struct.pack("<I", len(value)) + bytes(4 * len(value))
    for number, entry in enumerate(value):
        _point(out, position + 4 + 4 * number, _write(out, entry))
    return position


def _write_table(out: bytearray, fields: list[Any]) -> int:
    """Write a table, its vtable behind it, and what it points to behind both."""
    position, vtable = len(out), [0] * len(fields)
    out += bytes(4)
    sizes = {slot: struct.calcsize(field.form) if isinstance(field, Scalar) else 4
             for slot, field in enumerate(fields) if field is not None}  # fmt: skip
    for slot in sorted(sizes, key=lambda slot: -sizes[slot]):
        _pad(out, sizes[slot])
        vtable[slot] = len(out) - position
        field = fields[slot]
        out += struct.pack("<" + field.form, field.value) if isinstance(field, Scalar) else bytes(4)
    length = len(out) - position
    _pad(out, _ALIGNMENT)
    struct.pack_into("<i", out, position, position - len(out))
    out += struct.pack(f"<{2 + len(vtable)}H", 4 + 2 * len(vtable), length, *vtable)
    for slot in sizes:
        if not isinstance(fields[slot], Scalar):
            _point(out, position + vtable[slot], _write(out, fields[slot]))
    return position


def _point(out: bytearray, at: int, position: int) -> None:
    struct.pack_into("<I", out, at, position - at)


def _pad(out: bytearray, size: int) -> None:
    out += bytes(-len(out) % size)
