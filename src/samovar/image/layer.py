"""Write a layer: a gzip-compressed tar file whose bytes depend on its members alone.

The tar file is cut into gzip members (RFC 1952 allows any number of them, and every reader of
layers takes them; eStargz is built on it). Large files of a wheel are carried over as the deflate
streams that they are in the wheel; everything between them is compressed by one pinned zlib-ng,
whose output depends neither on the processor nor on the zlib that Python was built with.

References
----------
OCI image specification, layer.md; RFC 1951 (deflate); RFC 1952 (gzip), section 2.2.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from samovar.core import media_types
from samovar.core.descriptor import Descriptor
from samovar.core.digest import Digest
from samovar.core.tar import TarMember, ending, header, padding, with_parents
from samovar.errors import Refused
from samovar.image.made import Layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from samovar.store.layout import Store

LEVEL: Final = 6
VERSION: Final = 1
"""Grows with every change to what is written here: cached layers are of one version."""
CARRIED_BYTES: Final = 16 * 1024
"""Smaller files compress better together with their neighbours than by themselves."""
_GZIP_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DeflatedMember(TarMember):
    """A file whose content is at hand as a deflate stream.

    Parameters
    ----------
    deflated : memoryview
        The stream.
    size_bytes : int
        Length of the content.
    crc32 : int
        Of the content.
    sha256 : bytes, optional
        Digest that the content must have.
    """

    deflated: memoryview
    size_bytes: int
    crc32: int
    sha256: bytes | None = None

    def content(self) -> bytes:
        """Give the content, checked."""
        from samovar.image.zip_members import inflate

        content = inflate(self.deflated, self.size_bytes, self.crc32, self.path, deflated=True)
        if self.sha256 is not None and hashlib.sha256(content).digest() != self.sha256:
            raise Refused(
                f"{self.path!r} is not what the wheel's RECORD says.",
                hint="Do not use this wheel; ask whoever published it.",
                code="hostile_wheel",
            )
        return content


def store_layer(store: Store, members: Iterable[TarMember], what: str) -> Layer:
    """Write members as a layer into the store.

    Raises
    ------
    InvalidReference
        For a path that is absolute, has ``..``, or stands twice.
    Damaged, Refused
        Where a wheel's member is not what the wheel says of it.
    """
    stream = _LayerStream()
    digest, size = store.put_stream(stream.pieces(members))
    return Layer(
        descriptor=Descriptor(
            media_type=media_types.OCI_LAYER_GZIP, digest=digest, size_bytes=size
        ),
        diff_id=stream.diff_id,
        what=what,
    )


class _LayerStream:
    """Digest the tar file while it is compressed, in one pass."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()
        self._size = 0
        self._plain: list[bytes] = []
        self._plain_bytes = 0

    @property
    def diff_id(self) -> Digest:
        """The digest of the uncompressed tar file, once all pieces were taken."""
        return Digest("sha256:" + self._state.hexdigest())

    def pieces(self, members: Iterable[TarMember]) -> Iterator[bytes]:
        """Give the compressed bytes."""
        for member in with_parents(members):
            if isinstance(member, DeflatedMember):
                self._add(header(member, member.size_bytes))
                content = member.content()
                if member.size_bytes < CARRIED_BYTES:
                    self._add(content)
                else:
                    self._count(content)
                    yield from self._flush()
                    yield _GZIP_HEADER
                    yield bytes(member.deflated)
                    yield struct.pack("<II", member.crc32, member.size_bytes & 0xFFFFFFFF)
                self._add(padding(member.size_bytes))
            else:
                size = 0 if member.folder or member.link is not None else len(member.data)
                self._add(header(member, size))
                self._add(bytes(member.data) if size else b"")
                self._add(padding(size))
            if self._plain_bytes > _PIECE:
                yield from self._flush()
        self._add(ending(self._size))
        yield from self._flush()

    def _count(self, data: bytes) -> None:
        self._state.update(data)
        self._size += len(data)

    def _add(self, data: bytes) -> None:
        if data:
            self._count(data)
            self._plain.append(data)
            self._plain_bytes += len(data)

    def _flush(self) -> Iterator[bytes]:
        """Compress what has gathered as one gzip member."""
        from zlib_ng import zlib_ng

        if not self._plain:
            return
        data = b"".join(self._plain)
        self._plain, self._plain_bytes = [], 0
        compressor = zlib_ng.compressobj(LEVEL, zlib_ng.DEFLATED, -15)
        yield _GZIP_HEADER
        yield compressor.compress(data) + compressor.flush()
        yield struct.pack("<II", zlib_ng.crc32(data), len(data) & 0xFFFFFFFF)
