"""Symbolic values on the stack of the pickle reader.

Small constants stand for themselves (None, bool, int, float, short str and bytes), tuples are
tuples; everything else is one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.core.data_types import Settled

if TYPE_CHECKING:
    from samovar.core.allowlist import Global
    from samovar.core.arguments import Made

KEPT_KEYS: Final = 4096


class Name:
    """A global that the stream brought in."""

    __slots__ = ("offset", "what")

    def __init__(self, what: Global, offset: int) -> None:
        self.what = what
        self.offset = offset


class Blob:
    """A constant too large to keep: its kind (``text`` or ``bytes``) and size."""

    __slots__ = ("kind", "size")

    def __init__(self, kind: str, size: int) -> None:
        self.kind = kind
        self.size = size


class Instance:
    """What a call gave, or an instance that was made.

    Attributes
    ----------
    cls : Name or None
        Its class, where that is known; the callee where it is not.
    known : bool
        Whether ``cls`` is the class.
    args : tuple
        What it was made with.
    made : Made or None
        What the guard noted when it was made.
    state : object
        What BUILD set, or None.
    built : bool
        Whether BUILD has set a state.
    weight : int
        How many values it would be if shared ones were written out each time.
    """

    __slots__ = ("args", "built", "cls", "known", "made", "state", "weight")

    def __init__(self, cls: Name | None, args: tuple[Any, ...], *, known: bool) -> None:
        self.cls = cls
        self.known = known
        self.args = args
        self.made: Made | None = None
        self.state: Any = None
        self.built = False
        self.weight = 1


class Sequence:
    """A list or set; what goes in was judged when it went in.

    Attributes
    ----------
    kind : str
        ``list`` or ``set``.
    count : int
        How many items went in.
    has_nested : bool
        Whether it holds tuples that hold tuples.
    weight : int
        How many values it would be if shared ones were written out each time.
    """

    __slots__ = ("count", "has_nested", "kind", "weight")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.count = 0
        self.has_nested = False
        self.weight = 1


class Mapping(dict[str, Any]):
    """A dictionary: the values of its first text keys, and whether it has other keys."""

    __slots__ = ("has_odd_keys", "weight")

    def __init__(self) -> None:
        super().__init__()
        self.has_odd_keys = False
        self.weight = 1

    def put(self, key: Any, value: Any) -> None:
        """Set an item; beyond `KEPT_KEYS` only special names are kept, which a state must lack."""
        if type(key) is not str:
            self.has_odd_keys = True
        elif len(self) < KEPT_KEYS or key in self or key.startswith("__"):
            self[key] = value


_KINDS: Final = {
    type(None): "none",
    bool: "bool",
    int: "int",
    float: "float",
    str: "text",
    bytes: "bytes",
    tuple: "tuple",
    Mapping: "dict",
    Name: "global",
    Instance: "object",
}


class SymbolicView(Settled):
    """Show symbolic values to the rules of core/arguments.py."""

    def global_of(self, value: Any) -> Global | None:
        """Give the global that a value is."""
        return value.what if type(value) is Name else None

    def kind_of(self, value: Any) -> str:
        """Name what a value would be."""
        kind = _KINDS.get(type(value))
        return kind if kind is not None else str(value.kind)

    def length_of(self, value: Any) -> int:
        """Give how many items a list has."""
        return value.count if isinstance(value, Sequence) else -1

    def holds_nested(self, value: Any) -> bool:
        """Say whether a list holds tuples that hold tuples."""
        return isinstance(value, Sequence) and value.has_nested


def describe(value: Any, *, limit: int = 60) -> str:
    """Write a value for people, shortly."""
    if isinstance(value, Name):
        text = str(value.what)
    elif isinstance(value, Instance):
        text = f"<{value.cls.what}>" if value.cls is not None else "<an object>"
    elif isinstance(value, Blob):
        text = f"<{value.size} bytes of {value.kind}>"
    elif isinstance(value, tuple) and limit < 8:
        text = "(...)"
    elif isinstance(value, tuple):
        shown = ", ".join(describe(item, limit=limit // 2) for item in value[:4])
        text = f"({shown}{', ...' if len(value) > 4 else ''})"
    elif isinstance(value, (Sequence, Mapping)):
        text = f"<a {value.kind}>" if isinstance(value, Sequence) else "<a dict>"
    else:
        text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
