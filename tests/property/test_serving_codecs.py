"""Whatever comes over the wire is exactly what was sent, or refused; company changes nothing."""

from __future__ import annotations

import json
import math
import struct
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samovar.core.signature import Column, Signature
from samovar.errors import InvalidInput, SamovarError
from samovar.runtime.codec import Codec
from samovar.runtime.engines import find_engine, same_bits
from samovar.runtime.http.parsing import Budget, RequestReader
from samovar.runtime.http_errors import status_of
from samovar.runtime.protocols.bodies import decode_json
from samovar.runtime.protocols.csv_rows import read_csv
from samovar.runtime.protocols.plain import PlainProtocol
from samovar.runtime.protocols.tensors import read_inputs

if TYPE_CHECKING:
    from collections.abc import Callable

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES: dict[str, Any] = {
    "float64": FLOATS,
    "float32": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "uint8": st.integers(0, 255),
    "bool": st.booleans(),
    "string": st.text(),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Codec, list[list[Any]]]:
    """Draw a signature over columns of several types, and rows that fit it."""
    dtypes = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=5))
    nullable = [draw(st.booleans()) and dtype == "float64" for dtype in dtypes]
    columns = tuple(
        Column(name=f"c{i}", dtype=dtype, nullable=null)
        for i, (dtype, null) in enumerate(zip(dtypes, nullable, strict=True))
    )
    cells = [
        st.none() | VALUES[dtype] if null else VALUES[dtype]
        for dtype, null in zip(dtypes, nullable, strict=True)
    ]
    rows = draw(st.lists(st.tuples(*cells).map(list), min_size=1, max_size=8))
    return Codec(Signature(container="frame", inputs=columns, outputs=())), rows


class Sent:
    """What a protocol's handler queued."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.rows: Any = None
        self.encode: Any = None
        self.head = self
        self.note = None
        self.headers: dict[bytes, bytes] = {}
        self.content_type = b"application/json"


@given(tables())
def test_rows_records_columns_and_tensors_are_the_same(
    table: tuple[Codec, list[list[Any]]],
) -> None:
    codec, rows = table
    expected = [tuple(row) for row in rows]
    records = [dict(zip(codec.names, row, strict=True)) for row in rows]
    columns = dict(zip(codec.names, map(list, zip(*rows, strict=True)), strict=True))
    over_the_wire = decode_json(json.dumps([rows, records, columns]).encode())
    assert same(codec.read_rows(over_the_wire[0]), expected)
    assert same(codec.read_rows(over_the_wire[1]), expected)
    assert same(codec.read_columns(over_the_wire[2]), expected)


@given(tables())
def test_the_fast_way_of_predict_reads_what_the_slow_way_does(
    table: tuple[Codec, list[list[Any]]],
) -> None:
    codec, rows = table
    queued: list[Any] = []
    protocol = PlainProtocol(codec, queued.append)
    records = [dict(zip(codec.names[::-1], row[::-1], strict=True)) for row in rows]
    one, several = codec.read_rows(rows[:1]), codec.read_rows(rows)
    for body, expected in (
        (rows, several), (rows[0], one), (records, several), (records[0], one),
    ):  # fmt: skip
        protocol.handle(Sent(json.dumps(body, separators=(",", ":")).encode()))  # type: ignore[arg-type] # has what a handler looks at
        assert same(list(queued.pop().rows), list(expected))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'[{"a":1,"b":2,"a":3}]', "name twice"),
        (b'[{"a":1,"b":2},{"a":1}]', "Row 1 lacks the column 'b'"),
        (b'[{"a":1,"b":2,"c":3}]', "unknown column 'c'"),
        (b'[{"a":1,"b":"2"}]', "column 'b'"),
        (b'[{"a":1,"b":9007199254740993}]', "exactly"),
        (b'[{"a":1,"b":-9007199254740993 }]', "exactly"),
        (b'[{"a":1,"b":\n12345678901234567891\n}]', "exactly"),
        (b"[[1,9007199254740993]]", "exactly"),
    ],
)
def test_the_fast_way_of_records_refuses_what_the_slow_way_does(body: bytes, said: str) -> None:
    columns = (Column(name="a", dtype="float64"), Column(name="b", dtype="float64"))
    codec = Codec(Signature(container="frame", inputs=columns, outputs=()))
    with pytest.raises(InvalidInput, match=said):
        PlainProtocol(codec, [].append).handle(Sent(body))  # type: ignore[arg-type] # has what a handler looks at


@given(tables(), st.data())
def test_frames_of_pooled_requests_are_the_frames_of_each(
    table: tuple[Codec, list[list[Any]]], data: st.DataObject
) -> None:
    codec, rows = table
    cut = data.draw(st.integers(0, len(rows)))
    checked = codec.read_rows(rows)
    whole = codec.assemble(checked)
    parts = [part for part in (checked[:cut], checked[cut:]) if len(part)]
    pooled = codec.assemble(codec.concatenate(parts))
    assert pooled.equals(whole)
    for part in parts:
        assert list(codec.assemble(part).dtypes) == list(whole.dtypes)


@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=10))
def test_binary_and_json_tensors_are_the_same_bits(rows: list[tuple[float, float]]) -> None:
    columns = (Column(name="a", dtype="float64"), Column(name="b", dtype="float64"))
    codec = Codec(Signature(container="array", inputs=columns, outputs=()))
    data = b"".join(struct.pack("<2d", *row) for row in rows)
    shape = [len(rows), 2]
    binary = {"name": "x", "shape": shape, "datatype": "FP64",
              "parameters": {"binary_data_size": len(data)}}  # fmt: skip
    text = {"name": "x", "shape": shape, "datatype": "FP64", "data": [v for r in rows for v in r]}
    from_binary = codec.assemble(read_inputs(codec, [binary], memoryview(data)))
    from_text = codec.assemble(
        read_inputs(codec, [decode_json(json.dumps(text).encode())], memoryview(b""))
    )
    assert same_bits(from_binary, from_text)


@given(st.integers())
def test_an_integer_is_taken_exactly_or_refused(value: int) -> None:
    codec = Codec(
        Signature(container="array", inputs=(Column(name="x", dtype="float64"),), outputs=())
    )
    try:
        ((got,),) = codec.read_rows([[value]])
    except InvalidInput:
        assert abs(value) > 2**53
        return
    assert int(got) == value


@given(JSON | st.binary())
@settings(max_examples=300)
def test_any_body_is_read_or_refused_with_a_reason(document: Any) -> None:
    body = document if isinstance(document, bytes) else msgspec.json.encode(document)
    columns = (Column(name="a", dtype="float64"), Column(name="b", dtype="string", nullable=True))
    codec = Codec(Signature(container="frame", inputs=columns, outputs=()))
    queued: list[Any] = []
    for read in (
        lambda: PlainProtocol(codec, queued.append).handle(Sent(body)),  # type: ignore[arg-type] # see above
        lambda: read_csv(codec, body),
        lambda: read_inputs(codec, [decode_json(body)], memoryview(b"")),
    ):
        refusal = refused(read)
        assert refusal is None or str(refusal)


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=6))
def test_any_bytes_are_a_request_or_refused(chunks: list[bytes]) -> None:
    from samovar.runtime.http.head import Routes

    seen: list[Any] = []
    reader = RequestReader(
        Routes({}, {}),
        100,
        Budget(1000),
        on_head=seen.append,
        on_request=lambda _, body: seen.append(body),
    )
    refusal = refused(lambda: [reader.feed(chunk) for chunk in chunks])
    assert refusal is None or status_of(refusal) < 500


REQUEST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[1,2,3,4]"


@given(st.lists(st.integers(0, 3 * len(REQUEST)), max_size=10))
def test_how_requests_are_cut_does_not_matter(cuts: list[int]) -> None:
    from samovar.runtime.http.head import Routes

    stream = REQUEST * 3
    edges = [0, *sorted(cuts), len(stream)]
    bodies: list[bytes] = []
    reader = RequestReader(
        Routes({}, {}),
        100,
        Budget(1000),
        on_head=lambda _: None,
        on_request=lambda _, body: bodies.append(body),
    )
    for start, stop in pairwise(edges):
        if start != stop:
            reader.feed(stream[start:stop])
    assert bodies == [b"[1,2,3,4]"] * 3
    assert reader.is_idle


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_forests_are_walked_to_the_same_bits(data: st.DataObject) -> None:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    seed = data.draw(st.integers(0, 2**16))
    noise = np.random.default_rng(seed)
    rows = noise.normal(size=(40, 3)).round(data.draw(st.integers(0, 3)))
    target = noise.integers(0, 3, 40)
    kind, method = data.draw(
        st.sampled_from(
            [(RandomForestRegressor, "predict"), (RandomForestClassifier, "predict_proba")]
        )
    )
    model = kind(data.draw(st.integers(1, 7)), random_state=seed).fit(rows, target)
    engine = find_engine(model, method)
    assert engine is not None
    for size in (1, 5, 40):
        assert same_bits(getattr(model, method)(rows[:size]), engine.call(rows[:size]))


def refused(read: Callable[[], Any]) -> SamovarError | None:
    """Give the refusal, if it is one; anything else that is raised is a fault."""
    try:
        read()
    except SamovarError as error:
        return error
    return None


def same(one: list[Any], other: list[Any]) -> bool:
    """Whether rows are equal, with -0.0 apart from 0.0 and True apart from 1."""
    return [[key(value) for value in row] for row in one] == [
        [key(value) for value in row] for row in other
    ]


def key(value: Any) -> Any:
    if isinstance(value, float):
        return ("float", value, math.copysign(1.0, value))
    return (type(value).__name__, value)


@pytest.mark.parametrize("body", [b"[1e400,1]", b'{"a":1,"a":2}', b"\xff", b"[" * 5000, b"[NaN]"])
def test_json_is_strict(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_json(body)
