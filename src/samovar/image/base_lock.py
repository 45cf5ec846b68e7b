"""``base.lock``: the Debian packages that a base is made of, pinned by SHA-256.

It names packages, versions and paths in an archive, and no mirror: which mirror a machine uses is
that machine's configuration (image/mirror.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from samovar.core.canonical import canonical_json
from samovar.core.digest import Digest
from samovar.core.reference import Reference
from samovar.errors import InvalidReference, InvalidRequirements, NotFound, Unavailable
from samovar.image.platform import Libc

if TYPE_CHECKING:
    from importlib.abc import Traversable

VERSION: Final = 1
DEBIAN: Final = "debian"
"""What ``--base`` is without being told."""
_SUFFIX: Final = ".base.lock"
_LOCK_SUFFIX: Final = ".lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedDeb:
    """A package.

    Parameters
    ----------
    name, version : str
        Of the package.
    archive : str
        ``debian`` or ``debian-security``.
    path : str
        Below the archive: ``pool/main/...``.
    sha256 : str
        64 hexadecimal digits.
    size_bytes : int
        Of the ``.deb``.
    layer : str
        ``base`` or ``interpreter``.
    """

    name: str
    version: str
    archive: str
    path: str
    sha256: str
    size_bytes: int
    layer: str

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        return {
            "name": self.name,
            "version": self.version,
            "archive": self.archive,
            "path": self.path,
            "sha256": self.sha256,
            "size": self.size_bytes,
            "layer": self.layer,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLock:
    """A base for every platform.

    Parameters
    ----------
    suite : str
        Debian's name of the release, ``bookworm``.
    release : str
        ``12.15``, as the archive's own file says.
    date : str
        When the archive was as it is locked, ``2026-07-11T10:16:37Z``.
    python : str
        Minor version of the interpreter.
    libc : Libc
        Of the release.
    packages : dict of str to tuple of LockedDeb
        By platform.
    layers : dict of str to tuple of Digest
        By platform: what its layers' uncompressed bytes have to be, lowest first; empty where
        nobody has made them yet.
    """

    suite: str
    release: str
    date: str
    python: str
    libc: Libc
    packages: dict[str, tuple[LockedDeb, ...]]
    layers: dict[str, tuple[Digest, ...]] = field(default_factory=dict)

    @property
    def digest(self) -> Digest:
        """Digest of the canonical form."""
        return Digest.of(canonical_json(self.to_json()))

    def to_json(self) -> dict[str, Any]:
        """Give the stored form."""
        layers = {
            platform: [str(digest) for digest in digests]
            for platform, digests in sorted(self.layers.items())
        }
        return {
            **({"layers": layers} if layers else {}),
            "base": VERSION,
            "suite": self.suite,
            "release": self.release,
            "date": self.date,
            "python": self.python,
            "glibc": f"{self.libc.major}.{self.libc.minor}",
            "packages": {
                platform: [package.to_json() for package in packages]
                for platform, packages in sorted(self.packages.items())
            },
        }

    def to_text(self) -> str:
        """Give the file, one package a line, as people compare it."""
        text = json.dumps({**self.to_json(), "packages": {}}, indent=1)
        parts = []
        for platform, packages in sorted(self.packages.items()):
            lines = ",\n".join(f"   {json.dumps(package.to_json())}" for package in packages)
            parts.append(f'  "{platform}": [\n{lines}\n  ]')
        return text.replace('"packages": {}', '"packages": {\n' + ",\n".join(parts) + "\n }") + "\n"

    @classmethod
    def from_text(cls, text: str | bytes, *, where: str) -> BaseLock:
        """Read the file.

        Raises
        ------
        InvalidRequirements
            Where it is none.
        """
        try:
            document = json.loads(text)
            if document["base"] != VERSION:
                raise ValueError(f"version {document['base']}")
            major, minor = document["glibc"].split(".")
            return cls(
                suite=str(document["suite"]),
                release=str(document["release"]),
                date=str(document["date"]),
                python=str(document["python"]),
                libc=Libc(name="glibc", major=int(major), minor=int(minor)),
                packages={
                    platform: tuple(_package(package) for package in packages)
                    for platform, packages in document["packages"].items()
                },
                layers={
                    platform: tuple(Digest.parse(digest) for digest in digests)
                    for platform, digests in document.get("layers", {}).items()
                },
            )
        except (ValueError, KeyError, TypeError, AttributeError, InvalidReference) as error:
            raise InvalidRequirements(
                f"{where} is not a base.lock.",
                why=str(error) or None,
                hint="Make one with 'python -m samovar.image.refresh'.",
                code="invalid_base_lock",
            ) from error


def known_base(python: str) -> BaseLock:
    """Give the base that comes with samovar for a Python.

    Raises
    ------
    Unavailable
        Where Debian has none of that version; the message names what to use instead.
    """
    file = _bases() / f"python-{python}{_SUFFIX}"
    if not file.is_file():
        known = sorted(
            found.name.removeprefix("python-").removesuffix(_SUFFIX)
            for found in _bases().iterdir()
            if found.name.endswith(_SUFFIX)
        )
        raise Unavailable(
            f"No base for Python {python} comes with samovar.",
            why=f"Debian's releases have Python {' and '.join(known)}.",
            hint=f"Name an image that has it: --base docker.io/library/python:{python}-slim",
            code="no_base",
        )
    return BaseLock.from_text(file.read_text(encoding="utf-8"), where=file.name)


def shipped_bases() -> list[BaseLock]:
    """Give every base that comes with samovar."""
    return [
        BaseLock.from_text(file.read_text(encoding="utf-8"), where=file.name)
        for file in sorted(_bases().iterdir(), key=lambda file: file.name)
        if file.name.endswith(_SUFFIX)
    ]


def _bases() -> Traversable:
    return resources.files("samovar.image") / "bases"


def lock_of_base(text: str, python: str) -> BaseLock | None:
    """Give the ``base.lock`` that ``--base`` means, or None where it means an image."""
    if text == DEBIAN:
        return known_base(python)
    if text.endswith(_LOCK_SUFFIX):
        if not Path(text).is_file():
            raise NotFound(
                f"There is no file {text}.",
                hint="--base takes 'debian', a base.lock, an OCI layout, or an image's reference.",
            )
        return BaseLock.from_text(Path(text).read_bytes(), where=text)
    return None


def pinned_base(text: str, python: str) -> str | None:
    """Name what ``--base`` means where it can only mean one thing; None for a tag, which moves."""
    lock = lock_of_base(text, python)
    if lock is not None:
        return str(lock.digest)
    if Path(text).exists():
        return None
    digest = Reference.parse(text).digest
    return None if digest is None else str(digest)


def _package(document: Any) -> LockedDeb:
    return LockedDeb(
        name=str(document["name"]),
        version=str(document["version"]),
        archive=str(document["archive"]),
        path=str(document["path"]),
        sha256=str(document["sha256"]),
        size_bytes=int(document["size"]),
        layer=str(document["layer"]),
    )
