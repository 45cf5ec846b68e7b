"""Real values, as the rules of core/arguments.py want to see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.core.data_types import Settled

if TYPE_CHECKING:
    from samovar.core.allowlist import Global

_KINDS: Final = {
    type(None): "none",
    bool: "bool",
    int: "int",
    float: "float",
    str: "text",
    bytes: "bytes",
    bytearray: "bytes",
    tuple: "tuple",
    list: "list",
    dict: "dict",
    set: "set",
    frozenset: "set",
}


class LoadedView(Settled):
    """Show real values to the rules of core/arguments.py."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[int, tuple[Any, Global]] = {}

    def name(self, value: Any, name: Global) -> None:
        """Remember under which name the stream brought a value in."""
        self._names[id(value)] = (value, name)

    def global_of(self, value: Any) -> Global | None:
        """Give that name."""
        found = self._names.get(id(value))
        return found[1] if found is not None else None

    def kind_of(self, value: Any) -> str:
        """Name what a value is."""
        return "global" if id(value) in self._names else _KINDS.get(type(value), "object")

    def length_of(self, value: Any) -> int:
        """Give how many items a list has."""
        return len(value)

    def holds_nested(self, value: Any) -> bool:
        """Say whether a list holds tuples that hold tuples."""
        return any(
            type(item) is tuple and any(type(inner) is tuple for inner in item) for item in value
        )
