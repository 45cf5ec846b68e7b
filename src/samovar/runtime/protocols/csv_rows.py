"""CSV into checked rows: an empty cell is null, a quoted one is empty text."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidInput
from samovar.runtime.values import BOOLEANS, FLOATS, INTEGERS, found

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.core.signature import Column
    from samovar.runtime.codec import Codec, Rows

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_QUOTED: Final = re.compile(r'(?<![^,\r\n])"(?:[^"]|"")*"(?![^,\r\n])')
_EMPTY: Final = "\ue000empty\ue000"
"""Stands for a quoted empty cell, which Python's reader does not tell from a bare one."""
_BOOLEANS: Final = {"true": True, "false": False}


def read_csv(codec: Codec, body: bytes) -> Rows:
    """Read a CSV document with a header line.

    Raises
    ------
    InvalidInput
        Naming the line (the header is line 1) or the row and column.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("The CSV is not UTF-8.", code="malformed_body") from error
    if '""' in text:
        text = _QUOTED.sub(lambda cell: f'"{_EMPTY}"' if cell[0] == '""' else cell[0], text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = next(reader, None)
        if not names:
            raise InvalidInput("The CSV has no header line.", code="malformed_body")
        if len(set(names)) != len(names):
            raise InvalidInput("The CSV's header has a name twice.", code="wrong_columns")
        known = dict(zip(codec.names, codec.columns, strict=True))
        parse = [_cell_reader(known[name]) if name in known else _text for name in names]
        records = []
        for cells in reader:
            if len(cells) != len(names):
                raise InvalidInput(
                    f"Line {reader.line_num} of the CSV has {len(cells)} cells; the header has "
                    f"{len(names)}.",
                    code="wrong_number_of_values",
                )
            values = [
                read("" if cell == _EMPTY and read is not _text else cell)
                for read, cell in zip(parse, cells, strict=True)
            ]
            records.append(dict(zip(names, values, strict=True)))
    except csv.Error as error:
        raise InvalidInput(
            f"Line {reader.line_num} of the CSV is not valid.",
            why=str(error),
            code="malformed_body",
        ) from error
    return codec.read_rows(records)


def _cell_reader(column: Column) -> Callable[[str], Any]:
    dtype = column.dtype
    if dtype in FLOATS:
        return _number
    if dtype in INTEGERS:
        return _integer
    if dtype in BOOLEANS:
        return lambda cell: _BOOLEANS.get(cell.lower(), cell or None)
    if dtype == "category":
        return lambda cell: _category(cell, column)
    return _text


def _text(cell: str) -> Any:
    return "" if cell == _EMPTY else cell or None


def _number(cell: str) -> Any:
    if _INTEGER.fullmatch(cell):
        return int(cell)
    return float(cell) if _NUMBER.fullmatch(cell) else cell or None


def _integer(cell: str) -> Any:
    return int(cell) if _INTEGER.fullmatch(cell) else cell or None


def _category(cell: str, column: Column) -> Any:
    for category in column.categories or ():
        if str(category) == cell or found(category) == cell:
            return category
    return cell or None
