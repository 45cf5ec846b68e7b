"""Write tar files whose bytes depend on their members alone.

Names are sorted, parents are added, the owner is 0:0 without names, the time is 0, and modes are
0755 or 0644, so that users, umasks, clocks and Python versions leave no trace. The headers are
written here, since digests must outlive the standard library's habits.

References
----------
POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.errors import InvalidReference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK: Final = 512
_RECORD: Final = 20 * _BLOCK
_NAME: Final = 100
_LARGEST: Final = 8**11


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
    mode = 0o755 if member.executable or member.folder else 0o644
    path, kind, target = member.path, b"0", ""
    if member.folder:
        path, kind = f"{path}/", b"5"
    elif member.link is not None:
        kind, mode, target = b"2", 0o777, member.link
    records = _record("path", path) if _needs_record(path) else b""
    records += _record("linkpath", target) if _needs_record(target) else b""
    if size_bytes >= _LARGEST:
        records += _record("size", str(size_bytes))
        size_bytes = 0
    block = _block(path, kind, mode=mode, size_bytes=size_bytes, target=target)
    if not records:
        return block
    extended = _block("././@PaxHeader", b"x", mode=0, size_bytes=len(records))
    return extended + records + padding(len(records)) + block


def padding(size_bytes: int) -> bytes:
    """Give the zeros that fill a content's last block."""
    return b"\0" * (-size_bytes % _BLOCK)


def ending(size_bytes: int) -> bytes:
    """Give what ends a tar file of so many bytes."""
    end = 2 * _BLOCK
    return b"\0" * (end + -(size_bytes + end) % _RECORD)


def _block(path: str, kind: bytes, *, mode: int, size_bytes: int, target: str = "") -> bytes:
    """Write one header; what does not fit is cut, since an extended header says it whole."""
    start = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (_field(path), mode, 0, 0, size_bytes, 0)
    end = kind + _field(target) + b"ustar\00000"
    end += bytes(_BLOCK - len(start) - 8 - len(end))
    checksum = sum(start) + 8 * ord(" ") + sum(end)
    return start + b"%06o\0 " % checksum + end


def _field(text: str) -> bytes:
    return text.encode("ascii", "replace")[:_NAME].ljust(_NAME, b"\0")


def _needs_record(text: str) -> bool:
    return not text.isascii() or len(text) > _NAME


def _record(key: str, value: str) -> bytes:
    """Write one record of an extended header; its length counts its own digits."""
    content = b" %s=%s\n" % (key.encode("ascii"), value.encode("utf-8"))
    length = len(content)
    while (whole := len(content) + len(str(length))) != length:
        length = whole
    return b"%d%s" % (length, content)


def _pieces(member: TarMember) -> Iterator[bytes]:
    size = 0 if member.folder or member.link is not None else len(member.data)
    yield header(member, size)
    if size:
        yield bytes(member.data)
        yield padding(size)
