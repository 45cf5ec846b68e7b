"""Write predictions to a file, one row for each row of input, whole or not at all."""

from __future__ import annotations

import json
import math
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Protocol

from samovar.errors import UserError
from samovar.store.atomic import unfinished_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import IO

    from samovar.bundle.kept import Kept
    from samovar.core.frames import Part

_FORMATS: Final = (".csv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq", ".arrow")


class Output:
    """A file of predictions that appears under its name when it is complete.

    Columns are ``prediction``, or ``prediction_0``, ``prediction_1``, ... where a row has several
    values.

    Parameters
    ----------
    path : Path
        Its ending chooses the format.
    kept : Kept, optional
        Columns of the input that stand before the predictions.

    Raises
    ------
    UserError
        For an ending that is not known, or a folder that does not exist.
    """

    def __init__(self, path: Path, kept: Kept | None = None) -> None:
        self._path = path.absolute()
        self._kept = kept
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
        self._writer: _Writer | None = None

    def __enter__(self) -> Output:
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
                self._open(self._with_kept(_no_rows())).close()
                self._unfinished.keep_as(self._path)

    def write(self, parts: Sequence[Part]) -> None:
        """Add the answers to one batch."""
        batch = self._with_kept(to_batch(parts))
        self._open(batch).write(batch)

    def _with_kept(self, batch: Any) -> Any:
        """Put the kept columns of the same rows before the predictions."""
        import pyarrow as arrow

        if self._kept is None:
            return batch
        clash = [name for name in self._kept.names if name in batch.schema.names]
        if clash:
            raise UserError(
                f"The column {clash[0]!r} cannot be kept: the predictions have that name.",
                hint="Rename it in the input.",
            )
        names = [*self._kept.names, *batch.schema.names]
        if not batch.num_rows:
            return arrow.record_batch([arrow.nulls(0)] * len(names), names=names)
        table = self._kept.take(batch.num_rows)
        chunks = [column.chunk(0) for column in table.columns]
        return arrow.record_batch([*chunks, *batch.columns], names=names)

    def _open(self, batch: Any) -> _Writer:
        if self._writer is None:
            self._writer = _writer(
                self._format,
                self._unfinished.file,
                batch.schema,
                as_records=self._kept is not None,
            )
        return self._writer


def numbers_of(part: Part) -> list[Any]:
    """Give the values of a part that is a buffer."""
    import pyarrow as arrow

    listed: list[Any] = _array(part.dtype or "", part.data, arrow).to_pylist()
    return listed


def to_batch(parts: Sequence[Part]) -> Any:
    """Give outputs as a record batch; one with several values a row makes several columns."""
    import pyarrow as arrow
    from pyarrow import compute

    columns: list[Any] = []
    for part in parts:
        width = math.prod(part.shape[1:])
        if part.dtype is None:
            values = [None if value is None else _text(value) for value in part.data]
            columns += [arrow.array(values[place::width]) for place in range(width)]
            continue
        array = _array(part.dtype, part.data, arrow)
        if width == 1:
            columns.append(array)
        else:
            # Row-major: every width-th value belongs to one column.
            rows = arrow.FixedSizeListArray.from_arrays(array, width)
            columns += [compute.list_element(rows, place) for place in range(width)]
    return arrow.record_batch(columns, names=_names(len(columns)))


def _names(count: int) -> list[str]:
    return ["prediction"] if count == 1 else [f"prediction_{place}" for place in range(count)]


def _array(dtype: str, data: Any, arrow: Any) -> Any:
    """Wrap a buffer of little-endian numbers without copying it.

    ``arrow.array`` would do it too, and import pandas first, wherever it is installed.
    """
    if dtype == "bool":
        return _array("uint8", data, arrow).cast(arrow.bool_())
    kind = getattr(arrow, dtype)()
    count = memoryview(data).nbytes // (kind.bit_width // 8)
    return arrow.Array.from_buffers(kind, count, [None, arrow.py_buffer(data)])


def _text(value: Any) -> Any:
    """Keep text and booleans; anything else that is no number is written as text."""
    return value if isinstance(value, (str, bool)) else str(value)


def _no_rows() -> Any:
    import pyarrow as arrow

    return arrow.record_batch([arrow.nulls(0)], names=["prediction"])


class _Writer(Protocol):
    def write(self, batch: Any) -> None: ...

    def close(self) -> None: ...


def _writer(ending: str, file: IO[bytes], schema: Any, *, as_records: bool) -> _Writer:
    if ending == ".csv":
        return _Csv(file, schema)
    if ending in {".jsonl", ".ndjson"}:
        return _JsonLines(file)
    if ending == ".json":
        return _Json(file, as_records=as_records)
    return _Arrow(file, schema, is_parquet=ending != ".arrow")


class _Csv:
    """CSV as pyarrow writes it: floats in their shortest exact form, NaN and null as nothing."""

    def __init__(self, file: IO[bytes], schema: Any) -> None:
        from pyarrow import csv

        self._file = file
        self._options = csv.WriteOptions(include_header=False, quoting_style="needed")
        file.write(",".join(schema.names).encode() + b"\n")

    def write(self, batch: Any) -> None:
        from pyarrow import csv

        csv.write_csv(_nan_is_null(batch), self._file, write_options=self._options)

    def close(self) -> None:
        pass


class _JsonLines:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, batch: Any) -> None:
        for row in batch.to_pylist():
            record = {name: _json_value(value) for name, value in row.items()}
            text = json.dumps(record, ensure_ascii=False, default=str)
            self._file.write(text.encode() + b"\n")

    def close(self) -> None:
        pass


class _Json:
    def __init__(self, file: IO[bytes], *, as_records: bool) -> None:
        self._file = file
        self._as_records = as_records
        self._separator = b"[\n"

    def write(self, batch: Any) -> None:
        for row in batch.to_pylist():
            record = {name: _json_value(value) for name, value in row.items()}
            values = list(record.values())
            shown = record if self._as_records else values[0] if len(values) == 1 else values
            text = json.dumps(shown, ensure_ascii=False, default=str)
            self._file.write(self._separator + text.encode())
            self._separator = b",\n"

    def close(self) -> None:
        self._file.write(b"\n]\n" if self._separator == b",\n" else b"[]\n")


class _Arrow:
    def __init__(self, file: IO[bytes], schema: Any, *, is_parquet: bool) -> None:
        from pyarrow import ipc, parquet

        self._writer = (
            parquet.ParquetWriter(file, schema) if is_parquet else ipc.new_file(file, schema)
        )

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


def _nan_is_null(batch: Any) -> Any:
    import pyarrow as arrow
    from pyarrow import compute

    columns = [
        compute.if_else(compute.is_finite(column), column, None)
        if arrow.types.is_floating(column.type)
        and not compute.all(compute.is_finite(column)).as_py()
        else column
        for column in batch.columns
    ]
    return arrow.record_batch(columns, names=batch.schema.names)


def _json_value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
