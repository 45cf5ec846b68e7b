"""Honest pickles with other numbers, bytes and orders in them: what a library in C is then told.

Bytes that are changed blindly are hardly ever a pickle any more, let alone one that the audit accepts.
"""

from __future__ import annotations

import pickletools
import random
import struct
from functools import cache
from typing import Any

INTEGERS = (0, 1, 2, 3, 4, 7, 8, 16, 27, 63, 255, -1, -2, 1 << 16, (1 << 31) - 1, -(1 << 31))
TEXTS = ("O8", "f8", "i8", "V8", "V0", "U1", "S1", "M8", "m8", "b1", "c16", "<", ">", "|", "C", "F")
CONSTANTS = (b"\x88", b"\x89", b"N", b")", b"}", b"]")

Piece = tuple[str, Any, bytes]


def mutated(honest: bytes, source: bytes) -> bytes:
    """Change a pickle in one to three places, as other bytes say."""
    draw = random.Random(source)
    pieces = list(_pieces(honest))
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(1, len(pieces) - 1)
        pieces[at] = _other(pieces[at], draw)
        if draw.random() < 0.1:
            other = draw.randrange(1, len(pieces) - 1)
            pieces[at], pieces[other] = pieces[other], pieces[at]
    return b"".join(encoded for name, _, encoded in pieces if name != "FRAME")


@cache
def _pieces(honest: bytes) -> tuple[Piece, ...]:
    found = [(opcode.name, value, at or 0) for opcode, value, at in pickletools.genops(honest)]
    ends = [*(at for _, _, at in found[1:]), len(honest)]
    return tuple(
        (name, value, honest[at:end]) for (name, value, at), end in zip(found, ends, strict=True)
    )


def _other(piece: Piece, draw: random.Random) -> Piece:
    name, value, encoded = piece
    if name.startswith("BININT"):
        number = draw.choice((*INTEGERS, value + 1, value - 1))
        encoded = b"J" + struct.pack("<i", max(-(1 << 31), min(number, (1 << 31) - 1)))
    elif name in {"SHORT_BINBYTES", "BINBYTES"}:
        data = draw.choice((value[:-1], value + b"x", value * 2, b"", draw.randbytes(len(value))))
        encoded = b"B" + struct.pack("<I", len(data)) + data
    elif name == "BYTEARRAY8":
        data = draw.choice((value[:-1], draw.randbytes(len(value)), b""))
        encoded = b"\x96" + struct.pack("<Q", len(data)) + data
    elif name in {"SHORT_BINUNICODE", "BINUNICODE"} and len(value) < 5:
        text = draw.choice(TEXTS).encode()
        encoded = b"X" + struct.pack("<I", len(text)) + text
    elif name in {"NEWTRUE", "NEWFALSE", "NONE"}:
        encoded = draw.choice(CONSTANTS)
    return name, value, encoded
