"""Read files below the unpacked root of somebody else's image, and never anything beyond it.

A link in an image means something to the image's own processes; read from outside, an absolute one
would lead to a file of this machine. So a path with a link in it is no file here.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

from samovar.store.digests import digest_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samovar.core.digest import Digest


class RootFiles:
    """The regular files below a folder, by their paths from it (``srv/samovar.json``).

    Parameters
    ----------
    folder : Path
        The root; nobody writes to it meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._folders = {""}

    def find(self, path: str) -> Path | None:
        """Give where a regular file stands; None where there is none, or a link is on the way."""
        above, _, name = path.strip("/").rpartition("/")
        if name in {"", ".", ".."} or not self._is_folder(above):
            return None
        found = self.folder / above / name
        return found if _kind(found) == stat.S_IFREG else None

    def read(self, path: str, *, most_bytes: int) -> bytes | None:
        """Read a file of at most so many bytes; None where there is none, or a larger one."""
        found = self.find(path)
        if found is None or found.stat().st_size > most_bytes:
            return None
        return found.read_bytes()

    def digest(self, path: str) -> Digest | None:
        """Give the digest of a file; None where there is none."""
        found = self.find(path)
        return None if found is None else digest_file(found)

    def below(self, path: str) -> Iterator[str]:
        """Give the paths of all that is no folder below a folder, links included, sorted."""
        if not self._is_folder(path.strip("/")):
            return
        top = self.folder / path.strip("/")
        for folder, folders, files in os.walk(top):
            here = os.path.relpath(folder, self.folder).replace(os.sep, "/")
            links = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114 - many
            folders.sort()
            yield from (f"{here}/{name}" for name in sorted([*files, *links]))

    def _is_folder(self, path: str) -> bool:
        if path in self._folders:
            return True
        above, _, name = path.rpartition("/")
        if name in {"", ".", ".."} or not self._is_folder(above):
            return False
        if _kind(self.folder / path) != stat.S_IFDIR:
            return False
        self._folders.add(path)
        return True


def _kind(path: Path) -> Any:
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except OSError:
        return None
