"""Unpack the layers of an image into a root folder, as a container engine would.

Layers have what bundles have not: links, which mean something in the image's own root only, and
whiteouts, which remove what lower layers brought. Neither reaches out: every path is resolved
below the root, with links followed as the image's own processes would see them.

References
----------
OCI image specification, layer.md: "Applying Changesets" and "Whiteouts".
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final

from samovar.store.unpack_limits import Limits, refused
from samovar.store.unpack_names import WHITEOUT, check_inside
from samovar.store.unpack_reader import Hashed, Member, TarReader, plain_name

if TYPE_CHECKING:
    from pathlib import Path

    from samovar.core.digest import Digest

_OPAQUE: Final = ".wh..wh..opq"
_MAX_LINKS: Final = 40


def extract_layer(stream: IO[bytes], root: Path, *, limits: Limits | None = None) -> int:
    """Apply one uncompressed layer to a root folder of ours.

    Owners, times, set-id bits and extended attributes are not kept. A root in which this was
    refused is worthless: the caller removes it whole.

    Parameters
    ----------
    stream : file object
        The layer's tar file; read to the end.
    root : Path
        What the lower layers made; a folder that nobody else writes to meanwhile.
    limits : Limits, optional
        How much it may hold.

    Returns
    -------
    int
        How many members it had.

    Raises
    ------
    Refused
        Naming the member that reaches out of the root, is a device, or is malformed.
    Damaged
        Where it is cut off or no tar file.
    """
    limits = limits or Limits()
    root.mkdir(parents=True, exist_ok=True)
    layer = _Layer(root.resolve(), TarReader(stream, limits), limits)
    return layer.apply()


def scan_layer(stream: IO[bytes], *, limits: Limits | None = None) -> Digest:
    """Read an uncompressed layer to its end, and write nothing.

    What `extract_layer` refuses by a member's own name, kind or target is refused here too; where
    the links of lower layers lead is known to it alone.

    Returns
    -------
    Digest
        The layer's diff ID.
    """
    limits = limits or Limits()
    hashed = Hashed(stream)
    for member in map(plain_name, TarReader(hashed, limits)):
        if member.kind == "folder" and member.name == ".":
            continue
        parts = check_inside(member.name, limits)
        if parts[-1].startswith(WHITEOUT) and parts[-1] != _OPAQUE:
            _hidden(parts[-1], member.name)
        if member.kind == "link":
            _check_target(parts[:-1], member)
        if member.kind == "hard link":
            check_inside(member.target.removeprefix("./"), limits)
    return hashed.digest()


class _Layer:
    """One layer on its way into a root."""

    def __init__(self, root: Path, reader: TarReader, limits: Limits) -> None:
        self._root = root
        self._reader = reader
        self._limits = limits
        self._ours: set[Path] = set()
        self._resolved: dict[tuple[str, ...], Path] = {}

    def apply(self) -> int:
        """Apply all members in order."""
        count = 0
        for member in map(plain_name, self._reader):
            count += 1
            if member.kind == "folder" and member.name == ".":
                continue
            parts = check_inside(member.name, self._limits)
            parent = self._resolve(parts[:-1], member.name)
            if parts[-1].startswith(WHITEOUT):
                self._white_out(parent, parts[-1], member.name)
            else:
                self._make(parent, parts[-1], member)
        return count

    def _make(self, parent: Path, name: str, member: Member) -> None:
        if parent not in self._ours:
            parent.mkdir(parents=True, exist_ok=True)
        path = parent / name
        if member.kind == "folder":
            if path.is_symlink() or not path.is_dir():
                self._remove(path)
                path.mkdir()
            path.chmod(0o755)
        elif member.kind == "hard link":
            source = self._link_source(member)
            if source != path:
                self._remove(path)
                os.link(source, path, follow_symlinks=False)
        elif member.kind == "link":
            _check_target(parent.relative_to(self._root).parts, member)
            self._remove(path)
            path.symlink_to(member.target)
            self._resolved.clear()
        else:
            self._write(path, executable=member.executable)
        self._remember(path)

    def _write(self, path: Path, *, executable: bool) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
        mode = 0o755 if executable else 0o644
        flags |= getattr(os, "O_BINARY", 0)
        try:
            handle = os.open(path, flags, mode)
        except FileExistsError:
            self._remove(path)
            handle = os.open(path, flags, mode)
        with os.fdopen(handle, "wb") as file:
            for piece in self._reader.content():
                file.write(piece)
        path.chmod(mode)

    def _white_out(self, parent: Path, name: str, shown: str) -> None:
        """Remove what lower layers brought; what this layer brought stays."""
        if name == _OPAQUE:
            for path in self._children(parent):
                self._remove_lower(path)
            return
        self._remove_lower(parent / _hidden(name, shown))

    def _remove_lower(self, path: Path) -> None:
        if path not in self._ours:
            self._remove(path)
        elif path.is_dir() and not path.is_symlink():
            for child in self._children(path):
                self._remove_lower(child)

    def _children(self, folder: Path) -> list[Path]:
        with suppress(FileNotFoundError, NotADirectoryError):
            return list(folder.iterdir())
        return []

    def _remove(self, path: Path) -> None:
        self._resolved.clear()
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
            self._ours = {ours for ours in self._ours if path not in ours.parents}
        else:
            path.unlink(missing_ok=True)
        self._ours.discard(path)

    def _remember(self, path: Path) -> None:
        while path != self._root and path not in self._ours:
            self._ours.add(path)
            path = path.parent

    def _link_source(self, member: Member) -> Path:
        parts = check_inside(member.target.removeprefix("./"), self._limits)
        source = self._resolve(parts[:-1], member.name) / parts[-1]
        if source.is_symlink() or not source.is_file():
            raise refused(member.name, "is a hard link to no file of the image")
        return source

    def _resolve(self, parts: tuple[str, ...], shown: str) -> Path:
        """Find a folder as `_follow` does, once as long as no link is made and nothing removed."""
        if parts not in self._resolved:
            self._resolved[parts] = self._follow(parts, shown)
        return self._resolved[parts]

    def _follow(self, parts: tuple[str, ...], shown: str) -> Path:
        """Find a folder below the root, following links as a process with that root would."""
        here, waiting, links = self._root, list(reversed(parts)), 0
        while waiting:
            part = waiting.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                if here == self._root:
                    raise refused(shown, "leads out of the image by a link")
                here = here.parent
                continue
            following = here / part
            if following.is_symlink():
                links += 1
                if links > _MAX_LINKS:
                    raise refused(shown, "leads through a circle of links")
                target = str(following.readlink())
                here = self._root if target.startswith("/") else here
                waiting.extend(reversed(target.split("/")))
                continue
            if following.exists() and not following.is_dir():
                raise refused(shown, "is a folder to some members, and none to others")
            here = following
        return here


def _hidden(name: str, shown: str) -> str:
    """Give the name that a whiteout removes."""
    hidden = name[len(WHITEOUT) :]
    if hidden in {"", ".", ".."} or hidden.startswith(WHITEOUT):
        raise refused(shown, "is a whiteout of nothing that can be removed")
    return hidden


def _check_target(parent: tuple[str, ...], member: Member) -> None:
    """Refuse links that climb above the root; absolute ones begin there."""
    depth = 0 if member.target.startswith("/") else len(parent)
    if not member.target or "\0" in member.target:
        raise refused(member.name, "is a link to nothing")
    for part in member.target.split("/"):
        depth += -1 if part == ".." else 0 if part in {"", "."} else 1
        if depth < 0:
            raise refused(member.name, "is a link that leads out of the image")
