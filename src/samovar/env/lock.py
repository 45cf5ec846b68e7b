"""A lock file: what it pins, for whom, and what may be downloaded for it.

References
----------
PEP 751, "A file format to record Python dependencies for installation reproducibility".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samovar.errors import InvalidRequirements

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.markers import Marker
    from packaging.pylock import Package

FILE: Final = "pylock.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """A file that may be installed.

    Parameters
    ----------
    name : str
        File name of the wheel or sdist.
    url : str or None
        Where an index had it; None for a file that travels with the lock.
    path : str or None
        Relative to the lock, for a file that travels with it.
    sha256 : str
        64 hexadecimal digits.
    size_bytes : int or None
        Where it is known.
    direct : bool
        Whether the requirements name this very file (PEP 610), and no index was asked.
    """

    name: str
    url: str | None
    path: str | None
    sha256: str
    size_bytes: int | None
    direct: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """A distribution that the lock pins.

    Parameters
    ----------
    name : str
        Normalised.
    version : str
        Exact.
    marker : Marker or None
        Where it is installed; None is everywhere.
    wheels : tuple of LockedFile
        Every wheel that may be installed.
    sdist : LockedFile or None
        Its source.
    """

    name: str
    version: str
    marker: Marker | None
    wheels: tuple[LockedFile, ...]
    sdist: LockedFile | None

    @property
    def files(self) -> tuple[LockedFile, ...]:
        """Wheels and source."""
        return self.wheels if self.sdist is None else (*self.wheels, self.sdist)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock file that was read.

    Parameters
    ----------
    data : bytes
        As it stands on the disk.
    packages : tuple of LockedPackage
        By name and version.
    answers : str or None
        Digest of the requirements that it was made for, where samovar made it.
    platforms : tuple of str
        That it was made for, where samovar made it.
    """

    data: bytes
    packages: tuple[LockedPackage, ...]
    answers: str | None
    platforms: tuple[str, ...]

    @classmethod
    def from_bytes(cls, data: bytes) -> Lock:
        """Read a lock file.

        Raises
        ------
        InvalidRequirements
            Naming the field that is wrong.
        """
        from packaging.pylock import Pylock, PylockValidationError

        from samovar.core.toml import parse_toml

        try:
            document = parse_toml(data.decode())
            lock = Pylock.from_dict(document)
        except (ValueError, PylockValidationError) as error:
            raise InvalidRequirements(
                f"{FILE} is not a lock file.",
                why=str(error),
                hint=f"Remove {FILE} and run 'samovar lock'.",
                code="invalid_lock",
            ) from error
        ours = document.get("tool", {}).get("samovar", {})
        return cls(
            data=data,
            packages=tuple(_package(package) for package in lock.packages),
            answers=ours.get("requirements-digest"),
            platforms=tuple(ours.get("platforms", ())),
        )

    def packages_for(self, markers: Mapping[str, str]) -> tuple[LockedPackage, ...]:
        """Give what is installed in an environment.

        Parameters
        ----------
        markers : mapping of str to str
            The marker environment (PEP 508).
        """
        environment: dict[str, Any] = dict(markers)
        return tuple(
            package
            for package in self.packages
            if package.marker is None or package.marker.evaluate(environment, context="lock_file")
        )


def _package(package: Package) -> LockedPackage:
    if package.version is None:
        raise InvalidRequirements(
            f"{FILE} pins no version of {package.name}.",
            why="It is a source tree or a repository, which another machine need not have.",
            hint="Name a released version, or a folder of the project, which becomes a wheel.",
            code="invalid_lock",
        )
    wheels = [_file(wheel) for wheel in package.wheels or ()]
    if package.archive is not None:
        archive = package.archive
        name = (archive.path or archive.url or "").rsplit("/", 1)[-1]
        wheels.append(
            LockedFile(
                name=name,
                url=archive.url,
                path=archive.path,
                sha256=archive.hashes.get("sha256", ""),
                size_bytes=archive.size,
                direct=True,
            )
        )
    return LockedPackage(
        name=str(package.name),
        version=str(package.version),
        marker=package.marker,
        wheels=tuple(wheels),
        sdist=None if package.sdist is None else _file(package.sdist),
    )


def _file(file: Any) -> LockedFile:
    name = file.name or (file.path or file.url or "").rsplit("/", 1)[-1]
    return LockedFile(
        name=name,
        url=file.url,
        path=file.path,
        sha256=file.hashes.get("sha256", ""),
        size_bytes=file.size,
    )
