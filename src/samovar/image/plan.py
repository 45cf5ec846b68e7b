"""Decide which wheels share a layer, and in which order layers stand.

An engine reuses a layer only on top of the very same layers, so what changes rarely comes first; a
registry moves each layer that it lacks, so what is large comes alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

ALONE_BYTES: Final = 4 * 1000 * 1000
"""A wheel of this size or more has a layer of its own."""
MOST_ALONE: Final = 60
"""Layers of single wheels; overlay file systems stop at about 128 layers altogether."""
ORDER: Final = (
    "base", "interpreter", "large packages", "packages", "runtime", "start", "bundle",
)  # fmt: skip
"""From what changes with Debian's releases to what changes with every model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """A wheel as the plan sees it.

    Parameters
    ----------
    name : str
        Of the distribution.
    version : str
        Of the distribution.
    size_bytes : int
        Of the wheel.
    """

    name: str
    version: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Wheels that share a layer.

    Parameters
    ----------
    what : str
        Name of the layer, for people.
    names : tuple of str
        Of the distributions, sorted.
    """

    what: str
    names: tuple[str, ...]


def plan_packages(wheels: Sequence[Sized]) -> tuple[Group, ...]:
    """Group wheels into layers: the large ones alone, largest first, the small ones together.

    Parameters
    ----------
    wheels : sequence of Sized
        In any order.

    Examples
    --------
    >>> numpy = Sized(name="numpy", version="2.4.6", size_bytes=16_918_000)
    >>> flask = Sized(name="flask", version="3.1.3", size_bytes=103_000)
    >>> [group.what for group in plan_packages([flask, numpy])]
    ['numpy 2.4.6', '1 small package']
    """
    by_size = sorted(wheels, key=lambda wheel: (-wheel.size_bytes, wheel.name))
    large = [wheel for wheel in by_size if wheel.size_bytes >= ALONE_BYTES][:MOST_ALONE]
    groups = [Group(what=f"{wheel.name} {wheel.version}", names=(wheel.name,)) for wheel in large]
    small = sorted(wheel.name for wheel in by_size if wheel not in large)
    if small:
        what = "1 small package" if len(small) == 1 else f"{len(small)} small packages"
        groups.append(Group(what=what, names=tuple(small)))
    return tuple(groups)
