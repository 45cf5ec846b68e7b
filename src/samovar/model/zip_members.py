"""Open a zip only where every reader of zips would see the same members in it.

Readers disagree about a zip with data before or between its members, with headers that contradict
the directory, or with flags that say what is not so; torch, NumPy and scanners then read different
files. What is not laid out plainly is refused.

References
----------
PKWARE APPNOTE.TXT, sections 4.3.7 (local headers) and 4.3.12 (central directory).
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any, Final

from samovar.model.source import broken

if TYPE_CHECKING:
    from pathlib import Path

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_DESCRIPTOR: Final = b"PK\x07\x08"
_DESCRIPTOR_SIZES: Final = (12, 16, 20, 24)
_FOLLOWED_BY_DESCRIPTOR: Final = 0x08
# Bits that change nothing of the bytes: compression level, descriptor, UTF-8 names.
_HARMLESS_FLAGS: Final = 0x0002 | 0x0004 | _FOLLOWED_BY_DESCRIPTOR | 0x0800
_ENDING_BYTES: Final = 22
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_MEMBERS: Final = 100_000
_RATIO: Final = 1100
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, struct.error, ValueError)
"""What the standard library raises on a zip that is none, or that is cut off or altered."""


class Archive:
    """The members of a plainly laid out zip.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    InvalidModel
        With the code ``broken_stream``, saying what cannot be read for certain.
    """

    def __init__(self, path: Path) -> None:
        self._size = path.stat().st_size
        self._file = path.open("rb")
        try:
            self._zip = zipfile.ZipFile(self._file)
            self.members = self._zip.infolist()
            _check(self._zip, self._file)
        except _BROKEN as error:
            self._file.close()
            raise broken(f"The zip cannot be read: {error}.") from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()

    @property
    def names(self) -> list[str]:
        """The members' names in the order of the directory."""
        return [member.filename for member in self.members]

    def open(self, member: zipfile.ZipInfo) -> io.BufferedReader:
        """Open a member; its checksum is checked at its end."""
        try:
            return io.BufferedReader(_Content(self._zip.open(member)), 1 << 16)
        except _BROKEN as error:
            raise broken(f"The zip cannot be read: {error}.") from error


class _Content(io.RawIOBase):
    """A member's content, whose damage is an error like that of any other file."""

    def __init__(self, content: IO[bytes]) -> None:
        super().__init__()
        self._content = content

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._content.tell()

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        try:
            data = self._content.read(len(view))
        except _BROKEN as error:
            raise broken(f"A member of the zip is damaged: {error}.") from error
        view[: len(data)] = data
        return len(data)


def _check(archive: zipfile.ZipFile, file: io.BufferedReader) -> None:
    members = archive.infolist()
    names = {member.filename for member in members}
    if len(members) > _MEMBERS or len(names) != len(members):
        raise broken("The zip has too many members, or two of one name.")
    file.seek(-_ENDING_BYTES, io.SEEK_END)
    if archive.comment or file.read(4) != b"PK\x05\x06":
        raise broken("Other data follows the zip, or hides in its comment.")
    expected = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        _check_member(member)
        if not _is_at(file, expected, member):
            raise broken(f"Other data stands before the member {member.filename!r}.")
        expected = _end_of(file, member)
    if not _gap_is_descriptor(file, expected, archive.start_dir):
        raise broken("Other data stands between the members and the directory.")


def _check_member(member: zipfile.ZipInfo) -> None:
    if member.flag_bits & ~_HARMLESS_FLAGS:
        raise broken(f"The member {member.filename!r} has unusual flags.")
    if member.compress_type not in _METHODS:
        raise broken(f"The member {member.filename!r} is compressed in a way that is not read.")
    if member.file_size > _RATIO * member.compress_size + 1024:
        raise broken(f"The member {member.filename!r} claims to be a bomb.")


def _is_at(file: io.BufferedReader, expected: int, member: zipfile.ZipInfo) -> bool:
    if member.header_offset == expected:
        return True
    return expected > 0 and _gap_is_descriptor(file, expected, member.header_offset)


def _gap_is_descriptor(file: io.BufferedReader, begin: int, end: int) -> bool:
    if begin == end:
        return True
    file.seek(begin)
    signed = file.read(4) == _DESCRIPTOR
    return end - begin in (_DESCRIPTOR_SIZES[1::2] if signed else _DESCRIPTOR_SIZES[::2])


def _end_of(file: io.BufferedReader, member: zipfile.ZipInfo) -> int:
    """Compare the local header with the directory and give where the member's bytes end."""
    file.seek(member.header_offset)
    fields: tuple[Any, ...] = _LOCAL.unpack(file.read(_LOCAL.size))
    signature, _, flags, method = fields[:4]
    sizes, name_length, extra_length = fields[7:9], fields[9], fields[10]
    name = file.read(name_length)
    if signature != b"PK\x03\x04" or method != member.compress_type or flags != member.flag_bits:
        raise broken(f"The member {member.filename!r} contradicts the directory.")
    if name != member.orig_filename.encode("utf-8" if flags & 0x0800 else "cp437"):
        raise broken(f"The member {member.filename!r} has another name in its own header.")
    stated = (member.compress_size, member.file_size)
    if not flags & _FOLLOWED_BY_DESCRIPTOR and any(
        size not in {wanted, 0xFFFFFFFF} for size, wanted in zip(sizes, stated, strict=True)
    ):
        raise broken(f"The member {member.filename!r} has another size in its own header.")
    return int(member.header_offset + _LOCAL.size + name_length + extra_length) + (
        member.compress_size
    )
