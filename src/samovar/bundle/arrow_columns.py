"""Columns of Arrow as parts of frames: a buffer where nothing has to be said of single values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from samovar.core.frames import Part
from samovar.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from samovar.core.signature import Column, Signature

_FLOATS: Final = frozenset({"float32", "float64"})
_WHOLE: Final = frozenset(
    {"int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
)


def zip_columns(
    columns: Sequence[Any], signature: Signature
) -> Iterator[tuple[Any, Column | None]]:
    """Pair Arrow's columns with the signature's; a column of texts has none."""
    if signature.container == "texts":
        yield columns[0], None
    else:
        yield from zip(columns, signature.inputs, strict=True)


def arrow_part(values: Any, column: Column | None, where: str) -> Part:
    """Give a column as a part of a frame.

    Parameters
    ----------
    values : pyarrow.Array
        Of any type.
    column : Column or None
        Of the signature; None for texts.
    where : str
        How messages name the place.

    Raises
    ------
    InvalidInput
        Where a value does not fit the column's type exactly.
    """
    name = "text" if column is None else column.name
    # A null where none may be goes on as a value, so that the codec names its row.
    if (
        column is not None
        and _is_number(values)
        and not (values.null_count and not column.nullable)
    ):
        if column.dtype in _FLOATS:
            return _buffer(name, _cast(values, column, where), column.dtype)
        if column.dtype in _WHOLE and not values.null_count:
            return _buffer(name, _cast(values, column, where), column.dtype)
    listed = plain_values(values)
    return Part(name=name, shape=(len(listed),), dtype=None, data=listed)


def _is_number(values: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(values.type) or types.is_floating(values.type))


def _cast(values: Any, column: Column, where: str) -> Any:
    """Bring numbers to the column's type, if each of them can be held exactly."""
    import pyarrow as arrow

    wanted = getattr(arrow, column.dtype)()
    if values.type == wanted:
        return values
    try:
        return values.cast(wanted, safe=True)
    except arrow.ArrowInvalid as error:
        raise InvalidInput(
            f"{where}: column {column.name!r} has a value that {column.dtype} cannot hold.",
            why=str(error),
            hint="Correct the value, or change the column's type in the file.",
        ) from error


def _buffer(name: str, values: Any, dtype: str) -> Part:
    from pyarrow import compute

    if values.null_count:
        values = compute.fill_null(values, math.nan)
    size = values.type.bit_width // 8
    data = memoryview(values.buffers()[1])
    begin = values.offset * size
    return Part(
        name=name,
        shape=(len(values),),
        dtype=dtype,
        data=data[begin : begin + len(values) * size],
    )


def plain_values(column: Any) -> list[Any]:
    """Give a column's values as JSON has them: dates and decimals as text, NaN as null."""
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    values: list[Any] = column.to_pylist()
    if types.is_temporal(kind) or types.is_decimal(kind):
        return [None if value is None else _as_text(value) for value in values]
    if types.is_floating(kind):
        # An infinity stays, and is refused by name where it cannot be asked for.
        return [None if value is None or math.isnan(value) else value for value in values]
    return values


def _as_text(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
