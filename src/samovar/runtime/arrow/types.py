"""Arrow's types as far as columns of a model can have them.

References
----------
Apache Arrow, format/Schema.fbs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.errors import InvalidInput
from samovar.runtime.arrow.flatbuffers import malformed

if TYPE_CHECKING:
    from samovar.runtime.arrow.flatbuffers import Table

NULL, INT, FLOAT, UTF8, BOOL, DECIMAL, DATE, TIMESTAMP, LARGE_UTF8 = 1, 2, 3, 5, 6, 7, 8, 10, 20
_NAMES: Final = {
    4: "binary", 9: "time", 11: "interval", 12: "list", 13: "struct", 14: "union",
    15: "fixed-size binary", 16: "fixed-size list", 17: "map", 18: "duration",
    19: "large binary", 21: "large list", 22: "run-end encoded", 23: "binary view",
    24: "string view", 25: "list view", 26: "large list view",
}  # fmt: skip
_FLOATS: Final = ("<f2", "<f4", "<f8")
_UNITS: Final = ("s", "ms", "us", "ns")
_DAYS: Final = "<M8[D]"
_WIDTHS: Final = frozenset({8, 16, 32, 64})
_DECIMAL_WIDTHS: Final = frozenset({32, 64, 128, 256})
_MAX_SCALE: Final = 76


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrowType:
    """A type of Arrow's.

    Parameters
    ----------
    number : int
        In the union ``Type``.
    dtype : str
        NumPy's, of the values; empty for texts, bits, decimals and nulls.
    item_bytes : int
        Of one decimal.
    scale : int
        Digits of a decimal after the point.
    zoned : bool
        Whether a timestamp is one of UTC.
    """

    number: int
    dtype: str = ""
    item_bytes: int = 0
    scale: int = 0
    zoned: bool = False

    @property
    def stored(self) -> str:
        """NumPy's name for what is in the buffer: days are four bytes wide there."""
        return "<i4" if self.dtype == _DAYS else self.dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A column of a stream.

    Parameters
    ----------
    name : str
        Its name.
    type : ArrowType
        Of the values.
    dictionary : int or None
        Of which dictionary the column holds places.
    index : ArrowType or None
        Of those places.
    """

    name: str
    type: ArrowType
    dictionary: int | None = None
    index: ArrowType | None = None


def read_field(table: Table) -> Field:
    """Read a field of a schema.

    Raises
    ------
    InvalidInput
        Where no column of a model could be made from such a type.
    """
    name = table.text(0) or ""
    kind = _read_type(name, table.scalar(2, "<B"), table.table(3))
    encoding = table.table(4)
    if encoding is None:
        return Field(name=name, type=kind)
    places = encoding.table(1)
    index = ArrowType(number=INT, dtype="<i4") if places is None else _integer(places)
    return Field(name=name, type=kind, dictionary=encoding.scalar(0, "<q"), index=index)


def _read_type(name: str, number: int, table: Table | None) -> ArrowType:
    if number in {NULL, UTF8, BOOL, LARGE_UTF8}:
        return ArrowType(number=number)
    if number in _NAMES:
        raise InvalidInput(
            f"The column {name[:80]!r} is of Arrow's type {_NAMES[number]}; it is not read here.",
            hint="Send numbers, booleans, strings, dictionaries, dates, timestamps or decimals.",
            code="wrong_type",
        )
    if table is None or number not in {INT, FLOAT, DECIMAL, DATE, TIMESTAMP}:
        raise malformed(f"The column {name[:80]!r} has no known type.")
    if number == INT:
        return _integer(table)
    if number == DECIMAL:
        width, scale = table.scalar(2, "<i", 128), table.scalar(1, "<i")
        if width not in _DECIMAL_WIDTHS or abs(scale) > _MAX_SCALE:
            raise malformed("A decimal has an impossible width or scale.")
        return ArrowType(number=number, item_bytes=width // 8, scale=scale)
    if number == DATE:
        is_days = table.scalar(0, "<h", 1) == 0
        return ArrowType(number=number, dtype=_DAYS if is_days else "<M8[ms]")
    unit = table.scalar(0, "<h")
    if number == FLOAT:
        if not 0 <= unit < len(_FLOATS):
            raise malformed("A floating-point type has an impossible precision.")
        return ArrowType(number=number, dtype=_FLOATS[unit])
    if not 0 <= unit < len(_UNITS):
        raise malformed("A timestamp has an impossible unit.")
    return ArrowType(number=number, dtype=f"<M8[{_UNITS[unit]}]", zoned=bool(table.text(1)))


def _integer(table: Table) -> ArrowType:
    width = table.scalar(0, "<i")
    if width not in _WIDTHS:
        raise malformed("An integer type has an impossible width.")
    return ArrowType(number=INT, dtype=f"<{'i' if table.scalar(1, '<B') else 'u'}{width // 8}")
