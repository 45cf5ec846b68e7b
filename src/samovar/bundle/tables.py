"""Read tables of inputs in batches: JSON, JSON Lines, CSV, Parquet and Arrow.

They are read in samovar's own environment, so that it works whatever the model's lock holds. Types
come from the signature, never from the values of a batch: a string column keeps ``NA`` and
``01234``, and an empty cell of CSV is null.

References
----------
RFC 4180; JSON Lines; Apache Arrow columnar format, "IPC File Format" and "IPC Streaming Format".
"""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samovar.bundle.arrow_columns import arrow_part, zip_columns
from samovar.bundle.csv_lines import complain_about_csv
from samovar.core.frames import Part
from samovar.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from samovar.core.signature import Column, Signature

BATCH_ROWS: Final = 65_536
_ARROW_TYPES: Final = {
    "bool": "bool_", "boolean": "bool_",
    "int8": "int8", "int16": "int16", "int32": "int32", "int64": "int64",
    "uint8": "uint8", "uint16": "uint16", "uint32": "uint32", "uint64": "uint64",
    "Int8": "int8", "Int16": "int16", "Int32": "int32", "Int64": "int64",
    "UInt8": "uint8", "UInt16": "uint16", "UInt32": "uint32", "UInt64": "uint64",
    "float32": "float32", "float64": "float64", "Float32": "float32", "Float64": "float64",
    "string": "string", "object": "string", "decimal": "string", "datetime": "string",
}  # fmt: skip
_OF_CATEGORIES: Final = {str: "string", int: "int64", float: "float64", bool: "bool_"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some rows, column by column, in the signature's order.

    Parameters
    ----------
    columns : list of Part
        One for each column: a buffer where every value is a number of the column's own type, else
        a list of JSON values.
    rows : int
        How many.
    """

    columns: list[Part]
    rows: int


def read_batches(source: str, signature: Signature, *, also: Sequence[str] = ()) -> Iterator[Batch]:
    """Read a file, or standard input for ``-``, in batches.

    Parameters
    ----------
    source : str
        Path; its ending says the format. Standard input is JSON or CSV.
    signature : Signature
        Names and types the columns.
    also : sequence of str
        What records may have beside the signature's columns.

    Raises
    ------
    NotFound
        Where there is no such file.
    InvalidInput
        Naming the line or row that is malformed, or the column that is missing.
    """
    if source == "-":
        yield from _read_stdin(signature)
        return
    path = find_rows(source)
    ending = path.suffix.lower()
    with path.open("rb") as file:
        if ending == ".csv":
            yield from _read_csv(file, path, signature)
        elif ending in {".parquet", ".pq"}:
            yield from _read_parquet(file, path.name, signature)
        elif ending in {".arrow", ".feather", ".ipc", ".arrows"}:
            yield from _read_arrow(file, path.name, signature)
        elif ending in {".jsonl", ".ndjson"}:
            yield from _read_json_lines(file, path.name, signature, also)
        elif ending == ".json":
            document = _load(file.read(), path.name)
            yield from _of_document(document, path.name, signature, also)
        else:
            raise InvalidInput(
                f"Rows cannot be read from {path.name}.",
                hint="Name a .json, .jsonl, .csv, .parquet or .arrow file.",
                code="unknown_format",
            )


def find_rows(source: str) -> Path:
    """Give the path of a file of rows.

    Raises
    ------
    NotFound
        Where there is none.
    """
    path = Path(source)
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="Name a file of rows, or - for stdin.")
    return path


def _read_stdin(signature: Signature) -> Iterator[Batch]:
    data = sys.stdin.buffer.read()
    if data.lstrip()[:1] in {b"[", b"{", b'"'}:
        try:
            yield from _of_document(json.loads(data), "standard input", signature)
        except ValueError:
            yield from _read_json_lines(io.BytesIO(data), "standard input", signature)
    else:
        yield from _read_csv(io.BytesIO(data), None, signature)


def _load(data: bytes, name: str) -> Any:
    try:
        return json.loads(data, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{name} is not JSON.", why=str(error), hint="Correct it.") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON; write null")


def _of_document(
    document: Any, name: str, signature: Signature, also: Sequence[str] = ()
) -> Iterator[Batch]:
    """Cut a JSON document into batches: a list of rows, or one row alone."""
    is_text = signature.container == "texts"
    if isinstance(document, dict) or (is_text and isinstance(document, str)):
        document = [document]
    if not isinstance(document, list):
        raise InvalidInput(f"{name} is not a list of rows.", hint="Write [[...], [...]].")
    if not is_text and document and not isinstance(document[0], (list, dict)):
        document = [document]
    for start in range(0, len(document), BATCH_ROWS):
        rows = document[start : start + BATCH_ROWS]
        places = [f"row {start + number}" for number in range(len(rows))]
        yield _of_rows(rows, places, name, signature, also)


def _read_json_lines(
    file: IO[bytes], name: str, signature: Signature, also: Sequence[str] = ()
) -> Iterator[Batch]:
    rows: list[Any] = []
    places: list[str] = []
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line, parse_constant=_no_constant))
        except (ValueError, RecursionError) as error:
            raise InvalidInput(f"{name}, line {number} is not JSON.", why=str(error)) from error
        places.append(f"line {number}")
        if len(rows) == BATCH_ROWS:
            yield _of_rows(rows, places, name, signature, also)
            rows, places = [], []
    if rows:
        yield _of_rows(rows, places, name, signature, also)


def _of_rows(
    rows: Sequence[Any],
    places: Sequence[str],
    name: str,
    signature: Signature,
    also: Sequence[str],
) -> Batch:
    """Turn rows, records or texts into columns; a wrong one is named by its place."""
    if signature.container == "texts":
        for row, place in zip(rows, places, strict=True):
            if not isinstance(row, str):
                raise InvalidInput(f"{name}, {place} is not a text.")
        return Batch(columns=[_values("text", list(rows))], rows=len(rows))
    names = [column.name for column in signature.inputs]
    lists = []
    for row, place in zip(rows, places, strict=True):
        if isinstance(row, dict):
            unknown = [key for key in row if key not in names and key not in also]
            missing = [key for key in names if key not in row]
            if unknown or missing:
                what = (
                    f"has the unknown column {unknown[0]!r}" if unknown else f"lacks {missing[0]!r}"
                )
                raise InvalidInput(
                    f"{name}, {place} {what}.", hint=f"The columns are {', '.join(names)}."
                )
            lists.append([row[key] for key in names])
        elif isinstance(row, list) and len(row) == len(names):
            lists.append(row)
        else:
            found = f"{len(row)} values" if isinstance(row, list) else "no row"
            raise InvalidInput(
                f"{name}, {place} has {found}; {len(names)} are wanted.",
                hint=f"The columns are {', '.join(names)}.",
            )
    columns = zip(*lists, strict=True) if lists else [() for _ in names]
    return Batch(
        columns=[_values(name, list(column)) for name, column in zip(names, columns, strict=True)],
        rows=len(rows),
    )


def _values(name: str, values: list[Any]) -> Part:
    return Part(name=name, shape=(len(values),), dtype=None, data=values)


def _read_csv(file: IO[bytes], path: Path | None, signature: Signature) -> Iterator[Batch]:
    import pyarrow as arrow
    from pyarrow import csv as arrow_csv

    name = "standard input" if path is None else path.name
    data = file.read() if path is None else None
    source: Any = io.BytesIO(data) if data is not None else file
    header = csv_header(source, name)
    source.seek(0)
    chosen = choose_columns(header, name, signature)
    types = {
        header[place]: _arrow_type(column)
        for place, column in zip(chosen, signature.inputs, strict=False)
        if _arrow_name(column) is not None
    } or {header[place]: arrow.string() for place in chosen}
    try:
        reader = arrow_csv.open_csv(
            source,
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=1 << 22),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=types,
                include_columns=[header[place] for place in chosen],
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        for batch in reader:
            yield from batches_of_arrow(batch, name, signature)
    except arrow.ArrowInvalid as error:
        again: IO[bytes] = io.BytesIO(data) if data is not None else _reopened(path)
        with again:
            raise complain_about_csv(error, again, name, signature) from error


def _reopened(path: Path | None) -> IO[bytes]:
    return io.BytesIO() if path is None else path.open("rb")


def csv_header(source: IO[bytes], name: str) -> list[str]:
    """Read the names of the columns; the file is to be rewound afterwards."""
    start = source.read(1 << 20)
    try:
        text = start.decode("utf-8-sig", errors="ignore")
        header = next(csv.reader(io.StringIO(text, newline="")))
    except (StopIteration, csv.Error):
        raise InvalidInput(
            f"{name} is empty.", hint="The first line of a CSV file names the columns."
        ) from None
    doubled = [one for place, one in enumerate(header) if one in header[:place]]
    if doubled:
        raise InvalidInput(f"{name}, line 1 names the column {doubled[0]!r} twice.")
    return header


def choose_columns(header: Sequence[str], name: str, signature: Signature) -> list[int]:
    """Give the places of the signature's columns; others are the file's own affair."""
    if signature.container == "texts":
        if len(header) != 1:
            raise InvalidInput(f"{name} has {len(header)} columns; one column of texts is wanted.")
        return [0]
    names = [column.name for column in signature.inputs]
    missing = [one for one in names if one not in header]
    if not missing:
        return [list(header).index(one) for one in names]
    unnamed = signature.container == "array" and all(
        one == f"x{place}" for place, one in enumerate(names)
    )
    if unnamed and len(header) == len(names):
        return list(range(len(names)))
    raise InvalidInput(
        f"{name} lacks the column {missing[0]!r}.",
        why=f"It has {', '.join(map(str, header))}.",
        hint=f"The columns are {', '.join(names)}.",
        code="missing_column",
    )


def _arrow_type(column: Column) -> Any:
    import pyarrow as arrow

    return getattr(arrow, _arrow_name(column) or "string")()


def _arrow_name(column: Column) -> str | None:
    """Name the type that a column's cells are read as; None leaves it to the cells."""
    if column.dtype != "category":
        return _ARROW_TYPES.get(column.dtype)
    kinds = {type(category) for category in column.categories or ()}
    return _OF_CATEGORIES.get(kinds.pop()) if len(kinds) == 1 else None


def _read_parquet(file: IO[bytes], name: str, signature: Signature) -> Iterator[Batch]:
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        table = parquet.ParquetFile(file)
        header = table.schema_arrow.names
        chosen = [header[place] for place in choose_columns(header, name, signature)]
        for batch in table.iter_batches(batch_size=BATCH_ROWS, columns=chosen):
            yield from batches_of_arrow(batch.select(chosen), name, signature)
    except arrow.ArrowException as error:
        raise InvalidInput(f"{name} is not a Parquet file.", why=str(error)) from error


def _read_arrow(file: IO[bytes], name: str, signature: Signature) -> Iterator[Batch]:
    import pyarrow as arrow
    from pyarrow import ipc

    try:
        is_file = file.read(6) == b"ARROW1"
        file.seek(0)
        reader = ipc.open_file(file) if is_file else ipc.open_stream(file)
        header = reader.schema.names
        chosen = [header[place] for place in choose_columns(header, name, signature)]
        batches = (
            (reader.get_batch(number) for number in range(reader.num_record_batches))
            if is_file
            else reader
        )
        for batch in batches:
            yield from batches_of_arrow(batch.select(chosen), name, signature)
    except arrow.ArrowException as error:
        raise InvalidInput(f"{name} is not an Arrow file.", why=str(error)) from error


def batches_of_arrow(batch: Any, name: str, signature: Signature) -> Iterator[Batch]:
    """Cut a record batch of the signature's columns, in their order, into batches."""
    for start in range(0, batch.num_rows, BATCH_ROWS):
        part = batch.slice(start, BATCH_ROWS)
        columns = [
            arrow_part(values, column, f"{name}, rows from {start}")
            for values, column in zip_columns(part.columns, signature)
        ]
        yield Batch(columns=columns, rows=part.num_rows)
