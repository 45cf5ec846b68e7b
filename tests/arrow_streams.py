"""Arrow streams for tests: as pyarrow writes them, and bent on purpose."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as arrow
from pyarrow import ipc

KIND = "application/vnd.apache.arrow.stream"


def stream_of(table: Any, **options: Any) -> bytes:
    """Write a table; ``options`` are those of IpcWriteOptions."""
    stream = io.BytesIO()
    with ipc.new_stream(stream, table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return stream.getvalue()


def read(stream: bytes) -> Any:
    """Read a stream as any client of Arrow does, and check all of it."""
    table = ipc.open_stream(stream).read_all()
    table.validate(full=True)
    return table


def numbers(rows: int = 3) -> Any:
    """Give rows for the model over four numbers."""
    return arrow.table({f"x{place}": [5.0 + place + row for row in range(rows)]
                        for place in range(4)})  # fmt: skip


def hostile() -> dict[str, bytes]:
    """Give bodies that must be refused, by what is wrong with them."""
    good = stream_of(numbers())
    size = int.from_bytes(good[4:8], "little")
    batch = 8 + size
    bomb = arrow.DictionaryArray.from_arrays(
        arrow.array([0] * 200_000, arrow.int32()), arrow.array(["x" * 100_000])
    )
    columns = {f"x{place}": [1.0] for place in range(4)}
    return {
        "empty": b"",
        "no Arrow": b"[[1,2,3,4]]",
        "an Arrow file": b"ARROW1\0\0" + good,
        "cut in the schema": good[: size // 2],
        "cut in a batch": good[: batch + 40],
        "without its end": good[:-8],
        "with more behind its end": good + b"\0" * 8,
        "a message of 2 GiB": good[:4] + b"\xff\xff\xff\x7f" + good[8:],
        "a message of negative length": good[:4] + b"\xfe\xff\xff\xff" + good[8:],
        "a batch before the schema": good[batch:],
        "two schemas": good[:batch] + good,
        "nothing but its end": b"\xff\xff\xff\xff\0\0\0\0",
        "big-endian": _big_endian(good),
        "lz4": stream_of(numbers(1000), compression="lz4"),
        "zstd": stream_of(numbers(1000), compression="zstd"),
        "a dictionary bomb": stream_of(arrow.table({**columns, "x3": bomb[:1]}).slice(0, 1)),
        "rows that weigh nothing": stream_of(
            arrow.table({name: arrow.nulls(2_000_000) for name in columns})
        ),
        "many batches": _many_batches(),
        "nested": stream_of(arrow.table({**columns, "x3": [[1.0]]})),
    }


def _big_endian(stream: bytes) -> bytes:
    """Say that the numbers are big-endian, as a machine of that kind would write it."""
    from samovar.runtime.arrow.flatbuffers import Scalar, write_table

    schema = [Scalar("h", 1), ([None, Scalar("b", 1), Scalar("b", 5), [], None, ()],)]
    data = write_table([Scalar("h", 4), Scalar("b", 1), schema, Scalar("q", 0)])
    data += bytes(-len(data) % 8)
    return b"\xff\xff\xff\xff" + len(data).to_bytes(4, "little") + data + stream[-8:]


def _many_batches() -> bytes:
    stream = io.BytesIO()
    table = numbers(1)
    with ipc.new_stream(stream, table.schema) as writer:
        for _ in range(2000):
            writer.write_table(table)
    return stream.getvalue()
