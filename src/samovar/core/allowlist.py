"""Which names a model file may use, and for what: the policy of the audit and of the loader.

The list itself is ``allowlist.json`` beside this module: exact names, the uses each is allowed
for, the rule its arguments must answer, and the evidence that honest models need it. Why it is a
list of exact names: docs/decisions/0004-allowlist.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidProject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CALL: Final = "call"
"""Called while loading: REDUCE, or INST and OBJ with arguments."""
NEW: Final = "new"
"""An instance is made without its constructor: NEWOBJ, ``copyreg._reconstructor``."""
BUILD: Final = "build"
"""State is set on an instance: BUILD."""
ITEMS: Final = "items"
"""Items are put into an instance: APPEND, SETITEM, ADDITEMS."""
REFERENCE: Final = "reference"
"""Kept as a value; whoever holds a function may call it, so only harmless ones are allowed."""
USES: Final = (CALL, NEW, BUILD, ITEMS, REFERENCE)

_OTHER_MODULES: Final = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    # scikit-learn 1.5 to 1.8 built this extension under the last part of its name.
    "_loss": "sklearn._loss._loss",
}
_OTHER_NAMES: Final = {
    ("builtins", "long"): "int",
    ("builtins", "unicode"): "str",
    ("builtins", "xrange"): "range",
}
GETATTR: Final = "builtins.getattr"
"""Never on the list; a method that a stream looks up by it is judged by the method's own name."""
_MAIN: Final = "__main__"


@dataclass(frozen=True, slots=True)
class Global:
    """A module and a name in it, as a pickle stream writes them.

    Parameters
    ----------
    module : str
        ``sklearn.linear_model._base``.
    name : str
        ``LinearRegression``; dots mean attributes of attributes.
    """

    module: str
    name: str

    @classmethod
    def of_stream(cls, module: str, name: str) -> Global:
        """Give the name that Python 3 knows it by; streams may use the one of Python 2.

        Examples
        --------
        >>> str(Global.of_stream("__builtin__", "eval"))
        'builtins.eval'
        """
        module = _OTHER_MODULES.get(module, module)
        return cls(module, _OTHER_NAMES.get((module, name), name))

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one name is allowed for.

    Parameters
    ----------
    uses : frozenset of str
        Out of `USES`.
    rule : str, optional
        Name of the rule in core/arguments.py that the arguments of a call must answer.
    state : str, optional
        Name of the rule in core/arguments.py that the state must answer.
    gives : str, optional
        What calling it makes: a dotted name, ``itself``, ``first`` for an instance of the class in
        the first argument, or ``bytes``. None where what comes back may only be kept.
    """

    uses: frozenset[str]
    rule: str | None = None
    state: str | None = None
    gives: str | None = None


_TRUSTED: Final = Entry(uses=frozenset(USES), gives="itself")


class Policy:
    """The allowlist, and what one project trusts beyond it.

    Parameters
    ----------
    trusted : iterable of str
        Exact dotted names of the project's own classes and functions.

    Raises
    ------
    InvalidProject
        Where a name that runs or opens things is to be trusted.
    """

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._trusted = frozenset(trusted)
        for name in sorted(self._trusted):
            if _is_forbidden(name):
                raise InvalidProject(
                    f"{name} cannot be trusted.",
                    why="It runs, imports, opens or looks up whatever it is told to.",
                    hint="List only classes and functions of your own project in [model] trusted.",
                    code="untrustable",
                )

    def entry(self, wanted: Global) -> Entry | None:
        """Give what a name is allowed for, or None where it is not on the list."""
        if wanted.module == _MAIN:
            return None
        if self._trusted and str(wanted) in self._trusted:
            return _TRUSTED
        return _entries().get((wanted.module, wanted.name))

    def knows(self, name: str) -> bool:
        """Say whether a dotted name is on the list for any use (skops names types only so)."""
        module, _, last = name.rpartition(".")
        return self.entry(Global(module, last)) is not None

    def trusts(self, wanted: Global) -> bool:
        """Say whether the project vouches for a name."""
        return wanted.module != _MAIN and str(wanted) in self._trusted

    def why_not(self, wanted: Global, use: str) -> str | None:
        """Say why a name may not be used so, or None where it may."""
        entry = self.entry(wanted)
        if entry is None:
            return "is not on the allowlist"
        if use in entry.uses:
            return None
        allowed = " and ".join(_WORDS[other] for other in USES if other in entry.uses)
        return f"may not be {_WORDS[use]}; the allowlist has it only to be {allowed}"


_WORDS: Final = {
    CALL: "called",
    NEW: "made an instance of",
    BUILD: "given a state",
    ITEMS: "filled with items",
    REFERENCE: "kept as a value",
}


def version() -> int:
    """Give the version of the list; it grows with every change to it."""
    return int(_document()["version"])


@cache
def _document() -> dict[str, Any]:
    # The loader that brought this module also brings its data, out of a folder or a zip.
    assert __spec__ is not None, "this is a module"
    loader: Any = __spec__.loader
    document: dict[str, Any] = json.loads(
        loader.get_data(__file__.rpartition("allowlist.py")[0] + "allowlist.json")
    )
    return document


@cache
def _entries() -> Mapping[tuple[str, str], Entry]:
    """Index the list by module and name; equal entries are one object."""
    made: dict[tuple[str, str, str, str], Entry] = {}
    entries = {}
    for module, names in _document()["modules"].items():
        for name, fields in names.items():
            key = (
                fields["uses"],
                fields.get("rule", ""),
                fields.get("state", ""),
                fields.get("gives", ""),
            )
            if key not in made:
                uses, rule, state, gives = key
                made[key] = Entry(
                    uses=frozenset(uses.split()),
                    rule=rule or None,
                    state=state or None,
                    gives=gives or None,
                )
            entries[module, name] = made[key]
    return entries


def _is_forbidden(name: str) -> bool:
    never = _document()["never"]
    return name in never["names"] or any(
        name == module or name.startswith(module + ".") for module in never["modules"]
    )
