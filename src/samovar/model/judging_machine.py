"""Judge what a stream puts where: into tuples, lists, sets, dictionaries and objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samovar.core.guard import Guard, Objection
from samovar.model.source import broken
from samovar.model.stack_machine import StackMachine
from samovar.model.values import (
    KEPT_KEYS,
    Instance,
    Mapping,
    Name,
    Sequence,
    SymbolicView,
    describe,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from samovar.core.allowlist import Policy
    from samovar.model.findings import Log
    from samovar.model.source import Source

MAX_WEIGHT: Final = 20_000_000
_PLAIN: Final = frozenset({int, float, str, bool, bytes, type(None)})
_MAY_MATTER: Final = frozenset({Name, tuple})
_WEIGHING: Final = frozenset({tuple, Sequence, Mapping, Instance})
_NOTED_WEIGHT: Final = 64


class JudgingMachine(StackMachine):
    """A stack machine that shows the guard whatever is kept.

    Parameters
    ----------
    source : Source
        At the beginning of the stream.
    policy : Policy
        Judges what the stream names.
    log : Log
        Takes the findings.
    """

    def __init__(self, source: Source, policy: Policy, log: Log) -> None:
        super().__init__(source)
        self.log = log
        self.policy = policy
        self.guard = Guard(policy, SymbolicView())
        self._heavy: dict[int, tuple[tuple[Any, ...], int]] = {}

    def on_tuple(self, value: tuple[Any, ...]) -> None:
        """Judge a new tuple."""
        self.object_to(self.guard.tuple_made(value), None)
        weight = len(value)
        for item in value:
            if type(item) in _WEIGHING:
                weight += self.weight(item)
        if weight > _NOTED_WEIGHT:
            self._heavy[id(value)] = (value, bearable(weight))

    def weight(self, value: Any) -> int:
        """Count what a value would be with shared parts written out: bombs share what they hold."""
        if type(value) is tuple:
            return self._heavy[id(value)][1] if id(value) in self._heavy else len(value)
        return int(value.weight) if type(value) in _WEIGHING else 1

    def on_items(self, target: Any, values: Collection[Any], kind: str) -> None:
        """Judge values that are put into a list, set or object."""
        if not (isinstance(target, Sequence) and target.kind == kind):
            self._fill(target, "items are put into")
            target = Sequence(kind)
        target.count += len(values)
        judge = self.guard.hashed if kind == "set" else self.guard.stored
        for value in values:
            if type(value) in _WEIGHING:
                target.weight = bearable(target.weight + self.weight(value))
            if type(value) in _MAY_MATTER:
                self.object_to(judge(value), value if isinstance(value, Name) else None)
                if type(value) is tuple and any(type(item) is tuple for item in value):
                    target.has_nested = True

    def on_pairs(self, target: Any, items: list[Any]) -> None:
        """Judge keys and values that are put into a dictionary or object."""
        if len(items) % 2:
            raise broken("A key without its value.")
        if type(target) is not Mapping:
            self._fill(target, "items are set in")
            target = Mapping()
        guard = self.guard
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) is str and type(value) in _PLAIN:
                if len(target) < KEPT_KEYS or key in target or key.startswith("__"):
                    target[key] = value
                continue
            if type(key) in _MAY_MATTER:
                self.object_to(guard.hashed(key), key if isinstance(key, Name) else None)
            if type(value) in _MAY_MATTER:
                self.object_to(guard.stored(value), value if isinstance(value, Name) else None)
            if type(value) in _WEIGHING or type(key) is tuple:
                more = self.weight(key) + self.weight(value)
                target.weight = bearable(target.weight + more)
            target.put(key, value)

    def _fill(self, target: Any, act: str) -> None:
        """Judge an object whose own methods would be called to take items."""
        if isinstance(target, Instance) and target.known and target.cls is not None:
            if target.built:
                self.refuse(target.cls, f"{act} it after its state was set")
            else:
                self.object_to(self.guard.items(target.cls.what), target.cls)
        else:
            self.refuse(name_behind(target), f"{act} {describe(target)}, which calls its methods")

    def keep(self, value: Any) -> None:
        """Judge a value that stays where the model can reach it."""
        self.object_to(self.guard.stored(value), value if isinstance(value, Name) else None)

    def object_to(self, objection: Objection | None, by: Name | None) -> None:
        """Note an objection, where there is one."""
        if objection is not None:
            self.log.object_to(objection, by, self.source.position())

    def refuse(self, name: Name | None, why: str) -> None:
        """Note what is wrong with a name, or with the file where there is none."""
        if name is None:
            self.log.add("", self.source.position(), why)
        else:
            unknown = self.policy.entry(name.what) is None
            self.log.add(str(name.what), name.offset, why, stronger=unknown)


def bearable(weight: int) -> int:
    """Give a weight back, unless only a bomb has it."""
    if weight > MAX_WEIGHT:
        raise broken("The stream's values share parts so often that they are a bomb.")
    return weight


def name_behind(value: Any) -> Name | None:
    """Give the name that a message about a value should lead with."""
    if isinstance(value, tuple):
        named = (item for item in value if isinstance(item, (Name, Instance)))
        value = next(named, None)
    return value.cls if isinstance(value, Instance) else value if isinstance(value, Name) else None
