"""The half of the pickle machine that makes values: memo, marks, containers.

It follows CPython's ``Lib/pickle.py``; what the C reader does otherwise (frames) is said there.

References
----------
The opcodes are documented in ``Lib/pickletools.py``; protocols in PEP 307, 3154 and 574.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from samovar.model.constants import Constants
from samovar.model.source import Source, broken
from samovar.model.values import Mapping, Sequence

if TYPE_CHECKING:
    from collections.abc import Collection

_STACK: Final = 1_000_000
_CONTAINERS: Final = 1_500_000
_MARKS: Final = 20_000
_MEMO: Final = 8_000_000
_POPS: Final = 100_000
_PROTOCOL: Final = 5
_UINT4 = struct.Struct("<I").unpack
_UINT8 = struct.Struct("<Q").unpack


class StackMachine(Constants):
    """Stack, marks and memo, and the opcodes that only make values.

    Parameters
    ----------
    source : Source
        At the beginning of a pickle stream.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: list[Any] = []
        self.far_memo: dict[int, Any] = {}
        self.protocol = 0
        self.frame_end = 0
        self.containers = 0
        self._pops = 0

    # Where a subclass judges what is put where.

    def on_tuple(self, value: tuple[Any, ...]) -> None:
        """Judge a new tuple."""

    def on_items(self, target: Any, values: Collection[Any], kind: str) -> None:
        """Judge values that are put into a list, set or object."""

    def on_pairs(self, target: Any, items: list[Any]) -> None:
        """Judge keys and values that are put into a dictionary or object."""

    # Machinery

    def pop_mark(self) -> list[Any]:
        """Give the values above the topmost mark."""
        items = self.stack
        self.stack = self.marks.pop()
        return items

    def mark(self) -> None:
        """MARK."""
        if len(self.marks) > _MARKS:
            raise broken("The stream nests deeper than any pickler does.")
        self.marks.append(self.stack)
        self.stack = []

    def check_growth(self) -> None:
        """Refuse a stack or a memo that no model needs."""
        remembered = len(self.memo) + 8 * len(self.far_memo)
        if self.containers > _CONTAINERS or len(self.stack) > _STACK or remembered > _MEMO:
            raise broken("The stream holds more values at once than a model does.")

    def pop(self) -> None:
        """POP."""
        self._pops += 1
        if self._pops > _POPS:
            raise broken("The stream makes values only to drop them.")
        if self.stack:
            self.stack.pop()
        else:
            self.pop_mark()

    def dup(self) -> None:
        """DUP."""
        self.stack.append(self.stack[-1])

    def proto(self) -> None:
        """PROTO."""
        version = self.source.read(1)[0]
        if version > _PROTOCOL:
            raise broken(f"There is no pickle protocol {version}.")
        self.protocol = version

    def frame(self) -> None:
        """FRAME: CPython's readers differ in whether a value may cross its end."""
        (size,) = _UINT8(self.source.read(8))
        self.source.require(size)
        if self.source.position() < self.frame_end:
            raise broken("A frame begins inside another.")
        self.frame_end = self.source.position() + size

    # Memo

    def put(self, index: int) -> None:
        """Store the top of the stack."""
        value = self.stack[-1]
        if index == len(self.memo):
            self.memo.append(value)
            self.far_memo.pop(index, None)
        elif index < 0:
            raise broken("A memo has no negative index.")
        elif index < len(self.memo):
            self.memo[index] = value
        elif index > 1 << 20:
            raise broken(f"The memo's index {index} would allocate that many places.")
        else:
            self.far_memo[index] = value

    def get(self, index: int) -> None:
        """Push a stored value."""
        if 0 <= index < len(self.memo):
            self.stack.append(self.memo[index])
        elif index in self.far_memo:
            self.stack.append(self.far_memo[index])
        else:
            raise broken(f"The memo has nothing at {index}.")

    def put_line(self) -> None:
        """PUT."""
        self.put(int(self.source.line()))

    def put_1(self) -> None:
        """BINPUT."""
        self.put(self.source.read(1)[0])

    def put_4(self) -> None:
        """LONG_BINPUT."""
        self.put(_UINT4(self.source.read(4))[0])

    def memoize(self) -> None:
        """MEMOIZE: the index is the number of places that are taken."""
        if self.far_memo:
            self.put(len(self.memo) + len(self.far_memo))
        else:
            self.memo.append(self.stack[-1])

    def get_line(self) -> None:
        """GET."""
        self.get(int(self.source.line()))

    def get_1(self) -> None:
        """BINGET."""
        self.get(self.source.read(1)[0])

    def get_4(self) -> None:
        """LONG_BINGET."""
        self.get(_UINT4(self.source.read(4))[0])

    # Containers

    def _tuple(self, value: tuple[Any, ...]) -> None:
        self.containers += 1
        self.on_tuple(value)
        self.stack.append(value)

    def tuple_0(self) -> None:
        """EMPTY_TUPLE."""
        self.stack.append(())

    def tuple_1(self) -> None:
        """TUPLE1."""
        self._tuple((self.stack.pop(),))

    def tuple_2(self) -> None:
        """TUPLE2."""
        second, first = self.stack.pop(), self.stack.pop()
        self._tuple((first, second))

    def tuple_3(self) -> None:
        """TUPLE3."""
        third, second, first = self.stack.pop(), self.stack.pop(), self.stack.pop()
        self._tuple((first, second, third))

    def tuple_marked(self) -> None:
        """TUPLE."""
        self._tuple(tuple(self.pop_mark()))

    def list_0(self) -> None:
        """EMPTY_LIST."""
        self.containers += 1
        self.stack.append(Sequence("list"))

    def list_marked(self) -> None:
        """LIST."""
        items, made = self.pop_mark(), Sequence("list")
        self.on_items(made, items, "list")
        self.stack.append(made)

    def append(self) -> None:
        """APPEND."""
        value = self.stack.pop()
        self.on_items(self.stack[-1], (value,), "list")

    def appends(self) -> None:
        """Carry out APPENDS."""
        items = self.pop_mark()
        self.on_items(self.stack[-1], items, "list")

    def set_0(self) -> None:
        """EMPTY_SET."""
        self.containers += 1
        self.stack.append(Sequence("set"))

    def additems(self) -> None:
        """ADDITEMS."""
        items = self.pop_mark()
        self.on_items(self.stack[-1], items, "set")

    def frozenset_marked(self) -> None:
        """FROZENSET."""
        items, made = self.pop_mark(), Sequence("set")
        self.on_items(made, items, "set")
        self.stack.append(made)

    def dict_0(self) -> None:
        """EMPTY_DICT."""
        self.containers += 1
        self.stack.append(Mapping())

    def dict_marked(self) -> None:
        """Carry out DICT."""
        items, made = self.pop_mark(), Mapping()
        self.on_pairs(made, items)
        self.stack.append(made)

    def setitem(self) -> None:
        """SETITEM."""
        value, key = self.stack.pop(), self.stack.pop()
        self.on_pairs(self.stack[-1], [key, value])

    def setitems(self) -> None:
        """SETITEMS."""
        items = self.pop_mark()
        self.on_pairs(self.stack[-1], items)
