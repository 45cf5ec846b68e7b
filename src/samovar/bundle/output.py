"""Write predictions to a file, one row for each row of input, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import Self

from samovar.core.receipt import NON_FINITE, Tensor
from samovar.errors import UserError
from samovar.store.atomic import unfinished_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import IO

_FORMATS: Final = (".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".arrow")


class Output:
    """A file of predictions that appears under its name when it is complete.

    Columns are ``prediction``, or ``prediction_0``, ``prediction_1``, ... where a row has several
    values.

    Parameters
    ----------
    path : Path
        Its ending chooses the format.

    Raises
    ------
    UserError
        For an ending that is not known, or a folder that does not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._format = path.suffix.lower()
        if self._format not in _FORMATS:
            raise UserError(
                f"Predictions cannot be written to {path.name}.",
                hint="Name a .csv, .json, .jsonl, .parquet or .arrow file.",
                code="unknown_format",
            )
        if not self._path.parent.is_dir():
            raise UserError(f"There is no folder {self._path.parent}.", hint="Make it first.")
        self._stack = ExitStack()
        self._write: Callable[[list[str], list[Sequence[Any]], list[str]], None] | None = None
        self._close: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self._unfinished = self._stack.enter_context(unfinished_file(self._path.parent))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            if kind is None:
                if self._write is None:
                    self._start([], [])
                self._close()
                self._unfinished.keep_as(self._path)

    def write(self, tensors: Sequence[Tensor]) -> None:
        """Add the answers to one batch."""
        names, columns, datatypes = columns_of(tensors)
        if self._write is None:
            self._start(names, datatypes)
        assert self._write is not None
        self._write(names, columns, datatypes)

    def _start(self, names: list[str], datatypes: list[str]) -> None:
        file = self._unfinished.file
        if self._format == ".csv":
            self._write, self._close = _csv_writer(file, names)
        elif self._format in {".jsonl", ".ndjson"}:
            self._write, self._close = _json_lines_writer(file)
        elif self._format == ".json":
            self._write, self._close = _json_writer(file)
        else:
            self._write, self._close = _arrow_writer(
                file, names, datatypes, is_parquet=self._format != ".arrow"
            )


def columns_of(tensors: Sequence[Tensor]) -> tuple[list[str], list[Sequence[Any]], list[str]]:
    """Give names, values and datatypes of the columns that outputs make.

    Floats that JSON lacks come back as floats; an output with several values a row makes a column
    for each of them.
    """
    columns: list[Sequence[Any]] = []
    datatypes = []
    for tensor in tensors:
        width = math.prod(tensor.shape[1:])
        data = tensor.data
        if tensor.is_float:
            data = tuple(NON_FINITE.get(v, v) if isinstance(v, str) else v for v in data)
        for place in range(width):
            columns.append(data[place::width] if width > 1 else data)
            datatypes.append(tensor.datatype)
    if len(columns) == 1:
        return ["prediction"], columns, datatypes
    return [f"prediction_{place}" for place in range(len(columns))], columns, datatypes


_Writer = tuple["Callable[[list[str], list[Sequence[Any]], list[str]], None]", "Callable[[], None]"]


def _csv_writer(file: IO[bytes], names: list[str]) -> _Writer:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names or ["prediction"])

    def write(_names: list[str], columns: list[Sequence[Any]], _types: list[str]) -> None:
        writer.writerows([_cell(value) for value in row] for row in zip(*columns, strict=True))

    def close() -> None:
        text.flush()
        text.detach()

    return write, close


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else value


def _json_lines_writer(file: IO[bytes]) -> _Writer:
    def write(names: list[str], columns: list[Sequence[Any]], _types: list[str]) -> None:
        for row in zip(*columns, strict=True):
            record = {name: _json_value(value) for name, value in zip(names, row, strict=True)}
            file.write(json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n")

    return write, lambda: None


def _json_writer(file: IO[bytes]) -> _Writer:
    started = False

    def write(_names: list[str], columns: list[Sequence[Any]], _types: list[str]) -> None:
        nonlocal started
        for row in zip(*columns, strict=True):
            values = [_json_value(value) for value in row]
            text = json.dumps(values[0] if len(values) == 1 else values, ensure_ascii=False)
            file.write((b",\n" if started else b"[\n") + text.encode())
            started = True

    def close() -> None:
        file.write(b"\n]\n" if started else b"[]\n")

    return write, close


def _json_value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _arrow_writer(
    file: IO[bytes], names: list[str], datatypes: list[str], *, is_parquet: bool
) -> _Writer:
    import pyarrow as arrow
    from pyarrow import ipc, parquet

    kinds = {
        "FP64": arrow.float64(), "FP32": arrow.float32(), "FP16": arrow.float32(),
        "INT64": arrow.int64(), "INT32": arrow.int32(), "INT16": arrow.int16(),
        "INT8": arrow.int8(), "UINT64": arrow.uint64(), "UINT32": arrow.uint32(),
        "UINT16": arrow.uint16(), "UINT8": arrow.uint8(), "BOOL": arrow.bool_(),
    }  # fmt: skip
    schema = arrow.schema(
        [
            (name, kinds.get(kind, arrow.string()))
            for name, kind in zip(names, datatypes, strict=True)
        ]
    )
    writer = parquet.ParquetWriter(file, schema) if is_parquet else ipc.new_file(file, schema)

    def write(_names: list[str], columns: list[Sequence[Any]], _types: list[str]) -> None:
        arrays = [
            arrow.array(
                [None if value is None else str(value) for value in column]
                if field.type == arrow.string()
                else list(column),
                type=field.type,
            )
            for column, field in zip(columns, schema, strict=True)
        ]
        writer.write_batch(arrow.record_batch(arrays, schema=schema))

    return write, writer.close
