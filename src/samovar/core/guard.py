"""Decide every act of a pickle stream: one set of decisions for the audit and the loader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.core.allowlist import BUILD, CALL, ITEMS, NEW, REFERENCE, Entry, Global, Policy
from samovar.core.arguments import CALLS, STATES, Made

if TYPE_CHECKING:
    from samovar.core.arguments import View

DATA_TYPE: Final = Global("numpy", "dtype")
# What honest streams call for the state of a data type: parts of its fields, bytes in its metadata.
_IN_ITS_STATE: Final = frozenset(
    {DATA_TYPE, Global("_codecs", "encode"), Global("builtins", "bytes")}
)
_HARMLESS_SPECIAL: Final = frozenset({"__doc__", "__name__"})
_HASHED_DEPTH: Final = 100
_HASHED_WEIGHT: Final = 100_000
_WEIGHED: Final = 20_000_000
_HELD: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an act is not allowed, and which global it is about (None where about none)."""

    global_: Global | None
    why: str


class Guard:
    """Judges acts, given a policy and a view of a reader's values.

    Parameters
    ----------
    policy : Policy
        The allowlist and what is trusted beyond it.
    view : View
        Shows the values of the reader that asks.
    """

    def __init__(self, policy: Policy, view: View) -> None:
        self.policy = policy
        self.view = view
        # Few tuples hold globals; which ones is found when they are made, so that no act looks
        # into a tuple again (shared ones would cost exponential time).
        self._holding: dict[int, tuple[Any, frozenset[Global]]] = {}
        self._weighed = 0
        self._acts = 0

    def tuple_made(self, value: tuple[Any, ...]) -> Objection | None:
        """Remember which globals a new tuple holds; every tuple must be shown once."""
        holds: frozenset[Global] = frozenset()
        for item in value:
            named = self.view.global_of(item)
            if named is not None:
                holds |= {named}
            elif isinstance(item, tuple) and id(item) in self._holding:
                holds |= self._holding[id(item)][1]
        if holds:
            self._holding[id(value)] = (value, holds)
            if len(self._holding) > _HELD:
                return Objection(None, "more tuples of classes and functions than a model has")
        return None

    def call(self, callee: Global, args: tuple[Any, ...]) -> Objection | None:
        """Judge a call."""
        self._count(callee)
        why = self.policy.why_not(callee, CALL)
        if why is not None:
            return Objection(callee, why)
        entry = self._entry(callee)
        checked: frozenset[int] = frozenset()
        if entry.rule is not None:
            rule, checked = CALLS[entry.rule]
            why = rule(args, self.view, self.policy) or self._foreign(callee, entry, args)
            if why is not None:
                return Objection(callee, why)
        return self._stored_all(value for at, value in enumerate(args) if at not in checked)

    def _foreign(self, callee: Global, entry: Entry, args: tuple[Any, ...]) -> str | None:
        """Object to a maker of instances that is given another package's class."""
        if entry.rule != "first_class":
            return None
        cls = self.view.global_of(args[0])
        own = callee.module.partition(".")[0]
        if cls is None or cls.module.partition(".")[0] == own or self.policy.trusts(cls):
            return None
        return f"is given {cls}; only classes of {own} are made by it"

    def new(self, cls: Global, args: tuple[Any, ...], *, named: bool = False) -> Objection | None:
        """Judge making an instance without its constructor; ``named`` says with keywords too."""
        self._count(cls)
        why = self.policy.why_not(cls, NEW)
        if why is None and (args or named) and not self.policy.trusts(cls):
            entry = self._entry(cls)
            if entry.rule is None or named:
                why = "is made with arguments, which honest streams do not do"
            else:
                why = CALLS[entry.rule][0](args, self.view, self.policy)
        if why is not None:
            return Objection(cls, why)
        return self._stored_all(args)

    def made(self, value: Any, cls: Global | None, args: tuple[Any, ...]) -> Made:
        """Describe what a call or NEWOBJ has just made, for `state`."""
        return Made(value, cls, args, self._acts)

    def state(self, made: Made, cls: Global, state: Any) -> Objection | None:
        """Judge setting a state on an instance of a class."""
        why = self.policy.why_not(cls, BUILD)
        rule = None if why is not None else self._entry(cls).state
        if rule is not None:
            why = STATES[rule](state, made, self.view, self.policy)
        if why is None and cls == DATA_TYPE and made.at != self._acts:
            # An array that has it already would be read as something else from then on.
            why = "is given a state after something else was made"
        self._count(cls)
        if why is None:
            parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
            why = next((w for part in parts if (w := _attributes(part)) is not None), None)
        return self.stored(state) if why is None else Objection(cls, why)

    def method(self, owner: Global, name: Any) -> Global | None:
        """Give the name of the method that a stream looks up, where it is on the list."""
        if type(name) is not str:
            return None
        wanted = Global(owner.module, f"{owner.name}.{name}")
        return wanted if self.policy.why_not(wanted, REFERENCE) is None else None

    def items(self, cls: Global) -> Objection | None:
        """Judge putting items into an instance."""
        self._count(cls)
        why = self.policy.why_not(cls, ITEMS)
        return None if why is None else Objection(cls, why)

    def stored(self, value: Any) -> Objection | None:
        """Judge keeping a value where the model can reach it."""
        named = self.view.global_of(value)
        if named is not None:
            why = self.policy.why_not(named, REFERENCE)
            return None if why is None else Objection(named, why)
        if id(value) in self._holding and isinstance(value, tuple):
            for held in sorted(self._holding[id(value)][1], key=str):
                why = self.policy.why_not(held, REFERENCE)
                if why is not None:
                    return Objection(held, why)
        return None

    def hashed(self, value: Any) -> Objection | None:
        """Judge a value as a key or as a set's item: hashing walks nested tuples whole."""
        if isinstance(value, tuple) and self._weight(value, 0, {}) > _HASHED_WEIGHT:
            return Objection(None, "a key made of nested tuples that would take forever to hash")
        return self.stored(value)

    def _weight(self, value: tuple[Any, ...], depth: int, known: dict[int, int]) -> int:
        """Count the items that hashing visits; shared ones count each time, but are walked once."""
        self._weighed += len(value)
        if depth > _HASHED_DEPTH or self._weighed > _WEIGHED:
            return _HASHED_WEIGHT + 1
        weight = len(value)
        for item in value:
            if isinstance(item, tuple):
                if id(item) not in known:
                    known[id(item)] = self._weight(item, depth + 1, known)
                weight = min(weight + known[id(item)], _HASHED_WEIGHT + 1)
        return weight

    def _count(self, cls: Global) -> None:
        self._acts += cls not in _IN_ITS_STATE

    def _stored_all(self, values: Any) -> Objection | None:
        for value in values:
            objection = self.stored(value)
            if objection is not None:
                return objection
        return None

    def _entry(self, name: Global) -> Entry:
        entry = self.policy.entry(name)
        assert entry is not None, "asked only about names that why_not has allowed"
        return entry


def _attributes(state: Any) -> str | None:
    """Refuse attributes that a later act of the stream would call, or that are no attributes."""
    if not isinstance(state, dict):
        return None
    if getattr(state, "has_odd_keys", False):
        return "is given attributes whose names are not plain text"
    for key in state:
        if type(key) is not str:
            return "is given attributes whose names are not plain text"
        if key.startswith("__") and key.endswith("__") and key not in _HARMLESS_SPECIAL:
            return f"is given the special attribute {key}"
    return None
