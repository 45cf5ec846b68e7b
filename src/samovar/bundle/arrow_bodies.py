"""Tables in memory as Arrow IPC streams for a service, and its answers back as arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STREAM: Final = "application/vnd.apache.arrow.stream"
_ROWS: Final = 65_536
_BYTES: Final = 8 * 1024 * 1024
"""Of one request: well within the limits of a body."""


def table_of(rows: Any, names: Sequence[str]) -> Any:
    """Give a DataFrame, or an array with one column for each name, as an Arrow table.

    Returns
    -------
    pyarrow.Table or None
        None for what has no columns of one type each.

    Raises
    ------
    InvalidInput
        Where a column has values of several types.
    """
    import pyarrow as arrow

    try:
        if hasattr(rows, "columns"):
            return arrow.Table.from_pandas(rows, preserve_index=False)
        is_matrix = getattr(rows, "ndim", 0) == 2 and rows.dtype.kind in "fiub"
        if is_matrix and rows.shape[1] == len(names):
            columns = [arrow.array(column, from_pandas=True) for column in rows.T]
            return arrow.table(columns, list(names))
    except arrow.ArrowException as error:
        raise InvalidInput("A column has values of several types.", why=str(error)) from error
    return None


def bodies_of(table: Any) -> Iterator[bytes]:
    """Cut a table into streams that a service takes."""
    import pyarrow as arrow
    from pyarrow import ipc

    count = max(1, min(_ROWS, _BYTES * table.num_rows // max(1, table.nbytes)))
    for start in range(0, table.num_rows, count):
        part = table.slice(start, count).combine_chunks()
        stream = arrow.BufferOutputStream()
        with ipc.new_stream(stream, part.schema) as writer:
            writer.write_table(part)
        yield stream.getvalue().to_pybytes()


def arrays_of(streams: Sequence[bytes], outputs: Sequence[tuple[str, Sequence[int]]]) -> list[Any]:
    """Put the answers together.

    Parameters
    ----------
    streams : sequence of bytes
        In the order of the rows.
    outputs : sequence of (str, sequence of int)
        NumPy's name of each output's type, and its shape without the rows.
    """
    import numpy as np
    import pyarrow as arrow
    from pyarrow import ipc

    tables = [ipc.open_stream(stream).read_all() for stream in streams]
    columns = [
        column.combine_chunks().to_numpy(zero_copy_only=False)
        for column in arrow.concat_tables(tables).columns
    ]
    arrays, begin = [], 0
    for dtype, shape in outputs:
        end = begin + math.prod(shape)
        block = columns[begin] if not shape else np.column_stack(columns[begin:end])
        arrays.append(block.reshape(len(block), *shape).astype(dtype, copy=False))
        begin = end
    return arrays
