"""``POST /predict``: one row in, ``{"prediction"}`` out; a list of rows, ``{"predictions"}``."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import numpy as np

from samovar.runtime.codec import LONG_INTEGER
from samovar.runtime.columns import ColumnReader
from samovar.runtime.http.replies import JSON
from samovar.runtime.outputs import json_values
from samovar.runtime.protocols.arrow_rows import (
    ArrowRows,
    asks_for_arrow,
    encode_arrow,
    is_arrow,
)
from samovar.runtime.protocols.bodies import (
    check_json_type,
    check_size,
    decode_json,
    plain_body,
)
from samovar.runtime.values import BOOLEANS, INTEGERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samovar.core.signature import Column
    from samovar.runtime.codec import Codec
    from samovar.runtime.http.exchange import Exchange
    from samovar.runtime.outputs import Answer

_MAX_FAST_COLUMNS: Final = 4096
_MAX_RECORD_COLUMNS: Final = 256
_TEXT: Final = (str, str | None)
_FLOAT: Final = (float, float | None)
_LARGE_BODY: Final = 4096
"""Bytes above which an array is made at once; smaller requests are put together as rows."""
_EXACT_FLOAT: Final = 2.0**53
_SPECIAL: Final = frozenset({b"content-encoding", b"x-request-id"})
PLAIN: Final = object()
"""Marks heads whose requests are JSON and whose replies have no headers of their own."""
_ENCODER: Final = msgspec.json.Encoder()


class PlainProtocol:
    """Reads and answers ``/predict``.

    Parameters
    ----------
    codec : Codec
        Checks rows.
    submit : callable
        Queues an exchange whose rows were read.
    """

    def __init__(self, codec: Codec, submit: Callable[[Exchange], None]) -> None:
        self._codec = codec
        self._submit = submit
        self._columns = ColumnReader(codec.signature)
        self._arrow = ArrowRows(codec.signature, self._columns)
        kinds = _fast_types(codec.columns)
        self._row: Any = None
        self._rows: Any = None
        if kinds and not codec.is_text and len(kinds) <= _MAX_FAST_COLUMNS:
            row_type = tuple.__class_getitem__(kinds)
            self._row = msgspec.json.Decoder(row_type)
            self._rows = msgspec.json.Decoder(list.__class_getitem__(row_type))
        # Neither points nor commas but those of numbers and between values.
        self._is_countable = not any(kind in _TEXT for kind in kinds) and not any(
            "." in name or "," in name for name in codec.names
        )
        self._is_block = self._rows is not None and all(kind in _FLOAT for kind in kinds)
        self._has_nulls = any(column.nullable for column in codec.columns)
        self._records = _records_decoder(codec.names, kinds)
        # A shorter body has no room for sixteen digits beside the other values.
        self._safe_bytes = 15 + 2 * len(codec.columns)

    def handle(self, exchange: Exchange) -> None:
        """Read the rows and queue them."""
        head = exchange.head
        if head.note is PLAIN:
            self._read_json(exchange)
        else:
            exchange.body = plain_body(exchange)
            if is_arrow(head):
                exchange.rows = self._arrow.read(exchange.body)
                exchange.encode = encode_list
            else:
                check_json_type(head)
                self._read_json(exchange)
            if asks_for_arrow(head):
                exchange.encode = encode_arrow
            elif not (is_arrow(head) or head.headers.keys() & _SPECIAL):
                head.note = PLAIN
        self._submit(exchange)

    def _read_json(self, exchange: Exchange) -> None:
        body = exchange.body
        if len(body) > _LARGE_BODY and self._is_block and self._read_block(exchange, body):
            return
        is_safe = len(body) <= self._safe_bytes or not self._may_have_long_integer(body)
        if self._row is None or not is_safe or not self._read_fast(exchange, body):
            rows, is_single = self._codec.read(decode_json(body))
            exchange.rows = rows
            exchange.encode = None if is_single else encode_list

    def _may_have_long_integer(self, body: bytes) -> bool:
        # Where every value has a point, none is an integer; counting is faster than looking.
        if self._is_countable and body.count(b".") == body.count(b",") + 1:
            return False
        return LONG_INTEGER.search(body) is not None

    def _read_block(self, exchange: Exchange, body: bytes) -> bool:
        """Read many rows of floats into one array; False leaves it to the other ways."""
        check_size(body)
        try:
            if body[:2] == b"[[":
                found = rows = self._rows.decode(body)
            elif body[:2] == b"[{":
                found = self._decode_records(body)
                rows = map(msgspec.structs.astuple, found)
            else:
                return False
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        if not found:
            return False
        if self._has_nulls:
            block = np.array(list(rows), dtype=np.float64)
        else:
            count = len(found) * len(self._codec.columns)
            block = np.fromiter(chain.from_iterable(rows), np.float64, count)
        # Beyond, an integer may have been rounded; the codec looks at each.
        if (np.abs(block) >= _EXACT_FLOAT).any():
            return False
        exchange.rows = self._columns.rows_of_block(block.reshape(len(found), -1))
        exchange.encode = encode_list
        return True

    def _read_fast(self, exchange: Exchange, body: bytes) -> bool:
        """Read the commonest bodies in one step; False leaves it to the slow way to say why."""
        try:
            if body[:2] == b"[[":
                check_size(body)
                exchange.rows = self._rows.decode(body)
                exchange.encode = encode_list
            elif body[:2] == b"[{":
                check_size(body)
                exchange.rows = list(map(msgspec.structs.astuple, self._decode_records(body)))
                exchange.encode = encode_list
            else:
                exchange.rows = (self._row.decode(body),)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return bool(exchange.rows)

    def _decode_records(self, body: bytes) -> list[Any]:
        """Decode records of numbers; none where a name may be twice in one of them."""
        if self._records is None:
            return []
        records: list[Any] = self._records.decode(body)
        # Each record has every name once or more, and nothing else in it has quotes.
        is_plain = body.count(b'"') == 2 * len(self._codec.names) * len(records)
        return records if is_plain else []


def encode_list(_exchange: Exchange, answers: Sequence[Answer]) -> tuple[bytes, bytes, bytes]:
    """Write the answers to a list of rows: body, media type, headers."""
    if len(answers) == 1:
        values = json_values(answers[0])
    else:
        names = [answer.name for answer in answers]
        columns = [json_values(answer) for answer in answers]
        values = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return _ENCODER.encode({"predictions": values}), JSON, b""


def encode_singles(answers: Sequence[Answer]) -> list[bytes]:
    """Write one JSON value for each row; NaN and infinities are null."""
    values = json_values(answers[0])
    if len(answers) > 1:
        names = [answer.name for answer in answers]
        columns = [json_values(answer) for answer in answers]
        values = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    elif answers[0].values.ndim == 1 and answers[0].datatype != "BYTES":
        # Numbers have no comma in them: one call encodes the whole batch.
        return bytes(_ENCODER.encode(values)[1:-1]).split(b",")
    return [_ENCODER.encode(value) for value in values]


def _records_decoder(names: Sequence[str], kinds: Sequence[Any]) -> Any:
    """Make a decoder of records with exactly these names; None where text could stand in one."""
    if not 0 < len(kinds) <= _MAX_RECORD_COLUMNS or any(kind in _TEXT for kind in kinds):
        return None
    if any('"' in name or "\\" in name for name in names):
        return None
    fields = [(f"c{place}", kind) for place, kind in enumerate(kinds)]
    renamed = {field: name for (field, _), name in zip(fields, names, strict=True)}
    record = msgspec.defstruct(
        "Record", fields, rename=renamed, forbid_unknown_fields=True, gc=False
    )
    return msgspec.json.Decoder(list.__class_getitem__(record))


def _fast_types(columns: Sequence[Column]) -> tuple[Any, ...]:
    """Give msgspec's types where they check exactly what the codec would."""
    kinds: list[Any] = []
    for column in columns:
        if column.dtype == "float64":
            kind: Any = float
        elif column.dtype in INTEGERS and column.dtype.lower() != "uint64":
            low, high = INTEGERS[column.dtype]
            kind = Annotated[int, msgspec.Meta(ge=low, le=high)]
        elif column.dtype in BOOLEANS:
            kind = bool
        elif column.dtype == "string":
            kind = str
        else:
            return ()
        kinds.append(kind | None if column.nullable else kind)
    return tuple(kinds)
