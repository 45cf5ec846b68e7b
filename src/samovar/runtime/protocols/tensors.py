"""Tensors of the Open Inference Protocol into rows, and answers into binary tensors."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from samovar.errors import InvalidInput
from samovar.runtime.containers import array_dtype
from samovar.runtime.outputs import DATATYPES, json_scalar
from samovar.runtime.values import BOOLEANS, FLOATS, INTEGERS, found

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samovar.core.signature import Column, Signature
    from samovar.runtime.codec import Codec, Rows
    from samovar.runtime.outputs import Answer

_NUMPY: Final = {datatype: np.dtype(kind) for kind, datatype in DATATYPES.items()}
_RANGES: Final = {
    datatype: (int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    for datatype, kind in _NUMPY.items()
    if kind.kind in "iu"
}
_MAX_ELEMENTS: Final = 2**31


def column_datatype(column: Column) -> str:
    """Give the datatype that a column's tensor is announced with."""
    dtype = column.dtype.lower()
    if dtype in FLOATS:
        return "FP32" if dtype == "float32" else "FP64"
    if column.dtype in INTEGERS:
        return dtype.upper()
    return "BOOL" if column.dtype in BOOLEANS else "BYTES"


def matrix_datatype(signature: Signature) -> str | None:
    """Give the datatype of the one [n, k] tensor; None where each column has its own."""
    if signature.container != "array":
        return None
    dtype = array_dtype(signature.inputs)
    return DATATYPES.get(dtype.str[1:])


def read_inputs(codec: Codec, tensors: Sequence[Any], binary: memoryview) -> Rows:
    """Read the tensors of a request into checked rows.

    Parameters
    ----------
    codec : Codec
        Of the model.
    tensors : sequence of dict
        ``{"name", "shape", "datatype", "data"}``, or with ``binary_data_size`` among the
        parameters.
    binary : memoryview
        What follows the JSON.

    Raises
    ------
    InvalidInput
        Naming the tensor, and the row and column of a wrong value.
    """
    columns: dict[str, list[Any]] = {}
    for tensor in tensors:
        name, shape, datatype = _describe(tensor)
        values, binary = _values(tensor, name, shape, datatype, binary)
        if len(tensors) == 1 and _is_matrix(codec, shape):
            return _matrix_rows(codec, values, shape)
        if name in columns:
            raise InvalidInput(f"The input {name!r} is there twice.", code="wrong_columns")
        if len(shape) > 2 or (len(shape) == 2 and shape[1] != 1):
            raise InvalidInput(
                f"The input {name!r} has the shape {list(shape)}; "
                f"{_wanted_shapes(codec)} is wanted.",
                code="wrong_shape",
            )
        columns[name] = values
    if len(binary):
        raise InvalidInput("The body has more bytes than its tensors.", code="malformed_body")
    return codec.read_columns(columns)


def binary_of(answer: Answer) -> bytes:
    """Write an output as little-endian bytes; BYTES have their length before each element."""
    if answer.datatype != "BYTES":
        array = np.ascontiguousarray(answer.values)
        return bytes(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    texts = [text.encode() for text in texts_of(answer)]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def texts_of(answer: Answer) -> list[str]:
    """Give the elements of an output that is no numbers as texts."""
    scalars = [json_scalar(value) for value in answer.values.ravel().tolist()]
    return [scalar if isinstance(scalar, str) else str(scalar) for scalar in scalars]


def _describe(tensor: Any) -> tuple[str, tuple[int, ...], str]:
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        raise InvalidInput("An input has no name.", code="malformed_body")
    name, shape, datatype = tensor["name"], tensor.get("shape"), tensor.get("datatype")
    is_shape = (
        isinstance(shape, list)
        and bool(shape)
        and all(type(size) is int and 0 <= size < _MAX_ELEMENTS for size in shape)
    )
    if not is_shape or math.prod(shape or ()) >= _MAX_ELEMENTS:
        raise InvalidInput(f"The input {name[:80]!r} has no valid shape.", code="wrong_shape")
    if datatype not in _NUMPY and datatype != "BYTES":
        raise InvalidInput(
            f"The input {name[:80]!r} has the unknown datatype {found(datatype)}.",
            code="wrong_datatype",
        )
    if not isinstance(tensor.get("parameters") or {}, dict):
        raise InvalidInput(f"The parameters of {name[:80]!r} are no object.", code="malformed_body")
    return name, tuple(shape or ()), datatype


def _values(
    tensor: Mapping[str, Any], name: str, shape: tuple[int, ...], datatype: str, binary: memoryview
) -> tuple[list[Any], memoryview]:
    count = math.prod(shape)
    size = (tensor.get("parameters") or {}).get("binary_data_size")
    if size is None:
        values = _flatten(tensor.get("data"), shape, name)
        return _checked(values, name, datatype), binary
    if type(size) is not int or not 0 <= size <= len(binary) or "data" in tensor:
        raise InvalidInput(
            f"The binary data of {name[:80]!r} is not as long as announced.", code="malformed_body"
        )
    own, rest = binary[:size], binary[size:]
    if datatype == "BYTES":
        return _texts(own, count, name), rest
    dtype = _NUMPY[datatype].newbyteorder("<")
    if size != count * dtype.itemsize:
        raise InvalidInput(
            f"The input {name[:80]!r} has {size} bytes; its shape and datatype make "
            f"{count * dtype.itemsize}.",
            code="wrong_shape",
        )
    array = np.frombuffer(own, dtype=dtype)
    listed = array.astype(bool).tolist() if datatype == "BOOL" else array.tolist()
    # NaN is how a binary tensor of floats says null.
    return [None if _is_nan(value) else value for value in listed], rest


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _flatten(data: Any, shape: tuple[int, ...], name: str) -> list[Any]:
    if not isinstance(data, list):
        raise InvalidInput(f"The input {name[:80]!r} has no data.", code="malformed_body")
    flat = data
    for axis in range(1, len(shape)):
        if not any(isinstance(item, list) for item in flat):
            break
        if not all(isinstance(item, list) and len(item) == shape[axis] for item in flat):
            raise InvalidInput(
                f"The data of {name[:80]!r} is not nested as its shape says.", code="wrong_shape"
            )
        flat = [item for part in flat for item in part]
    if len(flat) != math.prod(shape):
        raise InvalidInput(
            f"The input {name[:80]!r} has {len(flat)} values; its shape {list(shape)} makes "
            f"{math.prod(shape)}.",
            code="wrong_shape",
        )
    return flat


def _checked(values: list[Any], name: str, datatype: str) -> list[Any]:
    """Check that JSON values are of the tensor's datatype; floats are rounded to it."""
    limits = _RANGES.get(datatype)
    is_float = datatype in {"FP16", "FP32", "FP64"}
    for number, value in enumerate(values):
        kind = type(value)
        if value is None:
            continue
        if limits is not None:
            fits = kind is int and limits[0] <= value <= limits[1]
        elif is_float:
            fits = kind is float or kind is int
        else:
            fits = kind is (bool if datatype == "BOOL" else str)
        if not fits:
            raise InvalidInput(
                f"The input {name[:80]!r}, element {number}: {datatype} is wanted, "
                f"{found(value)} was found.",
                code="wrong_value",
            )
    if datatype in {"FP16", "FP32"}:
        return [None if value is None else _rounded(value, datatype, name) for value in values]
    return values


def _rounded(value: float, datatype: str, name: str) -> float:
    with np.errstate(over="ignore"):
        narrow = float(_NUMPY[datatype].type(value))
    if math.isinf(narrow):
        raise InvalidInput(
            f"The input {name[:80]!r}: {found(value)} is too large for {datatype}.",
            code="wrong_value",
        )
    return narrow


def _texts(data: memoryview, count: int, name: str) -> list[str]:
    texts, position = [], 0
    for _ in range(count):
        if position + 4 > len(data):
            break
        (length,) = struct.unpack_from("<I", data, position)
        position += 4
        if position + length > len(data):
            break
        try:
            texts.append(str(data[position : position + length], "utf-8"))
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"The input {name[:80]!r} is not UTF-8.", code="wrong_value"
            ) from error
        position += length
    if len(texts) != count or position != len(data):
        raise InvalidInput(
            f"The binary data of {name[:80]!r} does not hold {count} elements.",
            code="wrong_shape",
        )
    return texts


def _is_matrix(codec: Codec, shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and not codec.is_text and len(codec.columns) == shape[1]


def _matrix_rows(codec: Codec, values: list[Any], shape: tuple[int, ...]) -> Rows:
    width = shape[1]
    return codec.read_rows([values[i * width : (i + 1) * width] for i in range(shape[0])])


def _wanted_shapes(codec: Codec) -> str:
    width = len(codec.columns)
    return f"[n, {width}], or [n] for each column," if width > 1 else "[n] or [n, 1]"
