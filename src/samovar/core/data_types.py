"""What a NumPy data type is, from the arguments and the state that a pickle stream gives it.

NumPy believes the state: flags that hide that an item holds objects make pointers of the file's
bytes, and a field or a size beyond the item reads memory that is not the array's. Here a state must
say of the data type what its fields say.

References
----------
``numpy/_core/src/multiarray/descriptor.c``, ``arraydescr_reduce`` and ``arraydescr_setstate``;
``NPY_ITEM_REFCOUNT`` and the other flags in ``numpy/ndarraytypes.h``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from samovar.core.arguments import View

_CODE: Final = re.compile(r"[<>=|]?([?bBhHiIlLqQfdgFDGeSUVOMmcpPu])(\d{0,9})(?:\[\w+\])?")
_NAMES: Final = re.compile(r"(bool|u?int(8|16|32|64)|float(16|32|64)|complex(64|128)|object)_?")
_ITEM_BYTES: Final = {"O": 8, "?": 1, "b": 1, "B": 1, "c": 1, "e": 2, "d": 8, "M": 8, "m": 8}
# Types that carry their own number of bytes: f8, i4, u1, b1, c16, V24, S3, M8, m8.
_SIZED: Final = frozenset("fiubcVSMm")
_TIMES: Final = frozenset("Mm")
_UNITS: Final = [[name, "int", "int", "int"] for name in ("bytes", "text")]
_UNIT_NUMBERS: Final = 1 << 31
_EXTENDED: Final = frozenset("SUV")
_UNICODE_BYTES: Final = 4
# NPY_ITEM_REFCOUNT, LIST_PICKLE, ITEM_IS_POINTER; with them NEEDS_INIT, NEEDS_PYAPI, USE_GETITEM.
_OBJECT_FLAGS: Final = 0x07
_OF_OBJECTS: Final = 0x3F
_WITH_OBJECTS: Final = 0x1B
_FIELDS: Final = 4096
_ALIGNMENTS: Final = frozenset({-1, 1, 2, 4, 8, 16, 32, 64})
_COPIED: Final = (False, True)
"""Arguments of a call that makes a data type of its own, as each that is pickled is."""


@dataclass(frozen=True, slots=True)
class DataType:
    """Bytes of an item, None where the machine decides; the flags of one that holds objects."""

    size: int | None
    flags: int = 0

    @property
    def has_objects(self) -> bool:
        """Whether an item holds Python objects."""
        return self.flags != 0


class Settled:
    """Remembers the data types whose state was judged; nothing changes them afterwards."""

    def __init__(self) -> None:
        self._settled: dict[int, tuple[Any, DataType]] = {}

    def settle(self, value: Any, data_type: DataType) -> None:
        """Remember what a data type is."""
        self._settled[id(value)] = (value, data_type)

    def data_type(self, value: Any) -> DataType | None:
        """Give what a data type is; None for one without a state, and for everything else."""
        found = self._settled.get(id(value))
        return None if found is None else found[1]


def is_code(text: str) -> bool:
    """Say whether text names a simple data type, as honest streams write it.

    Examples
    --------
    >>> is_code("<f8"), is_code("i4,O")
    (True, False)
    """
    return (_CODE.fullmatch(text) or _NAMES.fullmatch(text)) is not None


def of_text(text: str) -> DataType:
    """Give what a data type is that was made from text and has no state.

    Examples
    --------
    >>> of_text("U5")
    DataType(size=20, flags=0)
    """
    match = _CODE.fullmatch(text)
    if match is None:
        return DataType(None, _OF_OBJECTS if text.startswith("object") else 0)
    kind, digits = match.groups()
    if kind == "O":
        return DataType(_ITEM_BYTES["O"], _OF_OBJECTS)
    if kind == "U" and digits:
        return DataType(int(digits) * _UNICODE_BYTES)
    return DataType(int(digits) if kind in _SIZED and digits else _ITEM_BYTES.get(kind))


def of_state(args: tuple[Any, ...], state: tuple[Any, ...], view: View) -> DataType | str:
    """Give what a data type is, or say what is wrong with its state.

    Parameters
    ----------
    args : tuple
        What ``numpy.dtype`` was called with.
    state : tuple
        ``(version, order, subarray, names, fields, size, alignment, flags[, metadata])``, whose
        kinds were checked.
    view : View
        Knows the data types of the fields.
    """
    if len(args) != 3 or view.kind_of(args[0]) != "text" or args[1:] != _COPIED:
        return "is given a state though it may be a data type that all arrays share"
    text = str(args[0])
    made, match = of_text(text), _CODE.fullmatch(text)
    subarray, names, fields, size, alignment, flags = state[2:8]
    extended = match is not None and match[1] in _EXTENDED
    if alignment not in _ALIGNMENTS or size != (made.size if extended else -1):
        return "is given another size or alignment than its own"
    if not _fits(state, view, is_time=match is not None and match[1] in _TIMES):
        return "is given metadata that it cannot have, or none of its unit of time"
    if subarray is not None or fields is not None:
        parts = _parts(subarray, names, fields, made, view)
        if isinstance(parts, str):
            return parts
        made = parts
    if flags & made.flags != made.flags or flags & _OBJECT_FLAGS & ~made.flags:
        return "is given flags that hide, or make up, that its items are objects"
    return made


def _fits(state: tuple[Any, ...], view: View, *, is_time: bool) -> bool:
    """Say whether the metadata are the unit of a time, or a dictionary that nobody reads.

    NumPy takes a time without a unit, and follows a null pointer later.
    """
    metadata: Any = state[8] if len(state) > 8 else None
    if not is_time:
        return view.kind_of(metadata) in {"none", "dict"}
    if view.kind_of(metadata) != "tuple" or len(metadata) != 2:
        return False
    more, unit = metadata
    return (
        view.kind_of(more) in {"none", "dict"}
        and view.kind_of(unit) == "tuple"
        and [view.kind_of(part) for part in unit] in _UNITS
        and all(type(number) is int and 0 < number < _UNIT_NUMBERS for number in unit[1:])
    )


def _parts(subarray: Any, names: Any, fields: Any, made: DataType, view: View) -> DataType | str:
    """Give what a data type with parts is, or say what is wrong with them."""
    if made.size is None or made.has_objects or (subarray is None) == (fields is None):
        return "is given parts that it cannot have"
    if fields is None:
        return _repeated(subarray, made.size, view)
    if len(fields) > _FIELDS or getattr(fields, "has_odd_keys", False):
        return "is given more fields, or others, than a table has"
    if names is None or any(view.kind_of(n) != "text" or n not in fields for n in names):
        return "is given names that are none of its fields"
    flags = 0
    for name, field in fields.items():
        inner = _field(field, made.size, view)
        if isinstance(inner, str) or view.kind_of(name) != "text":
            return inner if isinstance(inner, str) else "is given a field without a name"
        flags |= _WITH_OBJECTS if inner.has_objects else 0
    return DataType(made.size, flags)


def _field(field: Any, size: int, view: View) -> DataType | str:
    if view.kind_of(field) != "tuple" or len(field) not in {2, 3}:
        return "is given a field that is none"
    inner = view.data_type(field[0])
    if inner is None or inner.size is None:
        return "is given a field whose own data type is not known"
    if type(field[1]) is not int or not 0 <= field[1] <= size - inner.size:
        return "is given a field outside its item"
    return inner


def _repeated(subarray: Any, size: int, view: View) -> DataType | str:
    if view.kind_of(subarray) != "tuple" or len(subarray) != 2:
        return "is given an array as its item that is none"
    inner, shape = view.data_type(subarray[0]), subarray[1]
    lengths = shape if view.kind_of(shape) == "tuple" else (shape,)
    if inner is None or any(type(n) is not int or n < 0 for n in lengths):
        return "is given an array as its item whose size is not known"
    if inner.size is None or prod(lengths) * inner.size != size:
        return "is given an array as its item that is larger or smaller"
    return DataType(size, inner.flags)
