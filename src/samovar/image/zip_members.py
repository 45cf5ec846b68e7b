"""Read a zip archive's members where they lie, still deflated; refuse what no wheel has.

A wheel's files are deflate streams, and so is the inside of a gzip file: a layer takes them over as
they are (image/layer.py), which spares compressing them again and makes the layer's bytes depend
on the wheel alone.

What every reader of zips asks of them: store/zip_headers.py.
"""

from __future__ import annotations

import mmap
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.errors import Damaged, Refused
from samovar.store.zip_headers import BROKEN, content_begins, is_executable, sharing, why_refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_MEMBERS: Final = 200_000
_MAX_BYTES: Final = 16 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipMember:
    """A regular file in a zip archive.

    Parameters
    ----------
    path : str
        Plain and relative, with ``/`` between its parts.
    raw : memoryview
        Its bytes in the archive.
    deflated : bool
        Whether ``raw`` is a deflate stream; else it is the content itself.
    size_bytes : int
        Length of the content.
    crc32 : int
        Of the content.
    executable : bool
        Whether the user may execute it.
    """

    path: str
    raw: memoryview
    deflated: bool
    size_bytes: int
    crc32: int
    executable: bool

    def read(self) -> bytes:
        """Give the content, checked against its length and checksum.

        Raises
        ------
        Damaged
            Where the archive declares another length or checksum.
        """
        return inflate(self.raw, self.size_bytes, self.crc32, self.path, deflated=self.deflated)


def inflate(
    raw: memoryview | bytes, size_bytes: int, crc32: int, name: str, *, deflated: bool
) -> bytes:
    """Give what a deflate stream holds, and refuse another length or checksum than declared."""
    from zlib_ng import zlib_ng

    if not deflated:
        content = bytes(raw)
    else:
        inflater = zlib_ng.decompressobj(-15)
        try:
            content = inflater.decompress(raw, size_bytes + 1)
        except zlib_ng.error as error:  # type: ignore[misc]  # its stub calls it a value
            raise Damaged(f"{name!r} in the archive is damaged.", why=str(error)) from error
        if not inflater.eof or inflater.unused_data:
            raise Damaged(f"{name!r} in the archive is longer or shorter than declared.")
    if len(content) != size_bytes or zlib_ng.crc32(content) != crc32:
        raise Damaged(f"{name!r} in the archive is not what its checksum says.")
    return content


def read_members(path: Path) -> Iterator[ZipMember]:
    """Give a zip archive's regular files in the archive's order.

    The members stay readable as long as anybody holds them: the file is mapped, not copied.

    Raises
    ------
    Damaged
        Where the file is no zip archive, or says two things of one member.
    Refused
        Naming the member that no honest wheel has.
    """
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise Damaged(f"{path.name} is empty.")
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except BROKEN as error:
        raise Damaged(f"{path.name} is not a zip archive.", why=str(error)) from error
    if len(infos) > _MAX_MEMBERS or sum(info.file_size for info in infos) > _MAX_BYTES:
        raise Refused(f"{path.name} would unpack to too much.", code="hostile_wheel")
    if (shared := sharing(infos)) is not None:
        raise _refuse(path.name, shared.filename, "shares its bytes with another member")
    seen: set[str] = set()
    for info in infos:
        _check(path.name, info)
        if info.is_dir():
            continue
        if info.filename in seen:
            raise _refuse(path.name, info.filename, "stands in it twice")
        seen.add(info.filename)
        yield _member(path.name, data, info)


def _check(archive: str, info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    parts = name.rstrip("/").split("/")
    if name.startswith("/") or "\\" in name or "\0" in name or any(ord(c) < 32 for c in name):
        raise _refuse(archive, name, "is not a plain relative path")
    if any(part in {"", ".", ".."} for part in parts) or parts[0].endswith(":"):
        raise _refuse(archive, name, "is not a plain relative path")
    if (why := why_refused(info)) is not None:
        raise _refuse(archive, name, why)


def _member(archive: str, data: memoryview, info: zipfile.ZipInfo) -> ZipMember:
    try:
        content = content_begins(lambda at, size: bytes(data[at : at + size]), info)
    except BROKEN as error:
        raise Damaged(f"{archive} says two things of {info.filename!r}.", why=str(error)) from error
    if content + info.compress_size > len(data):
        raise Damaged(f"{archive} ends within {info.filename!r}.")
    return ZipMember(
        path=info.filename,
        raw=data[content : content + info.compress_size],
        deflated=info.compress_type == zipfile.ZIP_DEFLATED,
        size_bytes=info.file_size,
        crc32=info.CRC,
        executable=is_executable(info),
    )


def _refuse(archive: str, name: str, why: str) -> Refused:
    shown = name if len(name) <= 100 else name[:97] + "..."
    return Refused(
        f"{archive} is refused: {shown!r} {why}.",
        hint="Nothing of it was kept. Ask whoever published the wheel how it came about.",
        code="hostile_wheel",
    )
