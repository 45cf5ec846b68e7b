"""Rows of any form become what the model saw; wrong ones are named by row and column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from samovar.core.signature import Column, Signature
from samovar.errors import InvalidInput
from samovar.runtime.codec import Codec
from samovar.runtime.protocols.csv_rows import read_csv
from samovar.runtime.protocols.tensors import binary_of, column_datatype, read_inputs
from samovar.runtime.protocols.v2 import metadata


def codec(container: str, **dtypes: str) -> Codec:
    columns = tuple(
        Column(name=name, dtype=dtype.rstrip("?"), nullable=dtype.endswith("?"))
        for name, dtype in dtypes.items()
    )
    return Codec(Signature(container=container, inputs=columns, outputs=()))


MATRIX = codec("array", a="float64", b="float64")
FRAME = codec("frame", n="int64", s="string?", f="float64?", b="bool")
TEXTS = codec("texts", text="string")


def test_one_row_and_many() -> None:
    assert MATRIX.read([1, 2.5]) == ([(1.0, 2.5)], True)
    assert MATRIX.read([[1, 2], [3, 4]]) == ([(1.0, 2.0), (3.0, 4.0)], False)
    assert MATRIX.read({"b": 2, "a": 1}) == ([(1.0, 2.0)], True)
    assert MATRIX.read([{"b": 2, "a": 1}, [3, 4]]) == ([(1.0, 2.0), (3.0, 4.0)], False)


def test_texts() -> None:
    assert TEXTS.read("word") == (["word"], True)
    assert TEXTS.read(["one", "two"]) == (["one", "two"], False)
    assert TEXTS.read({"text": "word"}) == (["word"], True)
    assert TEXTS.assemble(["one"]) == ["one"]


def test_frames_have_the_signatures_dtypes_whatever_the_values() -> None:
    for rows in (
        [(1, "x", 1.5, True)],
        [(1, None, None, False), (2, "y", 2.0, True)],
        [(1, None, None, False)],
    ):
        frame = FRAME.assemble(rows)
        assert list(frame.columns) == ["n", "s", "f", "b"]
        kinds = [str(dtype) for dtype in frame.dtypes]
        assert kinds[0] == "int64"
        assert kinds[1] in {"object", "str"}
        assert kinds[2:] == ["float64", "bool"]
        assert frame["s"].isna().tolist() == [row[1] is None for row in rows]


def test_nullable_categorical_and_zoned_columns() -> None:
    columns = (
        Column(name="i", dtype="Int64", nullable=True),
        Column(name="c", dtype="category", categories=("lo", "hi"), ordered=True),
        Column(name="t", dtype="datetime", timezone="UTC"),
        Column(name="d", dtype="decimal"),
    )
    made = Codec(Signature(container="frame", inputs=columns, outputs=()))
    rows, _ = made.read([[None, "hi", "2024-05-01T00:00:00Z", "1.5"], [2**53 + 1, "lo",
                          "2024-05-01T00:00:00+01:00", "2"]])  # fmt: skip
    frame = made.assemble(rows)
    assert frame["i"].tolist() == [pd.NA, 2**53 + 1]
    assert frame["c"].cat.ordered
    assert list(frame["c"].cat.categories) == ["lo", "hi"]
    assert str(frame["t"].dtype) == "datetime64[ns, UTC]"
    assert [str(value) for value in frame["d"]] == ["1.5", "2"]


def test_an_array_of_numbers_and_one_of_mixed_types() -> None:
    assert MATRIX.assemble([(1.0, 2.0)]).dtype == np.float64
    mixed = codec("array", a="string?", b="float64").assemble([("x", 1.0), (None, 2.0)])
    assert mixed.dtype == object
    assert mixed[0].tolist() == ["x", 1.0]
    assert np.isnan(mixed[1][0])


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (7, "A row (a list or an object) or a list of them is wanted, 7 was found."),
        ("x", "is wanted, 'x' was found."),
        ([], "There are no rows."),
        ([[1, 2], 3], "Row 1 is 3, and no list and no object."),
        ([1], "Row 0 has 1 value, the model takes 2."),
        ([[1, 2], [1, 2, 3]], "Row 1 has 3 values, the model takes 2."),
        ([[1, 2], [1, "x"]], "Row 1, column 'b': a number (float64) is wanted, 'x' was found."),
        ({"a": 1}, "Row 0 lacks the column 'b'."),
        ({"a": 1, "b": 2, "c": 3}, "Row 0 has the unknown column 'c'."),
    ],
)
def test_what_is_wrong_is_named(document: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        MATRIX.read(document)
    assert words in str(caught.value)


def test_columns_are_read_whole() -> None:
    assert MATRIX.read_columns({"b": [3, 4], "a": [1, 2]}) == [(1.0, 3.0), (2.0, 4.0)]
    for columns, words in (
        ({"a": [1], "b": [1, 2]}, "not of equal length"),
        ({"a": [], "b": []}, "no rows"),
        ({"a": [1, 2], "b": [1, None]}, "Row 1, column 'b'"),
        ({"a": [1]}, "The input lacks the column 'b'."),
    ):
        with pytest.raises(InvalidInput, match=words):
            MATRIX.read_columns(columns)  # type: ignore[arg-type] # lists of different types


def test_concatenated_parts_are_the_rows_in_order() -> None:
    rows = MATRIX.concatenate([[(1.0, 2.0)], np.array([[3.0, 4.0]]), [(5.0, 6.0)]])
    assert rows.tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert MATRIX.concatenate([[(1.0, 2.0)], [(3.0, 4.0)]]) == [(1.0, 2.0), (3.0, 4.0)]


def test_csv_cells() -> None:
    rows = read_csv(FRAME, b'\xef\xbb\xbfs,n,b,f\r\n"a,\nb",1,true,\r\n,2,False,1e3\r\n')
    assert rows == [(1, "a,\nb", None, True), (2, None, 1000.0, False)]
    for body, words in (
        (b"", "no header"),
        (b"n,n\n1,2\n", "a name twice"),
        (b"n,s,f,b\n1,x\n", "Line 2 of the CSV has 2 cells; the header has 4."),
        (b"n,s,f,b\n1,x,1_0,true\n", "column 'f': a number"),
        (b"n,s,f,b\n1,x,nan,true\n", "column 'f': a number"),
        (b"n,s,f,b\n1.5,x,1,true\n", "column 'n': an integer"),
        (b"n,s,f,b\n1,x,1,maybe\n", "column 'b': true or false"),
        (b"n,s,f,b\n\xff,x,1,true\n", "not UTF-8"),
        (b'n,s,f,b\n1,"x,1,true\n', "not valid"),
    ):
        with pytest.raises(InvalidInput) as caught:
            read_csv(FRAME, body)
        assert words in str(caught.value)


def tensor(name: str, shape: list[int], datatype: str, data: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def test_tensors_flat_nested_and_by_column() -> None:
    nothing = memoryview(b"")
    expected = [(1.0, 2.0), (3.0, 4.0)]
    flat = [tensor("input", [2, 2], "FP64", [1, 2, 3, 4])]
    nested = [tensor("input", [2, 2], "INT64", [[1, 2], [3, 4]])]
    columns = [tensor("b", [2, 1], "FP32", [2, 4]), tensor("a", [2], "INT8", [1, 3])]
    for tensors in (flat, nested, columns):
        assert read_inputs(MATRIX, tensors, nothing) == expected


def test_json_and_binary_single_precision_are_the_same() -> None:
    data = np.array([0.1, 0.2], "<f4").tobytes()
    binary = {"name": "input", "shape": [1, 2], "datatype": "FP32",
              "parameters": {"binary_data_size": 8}}  # fmt: skip
    from_binary = read_inputs(MATRIX, [binary], memoryview(data))
    from_json = read_inputs(MATRIX, [tensor("input", [1, 2], "FP32", [0.1, 0.2])], memoryview(b""))
    assert from_binary == from_json == [(float(np.float32(0.1)), float(np.float32(0.2)))]


def test_binary_texts_and_nan() -> None:
    texts = b"\x01\x00\x00\x00x\x02\x00\x00\x00\xc3\xa9"
    inputs = [
        {"name": "n", "shape": [2], "datatype": "INT64", "data": [1, 2]},
        {"name": "s", "shape": [2], "datatype": "BYTES",
         "parameters": {"binary_data_size": len(texts)}},
        {"name": "f", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": 16}},
        {"name": "b", "shape": [2], "datatype": "BOOL", "parameters": {"binary_data_size": 2}},
    ]  # fmt: skip
    rest = np.array([np.nan, 1.5]).tobytes() + b"\x01\x00"
    rows = read_inputs(FRAME, inputs, memoryview(texts + rest))
    assert rows == [(1, "x", None, True), (2, "é", 1.5, False)]


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ([tensor("input", [1, 3], "FP64", [1, 2, 3])], "[n, 2], or [n] for each column, is wanted"),
        ([tensor("input", [2, 2], "FP64", [1, 2, 3])], "has 3 values; its shape [2, 2] makes 4"),
        ([tensor("input", [1, 2], "FP99", [1, 2])], "unknown datatype 'FP99'"),
        ([tensor("input", [1, 2], "INT64", [1, 1.5])], "element 1: INT64 is wanted, 1.5 was found"),
        ([tensor("input", [1, 2], "UINT8", [1, 256])], "UINT8 is wanted"),
        ([tensor("input", [1, 2], "BOOL", [True, False])], "a number (float64) is wanted"),
        ([tensor("input", [1, 2], "FP32", [1, 1e39])], "too large for FP32"),
        ([tensor("input", [-1, 2], "FP64", [1, 2])], "no valid shape"),
        ([tensor("input", [2**20, 2**20], "FP64", [1])], "no valid shape"),
        ([tensor("input", [1, 2], "FP64", [[1], [2, 3]])], "not nested as its shape says"),
        ([tensor("input", [1, 2], "FP64", None)], "has no data"),
        ([tensor("a", [1], "FP64", [1]), tensor("a", [1], "FP64", [1])], "is there twice"),
        ([tensor("a", [1], "FP64", [1])], "lacks the column 'b'"),
        ([{"shape": [1]}], "has no name"),
        ([], "lacks the column 'a', 'b'"),
    ],
)
def test_wrong_tensors_are_named(tensors: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_inputs(MATRIX, tensors, memoryview(b""))
    assert words in str(caught.value)


def test_binary_data_of_the_wrong_length() -> None:
    for size, data in ((8, b"\0" * 8), (16, b"\0" * 8), (-1, b"")):
        announced = {"name": "input", "shape": [1, 2], "datatype": "FP64",
                     "parameters": {"binary_data_size": size}}  # fmt: skip
        with pytest.raises(InvalidInput):
            read_inputs(MATRIX, [announced], memoryview(data))


def test_metadata_names_one_matrix_or_each_column() -> None:
    (one,) = metadata(MATRIX.signature, "m", "1", "p")["inputs"]
    assert one == {"name": "input", "datatype": "FP64", "shape": [-1, 2]}
    each = metadata(FRAME.signature, "m", "1", "p")["inputs"]
    assert [item["datatype"] for item in each] == ["INT64", "BYTES", "FP64", "BOOL"]
    assert column_datatype(Column(name="c", dtype="Float32")) == "FP32"


def test_outputs_as_bytes() -> None:
    from samovar.runtime.outputs import Answer

    labels = np.array(["a", "é", 3], dtype=object)
    assert binary_of(Answer("p", labels)) == (
        b"\x01\x00\x00\x00a\x02\x00\x00\x00\xc3\xa9\x01\x00\x00\x003"
    )
    assert binary_of(Answer("p", np.array([1.5], ">f8"))) == np.array([1.5], "<f8").tobytes()


def test_a_bare_empty_cell_is_null_and_a_quoted_one_is_empty_text() -> None:
    frame = codec("frame", s="string?", n="float64?")
    rows = read_csv(frame, b's,n\n"",1\n,\n"a ""quoted"" one",\n","",""",""\n')
    assert rows == [("", 1.0), (None, None), ('a "quoted" one', None), (',","', None)]
