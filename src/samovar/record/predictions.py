"""Read predictions on the fixed evaluation set as tensors: .npy, CSV, JSON or Parquet.

References
----------
NumPy enhancement proposal 1, "A Simple File Format for NumPy Arrays".
"""

from __future__ import annotations

import ast
import csv
import json
import math
import struct
import sys
from array import array
from typing import TYPE_CHECKING, Any, Final

from samovar.core.receipt import Tensor
from samovar.errors import ScriptFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_MAGIC: Final = b"\x93NUMPY"
# NumPy's kind and item size: the array module's type code and the protocol's datatype.
_TYPES: Final = {
    "f8": ("d", "FP64"), "f4": ("f", "FP32"),
    "i8": ("q", "INT64"), "i4": ("i", "INT32"), "i2": ("h", "INT16"), "i1": ("b", "INT8"),
    "u8": ("Q", "UINT64"), "u4": ("I", "UINT32"), "u2": ("H", "UINT16"), "u1": ("B", "UINT8"),
    "b1": ("B", "BOOL"),
}  # fmt: skip


def read_predictions(path: Path, shown: str) -> tuple[Tensor, ...]:
    """Read a predictions file.

    Parameters
    ----------
    path : Path
        Ending in ``.npy``, ``.csv``, ``.json`` or ``.parquet``.
    shown : str
        How messages name it.

    Returns
    -------
    tuple of Tensor
        One named ``prediction`` for an array, else one for each column.

    Raises
    ------
    ScriptFailed
        Where it is absent or unreadable.
    """
    if not path.is_file():
        raise ScriptFailed(
            f"The script ended well, but it wrote no predictions to {shown}.",
            hint="Save them there, or correct [train] predictions.",
            code="no_predictions",
        )
    readers = {".npy": _read_npy, ".csv": _read_csv, ".json": _read_json, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ScriptFailed(
            f"Predictions cannot be read from {shown}.",
            hint="Save them as .npy, .csv, .json or .parquet.",
            code="no_predictions",
        )
    try:
        return reader(path)
    except (ValueError, SyntaxError, struct.error, EOFError, KeyError, UnicodeError) as error:
        raise ScriptFailed(
            f"The predictions in {shown} cannot be read.",
            why=str(error) or None,
            hint="Arrays of objects are not read; save numbers, or text as CSV.",
            code="no_predictions",
        ) from error


def _read_npy(path: Path) -> tuple[Tensor, ...]:
    data = path.read_bytes()
    if data[:6] != _MAGIC:
        raise ValueError("it is not a .npy file")
    if data[6] == 1:
        (length,), start = struct.unpack("<H", data[8:10]), 10
    else:
        (length,), start = struct.unpack("<I", data[8:12]), 12
    header = ast.literal_eval(data[start : start + length].decode("latin-1"))
    order, kind = header["descr"][0], header["descr"][1:]
    shape = tuple(int(size) for size in header["shape"])
    body = data[start + length :]
    if kind[0] in "US":
        values: Sequence[Any] = _strings(body, kind, order)
        datatype = "BYTES"
    elif kind in _TYPES:
        code, datatype = _TYPES[kind]
        numbers = array(code)
        numbers.frombytes(body[: len(body) - len(body) % numbers.itemsize])
        if order == (">" if sys.byteorder == "little" else "<"):
            numbers.byteswap()
        values = [bool(number) for number in numbers] if kind == "b1" else numbers
    else:
        raise ValueError(f"the type {header['descr']!r} is not a number, a bool or text")
    if math.prod(shape) != len(values):
        raise ValueError("it has not as many values as its shape says")
    if header["fortran_order"] and len(shape) > 1:
        values = _to_row_major(values, shape)
    return (_tensor("prediction", datatype, shape or (1,), values),)


def _strings(body: bytes, kind: str, order: str) -> list[str]:
    size = int(kind[1:]) * (4 if kind[0] == "U" else 1)
    if size == 0:
        return []
    encoding = "latin-1" if kind[0] == "S" else "utf-32-be" if order == ">" else "utf-32-le"
    return [
        body[at : at + size].decode(encoding).rstrip("\0")
        for at in range(0, len(body) - size + 1, size)
    ]


def _to_row_major(values: Sequence[Any], shape: tuple[int, ...]) -> list[Any]:
    strides = [math.prod(shape[:axis]) for axis in range(len(shape))]
    positions = [0]
    for size, stride in zip(shape, strides, strict=True):
        positions = [at + index * stride for at in positions for index in range(size)]
    return [values[at] for at in positions]


def _read_csv(path: Path) -> tuple[Tensor, ...]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    if not lines:
        raise ValueError("it is empty")
    header, rows = lines[0], lines[1:]
    if all(_number(cell) is not None for cell in header):
        header, rows = [f"column_{position}" for position in range(len(header))], lines
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise ValueError(f"line {number} has {len(row)} cells, the header {len(header)}")
    return tuple(
        _column(name, [row[position] for row in rows]) for position, name in enumerate(header)
    )


def _column(name: str, cells: list[str]) -> Tensor:
    numbers = [_number(cell) for cell in cells]
    if any(number is None for number in numbers):
        return _tensor(name, "BYTES", (len(cells),), cells)
    if all(isinstance(number, int) for number in numbers):
        return _tensor(name, "INT64", (len(cells),), numbers)
    return _tensor(
        name, "FP64", (len(cells),), [float(number) for number in numbers if number is not None]
    )


def _number(cell: str) -> float | int | None:
    if cell == "":
        return math.nan
    for read in (int, float):
        try:
            return read(cell)
        except ValueError:
            continue
    return None


def _read_json(path: Path) -> tuple[Tensor, ...]:
    document = json.loads(path.read_text(encoding="utf-8-sig"))
    if isinstance(document, dict):
        document = document.get("predictions", document)
    columns = document if isinstance(document, dict) else {"prediction": document}
    return tuple(_of_list(str(name), values) for name, values in columns.items())


def _of_list(name: str, values: Any) -> Tensor:
    if not isinstance(values, list):
        raise ValueError(f"{name} is not a list")
    shape, flat = [len(values)], values
    while flat and all(isinstance(item, list) for item in flat):
        sizes = {len(item) for item in flat}
        if len(sizes) != 1:
            raise ValueError(f"{name} has rows of different lengths")
        shape.append(sizes.pop())
        flat = [inner for item in flat for inner in item]
    if all(isinstance(item, bool) for item in flat):
        return _tensor(name, "BOOL", tuple(shape), flat)
    if all(isinstance(item, int) and not isinstance(item, bool) for item in flat):
        return _tensor(name, "INT64", tuple(shape), flat)
    if all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in flat):
        return _tensor(name, "FP64", tuple(shape), [float(item) for item in flat])
    return _tensor(name, "BYTES", tuple(shape), flat)


def _read_parquet(path: Path) -> tuple[Tensor, ...]:
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except arrow.ArrowException as error:
        raise ValueError(str(error)) from error
    return tuple(_of_list(name, table.column(name).to_pylist()) for name in table.column_names)


def _tensor(name: str, datatype: str, shape: tuple[int, ...], values: Iterable[Any]) -> Tensor:
    if datatype.startswith("FP"):
        values = [_finite(value) for value in values]
    return Tensor(name=name, datatype=datatype, shape=shape, data=tuple(values))


def _finite(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
