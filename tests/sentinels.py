"""Stand-ins for every class and function that a stream names: they do nothing, and tell of it.

Whoever unpickles with them learns what the stream does with which name; nothing of it is imported.
"""

from __future__ import annotations

from typing import Any

from samovar.core.allowlist import BUILD, CALL, ITEMS, NEW, Global, Policy

UNKNOWN = "something that no name stands for"


class Acts:
    """What a stream did, in order, and the stand-ins that it got.

    Parameters
    ----------
    policy : Policy
        Says what calling a listed name gives.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.done: list[tuple[str, str]] = []
        self.named: set[str] = set()
        self._made: dict[str, Any] = {}

    def resolve(self, wanted: Global) -> Any:
        """Give the stand-in for a name."""
        self.named.add(str(wanted))
        return self.stand_in(str(wanted), self._gives(wanted))

    def _gives(self, wanted: Global) -> str | None:
        entry = self.policy.entry(wanted)
        return None if entry is None else entry.gives

    def stand_in(self, name: str, gives: str | None = None) -> Any:
        if name not in self._made:
            fields = {"acts": self, "name": name, "gives": gives, "__slots__": ("inside",)}
            self._made[name] = _Named("StandIn", (_Instance,), fields)
        return self._made[name]

    def violations(self) -> list[tuple[str, str]]:
        """List what was done with a name that is not allowed it."""
        return [(use, name) for use, name in self.done if not self.allows(name, use)]

    def allows(self, name: str, use: str) -> bool:
        """Say whether the list has a dotted name for a use."""
        module, _, last = name.rpartition(".")
        return self.policy.why_not(Global(module, last), use) is None

    def kept(self, value: Any, seen: set[int] | None = None) -> set[str]:
        """Give the names of the stand-ins that a value holds as values."""
        seen = set() if seen is None else seen
        if id(value) in seen:
            return set()
        seen.add(id(value))
        if isinstance(value, _Named):
            return {value.name}
        parts: list[Any] = []
        if isinstance(value, dict):
            parts = [*value, *value.values()]
        elif isinstance(value, (list, tuple, set, frozenset)):
            parts = list(value)
        elif isinstance(value, _Instance):
            parts = value.inside
        return set().union(*(self.kept(part, seen) for part in parts))


class _Named(type):
    """The type of the stand-ins: calling one is an act."""

    acts: Acts
    name: str
    gives: str | None

    def __call__(cls, *args: Any, **keywords: Any) -> Any:
        cls.acts.done.append((CALL, cls.name))
        kept = [*args, *keywords.values()]
        if cls.gives == "bytes":
            return b""
        made: Any = cls.acts.stand_in(UNKNOWN)
        if cls.gives == "itself":
            made = cls
        elif cls.gives == "first" and args and isinstance(args[0], _Named):
            made, kept = args[0], kept[1:]
        elif cls.gives not in {None, "first"}:
            made = cls.acts.stand_in(str(cls.gives))
        value = object.__new__(made)
        value.inside = kept
        return value


class _Instance:
    """What a stand-in makes; each thing done to it is an act."""

    __slots__ = ()
    acts: Acts
    inside: list[Any]
    name: str

    def __new__(cls, *args: Any, **keywords: Any) -> Any:
        cls.acts.done.append((NEW, cls.name))
        value = object.__new__(cls)
        value.inside = [*args, *keywords.values()]
        return value

    def __call__(self, *args: Any) -> Any:
        self.acts.done.append((CALL, UNKNOWN))
        return self

    def __setstate__(self, state: Any) -> None:
        self.acts.done.append((BUILD, type(self).name))
        self.inside.append(state)

    def append(self, item: Any) -> None:
        self.acts.done.append((ITEMS, type(self).name))
        self.inside.append(item)

    def extend(self, items: Any) -> None:
        for item in items:
            self.append(item)

    add = append

    def __setitem__(self, key: Any, item: Any) -> None:
        self.append(key)
        self.append(item)
