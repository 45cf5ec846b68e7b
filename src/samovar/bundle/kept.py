"""Columns of the input that go along beside the predictions (``predict --keep``).

They are read in a pass of their own, in the order of the rows and with the types that the file has;
the cells of CSV stay as they are written.
"""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from samovar.bundle.tables import BATCH_ROWS, csv_header
from samovar.errors import InvalidInput, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_JSON_LINES: Final = frozenset({".jsonl", ".ndjson"})


class Kept:
    """The kept columns of a file, taken as many rows at a time as there are predictions.

    Parameters
    ----------
    source : str
        Path of the input.
    names : sequence of str
        The columns.

    Raises
    ------
    UserError
        For standard input, which cannot be read twice, and for a name given twice.
    InvalidInput
        Where the file lacks a column.
    """

    def __init__(self, source: str, names: Sequence[str]) -> None:
        if source == "-":
            raise UserError(
                "Columns of standard input cannot be kept.", hint="Write the rows to a file first."
            )
        doubled = [name for place, name in enumerate(names) if name in names[:place]]
        if doubled:
            raise UserError(f"--keep names {doubled[0]!r} twice.", hint="Name it once.")
        self.names = list(names)
        self._path = Path(source)
        self._batches = self._read()
        self._rest: Any = next(self._batches, None)

    def take(self, rows: int) -> Any:
        """Give the next rows as a table of the kept columns.

        Raises
        ------
        InvalidInput
            Where the file has fewer rows than before.
        """
        import pyarrow as arrow

        parts, wanted = [], rows
        while wanted:
            batch = self._rest if self._rest is not None else next(self._batches, None)
            if batch is None:
                raise InvalidInput(f"{self._path.name} changed while it was read.")
            part, self._rest = batch.slice(0, wanted), batch.slice(wanted)
            if not self._rest.num_rows:
                self._rest = None
            wanted -= part.num_rows
            parts.append(part)
        return arrow.Table.from_batches(parts).combine_chunks()

    def _read(self) -> Iterator[Any]:
        import pyarrow as arrow

        ending = self._path.suffix.lower()
        with self._path.open("rb") as file:
            try:
                if ending == ".csv":
                    yield from _of_csv(file, self.names, self._path.name)
                elif ending in {".json", *_JSON_LINES}:
                    yield from _of_json(file, ending, self.names, self._path.name)
                else:
                    yield from _of_arrow(file, ending, self.names, self._path.name)
            except arrow.ArrowException as error:
                raise InvalidInput(
                    f"The columns to keep cannot be read from {self._path.name}.", why=str(error)
                ) from error


def _check(header: Sequence[str], names: Sequence[str], where: str) -> None:
    missing = [name for name in names if name not in header]
    if missing:
        raise InvalidInput(
            f"{where} has no column {missing[0]!r} to keep.",
            hint=f"It has {', '.join(map(str, header))}.",
            code="missing_column",
        )


def _of_csv(file: IO[bytes], names: list[str], where: str) -> Iterator[Any]:
    import pyarrow as arrow
    from pyarrow import csv

    _check(csv_header(file, where), names, where)
    file.seek(0)
    yield from csv.open_csv(
        file,
        read_options=csv.ReadOptions(use_threads=False, block_size=1 << 22),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, arrow.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            include_columns=names,
        ),
    )


def _of_arrow(file: IO[bytes], ending: str, names: list[str], where: str) -> Iterator[Any]:
    from pyarrow import ipc, parquet

    if ending in {".parquet", ".pq"}:
        table = parquet.ParquetFile(file)
        _check(table.schema_arrow.names, names, where)
        for batch in table.iter_batches(batch_size=BATCH_ROWS, columns=names):
            yield batch.select(names)
        return
    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    reader = ipc.open_file(file) if is_file else ipc.open_stream(file)
    _check(reader.schema.names, names, where)
    numbered = range(reader.num_record_batches) if is_file else ()
    for batch in (reader.get_batch(number) for number in numbered) if is_file else reader:
        yield batch.select(names)


def _of_json(file: IO[bytes], ending: str, names: list[str], where: str) -> Iterator[Any]:
    records: Iterator[Any]
    if ending in _JSON_LINES:
        records = (json.loads(line) for line in file if line.strip())
    else:
        document = json.load(file)
        records = iter(document if isinstance(document, list) else [document])
    schema = None
    while rows := list(islice(records, BATCH_ROWS)):
        for row in rows:
            if not isinstance(row, dict):
                raise InvalidInput(f"{where} has rows without names; no column can be kept.")
            _check(list(row), names, where)
        batch = _batch(rows, names, schema)
        schema = batch.schema
        yield batch


def _batch(rows: list[dict[str, Any]], names: list[str], schema: Any) -> Any:
    """Give records as a batch; the first one decides the types."""
    import pyarrow as arrow

    columns = []
    for name in names:
        wanted = None if schema is None else schema.field(name).type
        column = arrow.array([row[name] for row in rows], type=wanted)
        columns.append(column.cast(arrow.string()) if column.type == arrow.null() else column)
    return arrow.record_batch(columns, names=names)
