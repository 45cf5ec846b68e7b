"""Check one value against a column's dtype: it becomes exactly that, or it is refused.

Nothing is converted that could come out as another value: a bool is no number, a string is no
number, an integer that the type cannot hold exactly is refused. JSON has one kind of number, so
``3.0`` is an integer and ``3`` is a float.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from samovar.core.signature import Column

    Reader = Callable[[Any], Any]

FLOATS: Final = {"float32": 24, "float64": 53, "Float32": 24, "Float64": 53}
"""Bits of the significand."""
INTEGERS: Final = {
    f"{prefix}{bits}": ((0, 2**bits - 1) if prefix.lower()[0] == "u" else (
        -(2 ** (bits - 1)), 2 ** (bits - 1) - 1))
    for prefix in ("int", "uint", "Int", "UInt")
    for bits in (8, 16, 32, 64)
}  # fmt: skip
"""Smallest and largest value."""
BOOLEANS: Final = frozenset({"bool", "boolean"})
_FLOAT32_MAX: Final = 3.4028235677973366e38
_EXACT_FLOAT: Final = 2.0**53
_SHOWN: Final = 40
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


class WrongValueError(ValueError):
    """A value does not fit; the message says what is wanted and what was found."""


def reader_of(column: Column) -> Reader:
    """Make the function that checks a column's values and gives them their type.

    Parameters
    ----------
    column : Column
        Of the signature.

    Returns
    -------
    callable
        Takes a JSON value; gives a float, int, bool, str, Decimal, pandas Timestamp, JSON value, or
        None for null; raises :class:`WrongValueError`.
    """
    read = _reader(column)
    if column.nullable:
        return lambda value: None if value is None else read(value)
    return read


def wanted(column: Column) -> str:
    """Say in words what a column takes."""
    dtype = column.dtype
    if dtype in FLOATS:
        words = f"a number ({dtype})"
    elif dtype in INTEGERS:
        words = f"an integer ({dtype})"
    elif dtype in BOOLEANS:
        words = "true or false"
    elif dtype == "category":
        shown = ", ".join(map(repr, (column.categories or ())[:8]))
        words = f"a category ({shown})"
    else:
        words = {
            "string": "a string",
            "datetime": "a date and time (ISO 8601)",
            "decimal": "a decimal number as a string",
        }.get(dtype, "a value")
    return f"{words} or null" if column.nullable else words


def found(value: Any) -> str:
    """Show a value as JSON would write it, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and abs(value) > 10**_SHOWN:
        return f"an integer of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _reader(column: Column) -> Reader:
    dtype = column.dtype
    if dtype in FLOATS:
        return _float_reader(column, FLOATS[dtype])
    if dtype in INTEGERS:
        return _integer_reader(column, *INTEGERS[dtype])
    if dtype in BOOLEANS:
        return _type_reader(column, bool)
    if dtype == "string":
        return _type_reader(column, str)
    if dtype == "category":
        return _category_reader(column)
    if dtype == "datetime":
        return _timestamp_reader(column)
    return _decimal_reader(column) if dtype == "decimal" else _scalar_reader(column)


def _wrong(column: Column, value: Any) -> WrongValueError:
    return WrongValueError(f"{wanted(column)} is wanted, {found(value)} was found")


def _float_reader(column: Column, bits: int) -> Reader:
    largest = _FLOAT32_MAX if bits == 24 else math.inf

    def read(value: Any) -> float:
        kind = type(value)
        if kind is float:
            if -largest < value < largest:
                return float(value)
            raise WrongValueError(f"{value!r} is too large for {column.dtype}")
        if kind is not int:
            raise _wrong(column, value)
        if abs(value) >> 1024 or not -largest < float(value) < largest:
            raise WrongValueError(f"{found(value)} is too large for {column.dtype}")
        if not _is_exact(value, bits):
            raise WrongValueError(f"{column.dtype} cannot hold {found(value)} exactly")
        return float(value)

    return read


def _is_exact(value: int, bits: int) -> bool:
    magnitude = abs(value)
    surplus = magnitude.bit_length() - bits
    return surplus <= 0 or not magnitude & ((1 << surplus) - 1)


def _integer_reader(column: Column, smallest: int, largest: int) -> Reader:
    def read(value: Any) -> int:
        if type(value) is float and value.is_integer() and abs(value) <= _EXACT_FLOAT:
            value = int(value)
        if type(value) is not int:
            raise _wrong(column, value)
        if not smallest <= value <= largest:
            raise WrongValueError(f"{found(value)} is out of range for {column.dtype}")
        return int(value)

    return read


def _type_reader(column: Column, kind: type) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise _wrong(column, value)
        return value

    return read


def _category_reader(column: Column) -> Reader:
    known = {(type(category), category) for category in column.categories or ()}

    def read(value: Any) -> Any:
        if isinstance(value, (list, dict)) or (type(value), value) not in known:
            raise _wrong(column, value)
        return value

    return read


def _timestamp_reader(column: Column) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not str or _TIMESTAMP.fullmatch(value) is None:
            raise _wrong(column, value)
        from pandas import Timestamp

        try:
            moment = Timestamp(value)
        except ValueError:
            raise _wrong(column, value) from None
        if (moment.tz is None) != (column.timezone is None):
            needs = "without" if column.timezone is None else "with"
            raise WrongValueError(f"a date and time {needs} a zone is wanted, {value!r} was found")
        return moment if column.timezone is None else moment.tz_convert(column.timezone)

    return read


def _decimal_reader(column: Column) -> Reader:
    def read(value: Any) -> Decimal:
        if type(value) not in {str, int}:
            raise _wrong(column, value)
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise _wrong(column, value) from None
        if not number.is_finite():
            raise _wrong(column, value)
        return number

    return read


def _scalar_reader(column: Column) -> Reader:
    def read(value: Any) -> Any:
        if value is None or isinstance(value, (list, dict)):
            raise _wrong(column, value)
        return value

    return read
