"""Choose from the lock the wheels for an image's platform, Python and C library.

References
----------
PyPA platform compatibility tags; PEP 600 (manylinux), PEP 656 (musllinux).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from samovar.core.platforms import marker_environment
from samovar.errors import InvalidRequirements, Unavailable
from samovar.image.platform import MACHINES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from packaging.tags import Tag

    from samovar.env.lock import Lock, LockedFile, LockedPackage
    from samovar.image.platform import Libc

# The oldest glibc that the ABI of each architecture knows, and PEP 600's older names.
VERSION: Final = 1
"""Grows with every change to which wheel is the best: choices are remembered."""
_OLDEST_GLIBC: Final = {"x86_64": 5, "aarch64": 17}
_OLD_NAMES: Final = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenWheel:
    """A wheel of the lock that fits.

    Parameters
    ----------
    package : LockedPackage
        What it is of.
    file : LockedFile
        What is to be fetched.
    """

    package: LockedPackage
    file: LockedFile


def choose_wheels(
    lock: Lock,
    *,
    platform: str,
    minor: str,
    libc: Libc,
    build: Callable[[LockedPackage], LockedFile] | None = None,
) -> tuple[ChosenWheel, ...]:
    """Choose the best wheel of every package that the lock wants on a platform.

    Parameters
    ----------
    lock : Lock
        The bundle's.
    platform : str
        As image/platform.py names them.
    minor : str
        Version of the base's Python.
    libc : Libc
        Of the base.
    build : callable, optional
        Gives a wheel of a package that has none that fits; without it such packages are refused.

    Raises
    ------
    Unavailable
        Naming each package without a wheel, the platforms that have one, and its source.
    InvalidRequirements
        Where the lock names a file that is no wheel, or has no digest.
    """
    ranks = _ranks(platform, minor, libc)
    chosen, missing = [], []
    for package in lock.packages_for(marker_environment(platform, minor)):
        best = _best(package.wheels, ranks)
        if best is None and build is not None:
            best = _best((build(package),), ranks)
        if best is None:
            missing.append(package)
        else:
            if not best.sha256:
                raise InvalidRequirements(
                    f"The lock has no SHA-256 digest for {best.name}.",
                    hint="Run 'samovar lock --upgrade' and pack again.",
                )
            chosen.append(ChosenWheel(package=package, file=best))
    if missing:
        raise _no_wheel(missing, platform, minor, libc)
    return tuple(chosen)


@lru_cache(maxsize=8)
def _ranks(platform: str, minor: str, libc: Libc) -> dict[Tag, int]:
    from packaging.tags import compatible_tags, cpython_tags

    version = tuple(int(part) for part in minor.split("."))
    interpreter = f"cp{''.join(minor.split('.'))}"
    platforms = list(_platform_tags(MACHINES[platform], libc))
    tags = [
        *cpython_tags(version, abis=[interpreter], platforms=platforms),
        *compatible_tags(version, interpreter, platforms),
    ]
    return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}


def _platform_tags(machine: str, libc: Libc) -> Iterator[str]:
    if libc.name == "musl":
        for minor in range(libc.minor, -1, -1):
            yield f"musllinux_{libc.major}_{minor}_{machine}"
    else:
        for minor in range(libc.minor, _OLDEST_GLIBC[machine] - 1, -1):
            yield f"manylinux_{libc.major}_{minor}_{machine}"
            if minor in _OLD_NAMES:
                yield f"{_OLD_NAMES[minor]}_{machine}"
    yield f"linux_{machine}"


def _best(wheels: Iterable[LockedFile], ranks: dict[Tag, int]) -> LockedFile | None:
    found: list[tuple[int, str, LockedFile]] = []
    for file in wheels:
        rank = min((ranks[tag] for tag in _tags(file.name) if tag in ranks), default=None)
        if rank is not None:
            found.append((rank, file.name, file))
    return min(found)[2] if found else None


def _tags(name: str) -> frozenset[Tag]:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return frozenset()


def _no_wheel(missing: list[LockedPackage], platform: str, minor: str, libc: Libc) -> Unavailable:
    lines = []
    for package in missing:
        places = sorted({tag.platform for file in package.wheels for tag in _tags(file.name)})
        have = f"wheels for {', '.join(places[:8])}" if places else "no wheel at all"
        source = f"source {package.sdist.name}" if package.sdist else "no source"
        lines.append(f"{package.name} {package.version}: {have}; {source}")
    names = ", ".join(package.name for package in missing)
    return Unavailable(
        f"There is no wheel for {platform}, Python {minor} and {libc}: {names}.",
        why="\n".join(lines),
        hint="samovar runs no package's code while it builds an image, unless --build-sdists "
        "allows it in a sandbox, on a machine of that kind. Or build a wheel there ('pip wheel "
        "NAME'), name it in the project's requirements as ./NAME.whl and lock again; or choose "
        "another --platform or --base.",
        code="no_wheel",
    )
