"""What a library says itself of its changes between two versions, for the names that code uses.

Removed names and parameters, changed defaults (in signatures and in docstrings), ``versionchanged``
and ``deprecated``, and warnings of what is to come. It decides what is tried first, and is told
beside a culprit; nobody is blamed for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samovar.compare.definitions import Definition, Place

REMOVED: Final = "removed"
DEFAULT: Final = "default"
CHANGED: Final = "versionchanged"
DEPRECATED: Final = "deprecated"
ANNOUNCED: Final = "announced"
_WEIGHTS: Final = {REMOVED: 8.0, DEFAULT: 8.0, CHANGED: 4.0, ANNOUNCED: 4.0, DEPRECATED: 1.0}
STRONG: Final = 8.0
"""From here on a factor is worth a guess."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One declared change.

    Parameters
    ----------
    kind : str
        ``removed``, ``default``, ``versionchanged``, ``deprecated`` or ``announced``.
    name : str
        Of the function, class or method.
    text : str
        What is declared.
    """

    kind: str
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


def declared_changes(
    a: Mapping[Place, Definition],
    b: Mapping[Place, Definition],
    versions: tuple[str, str],
    direct: frozenset[str],
    given: Mapping[str, frozenset[str]],
) -> tuple[Declared, ...]:
    """Give what is declared between two versions of a library, the weightiest first.

    Parameters
    ----------
    a, b : mapping
        Definitions in both versions of the names that are used.
    versions : pair of str
        Both versions.
    direct : frozenset of str
        Names that the code takes from the library itself; only these can be missed.
    given : mapping of str to frozenset of str
        Arguments that every call gives: their defaults do not count.
    """
    found = [
        change
        for place, before in a.items()
        for change in _between(place, before, b, versions, direct, given.get(place[1], frozenset()))
    ]
    unique = {(one.kind, one.text): one for one in found}
    return tuple(sorted(unique.values(), key=lambda one: (-_WEIGHTS[one.kind], one.name)))


def weight_of(changes: tuple[Declared, ...]) -> float:
    """Say how much declared changes make a package likely; 0 where nothing is declared."""
    return max((_WEIGHTS[change.kind] for change in changes), default=0.0)


def _between(
    place: Place,
    before: Definition,
    b: Mapping[Place, Definition],
    versions: tuple[str, str],
    direct: frozenset[str],
    given: frozenset[str],
) -> Iterator[Declared]:
    owner, name = place
    shown = f"{owner}.{name}" if owner else name
    after = b.get(place)
    if after is None:
        if name in direct or owner in direct:
            yield Declared(kind=REMOVED, name=shown, text=f"is not in {versions[1]}")
        return
    for parameter, value in before.defaults.items():
        if parameter not in after.defaults:
            if parameter in given:
                yield Declared(kind=REMOVED, name=shown, text=f"takes no {parameter} any more")
        elif parameter not in given:
            yield from _default(shown, parameter, value, after.defaults[parameter])
    for parameter in before.documented.keys() & after.documented.keys() - given:
        one, other = before.documented[parameter], after.documented[parameter]
        is_told = before.defaults.get(parameter) != after.defaults.get(parameter)
        if _plain(one) != _plain(other) and not is_told:
            yield from _default(shown, parameter, one, other)
    yield from _directives(shown, before, after, versions)
    for text in before.warnings:
        if text and text not in after.warnings and _is_about(text, after, given):
            yield Declared(kind=ANNOUNCED, name=shown, text=f"{versions[0]} warned: {text}")


def _default(name: str, parameter: str, one: str, other: str) -> Iterator[Declared]:
    if one == other or _is_silent(one, other):
        return
    yield Declared(
        kind=DEFAULT,
        name=name,
        text=f"the default of {parameter} went from {one or 'none'} to {other or 'none'}",
    )


def _is_silent(one: str, other: str) -> bool:
    """Say whether only a stand-in for "not given" changed; what it stands for is documented."""
    standing = re.compile(r"""^(None|['"]?(warn|deprecated)['"]?|.*no_default|.*_NoValue)$""")
    return bool(standing.match(one) and standing.match(other))


def _directives(
    name: str, before: Definition, after: Definition, versions: tuple[str, str]
) -> Iterator[Declared]:
    for directive in after.directives:
        kind, since, text = directive
        if directive not in before.directives and _is_within(since, versions):
            yield Declared(kind=kind, name=name, text=f"{kind} in {since}: {text}".rstrip(": "))


def _is_about(text: str, after: Definition, given: frozenset[str]) -> bool:
    """Say whether a warning is not only about an argument that is given anyway."""
    named = {parameter for parameter in after.defaults if re.search(rf"\b{parameter}\b", text)}
    return not named or not named <= given


def _is_within(since: str, versions: tuple[str, str]) -> bool:
    one, other = sorted(map(_numbers, versions))
    return one < _numbers(since) <= other


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in re.findall(r"\d+", version)[:3]]
    return tuple([*numbers, 0, 0, 0][:3])


def _plain(text: str) -> str:
    return re.sub(r"[`'\"\s.]", "", text).lower()
