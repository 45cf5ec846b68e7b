"""What a zip says of its members twice, and what no honest zip says: for every reader of zips.

A zip has a directory at its end and a header before each member. Readers that trust the one or the
other see different files where they disagree. Here both must agree, members may not share bytes,
and only what is stored or deflated in the open is read.

References
----------
PKWARE APPNOTE.TXT, sections 4.3.7 (local file header), 4.3.12 (central directory) and 4.4.4
(general purpose bits).
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    ReadAt = Callable[[int, int], bytes]
    """Gives so many bytes from an offset, fewer at the end."""

BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, struct.error, ValueError)
"""What is raised, here and by the standard library, on a zip that is none, cut off or altered."""
DESCRIPTOR_FOLLOWS: Final = 0x08
"""Flag of a member whose sizes stand behind it, since its writer did not know them before."""
_ENCRYPTED: Final = 0x01
_UTF_8: Final = 0x0800
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_SIGNATURE: Final = b"PK\x03\x04"
_IN_ZIP64: Final = 0xFFFFFFFF
_UNIX: Final = 3


def why_refused(info: zipfile.ZipInfo) -> str | None:
    """Say what is wrong with a member's kind, or None: only plain files and folders are read."""
    if stat.S_IFMT(info.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link, a device or a pipe"
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return "is compressed by a rare method"
    return None


def is_executable(info: zipfile.ZipInfo) -> bool:
    """Say whether the owner may execute it; only zips made on Unix know."""
    return info.create_system == _UNIX and bool(info.external_attr >> 16 & 0o100)


def content_begins(read_at: ReadAt, info: zipfile.ZipInfo) -> int:
    """Give the offset of a member's bytes, once its own header agrees with the directory.

    Raises
    ------
    ValueError
        Where it does not.
    """
    fields: tuple[Any, ...] = _LOCAL.unpack(read_at(info.header_offset, _LOCAL.size))
    signature, _, flags, method = fields[:4]
    sizes, name_length, extra_length = fields[7:9], fields[9], fields[10]
    name = read_at(info.header_offset + _LOCAL.size, name_length)
    encoding = "utf-8" if info.flag_bits & _UTF_8 else "cp437"
    if (signature, method) != (_SIGNATURE, info.compress_type):
        raise ValueError(f"{info.filename!r} contradicts the directory in its own header")
    if name != info.orig_filename.encode(encoding):
        raise ValueError(f"{info.filename!r} has another name in its own header")
    wanted = (info.compress_size, info.file_size)
    if not flags & DESCRIPTOR_FOLLOWS and any(
        size not in {stated, _IN_ZIP64} for size, stated in zip(sizes, wanted, strict=True)
    ):
        raise ValueError(f"{info.filename!r} has another size in its own header")
    return int(info.header_offset + _LOCAL.size + name_length + extra_length)


def flags_before(read_at: ReadAt, info: zipfile.ZipInfo) -> int:
    """Give the flags in a member's own header."""
    return int(_LOCAL.unpack(read_at(info.header_offset, _LOCAL.size))[2])


def sharing(members: Iterable[zipfile.ZipInfo]) -> zipfile.ZipInfo | None:
    """Give a member that shares bytes with another, which makes small zips enormous; or None."""
    end = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < end:
            return info
        end = info.header_offset + _LOCAL.size + info.compress_size
    return None
