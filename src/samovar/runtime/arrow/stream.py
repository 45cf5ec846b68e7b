"""Read a whole Arrow IPC stream from a body, without trusting a word of it.

Nothing is allocated for what a message only claims: a column's memory is bounded by the body that
holds it; values that become objects have bounds of their own, for their number and unfolded size.

References
----------
Apache Arrow columnar format, "IPC Streaming Format"; format/Message.fbs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from samovar.errors import InvalidInput
from samovar.runtime.arrow.buffers import Batch, Values, joined, read_values
from samovar.runtime.arrow.flatbuffers import Table, malformed
from samovar.runtime.arrow.types import read_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samovar.runtime.arrow.types import Field

MAX_ROWS: Final = 1_000_000
MAX_NUMBERS: Final = 4_000_000
_MAX_MESSAGES: Final = 1024
_MAX_TEXT: Final = 64 * 1024 * 1024
_CONTINUATION: Final = b"\xff\xff\xff\xff"
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_OLDEST_VERSION: Final = 3
"""MetadataVersion.V4: since Arrow 0.8, of 2017."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamColumn:
    """A column of a stream, all batches together.

    Parameters
    ----------
    field : Field
        Name and type.
    values : Values
        What is in it.
    """

    field: Field
    values: Values


def read_stream(body: bytes, columns: int) -> list[StreamColumn]:
    """Read a stream of at most so many columns.

    Parameters
    ----------
    body : bytes
        Whole.
    columns : int
        How many the model takes.

    Raises
    ------
    InvalidInput
        Where it is no stream, holds types or encodings that are not read here, or is too large.
    """
    reader = _Reader(columns)
    for message, data in _messages(body):
        reader.take(message, data)
    return reader.columns()


class _Reader:
    def __init__(self, columns: int) -> None:
        self._most = columns
        self._text_left = _MAX_TEXT
        self._fields: list[Field] | None = None
        self._dictionaries: dict[int, Values] = {}
        self._batches: list[list[Values]] = []
        self._rows = 0

    def take(self, message: Table, data: memoryview) -> None:
        """Take the next message."""
        kind, header = message.scalar(1, "<B"), message.table(2)
        if header is None or message.scalar(0, "<h") < _OLDEST_VERSION:
            raise malformed("A message has no header, or is older than version 4 of the format.")
        if (kind == _SCHEMA) != (self._fields is None):
            raise malformed("A stream begins with its schema, and has one.")
        if kind == _SCHEMA:
            self._read_schema(header)
        elif kind == _DICTIONARY:
            self._read_dictionary(header, data)
        elif kind == _BATCH:
            self._read_batch(header, data)
        else:
            raise malformed("A message is neither a schema, nor a dictionary, nor a batch.")

    def columns(self) -> list[StreamColumn]:
        """Give all columns, their batches put together."""
        if self._fields is None:
            raise malformed("It has no schema.")
        return [
            StreamColumn(
                field=field, values=joined(field.type, [batch[place] for batch in self._batches])
            )
            for place, field in enumerate(self._fields)
        ]

    def _read_schema(self, header: Table) -> None:
        if header.scalar(0, "<h"):
            raise InvalidInput(
                "The Arrow stream is big-endian.",
                hint="Write it on, or for, a little-endian machine.",
                code="unsupported_encoding",
            )
        # One more than wanted is told by name; a million are not looked at.
        self._fields = [read_field(table) for table in header.tables(1, 2 * self._most + 16)]

    def _read_dictionary(self, header: Table, data: memoryview) -> None:
        number, content = header.scalar(0, "<q"), header.table(1)
        field = next((one for one in self._fields or () if one.dictionary == number), None)
        if content is None or field is None:
            raise malformed("A dictionary belongs to no column.")
        batch = Batch.read(content, data, 1)
        if batch.rows > MAX_ROWS:
            raise too_many(MAX_ROWS)
        values = read_values(batch, field.type)
        batch.end()
        known = self._dictionaries.get(number)
        if header.scalar(2, "<B") and known is not None:
            if len(known.array) + len(values.array) > MAX_ROWS:
                raise too_many(MAX_ROWS)
            values = joined(field.type, [known, values])
        self._dictionaries[number] = values

    def _read_batch(self, header: Table, data: memoryview) -> None:
        fields = self._fields or []
        batch = Batch.read(header, data, len(fields))
        self._rows += batch.rows
        if self._rows > MAX_ROWS or self._rows * len(fields) > MAX_NUMBERS:
            raise too_many(MAX_ROWS if self._rows > MAX_ROWS else MAX_NUMBERS)
        self._batches.append([self._column(batch, field) for field in fields])
        batch.end()

    def _column(self, batch: Batch, field: Field) -> Values:
        if field.index is None or field.dictionary is None:
            return read_values(batch, field.type)
        places = read_values(batch, field.index)
        dictionary = self._dictionaries.get(field.dictionary)
        if dictionary is None:
            raise malformed(f"The dictionary of {field.name[:80]!r} is missing.")
        values = _looked_up(dictionary, places, field)
        if values.array.dtype.hasobject:
            self._text_left -= _text_size(dictionary, places)
            if self._text_left < 0:
                raise InvalidInput(
                    f"The dictionaries of the body unfold to more than {_MAX_TEXT} characters.",
                    hint="Send the rows in several requests.",
                    code="too_large",
                )
        return values


def _messages(body: bytes) -> Iterator[tuple[Table, memoryview]]:
    """Cut a stream into messages; the mark of its end is wanted, so that no rows are lost."""
    view, at = memoryview(body), 0
    for _ in range(_MAX_MESSAGES):
        if body[at : at + 4] != _CONTINUATION:
            raise malformed(_what_begins(body, at))
        length = int.from_bytes(body[at + 4 : at + 8], "little", signed=True)
        at += 8
        if length == 0 and at <= len(body):
            if at != len(body):
                raise malformed("Bytes follow the end of the stream.")
            return
        if not 0 < length <= len(body) - at:
            raise malformed("A message is cut off.")
        message = Table.root(view[at : at + length])
        at += length
        size = message.scalar(3, "<q")
        if not 0 <= size <= len(body) - at:
            raise malformed("The body of a message is cut off.")
        yield message, view[at : at + size]
        at += size
    raise InvalidInput(
        f"The Arrow stream has more than {_MAX_MESSAGES} messages.",
        hint="Combine its batches (in Python: table.combine_chunks()).",
        code="too_large",
    )


def _what_begins(body: bytes, at: int) -> str:
    if body.startswith(b"ARROW1"):
        return "It is an Arrow file; a stream is wanted."
    return "It ends without the mark of its end." if at >= len(body) else "It has no message there."


def _looked_up(dictionary: Values, places: Values, field: Field) -> Values:
    """Put the values in the place of their numbers; a null is a null number, or a null value."""
    numbers, valid, size = places.array, places.valid, len(dictionary.array)
    if valid is not None:
        numbers = np.where(valid, numbers, numbers.dtype.type(0))
    if len(numbers) and (not size or int(numbers.min()) < 0 or int(numbers.max()) >= size):
        if size or valid is None or valid.any():
            raise malformed(f"A value of {field.name[:80]!r} is not in its dictionary.")
        return Values(array=np.zeros(len(numbers), dictionary.array.dtype), valid=valid)
    array = dictionary.array[numbers]
    if dictionary.valid is not None:
        own = dictionary.valid[numbers]
        valid = own if valid is None else valid & own
    return Values(array=array, valid=valid)


def _text_size(dictionary: Values, places: Values) -> int:
    """Count the characters that texts from a dictionary would have if each were written out."""
    sizes: Any = np.array([len(text) for text in dictionary.array.tolist()], dtype=np.int64)
    if not len(sizes):
        return 0
    numbers = places.array
    if places.valid is not None:
        numbers = numbers[places.valid]
    return int(sizes[numbers].sum())


def too_many(most: int) -> InvalidInput:
    """Make the error for a stream of too many rows or values."""
    return InvalidInput(
        f"The Arrow stream has more than {most} rows or values.",
        hint="Send the rows in several requests.",
        code="too_large",
    )
