"""Read reference inputs: JSON rows, records or texts, JSON Lines, CSV and Parquet.

Values keep the type they were written with. In CSV an empty cell is null, and a column is numeric
only where every cell is a number that is written back the same way: ``01234`` and ``NA`` are text.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidInput, NotFound
from samovar.project.arrow_types import typed_columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_INTEGER: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_FLOAT: Final = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INT64: Final = range(-(2**63), 2**63)
_DIGITS: Final = 19
_BOOLEANS: Final = {"true": True, "false": False, "True": True, "False": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Reference inputs.

    Parameters
    ----------
    columns : tuple of str or None
        Names in order; None where the rows are plain lists or texts.
    rows : tuple
        Lists of values in the order of the columns, or strings.
    types : tuple, optional
        For each column its stored form in a signature (core/signature.py), or its name alone.
    """

    columns: tuple[str, ...] | None
    rows: tuple[Any, ...]
    types: tuple[str | dict[str, Any], ...] | None = None

    @property
    def described(self) -> tuple[str | dict[str, Any], ...] | None:
        """The columns with their types where the file knows them, else their names."""
        return self.columns if self.types is None else self.types


def read_examples(path: Path) -> Examples:
    """Read a file of reference inputs by its ending.

    Raises
    ------
    NotFound
        Where there is no such file.
    InvalidInput
        Naming the line or the row that is malformed.
    """
    if not path.is_file():
        raise NotFound(
            f"There is no file {path}.",
            hint="Correct [examples] path in samovar.toml, or write a few rows there.",
            code="no_examples",
        )
    ending = path.suffix.lower()
    if ending in {".parquet", ".pq"}:
        return _read_parquet(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path.name} is not UTF-8.", hint="Save it as UTF-8.") from error
    if ending == ".csv":
        return _read_csv(text, path.name)
    if ending in {".jsonl", ".ndjson"}:
        return _of_rows(_json_lines(text, path.name), path.name)
    return _of_rows(_json(text, path.name), path.name)


def _json(text: str, name: str) -> list[Any]:
    try:
        document = _parsed(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name} is not JSON.", why=str(error), hint="Correct it.") from error
    if not isinstance(document, list):
        raise InvalidInput(
            f"{name} is not a list.", hint="Write a list of rows, of records or of texts."
        )
    # One row alone is what a client sends for one prediction.
    flat = document and not any(isinstance(row, (list, dict)) for row in document)
    if flat and not all(isinstance(row, str) for row in document):
        return [document]
    return document


def _json_lines(text: str, name: str) -> list[Any]:
    rows = []
    # Only a line feed ends a line: U+2028 and the like may stand within a text.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append(_parsed(line))
            except (ValueError, RecursionError) as error:
                raise InvalidInput(f"{name}, line {number} is not JSON.", why=str(error)) from error
    return rows


def _parsed(text: str) -> Any:
    """Read JSON whose texts are Unicode and whose numbers are numbers.

    Raises
    ------
    ValueError
        Saying what it has instead.
    """
    document = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    if "\\u" in text:
        _check_surrogates(document)
    return document


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON; write null")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:40]} is larger than any number of 64 bits")
    return value


def _check_surrogates(document: Any) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("a text has half of a surrogate pair, which is no character") from error


def _of_rows(rows: Sequence[Any], name: str) -> Examples:
    if all(isinstance(row, str) for row in rows):
        return Examples(columns=None, rows=tuple(rows))
    if all(isinstance(row, list) for row in rows):
        width = len(rows[0])
        for number, row in enumerate(rows):
            if len(row) != width:
                raise InvalidInput(
                    f"{name}: row {number} has {len(row)} values, row 0 has {width}.",
                    hint="Rows count from 0.",
                )
        return Examples(columns=None, rows=tuple(rows))
    if all(isinstance(row, dict) for row in rows):
        columns = tuple(dict.fromkeys(key for row in rows for key in row))
        for number, row in enumerate(rows):
            unknown = [key for key in columns if key not in row]
            if unknown:
                raise InvalidInput(
                    f"{name}: row {number} lacks the column {unknown[0]!r}.",
                    hint="Write null where a value is missing.",
                )
        return Examples(columns=columns, rows=tuple([row[key] for key in columns] for row in rows))
    raise InvalidInput(
        f"{name} mixes rows of different kinds.",
        hint="Write only lists, only records, or only texts.",
    )


def _read_csv(text: str, name: str) -> Examples:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    # A cell may be a whole document; csv counts its bytes for fear of a quote that never ends.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    rows, begins = [], 1
    try:
        for row in lines:
            if row:
                rows.append((begins, row))
            begins = lines.line_num + 1
    except csv.Error as error:
        raise InvalidInput(f"{name}, line {begins} is malformed.", why=str(error)) from error
    if not rows:
        raise InvalidInput(f"{name} is empty.", hint="The first line names the columns.")
    header = rows[0][1]
    if len(set(header)) != len(header):
        raise InvalidInput(f"{name}, line 1 names a column twice.")
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise InvalidInput(
                f"{name}, line {number} has {len(row)} cells, the header has {len(header)}."
            )
    columns = [_typed([row[place] for _, row in rows[1:]]) for place in range(len(header))]
    return Examples(
        columns=tuple(header), rows=tuple(list(row) for row in zip(*columns, strict=True))
    )


def _typed(cells: list[str]) -> list[Any]:
    """Give a column's cells their common type; empty cells are null."""
    filled = [cell for cell in cells if cell != ""]
    if filled and all(cell in _BOOLEANS for cell in filled):
        return [_BOOLEANS.get(cell) for cell in cells]
    if all(_is_integer(cell) for cell in filled):
        return [int(cell) if cell else None for cell in cells]
    if all(_FLOAT.fullmatch(cell) and math.isfinite(float(cell)) for cell in filled) and not all(
        _INTEGER.fullmatch(cell) for cell in filled
    ):
        return [float(cell) if cell else None for cell in cells]
    return [cell or None for cell in cells]


def _is_integer(cell: str) -> bool:
    """Say whether a cell is a number of 64 bits; longer ones are identifiers, and stay text."""
    return (
        _INTEGER.fullmatch(cell) is not None
        and len(cell.lstrip("+-")) <= _DIGITS
        and int(cell) in _INT64
    )


def _read_parquet(path: Path) -> Examples:
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (arrow.ArrowException, OSError) as error:
        raise InvalidInput(f"{path.name} is not a Parquet file.", why=str(error)) from error
    names = table.column_names
    if len(set(names)) != len(names):
        raise InvalidInput(f"{path.name} names a column twice.")
    table = table.unify_dictionaries()
    columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    return Examples(
        columns=tuple(names),
        types=typed_columns(table),
        rows=tuple(list(row) for row in zip(*columns, strict=True)),
    )


def _plain(value: Any) -> Any:
    """Give a value JSON has; dates and decimals as text, NaN as null."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, float) and math.isinf(value):
        raise InvalidInput("An example row holds an infinite number, which JSON has not.")
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
