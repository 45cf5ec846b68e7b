"""The size of a NumPy data type, from the symbolic value that a pickle stream made of it.

References
----------
``numpy/_core/src/multiarray/descriptor.c``, ``arraydescr_reduce`` and ``arraydescr_setstate``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from samovar.model.source import broken
from samovar.model.values import Instance, Mapping

_TEXT: Final = re.compile(r"[<>=|]?([?bBhHiIlLqQfdgFDGeSUVOMmcpu])(\d*)(?:\[\w+\])?")
_HOLDS_OBJECTS: Final = 0x01
_UNICODE_BYTES: Final = 4
_OBJECT_BYTES: Final = 8
_NESTING: Final = 16
# Types that carry their own number of bytes: f8, i4, u1, b1, c16, V24, S3, M8, m8.
_SIZED: Final = frozenset("fiubcVSMmO")


@dataclass(frozen=True, slots=True)
class DataType:
    """Bytes of an item, and whether it holds Python objects."""

    size: int
    has_objects: bool


def data_type_of(value: Any, *, nesting: int = 0) -> DataType:
    """Work out size and kind of a data type.

    Parameters
    ----------
    value : Instance
        Of ``numpy.dtype``, with the state that BUILD set.

    Raises
    ------
    InvalidModel
        Where the reader cannot be sure.
    """
    if not isinstance(value, Instance) or value.cls is None or str(value.cls.what) != "numpy.dtype":
        raise broken("An array's data type is not numpy.dtype.")
    if nesting > _NESTING:
        raise broken("A data type is nested too deeply.")
    match = _TEXT.fullmatch(value.args[0]) if value.args and _is_text(value.args[0]) else None
    if match is None:
        raise broken("An array's data type cannot be worked out.")
    kind, digits = match.groups()
    if kind == "O":
        return DataType(_OBJECT_BYTES, has_objects=True)
    if (kind not in _SIZED and not (kind == "U" and digits)) or not digits:
        raise broken(f"The data type {value.args[0]!r} has no size of its own.")
    size = int(digits) * (_UNICODE_BYTES if kind == "U" else 1)
    if kind != "V" or value.state is None:
        return DataType(size, has_objects=False)
    return _structured(value.state, size, nesting)


def _structured(state: Any, size: int, nesting: int) -> DataType:
    if not isinstance(state, tuple) or len(state) < 8 or state[5] not in {size, -1}:
        raise broken("The state of a structured data type does not fit its size.")
    subarray, fields, flags = state[2], state[4], state[7]
    if type(flags) is not int:
        raise broken("A data type's flags are no number.")
    if subarray is not None:
        raise broken("An array's items are arrays themselves.")
    has_objects = bool(flags & _HOLDS_OBJECTS)
    if isinstance(fields, Mapping):
        inner = [_field(field, size, nesting) for field in fields.values()]
        if has_objects != any(field.has_objects for field in inner):
            raise broken("A structured data type hides that it holds objects.")
    elif has_objects:
        raise broken("A data type of raw bytes claims to hold objects.")
    return DataType(size, has_objects=has_objects)


def _field(field: Any, size: int, nesting: int) -> DataType:
    if not isinstance(field, tuple) or len(field) not in {2, 3} or type(field[1]) is not int:
        raise broken("A structured data type has a field that is none.")
    inner = data_type_of(field[0], nesting=nesting + 1)
    if not 0 <= field[1] <= size - inner.size:
        raise broken("A structured data type has a field outside its item.")
    return inner


def _is_text(value: Any) -> bool:
    return type(value) is str
