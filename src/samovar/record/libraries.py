"""What the libraries of two runs declare of their changes: read from their environments, once.

Sources are read and never imported. What was found is kept under the digests of the files that the
lock names and of what the code uses, so that the next ``why`` reads nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from samovar.compare.declared import Declared, declared_changes
from samovar.compare.definitions import Definition, find_definitions
from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.env.installed import find_installed
from samovar.errors import SamovarError
from samovar.record.environments import environment_of
from samovar.store.atomic import write_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from samovar.compare.definitions import Place
    from samovar.compare.factors import Factor
    from samovar.compare.usage import Usage
    from samovar.env.installed import Installed
    from samovar.env.lock import Lock
    from samovar.env.venv import Venv
    from samovar.store.home import Home
    from samovar.store.layout import Store

_CACHE: Final = "definitions"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Libraries:
    """What is known of packages that differ, by the factor's name.

    Parameters
    ----------
    declared : mapping of str to tuple of Declared
        Changes between both versions, of names that the code uses.
    changelogs : mapping of str to str
        Where changes are told: an address, or a file of the package.
    """

    declared: Mapping[str, tuple[Declared, ...]] = field(default_factory=dict)
    changelogs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSide:
    """The environment of a side: its lock, and the minor version of its Python."""

    lock: Lock
    minor: str


def read_libraries(
    home: Home,
    store: Store,
    sides: tuple[LockedSide, LockedSide],
    factors: Iterable[Factor],
    usage: Usage,
    *,
    progress: Callable[[str], None],
) -> Libraries:
    """Read what packages that differ declare; nothing where an environment cannot be made.

    Parameters
    ----------
    sides : pair of LockedSide
        A and B.
    factors : iterable of Factor
        What differs.
    usage : Usage
        What the code takes from libraries.
    """
    packages = [one for one in factors if one.kind == "package" and None not in (one.a, one.b)]
    if not packages:
        return Libraries()
    try:
        venvs = [
            environment_of(home, store, side.lock, side.minor, progress=progress) for side in sides
        ]
    except SamovarError:
        # The search says it, where it needs that side.
        return Libraries()
    reader = _Reader(home, sides, venvs, usage)
    declared, changelogs = {}, {}
    for factor in packages:
        declared[factor.name] = reader.declared(factor)
        place = reader.changelog(factor.subject)
        if place is not None:
            changelogs[factor.name] = place
    return Libraries(declared=declared, changelogs=changelogs)


class _Reader:
    def __init__(
        self,
        home: Home,
        sides: tuple[LockedSide, LockedSide],
        venvs: list[Venv],
        usage: Usage,
    ) -> None:
        self._cache = home.cache(_CACHE)
        self._sides = sides
        self._venvs = venvs
        self._usage = usage
        self._find = cache(find_installed)

    def declared(self, factor: Factor) -> tuple[Declared, ...]:
        """Give what is declared between both versions of what the code imports."""
        found = self._installed(0, factor.subject)
        modules = frozenset() if found is None else found.modules & self._usage.direct.keys()
        if not modules:
            return ()
        direct = self._usage.of_library(modules)
        one, other = (self._definitions(place, factor.subject, direct) for place in (0, 1))
        versions = (str(factor.a), str(factor.b))
        return declared_changes(one, other, versions, direct, self._usage.given)

    def changelog(self, name: str) -> str | None:
        """Say where B's version tells its changes."""
        found = self._installed(1, name)
        return None if found is None else found.changelog()

    def _installed(self, place: int, name: str) -> Installed | None:
        return self._find(self._venvs[place].interpreter.purelib, name)

    def _definitions(
        self, place: int, name: str, direct: frozenset[str]
    ) -> Mapping[Place, Definition]:
        key = self._cache / self._key(place, name, direct)
        try:
            return _from_json(json.loads(key.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            pass
        found = self._installed(place, name)
        definitions = (
            {} if found is None
            else find_definitions(found.sources(), direct, self._usage.methods)
        )  # fmt: skip
        write_memory(key, json.dumps(_to_json(definitions)).encode())
        return definitions

    def _key(self, place: int, name: str, direct: frozenset[str]) -> str:
        files = [
            sorted(file.sha256 for file in package.files)
            for package in self._sides[place].lock.packages
            if package.name == name
        ]
        what = [_VERSION, files, sorted(direct), sorted(self._usage.methods)]
        return Digest.of(canonical_json(what)).hex


def _to_json(definitions: Mapping[Place, Definition]) -> list[Any]:
    return [[*place, one.to_json()] for place, one in definitions.items()]


def _from_json(document: list[Any]) -> dict[Place, Definition]:
    return {(owner, name): Definition.from_json(one) for owner, name, one in document}
