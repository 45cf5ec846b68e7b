"""Write tar files whose bytes depend on their members alone.

Names are sorted, parents are added, the owner is 0:0 without names, the time is 0, and modes are
0755 or 0644, so that users, umasks, clocks and Python versions leave no trace.

References
----------
POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.errors import InvalidReference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK: Final = 512
_RECORD: Final = 20 * _BLOCK


@dataclass(frozen=True, slots=True, kw_only=True)
class TarMember:
    """One file, link or folder.

    Parameters
    ----------
    path : str
        Relative, with ``/`` between its parts.
    data : bytes
        Content of a regular file.
    executable : bool
        Whether it is a program.
    link : str, optional
        Target of a symbolic link; then there is no content.
    folder : bool
        Whether it is a folder.
    """

    path: str
    data: bytes | memoryview = b""
    executable: bool = False
    link: str | None = None
    folder: bool = False


def write_tar(members: Iterable[TarMember]) -> Iterator[bytes]:
    """Give the bytes of a tar file, in pieces.

    Parameters
    ----------
    members : iterable of TarMember
        In any order; folders that are not among them are added.

    Raises
    ------
    InvalidReference
        For a path that is absolute, has ``..``, or stands twice.

    Examples
    --------
    >>> one = b"".join(write_tar([TarMember(path="a/b", data=b"x"), TarMember(path="c")]))
    >>> two = b"".join(write_tar([TarMember(path="c"), TarMember(path="a/b", data=b"x")]))
    >>> one == two, len(one) % 10240
    (True, 0)
    """
    size = 0
    for member in with_parents(members):
        for piece in _pieces(member):
            size += len(piece)
            yield piece
    yield ending(size)


def with_parents(members: Iterable[TarMember]) -> list[TarMember]:
    """Give the members with the folders they are in, sorted by path.

    Raises
    ------
    InvalidReference
        For a path that is absolute, has ``..``, or stands twice.
    """
    found: dict[str, TarMember] = {}
    for member in members:
        path = member.path
        if path in found or not path or path.startswith("/") or "\0" in path:
            raise InvalidReference(f"{path!r} cannot be in a tar file, or stands in it twice.")
        if any(part in {"", ".", ".."} for part in path.split("/")):
            raise InvalidReference(f"{path!r} is not a plain relative path.")
        found[path] = member
    for path in list(found):
        parts = path.split("/")
        for depth in range(1, len(parts)):
            parent = "/".join(parts[:depth])
            found.setdefault(parent, TarMember(path=parent, folder=True))
    return [found[path] for path in sorted(found)]


def header(member: TarMember, size_bytes: int) -> bytes:
    """Give what stands before a member's content: the blocks that describe it.

    Parameters
    ----------
    member : TarMember
        Its ``data`` is not looked at.
    size_bytes : int
        Length of the content; 0 for links and folders.
    """
    info = tarfile.TarInfo(member.path)
    info.mode = 0o755 if member.executable or member.folder else 0o644
    if member.folder:
        info.type = tarfile.DIRTYPE
    elif member.link is not None:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, member.link, 0o777
    else:
        info.size = size_bytes
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def padding(size_bytes: int) -> bytes:
    """Give the zeros that fill a content's last block."""
    return b"\0" * (-size_bytes % _BLOCK)


def ending(size_bytes: int) -> bytes:
    """Give what ends a tar file of so many bytes."""
    end = 2 * _BLOCK
    return b"\0" * (end + -(size_bytes + end) % _RECORD)


def _pieces(member: TarMember) -> Iterator[bytes]:
    size = 0 if member.folder or member.link is not None else len(member.data)
    yield header(member, size)
    if size:
        yield bytes(member.data)
        yield padding(size)
