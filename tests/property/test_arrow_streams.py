"""Arrow streams: what pyarrow writes is read, what is bent is refused, answers are read by pyarrow."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pyarrow as arrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import compute

from arrow_streams import hostile, numbers, read, stream_of
from samovar.core.signature import Column, Signature
from samovar.errors import InvalidInput
from samovar.runtime.arrow import stream as streams
from samovar.runtime.arrow.reading import plain_values, read_parts
from samovar.runtime.arrow.writing import write_stream
from samovar.runtime.columns import ColumnReader
from samovar.runtime.http_errors import status_of
from samovar.runtime.outputs import Answer
from samovar.runtime.protocols.arrow_rows import ArrowRows

NUMBERS = Signature(
    container="array",
    inputs=tuple(Column(name=f"x{place}", dtype="float64") for place in range(4)),
    outputs=(),
)
MIXED = arrow.table(
    {
        "whole": arrow.array([1, None, 3], arrow.int16()),
        "half": arrow.array([1.5, None, 0.25], arrow.float16()),
        "text": ["x", None, "zé"],
        "wide text": arrow.array(["", "b", None], arrow.large_string()),
        "choice": arrow.array(["u", None, "u"]).dictionary_encode(),
        "flag": [True, None, False],
        "money": [decimal.Decimal("1.50"), None, decimal.Decimal("-3.25")],
        "moment": arrow.array([1, None, 3], arrow.timestamp("us", "Europe/Berlin")),
        "day": [datetime.date(2024, 2, 29), None, datetime.date(1, 1, 1)],
        "nothing": arrow.nulls(3),
    }
)


def signature(column: Column) -> Signature:
    return Signature(container="frame", inputs=(column,), outputs=())


def rows_of(described: Signature) -> ArrowRows:
    return ArrowRows(described, ColumnReader(described))


@pytest.mark.parametrize("name", MIXED.column_names)
@pytest.mark.parametrize("batch_rows", [1, 3])
def test_every_type_is_read_as_pyarrow_wrote_it(name: str, batch_rows: int) -> None:
    table = arrow.Table.from_batches(MIXED.select([name]).to_batches(max_chunksize=batch_rows))
    (column,) = streams.read_stream(stream_of(table), 1)
    found = plain_values(column)
    wanted = table[name].to_pylist()
    assert [value is None for value in found] == [value is None for value in wanted]
    for value, own in zip(found, wanted, strict=True):
        if isinstance(own, decimal.Decimal):
            assert decimal.Decimal(value) == own
        elif isinstance(own, datetime.datetime):
            assert datetime.datetime.fromisoformat(value.replace("Z", "+00:00")) == own
        else:
            assert value == (own.isoformat() if isinstance(own, datetime.date) else own)


def test_dictionaries_may_grow_and_change() -> None:
    words = [["a", "b"], ["a", "b", "c"], ["z"]]
    chunks = [arrow.DictionaryArray.from_arrays(arrow.array([len(own) - 1, 0]), own)
              for own in words]  # fmt: skip
    table = arrow.table({"c": arrow.chunked_array(chunks)})
    for is_delta in (False, True):
        (column,) = streams.read_stream(stream_of(table, emit_dictionary_deltas=is_delta), 1)
        assert column.values.array.tolist() == ["b", "a", "c", "a", "z", "z"]


@pytest.mark.parametrize(
    ("values", "dtype", "wanted"),
    [
        (arrow.array([1, 2**53]), "float64", [1.0, 2.0**53]),
        (arrow.array([1, 2**53 + 1]), "float64", "row 1, column 'c': float64 cannot hold"),
        (arrow.array([1, 300]), "uint8", "row 1, column 'c': 300 is out of range"),
        (arrow.array([1.0, 3.0]), "int8", [1, 3]),
        (arrow.array([1.0, 3.5]), "int8", "row 1, column 'c': an integer (int8) is wanted, 3.5"),
        (arrow.array([1.0, 1e300]), "float32", "row 1, column 'c': 1e+300 is too large"),
        (arrow.array([True, False]), "int64", "row 0, column 'c': an integer (int64) is wanted"),
        (arrow.array([1, 0]), "bool", "row 0, column 'c': true or false is wanted, 1 was found"),
        (arrow.array(["1", "2"]), "float64", "row 0, column 'c': a number (float64) is wanted"),
        (arrow.array([1.0, None]), "float64", "row 1, column 'c': a number (float64) is wanted"),
        (arrow.array([1.0, float("nan")]), "float64", "row 1, column 'c': a number (float64)"),
        (arrow.array([2**63, 1], arrow.uint64()), "int64", "row 0, column 'c'"),
        (arrow.array([2**60], arrow.timestamp("s")), "datetime", "row 0, column 'c'"),
    ],
)
def test_a_column_becomes_its_dtype_exactly_or_not_at_all(
    values: Any, dtype: str, wanted: Any
) -> None:
    rows = rows_of(signature(Column(name="c", dtype=dtype)))
    body = stream_of(arrow.table({"c": values}))
    if isinstance(wanted, str):
        with pytest.raises(InvalidInput) as caught:
            rows.read(body)
        assert wanted.lower() in str(caught.value).lower()
        return
    frame = rows.read(body).build()
    assert frame["c"].dtype == np.dtype(dtype)
    assert frame["c"].tolist() == wanted


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"x0": [1.0]}, "lacks the column 'x1'"),
        ({**{f"x{i}": [1.0] for i in range(4)}, "y": [1.0]}, "has the unknown column 'y'"),
        ({f"x{i}": arrow.array([], arrow.float64()) for i in range(4)}, "no rows"),
        ({f"x{i}": arrow.array([], arrow.date32()) for i in range(4)}, "no rows"),
    ],
)
def test_columns_are_the_signatures(table: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        rows_of(NUMBERS).read(stream_of(arrow.table(table)))


def test_a_column_twice_is_refused() -> None:
    table = numbers().append_column("x0", [[1.0, 2.0, 3.0]])
    with pytest.raises(InvalidInput, match="'x0' twice"):
        rows_of(NUMBERS).read(stream_of(table))


def test_dictionaries_do_not_unfold_without_bound() -> None:
    bomb = arrow.DictionaryArray.from_arrays(
        arrow.array(np.zeros(100_000, dtype=np.int8)), arrow.array(["x" * 10_000])
    )
    with pytest.raises(InvalidInput, match="unfold") as caught:
        read_parts(stream_of(arrow.table({"c": bomb})),
                   signature(Column(name="c", dtype="string")))  # fmt: skip
    assert status_of(caught.value) == 413


@pytest.mark.parametrize("what", sorted(hostile()))
def test_hostile_streams_are_refused(what: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        rows_of(NUMBERS).read(hostile()[what])
    assert 400 <= status_of(caught.value) < 500


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_bent_streams_are_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    columns = data.draw(st.lists(st.sampled_from(MIXED.column_names), min_size=1, max_size=3,
                                 unique=True))  # fmt: skip
    good = bytearray(stream_of(MIXED.select(columns)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good) - 1))
        width = data.draw(st.sampled_from([1, 2, 4, 8]))
        edge = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
        good[at : at + width] = bytes([edge]) * len(good[at : at + width])
    described = Signature(
        container="frame",
        inputs=tuple(Column(name=name, dtype="object", nullable=True) for name in columns),
        outputs=(),
    )
    status, parts = 200, []
    try:
        parts = read_parts(bytes(good), described)
    except InvalidInput as error:
        status = status_of(error)
    assert 400 <= status < 500 or len(parts) == len(columns)


@given(st.lists(st.floats(width=64), min_size=1, max_size=5), st.integers(1, 3))
def test_answers_keep_their_bits(values: list[float], width: int) -> None:
    block = np.array(values * width).reshape(-1, width)
    table = read(write_stream([Answer("prediction", block)]))
    names = ["prediction"] if width == 1 else [f"prediction_{i}" for i in range(width)]
    assert table.column_names == names
    for place, name in enumerate(names):
        assert table[name].to_numpy().tobytes() == block[:, place].tobytes()


def test_answers_of_every_type_are_read_by_pyarrow() -> None:
    arrays = [np.array([1, 2], dtype=name) for name in
              ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
               "float16", "float32", "float64")]  # fmt: skip
    arrays += [np.array([True, False]), np.array(["ä", None], dtype=object)]
    table = read(write_stream([Answer(str(i), array) for i, array in enumerate(arrays)]))
    for array, column in zip(arrays, table.columns, strict=True):
        assert column.to_pylist() == array.tolist()
    assert [str(kind) for kind in table.schema.types[-2:]] == ["bool", "string"]
    assert table.num_rows == compute.count(table[0]).as_py()
