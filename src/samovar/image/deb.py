"""Read a Debian package without dpkg, root or any script of its running.

References
----------
deb(5); deb-control(5); Debian policy, section 9.1 (merged /usr).
"""

from __future__ import annotations

import io
import lzma
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.errors import Damaged, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAGIC: Final = b"!<arch>\n"
_HEADER_BYTES: Final = 60
_MAX_BYTES: Final = 2 * 1024**3
MERGED: Final = ("bin", "sbin", "lib", "lib64", "libx32", "lib32")
"""Folders that are links into ``usr/``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DebFile:
    """A file or link in a package; folders are not told.

    Parameters
    ----------
    path : str
        From the root, with ``usr/`` where /usr is merged.
    data : bytes
        Content of a regular file.
    executable : bool
        Whether the user may execute it.
    link : str or None
        Target of a symbolic link, as it is written.
    """

    path: str
    data: bytes
    executable: bool
    link: str | None


def read_deb(path: Path) -> Iterator[DebFile]:
    """Give the files of a package; hard links become copies.

    Raises
    ------
    Damaged
        Where it is no package.
    """
    name, data = _data_member(path)
    stream = _decompressed(name, data)
    seen: dict[str, DebFile] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                found = _file(archive, member, seen)
                if found is not None:
                    seen[found.path] = found
                    yield found
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise Damaged(f"The package {path.name} is damaged.", why=str(error)) from error


def merged(path: str) -> str:
    """Give where a path is once ``/lib`` and its like are links into ``/usr``.

    Examples
    --------
    >>> merged("lib/x86_64-linux-gnu/libc.so.6")
    'usr/lib/x86_64-linux-gnu/libc.so.6'
    """
    return f"usr/{path}" if path.partition("/")[0] in MERGED else path


def _file(
    archive: tarfile.TarFile, member: tarfile.TarInfo, seen: dict[str, DebFile]
) -> DebFile | None:
    path = _plain(member.name)
    if member.isdir() or member.name.removeprefix("./") in MERGED:
        return None  # Debian 13's base-files has the links of merged /usr itself
    if member.issym():
        return DebFile(path=path, data=b"", executable=False, link=member.linkname)
    if member.islnk():
        original = seen[_plain(member.linkname)]
        return DebFile(
            path=path, data=original.data, executable=original.executable, link=original.link
        )
    content = archive.extractfile(member) if member.isreg() else None
    if content is None or member.size > _MAX_BYTES:
        raise Damaged(f"The package has {member.name!r}, which is neither file nor link.")
    return DebFile(path=path, data=content.read(), executable=bool(member.mode & 0o100), link=None)


def _plain(name: str) -> str:
    path = name.removeprefix("./").rstrip("/")
    if path.startswith("/") or ".." in path.split("/"):
        raise Damaged(f"The package has the path {name!r}.")
    return merged(path)


def _data_member(path: Path) -> tuple[str, bytes]:
    """Find the archive of the files in the outer ``ar`` archive."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise Damaged(f"{path.name} is not a Debian package.")
        while head := file.read(_HEADER_BYTES):
            try:
                name, size = head[:16].decode("ascii").strip().rstrip("/"), int(head[48:58])
            except ValueError as error:
                raise Damaged(f"{path.name} is not a Debian package.") from error
            if name.startswith("data.tar"):
                return name, file.read(size)
            file.seek(size + size % 2, io.SEEK_CUR)
    raise Damaged(f"{path.name} holds no files.")


def _decompressed(name: str, data: bytes) -> io.BufferedIOBase | lzma.LZMAFile:
    kind = name.rpartition(".")[2]
    if kind == "xz":
        return lzma.LZMAFile(io.BytesIO(data))
    if kind == "tar":
        return io.BytesIO(data)
    if kind == "gz":
        import gzip

        return gzip.GzipFile(fileobj=io.BytesIO(data))
    raise Unavailable(
        f"A package is compressed as {kind}, which samovar does not read.",
        hint="Debian's own packages are compressed with xz.",
        code="no_compression",
    )
