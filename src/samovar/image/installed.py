"""Compare a lock with what is really installed in an unpacked image, file by file.

Each distribution's ``RECORD`` says which files it has and their digests. A distribution that the
lock wants has to be there, in that version, with every file as recorded; a file that belongs to no
distribution could shadow one that does.

References
----------
PyPA specifications: "Recording installed projects", "Core metadata".
"""

from __future__ import annotations

import base64
import csv
import hashlib
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from samovar.bundle.child import Mismatch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samovar.env.lock import LockedPackage
    from samovar.image.root_files import RootFiles

_MAX_METADATA_BYTES: Final = 16 * 1024 * 1024
_FIELD: Final = re.compile(r"^(Name|Version): *(.+?) *$", re.MULTILINE)
_ALGORITHMS: Final = ("sha256", "sha384", "sha512")
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A distribution that is installed in an image.

    Parameters
    ----------
    name : str
        Normalised.
    version : str
        As its metadata has it.
    record : mapping of str to str
        Each of its files, from the image's root, with the digest in RECORD's own form
        (``sha256=...``); empty where RECORD has none.
    info : str
        Its ``.dist-info`` folder.
    """

    name: str
    version: str
    record: Mapping[str, str]
    info: str


class SitePackages:
    """What is installed in one folder of an image.

    Parameters
    ----------
    root : RootFiles
        The image.
    site : str
        The folder, from the image's root.
    """

    def __init__(self, root: RootFiles, site: str) -> None:
        self._root = root
        self._site = site
        self._files = list(root.below(site))
        self.distributions = tuple(self._distributions())
        # Two distributions may bring the same file (namespace packages of old); one of them stands.
        self._claims: dict[str, set[str]] = {}
        for found in self.distributions:
            for path, digest in found.record.items():
                self._claims.setdefault(path, set()).add(digest)

    def mismatches(self, wanted: Sequence[LockedPackage]) -> list[Mismatch]:
        """List what of the lock is not here, in another version, or altered."""
        return [
            found for package in wanted if (found := self._compare(package.name, package.version))
        ]

    def altered(self, found: Installed) -> tuple[str, ...]:
        """List the files of a distribution that are not as its RECORD says."""
        if not found.record:
            return (f"{found.info}/RECORD",)
        return tuple(path for path in sorted(found.record) if not self._holds(path))

    def of_nobody(self) -> tuple[str, ...]:
        """List the files that no distribution has recorded."""
        return tuple(path for path in self._files if path not in self._claims)

    def _compare(self, name: str, version: str) -> Mismatch | None:
        here = [found for found in self.distributions if found.name == name]
        if len(here) != 1 or not _is_same(here[0].version, version):
            versions = " and ".join(sorted(found.version for found in here))
            return Mismatch(name=name, wanted=version, found=versions or None)
        altered = self.altered(here[0])
        if altered:
            return Mismatch(name=name, wanted=version, found=here[0].version, files=altered)
        return None

    def _holds(self, path: str) -> bool:
        file = self._root.find(path)
        if file is None:
            return False
        digests = self._claims[path] - {""}
        if not digests:
            return path.endswith((".dist-info/RECORD", ".pyc"))
        for wanted in digests:
            algorithm, _, text = wanted.partition("=")
            if algorithm not in _ALGORITHMS:
                continue
            state = hashlib.new(algorithm)
            with file.open("rb") as content:
                while piece := content.read(_PIECE):
                    state.update(piece)
            if base64.urlsafe_b64encode(state.digest()).rstrip(b"=") == text.rstrip("=").encode():
                return True
        return False

    def _distributions(self) -> list[Installed]:
        prefix = f"{self._site}/"
        found = []
        for path in self._files:
            info, _, name = path.removeprefix(prefix).partition("/")
            if name == "METADATA" and info.endswith(".dist-info"):
                installed = self._read(prefix + info)
                if installed is not None:
                    found.append(installed)
        return found

    def _read(self, info: str) -> Installed | None:
        metadata = self._root.read(f"{info}/METADATA", most_bytes=_MAX_METADATA_BYTES)
        if metadata is None:
            return None
        head = metadata.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[0]
        fields = dict(reversed(_FIELD.findall(head)))
        if len(fields) != 2:
            return None
        return Installed(
            name=canonicalize_name(fields["Name"]),
            version=fields["Version"],
            record=self._record(info),
            info=info,
        )

    def _record(self, info: str) -> dict[str, str]:
        data = self._root.read(f"{info}/RECORD", most_bytes=_MAX_METADATA_BYTES) or b""
        lines = csv.reader(data.decode("utf-8", "replace").splitlines())
        try:
            rows = [row for row in lines if row]
        except csv.Error:
            return {}
        return {
            posixpath.normpath(posixpath.join("/", self._site, row[0])).lstrip("/"): (
                row[1] if len(row) > 1 else ""
            )
            for row in rows
        }


def _is_same(found: str, wanted: str) -> bool:
    try:
        return Version(found) == Version(wanted)
    except InvalidVersion:
        return found == wanted
