"""The opcodes of the pickle machine that push a constant."""

from __future__ import annotations

import codecs
import struct
from typing import TYPE_CHECKING, Any, Final

from samovar.model.source import broken
from samovar.model.values import Blob

if TYPE_CHECKING:
    from samovar.model.source import Source

KEPT_TEXT: Final = 4096
KEPT_BYTES: Final = 256
_LONG_BYTES: Final = 1024
_UINT2 = struct.Struct("<H").unpack
_INT4 = struct.Struct("<i").unpack
_UINT4 = struct.Struct("<I").unpack
_UINT8 = struct.Struct("<Q").unpack
_FLOAT8 = struct.Struct(">d").unpack


class Constants:
    """Push constants; those larger than `KEPT_TEXT` and `KEPT_BYTES` are passed over."""

    source: Source
    stack: list[Any]

    def none(self) -> None:
        """NONE."""
        self.stack.append(None)

    def true(self) -> None:
        """NEWTRUE."""
        self.stack.append(True)

    def false(self) -> None:
        """NEWFALSE."""
        self.stack.append(False)

    def int_line(self) -> None:
        """INT."""
        line = self.source.line()
        known = {b"00": False, b"01": True}.get(line)
        self.stack.append(int(line, 0) if known is None else known)

    def long_line(self) -> None:
        """LONG."""
        self.stack.append(int(self.source.line().rstrip(b"L"), 0))

    def int_1(self) -> None:
        """BININT1."""
        self.stack.append(self.source.read(1)[0])

    def int_2(self) -> None:
        """BININT2."""
        self.stack.append(_UINT2(self.source.read(2))[0])

    def int_4(self) -> None:
        """BININT."""
        self.stack.append(_INT4(self.source.read(4))[0])

    def long_1(self) -> None:
        """LONG1."""
        self._long(self.source.read(1)[0])

    def long_4(self) -> None:
        """LONG4."""
        self._long(_INT4(self.source.read(4))[0])

    def _long(self, size: int) -> None:
        if size < 0:
            raise broken("An integer of negative length.")
        if size > _LONG_BYTES:
            self.source.skip(size)
            self.stack.append(Blob("int", size))
            return
        self.stack.append(int.from_bytes(self.source.read(size), "little", signed=True))

    def float_line(self) -> None:
        """FLOAT."""
        self.stack.append(float(self.source.line()))

    def float_8(self) -> None:
        """BINFLOAT."""
        self.stack.append(_FLOAT8(self.source.read(8))[0])

    def text_line(self) -> None:
        """UNICODE."""
        line, size = self.source.long_line()
        text = str(line, "raw-unicode-escape") if size <= KEPT_TEXT else Blob("text", size)
        self.stack.append(text)

    def text_1(self) -> None:
        """SHORT_BINUNICODE."""
        # The most frequent constant: read without the detour over Source.read.
        read = self.source.read_some
        size = ord(read(1) or self.source.read(1))
        data = read(size)
        if len(data) != size:
            raise broken("The stream ends in the middle of a text.")
        self.stack.append(str(data, "utf-8", "surrogatepass"))

    def text_4(self) -> None:
        """BINUNICODE."""
        self._text(_UINT4(self.source.read(4))[0])

    def text_8(self) -> None:
        """BINUNICODE8."""
        self._text(_UINT8(self.source.read(8))[0])

    def _text(self, size: int) -> None:
        if size > KEPT_TEXT:
            self.source.skip(size)
            self.stack.append(Blob("text", size))
        else:
            self.stack.append(str(self.source.read(size), "utf-8", "surrogatepass"))

    def string_line(self) -> None:
        """Carry out STRING: a string of Python 2, which Python 3 decodes as ASCII."""
        line, size = self.source.long_line()
        if size > KEPT_TEXT:
            self.stack.append(Blob("text", size))
            return
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in {b"'", b'"'}:
            raise broken("A string without its quotes.")
        self.stack.append(str(codecs.escape_decode(line[1:-1])[0], "ascii"))

    def string_1(self) -> None:
        """SHORT_BINSTRING."""
        self.stack.append(str(self.source.read(self.source.read(1)[0]), "ascii"))

    def string_4(self) -> None:
        """BINSTRING."""
        size = _INT4(self.source.read(4))[0]
        if size < 0:
            raise broken("A string of negative length.")
        self._text(size)

    def bytes_1(self) -> None:
        """SHORT_BINBYTES."""
        self._bytes(self.source.read(1)[0])

    def bytes_4(self) -> None:
        """BINBYTES."""
        self._bytes(_UINT4(self.source.read(4))[0])

    def bytes_8(self) -> None:
        """BINBYTES8."""
        self._bytes(_UINT8(self.source.read(8))[0])

    def _bytes(self, size: int) -> None:
        if size > KEPT_BYTES:
            self.source.skip(size)
            self.stack.append(Blob("bytes", size))
        else:
            self.stack.append(self.source.read(size))

    def bytearray_8(self) -> None:
        """BYTEARRAY8."""
        (size,) = _UINT8(self.source.read(8))
        self.source.skip(size)
        self.stack.append(Blob("bytes", size))
