"""Measure which types survive which protocol, and write the table of docs/reference/types.md.

For each type hypothesis draws columns; each protocol's own client would write them so, the server's
or the command's own code reads them, and what the model would be called with is compared with the
column, to the last bit. A cell says what was seen over all draws::

    python tests/type_table.py        writes the page again
"""

from __future__ import annotations

import io
import json
import math
import struct
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as arrow
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyarrow import ipc, parquet

from samovar.bundle.predict import INPUT, write_input
from samovar.core.frames import read_frames
from samovar.core.signature import Column, Signature
from samovar.errors import InvalidInput
from samovar.runtime.codec import Codec
from samovar.runtime.columns import ColumnReader
from samovar.runtime.protocols.invocations import InvocationsProtocol
from samovar.runtime.protocols.plain import PlainProtocol
from samovar.runtime.protocols.tensors import column_datatype
from samovar.runtime.protocols.v2 import InferProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "types.md"
BEGIN, END = "<!-- made by tests/type_table.py -->\n", "<!-- end -->\n"
DRAWS = 12
ZONE = "Europe/Berlin"
EQUAL, REFUSED, DIFFERENT = "equal", "refused", "SILENTLY DIFFERENT"


class Unwritable(Exception):
    """The protocol has no way to write such a value; a client cannot even ask."""


@dataclass(frozen=True)
class Kind:
    """A type of column: how the signature describes it, how pandas holds it, what is drawn."""

    words: str
    column: Column
    pandas: Any
    values: st.SearchStrategy[Any]
    container: str = "frame"


def _kind(
    words: str, dtype: str, values: Any, pandas: Any = None, container: str = "frame", **more: Any
) -> Kind:
    nullable = bool(more.pop("nullable", False))
    column = Column(name="c", dtype=dtype, nullable=nullable, **more)
    drawn = st.none() | values if nullable else values
    return Kind(words, column, pandas or dtype, drawn, container)


def _floats(width: int = 64, **more: Any) -> st.SearchStrategy[float]:
    return st.floats(width=width, allow_nan=False, **{"allow_infinity": False, **more})


def _integers(bits: int, *, signed: bool = True) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (
        st.integers(0, 2**bits - 1))  # fmt: skip


MOMENTS = st.integers(-(2**60), 2**60).map(pd.Timestamp)
TEXT = st.text(max_size=8)
WORDS = ("low", "high", "NA", "1", "")
KINDS = [
    _kind("float64", "float64", _floats()),
    _kind("float64 with nulls", "float64", _floats(), nullable=True),
    _kind("float64 with infinities", "float64", st.sampled_from([math.inf, -math.inf])),
    _kind("float32", "float32", _floats(32)),
    _kind("float64, array", "float64", _floats(), container="array"),
    _kind("float32, array", "float32", _floats(32), container="array"),
    _kind("int64, array", "int64", _integers(64), container="array"),
    *[_kind(f"int{bits}", f"int{bits}", _integers(bits)) for bits in (8, 16, 32, 64)],
    *[
        _kind(f"uint{bits}", f"uint{bits}", _integers(bits, signed=False))
        for bits in (8, 16, 32, 64)
    ],
    _kind("Int64 with nulls", "Int64", _integers(64), nullable=True),
    _kind("UInt8 with nulls", "UInt8", _integers(8, signed=False), nullable=True),
    _kind("Float64 with nulls", "Float64", _floats(), nullable=True),
    _kind("bool", "bool", st.booleans()),
    _kind("boolean with nulls", "boolean", st.booleans(), nullable=True),
    _kind("string", "string", TEXT, "str"),
    _kind("string with nulls", "string", TEXT, "str", nullable=True),
    _kind("category", "category", st.sampled_from(WORDS), categories=WORDS),
    _kind("category, ordered", "category", st.sampled_from(WORDS), categories=WORDS, ordered=True),
    _kind("category of integers", "category", st.sampled_from((3, 1, 2)), categories=(3, 1, 2)),
    _kind(
        "category with nulls", "category", st.sampled_from(WORDS[:3]), categories=WORDS[:3],
        nullable=True,
    ),
    _kind("datetime", "datetime", MOMENTS, "datetime64[ns]"),
    _kind(
        "datetime with zone", "datetime", MOMENTS, f"datetime64[ns, {ZONE}]", timezone=ZONE
    ),
    _kind("datetime with nulls", "datetime", MOMENTS, "datetime64[ns]", nullable=True),
    _kind("decimal", "decimal", st.decimals(allow_nan=False, allow_infinity=False, places=3),
          object),
    _kind("texts, a list", "string", TEXT, "str", container="texts"),
]  # fmt: skip


def build(kind: Kind, values: list[Any]) -> Any:
    """Make what the model is called with where no protocol is in between."""
    if kind.container == "texts":
        return list(values)
    if kind.container == "array":
        return np.array([[value, 7] for value in values], dtype=kind.pandas)
    column = kind.column
    if column.dtype == "category":
        dtype = pd.CategoricalDtype(list(column.categories or ()), ordered=column.ordered)
        series = pd.Series(pd.Categorical(values, dtype=dtype))
    elif column.timezone is not None:
        series = pd.Series(pd.DatetimeIndex(values, dtype="datetime64[ns]").tz_localize("UTC"))
        series = series.dt.tz_convert(column.timezone)
    else:
        series = pd.Series(values, dtype=kind.pandas)
    return pd.DataFrame({"c": series, "k": np.full(len(values), 7, dtype="int64")})


def signature_of(kind: Kind) -> Signature:
    """Give the signature; tables have a second column, so that no line of CSV is empty."""
    second = Column(name="k", dtype=kind.column.dtype if kind.container == "array" else "int64")
    columns = (kind.column,) if kind.container == "texts" else (kind.column, second)
    return Signature(container=kind.container, inputs=columns, outputs=())


def plain(kind: Kind, asked: Any) -> list[Any]:
    """Give the column as JSON values, as a careful client writes them."""
    if kind.container == "texts":
        return list(asked)
    cells = asked[:, 0].tolist() if kind.container == "array" else asked["c"].tolist()
    return [_plain(cell) for cell in cells]


def _plain(cell: Any) -> Any:
    if cell is None or cell is pd.NaT or cell is pd.NA:
        return None
    if isinstance(cell, float):
        if math.isinf(cell):
            raise Unwritable("JSON has no infinity")
        return None if math.isnan(cell) else cell
    if isinstance(cell, pd.Timestamp):
        return cell.isoformat()
    return str(cell) if isinstance(cell, Decimal) else cell


def same(one: Any, other: Any) -> bool:
    """Compare to the last bit: types, order of categories, signs of zero, which cells are null."""
    if isinstance(one, list):
        return bool(one == other)
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if list(one.columns) != list(other.columns) or list(one.dtypes) != list(other.dtypes):
        return False
    a, b = one["c"], other["c"]
    if isinstance(a.dtype, np.dtype) and a.dtype.kind == "f":
        bits = a.isna().to_numpy() | (a.to_numpy().view(f"i{a.dtype.itemsize}")
                                      == b.to_numpy().view(f"i{a.dtype.itemsize}"))  # fmt: skip
        return bool(bits.all()) and bool((a.isna() == b.isna()).all())
    nulls = a.isna()
    return bool((nulls == b.isna()).all()) and a[~nulls].tolist() == b[~nulls].tolist()


class Asked:
    """A request as far as a protocol's handler looks at it."""

    def __init__(self, body: bytes, kind: bytes = b"application/json", **headers: bytes) -> None:
        self.body = body
        self.head = self
        self.content_type = kind
        self.headers = {name.replace("_", "-").encode(): text for name, text in headers.items()}
        self.rows: Any = None
        self.note = self.encode = self.parameters = None


def _server(kind: Kind, make: Callable[..., Any], request: Asked) -> Any:
    codec = Codec(signature_of(kind))
    make(codec).handle(request)
    return codec.assemble(request.rows)


def _predict(request: Asked, kind: Kind) -> Any:
    return _server(kind, lambda codec: PlainProtocol(codec, lambda _: None), request)


def _infer(request: Asked, kind: Kind) -> Any:
    return _server(kind, lambda codec: InferProtocol("m", "1", codec, lambda _: None), request)


def _invoke(request: Asked, kind: Kind) -> Any:
    return _server(kind, lambda codec: InvocationsProtocol(codec, lambda _: None), request)


def _json(document: Any) -> bytes:
    return json.dumps(document, allow_nan=False).encode()


def _listed(kind: Kind, asked: Any) -> list[Any]:
    values = plain(kind, asked)
    return values if kind.container == "texts" else [[value, 7] for value in values]


def _records(kind: Kind, asked: Any) -> list[Any]:
    name = "text" if kind.container == "texts" else "c"
    seven = {} if kind.container == "texts" else {"k": 7}
    return [{kind.column.name if name == "c" else "c": value, **seven}
            for value in plain(kind, asked)]  # fmt: skip


def rows(kind: Kind, asked: Any) -> Any:
    return _predict(Asked(_json(_listed(kind, asked))), kind)


def records(kind: Kind, asked: Any) -> Any:
    return _predict(Asked(_json(_records(kind, asked))), kind)


def _tensors(kind: Kind, asked: Any) -> list[dict[str, Any]]:
    values = plain(kind, asked)
    if kind.container == "array":
        datatype = {"f": "FP", "i": "INT"}[asked.dtype.kind] + str(asked.dtype.itemsize * 8)
        data = [cell for value in values for cell in (value, 7)]
        return [{"name": "input", "shape": list(asked.shape), "datatype": datatype, "data": data}]
    tensors = [
        {"name": "c", "shape": [len(values)], "datatype": column_datatype(kind.column),
         "data": values},
    ]  # fmt: skip
    if kind.container == "frame":
        sevens = [7] * len(values)
        tensors.append({"name": "k", "shape": [len(values)], "datatype": "INT64", "data": sevens})
    return tensors


def v2_json(kind: Kind, asked: Any) -> Any:
    return _infer(Asked(_json({"inputs": _tensors(kind, asked)})), kind)


NUMPY = {"FP64": "<f8", "FP32": "<f4", "BOOL": "?"} | {
    f"{prefix}INT{bits}": f"<{prefix.lower()}i{bits // 8}".replace("ui", "u")
    for prefix in ("", "U")
    for bits in (8, 16, 32, 64)
}


def v2_binary(kind: Kind, asked: Any) -> Any:
    blobs = []
    is_float = kind.column.dtype.lower().startswith("float") and kind.container == "frame"
    shown = asked.assign(c=0.0) if is_float else asked
    tensors = _tensors(kind, shown)
    if is_float:
        tensors[0]["data"] = asked["c"].to_numpy(dtype=float, na_value=np.nan).tolist()
    for tensor in tensors:
        data, datatype = tensor.pop("data"), tensor["datatype"]
        if datatype == "BYTES":
            if any(not isinstance(value, str) for value in data):
                raise Unwritable("BYTES are text")
            texts = [value.encode() for value in data]
            blob = b"".join(struct.pack("<I", len(text)) + text for text in texts)
        else:
            if None in data:
                raise Unwritable("a tensor of these has no null")
            name = NUMPY[datatype]
            blob = np.array(data, dtype=name).tobytes()
        tensor["parameters"] = {"binary_data_size": len(blob)}
        blobs.append(blob)
    head = _json({"inputs": tensors})
    length = str(len(head)).encode()
    request = Asked(
        head + b"".join(blobs),
        b"application/octet-stream",
        inference_header_content_length=length,
    )
    return _infer(request, kind)


def inputs(kind: Kind, asked: Any) -> Any:
    values = plain(kind, asked)
    if kind.container == "frame":
        return _invoke(Asked(_json({"inputs": {"c": values, "k": [7] * len(values)}})), kind)
    return _invoke(Asked(_json({"inputs": _listed(kind, asked)})), kind)


def instances(kind: Kind, asked: Any) -> Any:
    return _invoke(Asked(_json({"instances": _listed(kind, asked)})), kind)


def split(kind: Kind, asked: Any) -> Any:
    names = ["c"] if kind.container == "texts" else ["c", "k"]
    listed = [[row] if kind.container == "texts" else row for row in _listed(kind, asked)]
    return _invoke(Asked(_json({"dataframe_split": {"columns": names, "data": listed}})), kind)


def dataframe_records(kind: Kind, asked: Any) -> Any:
    return _invoke(Asked(_json({"dataframe_records": _records(kind, asked)})), kind)


def _table(kind: Kind, asked: Any) -> pd.DataFrame:
    if kind.container == "texts":
        return pd.DataFrame({"c": pd.Series(asked, dtype="str")})
    if kind.container == "array":
        return pd.DataFrame(asked, columns=["c", "k"])
    return asked


def _csv(kind: Kind, asked: Any) -> bytes:
    """Write CSV: null is an empty cell, and texts are quoted, so that an empty one is no null."""
    lines = ["c" if kind.container == "texts" else "c,k"]
    for value in plain(kind, asked):
        cell = "" if value is None else str(value)
        if isinstance(value, str):
            cell = '"' + value.replace('"', '""') + '"'
        lines.append(cell if kind.container == "texts" else f"{cell},7")
    return ("\n".join(lines) + "\n").encode()


def invocations_csv(kind: Kind, asked: Any) -> Any:
    return _invoke(Asked(_csv(kind, asked), b"text/csv"), kind)


def _file(kind: Kind, name: str, write: Callable[[Path], object]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        write(workspace / name)
        write_input(str(workspace / name), signature_of(kind), workspace)
        with (workspace / INPUT).open("rb") as frames:
            (parts,) = read_frames(frames)
        return ColumnReader(signature_of(kind)).read(parts, 0, 0)


def csv_file(kind: Kind, asked: Any) -> Any:
    return _file(kind, "a.csv", lambda path: path.write_bytes(_csv(kind, asked)))


def json_lines(kind: Kind, asked: Any) -> Any:
    lines = b"".join(_json(row) + b"\n" for row in _records(kind, asked))
    if kind.container == "texts":
        lines = b"".join(_json(row) + b"\n" for row in _listed(kind, asked))
    return _file(kind, "a.jsonl", lambda path: path.write_bytes(lines))


def _arrow(kind: Kind, asked: Any) -> Any:
    return arrow.Table.from_pandas(_table(kind, asked), preserve_index=False)


def parquet_file(kind: Kind, asked: Any) -> Any:
    table = _arrow(kind, asked)
    return _file(kind, "a.parquet", lambda path: parquet.write_table(table, path))


def arrow_file(kind: Kind, asked: Any) -> Any:
    table = _arrow(kind, asked)

    def write(path: Path) -> None:
        with ipc.new_file(path, table.schema) as file:
            file.write_table(table)

    return _file(kind, "a.arrow", write)


def arrow_body(kind: Kind, asked: Any) -> Any:
    table, stream = _arrow(kind, asked), io.BytesIO()
    with ipc.new_stream(stream, table.schema) as file:
        file.write_table(table, max_chunksize=4)
    return _predict(Asked(stream.getvalue(), b"application/vnd.apache.arrow.stream"), kind)


PROTOCOLS: dict[str, Callable[[Kind, Any], Any]] = {
    "`/predict` rows": rows,
    "`/predict` records": records,
    "`/predict` Arrow": arrow_body,
    "V2 JSON": v2_json,
    "V2 binary": v2_binary,
    "`inputs`": inputs,
    "`instances`": instances,
    "`dataframe_split`": split,
    "`dataframe_records`": dataframe_records,
    "`/invocations` CSV": invocations_csv,
    "CSV": csv_file,
    "JSON Lines": json_lines,
    "Parquet": parquet_file,
    "Arrow": arrow_file,
}


def measure(kind: Kind) -> dict[str, str]:
    """Ask a type by every protocol; give the cell for each, and an example where it is different."""
    seen: dict[str, set[str]] = defaultdict(set)

    @settings(
        max_examples=DRAWS, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    @given(st.lists(kind.values, min_size=1, max_size=6))
    def draw(values: list[Any]) -> None:
        asked = build(kind, values)
        for name, protocol in PROTOCOLS.items():
            try:
                outcome = EQUAL if same(asked, protocol(kind, asked)) else DIFFERENT
            except (Unwritable, InvalidInput):
                outcome = REFUSED
            seen[name].add(f"{DIFFERENT}: {values!r}" if outcome == DIFFERENT else outcome)

    draw()
    return {name: " or ".join(sorted(found)) for name, found in seen.items()}


def table() -> str:
    """Give the table as Markdown."""
    names = list(PROTOCOLS)
    lines = [f"| type | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for kind in KINDS:
        cells = measure(kind)
        lines.append(f"| {kind.words} | {' | '.join(cells[name] for name in names)} |")
    return "\n".join(lines) + "\n"


def committed() -> str:
    """Give the table that the page has."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page.replace(BEGIN + committed(), BEGIN + table()), encoding="utf-8")
    sys.stdout.write(committed())
