"""Say in which line of a CSV file something is wrong, as an editor counts lines."""

from __future__ import annotations

import csv
import io
import re
from typing import IO, TYPE_CHECKING, Final

from samovar.errors import InvalidInput

if TYPE_CHECKING:
    from samovar.core.signature import Signature

_ROW: Final = re.compile(r"Row #(\d+): (.*)", re.S)
_COLUMN: Final = re.compile(r"In CSV column #(\d+)")
_VALUE: Final = re.compile(r"CSV conversion error to (\S+): invalid value '(.*)'", re.S)


def complain_about_csv(
    error: Exception, file: IO[bytes], name: str, signature: Signature
) -> InvalidInput:
    """Turn the reader's complaint about a record into one about a line and a column.

    Parameters
    ----------
    error : Exception
        What the reader said; it counts records, of which a header is the first.
    file : file object
        The same file from its start.
    name : str
        How the message names it.
    signature : Signature
        Names the columns.
    """
    said = str(error)
    row = _ROW.search(said)
    if row is None:
        return InvalidInput(f"{name} is not a CSV file.", why=said)
    line = _line_of(file, int(row[1]))
    value, column = _VALUE.search(said), _COLUMN.search(said)
    if value is None:
        return InvalidInput(
            f"{name}, line {line} is malformed.", why=row[2].strip(), hint="Correct that line."
        )
    place = 0 if column is None else int(column[1])
    names = [one.name for one in signature.inputs]
    named = names[place] if place < len(names) else f"number {place}"
    return InvalidInput(
        f"{name}, line {line}, column {named!r}: {value[2][:80]!r} is not {value[1]}.",
        hint="Correct that cell; an empty one is null.",
    )


def _line_of(file: IO[bytes], record: int) -> int:
    """Give the line on which a record begins; the header is line 1."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    reader = csv.reader(text)
    before = seen = 0
    for row in reader:
        if row:
            seen += 1
            if seen == record:
                # A record over several lines begins after the one before it ended.
                return before + 1
        before = reader.line_num
    return before + 1
