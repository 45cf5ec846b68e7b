"""Read tar files strictly: what is ambiguous, hidden or unbounded is an error.

The standard library's reader forgives much (data behind the end, headers that disagree, extended
headers of any size) and differs between patch releases of Python; an archive from outside must
mean the same everywhere, and must not cost more memory than a block.

References
----------
POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar, "Basic Tar
Format".
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from samovar.core.digest import Digest
from samovar.store.unpack_limits import Limits, damaged, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK: Final = 512
_CHUNK: Final = 1024 * 1024
_MAX_EXTENDED: Final = 1024 * 1024
_ZEROS: Final = bytes(_BLOCK)
_OCTAL: Final = re.compile(rb"[ \0]*([0-7]*)[ \0]*")
_RECORD: Final = re.compile(rb"([1-9][0-9]{0,6}) ([^=\n]+)=", re.DOTALL)
_KINDS: Final = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hard link",
    b"2": "link",
    b"5": "folder",
}
_HARMLESS_EVERYWHERE: Final = frozenset({"comment", "mtime", "atime", "ctime", "uname", "gname"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One entry of a tar file.

    Parameters
    ----------
    name : str
        As written; bytes that are not UTF-8 are surrogates.
    kind : str
        ``file``, ``folder``, ``link`` or ``hard link``.
    size_bytes : int
        Of a file's content.
    executable : bool
        Whether its owner may execute it; no other permission is read.
    target : str
        Of a link.
    """

    name: str
    kind: str
    size_bytes: int = 0
    executable: bool = False
    target: str = ""


class Readable(Protocol):
    """What is read forwards."""

    def read(self, size: int, /) -> bytes:
        """Give at most so many bytes, none at the end."""
        ...


class Hashed:
    """A stream that is hashed as it is read.

    Parameters
    ----------
    stream : file object
        Read forwards.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._state = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        """Give at most so many bytes, none at the end."""
        data = self._stream.read(size)
        self._state.update(data)
        return data

    def digest(self) -> Digest:
        """Give the digest of what was read so far."""
        return Digest("sha256:" + self._state.hexdigest())


class TarReader:
    """The members of a tar file, in order; the content of each is read before the next.

    Parameters
    ----------
    stream : file object
        Uncompressed; read once, forwards.
    limits : Limits
        How much it may hold.
    """

    def __init__(self, stream: Readable, limits: Limits) -> None:
        self._stream = stream
        self._limits = limits
        self._left = 0
        self._padding = 0
        self._count = self._size = 0

    def __iter__(self) -> Iterator[Member]:
        """Give the members.

        Raises
        ------
        Refused
            Where one is of a kind that is not unpacked, or there is too much.
        Damaged
            Where the file is cut off, malformed, or has something behind its end.
        """
        extended: dict[str, str] = {}
        while (header := self._next_header()) is not None:
            kind = header[156:157]
            if kind in {b"x", b"g", b"L", b"K"}:
                self._read_extended(header, kind, extended)
                continue
            member = self._member(header, extended)
            extended = {}
            yield member
        if extended:
            raise damaged("It ends behind an extended header.")

    def content(self) -> Iterator[bytes]:
        """Give the content of the member that was given last, in pieces."""
        while self._left:
            piece = self._stream.read(min(_CHUNK, self._left))
            if not piece:
                raise damaged(f"It is cut off {self._left} bytes before the end of a member.")
            self._left -= len(piece)
            yield piece

    def _next_header(self) -> bytes | None:
        for _ in self.content():
            pass  # nobody wanted it
        self._take(self._padding)
        self._padding = 0
        header = self._take(_BLOCK)
        if header == _ZEROS:
            self._read_end()
            return None
        written = _number(header[148:156])
        if written != sum(header[:148]) + 8 * 32 + sum(header[156:]):
            raise damaged("A header's checksum is wrong; it may be no tar file.")
        if header[257:262] != b"ustar" and header[257:265] != bytes(8):
            raise damaged("A header is of an unknown format.")
        return header

    def _read_end(self) -> None:
        """Read to the end of the file: after two blocks of zeros there are only more of them."""
        if self._take(_BLOCK) != _ZEROS:
            raise damaged("A single block of zeros stands in it.")
        while piece := self._stream.read(_CHUNK):
            if piece.count(0) != len(piece):
                raise damaged("Something is hidden behind its end.")

    def _member(self, header: bytes, extended: dict[str, str]) -> Member:
        name = extended.get("path", _name(header))
        kind = _KINDS.get(header[156:157])
        if any(key.startswith("GNU.sparse") for key in extended) or header[156:157] == b"S":
            raise refused(name, "is a sparse file")
        if kind is None:
            raise refused(name, "is a device, a pipe or of an unknown kind")
        size = _number(header[124:136])
        if "size" in extended:
            if not re.fullmatch(r"[0-9]{1,19}", extended["size"]):
                raise damaged("An extended header has a size that is no number.")
            size = int(extended["size"])
        if kind == "file" and header[257:265] == bytes(8) and name.endswith("/"):
            kind = "folder"  # the format of 1979 has no other way to say so
        self._count += 1
        self._size += size
        if self._count > self._limits.members:
            raise refused(name, f"is one of more than {self._limits.members} members")
        if self._size > self._limits.size_bytes:
            raise refused(name, f"makes it larger than {self._limits.size_bytes} bytes")
        if kind != "file" and size:
            raise damaged("A folder or link has content.")
        self._expect(size)
        return Member(
            name=name,
            kind=kind,
            size_bytes=size,
            executable=bool(_number(header[100:108]) & 0o100),
            target=extended.get("linkpath", _text(header[157:257])),
        )

    def _read_extended(self, header: bytes, kind: bytes, extended: dict[str, str]) -> None:
        size = _number(header[124:136])
        if size > _MAX_EXTENDED:
            raise refused(_name(header), f"has an extended header of {size} bytes")
        self._expect(size)
        data = b"".join(self.content())
        if kind == b"g":
            # Of what holds for all members, nothing that changes them is honest.
            strange = set(_records(data)) - _HARMLESS_EVERYWHERE
            if strange:
                raise refused(_name(header), f"sets {min(strange)!r} for all members")
        elif kind == b"x":
            extended.update(_records(data))
        else:
            extended["path" if kind == b"L" else "linkpath"] = _text(data)

    def _expect(self, size: int) -> None:
        self._left, self._padding = size, -size % _BLOCK

    def _take(self, size: int) -> bytes:
        """Read exactly so many bytes."""
        data = b""
        while len(data) < size:
            piece = self._stream.read(size - len(data))
            if not piece:
                raise damaged("It is cut off, or no tar file.")
            data += piece
        return data


def plain_name(member: Member) -> Member:
    """Give the member without the ``./`` and ``/`` that tar programs put around folders' names."""
    name = member.name
    while name.startswith("./"):
        name = name[2:]
    if member.kind == "folder":
        name = name.rstrip("/") or "."
    return replace(member, name=name)


def _number(field: bytes) -> int:
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    found = _OCTAL.fullmatch(field)
    if found is None:
        raise damaged("A header has a number that is none.")
    return int(found.group(1) or b"0", 8)


def _name(header: bytes) -> str:
    name = _text(header[:100])
    if header[257:263] == b"ustar\0" and header[345] != 0:
        return f"{_text(header[345:500])}/{name}"
    return name


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _records(data: bytes) -> dict[str, str]:
    """Read the records of a pax header: length, blank, key, ``=``, value, line end."""
    found: dict[str, str] = {}
    position = 0
    while position < len(data):
        match = _RECORD.match(data, position)
        end = position + int(match.group(1)) if match else 0
        if match is None or not match.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            raise damaged("An extended header is malformed.")
        key = match.group(2).decode("utf-8", "surrogateescape")
        found[key] = data[match.end() : end - 1].decode("utf-8", "surrogateescape")
        position = end
    return found
