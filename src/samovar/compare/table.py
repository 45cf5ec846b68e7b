"""Tables of text (CSV, TSV, JSON Lines) as records whose bytes are kept."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cached_property
from typing import Final

_TABLES: Final = (".csv", ".tsv", ".tab")
_LINES: Final = (".jsonl", ".ndjson", ".txt")
_DELIMITERS: Final = ",;\t|"


@dataclass(frozen=True)
class Table:
    """A table that was cut into records.

    Parameters
    ----------
    head : bytes
        The record of the column names; empty for files of lines.
    rows : list of bytes
        The records with their line ends.
    delimiter : str
        Between cells; empty for files of lines.
    """

    head: bytes
    rows: list[bytes]
    delimiter: str

    @cached_property
    def columns(self) -> list[str]:
        """The column names, in order."""
        return self.cells(self.head) if self.delimiter else ["line"]

    @cached_property
    def parsed(self) -> list[list[str]]:
        """The cells of all rows."""
        if not self.delimiter:
            return [[row.decode("utf-8", "replace").rstrip("\r\n")] for row in self.rows]
        text = b"".join(self.rows).decode("utf-8", "replace")
        parsed = list(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter))
        if len(parsed) == len(self.rows):
            return parsed
        return [self.cells(row) for row in self.rows]

    def cells(self, record: bytes) -> list[str]:
        """Read one record."""
        text = record.decode("utf-8-sig", "replace")
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter), [])

    def record(self, cells: list[str]) -> bytes:
        """Write one record, with the line ends that this table has."""
        if not self.delimiter:
            return cells[0].encode() + b"\n"
        out = io.StringIO(newline="")
        end = "\r\n" if self.head.endswith(b"\r\n") else "\n"
        csv.writer(out, delimiter=self.delimiter, lineterminator=end).writerow(cells)
        return out.getvalue().encode()


def read_table(path: str, data: bytes) -> Table | None:
    """Cut a file into records; None where it is no table of text.

    Parameters
    ----------
    path : str
        Its ending says what it is.
    data : bytes
        The file.
    """
    ending = path[path.rfind(".") :].lower()
    if b"\0" in data[:4096] or not data:
        return None
    if ending in _LINES:
        return Table(head=b"", rows=data.splitlines(keepends=True), delimiter="")
    if ending not in _TABLES:
        return None
    records = _records(data)
    head = records[0].decode("utf-8", "replace")
    delimiter = "\t" if ending != ".csv" else max(_DELIMITERS, key=head.count)
    return Table(head=records[0], rows=records[1:], delimiter=delimiter)


def _records(data: bytes) -> list[bytes]:
    """Cut at line ends that are outside quotes (RFC 4180, section 2, rule 6)."""
    lines = data.splitlines(keepends=True)
    if b'"' not in data:
        return lines
    records: list[bytes] = []
    held: list[bytes] = []
    inside = False
    for line in lines:
        inside ^= line.count(b'"') % 2 == 1
        held.append(line)
        if not inside:
            records.append(b"".join(held))
            held = []
    return [*records, b"".join(held)] if held else records


def kind_of(cells: list[str]) -> str:
    """Name what all cells of a column are: ``int``, ``float``, ``text`` or ``empty``."""
    kinds = {_kind(cell) for cell in cells if cell != ""}
    if not kinds:
        return "empty"
    return "text" if "text" in kinds else "float" if "float" in kinds else "int"


def _kind(cell: str) -> str:
    for kind, read in (("int", int), ("float", float)):
        try:
            read(cell)
        except ValueError:
            continue
        return kind
    return "text"
