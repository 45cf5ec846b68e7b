"""Open a zip only where every reader of zips would see the same members in it.

Readers disagree about a zip with data before or between its members, with headers that contradict
the directory, or with flags that say what is not so; torch, NumPy and scanners then read different
files. What is not laid out plainly is refused.

What every reader of zips asks of them: store/zip_headers.py.
"""

from __future__ import annotations

import io
import zipfile
from typing import IO, TYPE_CHECKING, Any, Final

from samovar.model.source import broken
from samovar.store.zip_headers import (
    BROKEN,
    DESCRIPTOR_FOLLOWS,
    content_begins,
    flags_before,
    why_refused,
)

if TYPE_CHECKING:
    from pathlib import Path

_DESCRIPTOR: Final = b"PK\x07\x08"
_DESCRIPTOR_SIZES: Final = (12, 16, 20, 24)
# Bits that change nothing of the bytes: compression level, descriptor, UTF-8 names.
_HARMLESS_FLAGS: Final = 0x0002 | 0x0004 | DESCRIPTOR_FOLLOWS | 0x0800
_ENDING_BYTES: Final = 22
_MEMBERS: Final = 100_000
_RATIO: Final = 1100


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
        except BROKEN as error:
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
        except BROKEN as error:
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
        except BROKEN as error:
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
    if (why := why_refused(member)) is not None:
        raise broken(f"The member {member.filename!r} {why}.")
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

    def read_at(offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)

    begin = content_begins(read_at, member)
    if flags_before(read_at, member) != member.flag_bits:
        raise broken(f"The member {member.filename!r} contradicts the directory.")
    return begin + member.compress_size
