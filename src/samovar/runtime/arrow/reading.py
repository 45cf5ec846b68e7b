"""From an Arrow stream to the parts of the signature's columns, exactly or not at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from samovar.core.frames import Part
from samovar.errors import InvalidInput
from samovar.runtime.arrow.stream import read_stream, too_many
from samovar.runtime.arrow.types import BOOL, DATE, TIMESTAMP
from samovar.runtime.values import FLOATS, INTEGERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.core.signature import Column, Signature
    from samovar.runtime.arrow.stream import StreamColumn

MAX_OBJECTS: Final = 1_000_000
"""Values that become objects of Python's: as many as a body of JSON may have."""


def read_parts(body: bytes, signature: Signature) -> list[Part]:
    """Read a stream into one part for each column of the signature, in its order.

    Raises
    ------
    InvalidInput
        Where it is no stream, or its columns are not the signature's.
    """
    columns = signature.inputs
    streamed = _in_order(read_stream(body, len(columns)), signature)
    parts, objects = [], 0
    for one, column in zip(streamed, columns, strict=True):
        array = None if signature.container == "texts" else _numbers(one, column)
        if array is not None:
            parts.append(_buffer(column.name, array))
            continue
        objects += len(one.values.array)
        if objects > MAX_OBJECTS:
            raise too_many(MAX_OBJECTS)
        listed = plain_values(one)
        parts.append(Part(name=column.name, shape=(len(listed),), dtype=None, data=listed))
    return parts


def _in_order(streamed: Sequence[StreamColumn], signature: Signature) -> list[StreamColumn]:
    names = [one.field.name for one in streamed]
    if signature.container == "texts":
        if len(streamed) != 1:
            raise InvalidInput(
                f"The Arrow stream has {len(streamed)} columns; one column of texts is wanted.",
                code="wrong_columns",
            )
        return list(streamed)
    wanted = [column.name for column in signature.inputs]
    missing = [name for name in wanted if name not in names]
    surplus = [name for place, name in enumerate(names)
               if name not in wanted or name in names[:place]]  # fmt: skip
    if missing or surplus:
        what = (
            f"lacks the column {missing[0]!r}"
            if missing
            else f"has the unknown column {surplus[0][:80]!r}"
            if surplus[0] not in wanted
            else f"has the column {surplus[0]!r} twice"
        )
        raise InvalidInput(
            f"The Arrow stream {what}.",
            hint=f"The columns are: {', '.join(map(repr, wanted[:8]))}.",
            code="wrong_columns",
        )
    return [streamed[names.index(name)] for name in wanted]


def _numbers(one: StreamColumn, column: Column) -> Any:
    """Give a column as an array of exactly its dtype; None where single values are to be judged."""
    array, valid, dtype = one.values.array, one.values.valid, column.dtype
    if dtype == "bool":
        return array if one.field.type.number == BOOL and valid is None else None
    is_float = dtype in FLOATS and dtype.islower()
    if not is_float and not (dtype in INTEGERS and dtype.islower()):
        return None
    if array.dtype.kind not in "iuf" or not (valid is None or (is_float and column.nullable)):
        return None
    if array.dtype.kind == "f" and not column.nullable and np.isnan(array).any():
        return None
    if valid is not None:
        array = np.where(valid, array, array.dtype.type(0))
    exact = _exactly(array, np.dtype(dtype))
    return (
        exact
        if exact is None or valid is None
        else np.where(valid, exact, exact.dtype.type(math.nan))
    )


def _exactly(array: Any, wanted: Any) -> Any:
    """Cast, where no value changes; decimals are rounded, as everywhere."""
    if array.dtype == wanted:
        return array
    if not len(array):
        return array.astype(wanted)
    if wanted.kind == "f":
        if array.dtype.kind != "f":
            largest = max(abs(int(array.min())), abs(int(array.max())))
            return array.astype(wanted) if largest <= 2 ** FLOATS[wanted.name] else None
        with np.errstate(over="ignore"):
            cast = array.astype(wanted)
        return cast if (np.isinf(cast) == np.isinf(array)).all() else None
    low, high = INTEGERS[wanted.name]
    if array.dtype.kind == "f":
        bound = 2.0**53
        if not ((np.abs(array) <= bound) & (np.trunc(array) == array)).all():
            return None
    is_within = low <= int(array.min()) and int(array.max()) <= high
    return array.astype(wanted) if is_within else None


def _buffer(name: str, array: Any) -> Part:
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return Part(
        name=name, shape=native.shape, dtype=native.dtype.name, data=memoryview(native).cast("B")
    )


def plain_values(one: StreamColumn) -> list[Any]:
    """Give a column's values as JSON has them: moments as text, nulls and NaN as None."""
    array, valid, kind = one.values.array, one.values.valid, one.field.type
    if kind.number in {TIMESTAMP, DATE}:
        texts = np.datetime_as_string(array)
        listed: list[Any] = [f"{text}Z" if kind.zoned else str(text) for text in texts.tolist()]
    else:
        listed = array.tolist()
        if array.dtype.kind == "f":
            listed = [None if math.isnan(value) else value for value in listed]
    if valid is None:
        return listed
    return [value if is_there else None
            for value, is_there in zip(listed, valid.tolist(), strict=True)]  # fmt: skip
