"""Say which requirements a lock does not answer, from its content alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from samovar.core.platforms import marker_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samovar.env.lock import Lock, LockedPackage
    from samovar.env.requirements import Requirements


def unanswered(
    lock: Lock, requirements: Requirements, *, platforms: Sequence[str], minor: str
) -> list[str]:
    """List the requirements and constraints that the lock's versions do not meet.

    It holds for locks that other tools or people wrote, too.

    Parameters
    ----------
    lock : Lock
        What is pinned.
    requirements : Requirements
        What is asked for.
    platforms : sequence of str
        On which it is asked for.
    minor : str
        Version of Python.

    Returns
    -------
    list of str
        ``flask>=3 (locked: 2.3.2)``, in the order of the requirements.
    """
    missed: dict[str, None] = {}
    for platform in platforms:
        environment = marker_environment(platform, minor)
        pinned = {package.name: package for package in lock.packages_for(environment)}
        for is_asked, texts in ((True, requirements.specifiers), (False, requirements.constraints)):
            for text in texts:
                one = Requirement(text)
                if one.marker is not None and not one.marker.evaluate(dict(environment)):
                    continue
                found = pinned.get(canonicalize_name(one.name))
                if not _is_met(one, found, is_asked=is_asked):
                    missed[f"{text} (locked: {found.version if found else 'nothing'})"] = None
    return list(missed)


def _is_met(requirement: Requirement, found: LockedPackage | None, *, is_asked: bool) -> bool:
    if found is None:
        return not is_asked
    return requirement.specifier.contains(found.version, prereleases=True)
